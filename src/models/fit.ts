import { RevortError } from "../core/errors.js";
import { emptyData, type FloatDType, scalar, type Tensor, tensor } from "../core/tensor.js";
import type { Tensors } from "../fields/field.js";
import type { Value } from "../graph/graph.js";
import { pick, upload } from "../integrate/problem.js";
import { adamw, type Optimiser } from "../learning/optimisers.js";
import { constant, type Schedule } from "../learning/schedules.js";
import { randomKey } from "../ops/random.js";
import {
  batchesName,
  dataName,
  parameterName,
  perUpdateNames,
  updateCountName,
  updatesName,
} from "../programs/names.js";
import { resting } from "../runtime/resting.js";
import type { DeviceTensors, Executable, Runtime } from "../runtime/runtime.js";
import { type Sampler, type SamplerState, sampler } from "../train/batches.js";
import { emptyMemory } from "../train/checkpoint.js";
import { fetched } from "../train/course.js";
import { Pace } from "../train/pace.js";
import { checkDataset, type Dataset, DatasetError } from "./dataset.js";
import { checkReports, nextOf, reportsOf } from "./fit-reports.js";
import { type Measures, type Measuring, measuring } from "./measuring.js";
import type { SampleTypes } from "./model.js";
import type { Task } from "./task.js";
import { type AnyTask, bufferName, keyName, shapesOf, taskUpdatesProgram } from "./task-program.js";
import { initialValues, named, parted } from "./values.js";

/** What was measured on the validation data, and when. */
export interface Validation extends Measures {
  /** updates done */
  readonly step: number;
}

/** What is known after an update. */
export interface FitUpdate {
  /** updates done, from 1 */
  readonly step: number;
  /** loss of the samples of this update, before it */
  readonly loss: number;
  /** ‖g‖ over all parameters, before clipping */
  readonly gradientNorm: number;
  readonly learningRate: number;
}

/** Everything a fit is between two updates: one that goes on from here ends as one that never stopped. */
export interface FitCheckpoint {
  readonly step: number;
  readonly parameters: Tensors;
  readonly buffers: Tensors;
  readonly memory: Tensors;
  readonly sampler: SamplerState;
  readonly losses: readonly number[];
  readonly validations: readonly Validation[];
  /** where the loss of the validation data was lowest; `null` without such data */
  readonly best: { readonly step: number; readonly parameters: Tensors; readonly buffers: Tensors } | null;
  readonly seconds: number;
}

export interface FitOptions {
  readonly runtime: Runtime;
  /** number of updates in all, those before a resumption included */
  readonly steps: number;
  /** samples per update; 32, or all where there are fewer */
  readonly batchSize?: number;
  readonly optimiser?: Optimiser;
  readonly schedule?: Schedule;
  /** largest ‖g‖; longer gradients are scaled down to it */
  readonly clip?: number;
  readonly dtype?: FloatDType;
  /** of the initial parameters, the order of samples and the random numbers of layers */
  readonly seed?: number;
  /** parameters before the first update, all or some; drawn from the seed where not given */
  readonly parameters?: Tensors;
  /** data that are not trained on, to be measured now and then */
  readonly validation?: Dataset;
  /** updates from one validation to the next; an epoch by default */
  readonly validateEvery?: number;
  /** stop when the loss of the validation data has not fallen for so many validations */
  readonly patience?: number;
  readonly onUpdate?: (update: FitUpdate) => void | Promise<void>;
  readonly onValidation?: (validation: Validation) => void | Promise<void>;
  /** stops after the current run of updates */
  readonly signal?: AbortSignal;
  /** how many updates one run of a graph may do; by default as many as take some 75 ms. Numbers do not depend on it. */
  readonly updatesPerRun?: number;
  readonly resume?: FitCheckpoint;
}

export interface FitResult {
  /** after the last update */
  readonly parameters: Tensors;
  readonly buffers: Tensors;
  /** those where the loss of the validation data was lowest; the last ones without such data */
  readonly best: { readonly step: number; readonly parameters: Tensors; readonly buffers: Tensors };
  /** loss before each update, of its samples */
  readonly losses: readonly number[];
  readonly validations: readonly Validation[];
  readonly seconds: number;
  readonly stopped: "done" | "aborted" | "patience";
  readonly checkpoint: FitCheckpoint;
}

/** How many updates a graph is made for, and how many indices of samples may go in with a run. */
const [mostUpdates, mostIndices] = [1024, 1 << 16];

/**
 * Trains a model for a task.
 *
 * Each sample is taken once per epoch, in a new random order each; what does not fill a batch at its end is left out of it.
 *
 * @throws {DatasetError} for data that do not fit the task
 * @throws {ModelDefinitionError | LayerError} for a model that cannot be built
 * @throws {TrainingError} if the loss or its gradient is not finite, naming the update
 * @throws {ReconstructionError} if the steps of a solve inside could not be undone
 */
export async function fit<
  Inputs extends SampleTypes,
  Targets extends SampleTypes,
  Outputs extends Readonly<Record<string, Value>>,
>(task: Task<Inputs, Targets, Outputs>, data: Dataset, options: FitOptions): Promise<FitResult> {
  const run = await FitRun.started(task as AnyTask, data, options);
  try {
    return await run.toEnd();
  } finally {
    await run.release();
  }
}

/** A fit on its way. */
class FitRun {
  readonly #options: FitOptions;
  readonly #dtype: FloatDType;
  readonly #optimiser: Optimiser;
  readonly #schedule: Schedule;
  readonly #batchSize: number;
  readonly #every: number;
  readonly #most: number;
  readonly #updates: Executable;
  readonly #validation: Measuring | null;
  readonly #batches: Sampler;
  /** what does not change */
  readonly #fixed: DeviceTensors;
  #values: DeviceTensors;
  #memory: DeviceTensors;
  #step: number;
  #seconds: number;
  readonly #losses: number[];
  readonly #validations: Validation[];
  #best: FitCheckpoint["best"];

  private constructor(
    options: FitOptions,
    compiled: {
      readonly updates: Executable;
      readonly validation: Measuring | null;
      readonly most: number;
      readonly batchSize: number;
      readonly count: number;
      readonly values: Tensors;
      readonly memory: Tensors;
      readonly fixed: Tensors;
    },
  ) {
    const { runtime, resume } = options;
    const { batchSize, count } = compiled;
    this.#options = options;
    this.#dtype = options.dtype ?? "float64";
    this.#optimiser = options.optimiser ?? adamw();
    this.#schedule = options.schedule ?? constant();
    this.#batchSize = batchSize;
    this.#every = options.validateEvery ?? Math.max(1, Math.floor(count / batchSize));
    this.#most = compiled.most;
    this.#updates = compiled.updates;
    this.#validation = compiled.validation;
    this.#batches = sampler(count, batchSize, resume?.sampler ?? options.seed ?? 0);
    this.#fixed = upload(runtime, compiled.fixed);
    this.#values = upload(runtime, compiled.values);
    this.#memory = upload(runtime, compiled.memory);
    this.#step = resume?.step ?? 0;
    this.#seconds = resume?.seconds ?? 0;
    this.#losses = [...(resume?.losses ?? [])];
    this.#validations = [...(resume?.validations ?? [])];
    this.#best = resume?.best ?? null;
  }

  static async started(task: AnyTask, data: Dataset, options: FitOptions): Promise<FitRun> {
    const { runtime, resume, optimiser = adamw(), dtype = "float64", seed = 0 } = options;
    const types = { ...task.model.inputs, ...task.targets } as SampleTypes;
    const { data: samples, count } = checkDataset("The training data", data, types, dtype);
    const batchSize = options.batchSize ?? Math.min(32, count);
    checkOptions(options, batchSize, count);
    const most = Math.max(1, Math.min(mostUpdates, Math.floor(mostIndices / batchSize)));
    const setting = { task, dtype, optimiser, clip: options.clip ?? null, batchSize, samples: count };
    const values = resume
      ? { ...named(resume.parameters, parameterName), ...named(resume.buffers, bufferName) }
      : initialValues(task, { dtype, seed, given: options.parameters ?? {} });
    const trained = Object.keys(shapesOf(task).trained);
    const empty = emptyMemory(
      optimiser,
      Object.fromEntries(trained.map((name) => [name, values[name]!])),
      dtype,
    );
    checkResumed(resume, empty, optimiser);
    const updates = await runtime.compile(taskUpdatesProgram(setting, most));
    try {
      const validation =
        options.validation === undefined
          ? null
          : await measuring(task, options.validation, { runtime, dtype, what: "The validation data" });
      const fixed = { ...named(samples, dataName), [keyName]: scalar("int64", randomKey(seed)) };
      const memory = resume?.memory ?? empty;
      return new FitRun(options, { updates, validation, most, batchSize, count, values, memory, fixed });
    } catch (error) {
      await updates.release();
      throw error;
    }
  }

  async toEnd(): Promise<FitResult> {
    const { steps, signal } = this.#options;
    const pace = new Pace(Math.min(this.#most, this.#options.updatesPerRun ?? this.#most));
    const rest = resting();
    let stopped = this.#stop();
    if (stopped === null && this.#step === 0) await this.#validate();
    while (stopped === null) {
      const toValidation = this.#validation === null ? steps : this.#every - (this.#step % this.#every);
      const n = Math.min(pace.next, steps - this.#step, toValidation);
      const started = performance.now();
      const before = this.#seconds;
      await this.#run(n, started);
      pace.ran(n, this.#seconds - before, false);
      if (this.#step % this.#every === 0) await this.#validate();
      await rest(signal);
      stopped = this.#stop();
    }
    const { runtime } = this.#options;
    const end = parted(await fetched(runtime, this.#values));
    const checkpoint: FitCheckpoint = {
      ...{ step: this.#step, ...end, memory: await fetched(runtime, this.#memory) },
      ...{ sampler: this.#batches.state(), losses: [...this.#losses], validations: [...this.#validations] },
      ...{ best: this.#best, seconds: this.#seconds },
    };
    // where a fit ends between two validations, the end is looked at too; a resumed one does not see that
    await this.#validate();
    return {
      ...end,
      best: this.#best ?? { step: this.#step, ...end },
      ...{
        losses: this.#losses,
        validations: this.#validations,
        seconds: this.#seconds,
        stopped,
        checkpoint,
      },
    };
  }

  /** Does updates in one run. */
  async #run(n: number, started: number): Promise<void> {
    const { runtime, onUpdate } = this.#options;
    const first = this.#step;
    const rates = Array.from(
      { length: n },
      (_, i) => this.#optimiser.learningRate * this.#schedule.factor(first + i),
    );
    const rows = Array.from({ length: n }, () => this.#batches.next());
    const given = {
      ...{ ...this.#values, ...this.#memory, ...this.#fixed },
      ...upload(runtime, this.#runInputs(rates, rows)),
    };
    const results = await this.#updates.run(pick(given, this.#updates.inputs));
    const found = await reportsOf(runtime, results, n);
    checkReports(found, first, this.#dtype);
    this.#values = nextOf(this.#values, results);
    this.#memory = nextOf(this.#memory, results);
    this.#seconds += (performance.now() - started) / 1000;
    for (const [i, learningRate] of rates.entries()) {
      const [loss, gradientNorm] = [found.loss[i]!, found.norm[i]!];
      this.#losses.push(loss);
      this.#step += 1;
      await onUpdate?.({ step: this.#step, loss, gradientNorm, learningRate });
    }
  }

  /** What goes in with a run: learning rates and samples of its updates, with room for as many as the graph can do. */
  #runInputs(rates: readonly number[], rows: readonly (readonly number[])[]): Tensors {
    const all = emptyData(this.#dtype, this.#most);
    rates.forEach((rate, i) => {
      all[i] = rate;
    });
    const indices = new BigInt64Array(this.#most * this.#batchSize);
    rows.forEach((row, i) => {
      indices.set(row.map(BigInt), i * this.#batchSize);
    });
    return {
      [perUpdateNames.learningRates]: { dtype: this.#dtype, shape: [this.#most], data: all } as Tensor,
      [updateCountName]: scalar("int64", this.#step + 1),
      [updatesName]: scalar("int64", rates.length),
      [batchesName]: tensor("int64", [this.#most, this.#batchSize], indices),
    };
  }

  #lowest(): Validation | null {
    return this.#validations.reduce<Validation | null>(
      (low, one) => (low === null || one.loss < low.loss ? one : low),
      null,
    );
  }

  async #validate(): Promise<void> {
    const { runtime, onValidation } = this.#options;
    if (this.#validation === null || this.#validations.at(-1)?.step === this.#step) return;
    const found = { step: this.#step, ...(await this.#validation.measure(this.#values)) };
    if (found.loss < (this.#lowest()?.loss ?? Number.POSITIVE_INFINITY)) {
      this.#best = { step: this.#step, ...parted(await fetched(runtime, this.#values)) };
    }
    this.#validations.push(found);
    await onValidation?.(found);
  }

  /** Why there is no next update, where there is none. */
  #stop(): FitResult["stopped"] | null {
    const { steps, signal, patience } = this.#options;
    if (this.#step >= steps) return "done";
    if (signal?.aborted) return "aborted";
    const lowest = this.#lowest();
    if (patience === undefined || lowest === null) return null;
    return this.#validations.length - 1 - this.#validations.indexOf(lowest) >= patience ? "patience" : null;
  }

  async release(): Promise<void> {
    await this.#updates.release();
    await this.#validation?.release();
  }
}

/** @throws {RevortError} naming the option that is out of range */
function checkOptions(options: FitOptions, batchSize: number, count: number): void {
  const { steps, clip, patience, validateEvery, validation } = options;
  const whole = (name: string, value: number | undefined, least: number) => {
    if (value === undefined || (Number.isInteger(value) && value >= least)) return;
    throw new RevortError(`${name} must be a whole number of ${least} or more, but ${value} was given.`);
  };
  whole("The number of updates (steps)", steps, 0);
  whole("The patience", patience, 1);
  whole("validateEvery", validateEvery, 1);
  whole("updatesPerRun", options.updatesPerRun, 1);
  if (clip !== undefined && !(clip > 0)) {
    throw new RevortError(`The largest norm of a gradient (clip) must be positive, but ${clip} was given.`);
  }
  if (!Number.isInteger(batchSize) || batchSize < 1 || batchSize > count) {
    throw new DatasetError(`A batch must hold 1 to ${count} samples, but ${batchSize} were asked for.`);
  }
  if (patience !== undefined && validation === undefined) {
    throw new RevortError(
      "Patience is about the loss of validation data, but none were given. Give validation.",
    );
  }
}

/** @throws {RevortError} for a checkpoint of another optimiser, or of other parameters */
function checkResumed(resume: FitCheckpoint | undefined, empty: Tensors, optimiser: Optimiser): void {
  if (resume === undefined) return;
  if (Object.keys(resume.memory).sort().join() === Object.keys(empty).sort().join()) return;
  throw new RevortError(
    `The run to go on from was one of another optimiser than ${optimiser.name}, or trained other parameters. ` +
      "Give the task and the optimiser that it was started with.",
  );
}
