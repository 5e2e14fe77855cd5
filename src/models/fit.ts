import { RevortError } from "../core/errors.js";
import { type FloatDType, scalar } from "../core/tensor.js";
import type { Branch } from "../core/tree.js";
import type { Tensors } from "../fields/field.js";
import type { Value } from "../graph/graph.js";
import type { SolveWarning } from "../integrate/solve-warning.js";
import { adamw, type Optimiser } from "../learning/optimisers.js";
import { constant, type Schedule } from "../learning/schedules.js";
import { randomKey } from "../ops/random.js";
import type { DeviceTensors, Runtime } from "../runtime/runtime.js";
import type { Threads } from "../runtime/threads.js";
import type { Checkpoint, Validation } from "../train/checkpoint.js";
import { DriftWatch } from "../train/drift-watch.js";
import { keptParts, partsOf } from "../train/kept-parts.js";
import { Run, type Stopped, type UpdateReport, type Validating } from "../train/run.js";
import type { TrainNote } from "../train/scheme.js";
import { shuffled } from "../train/source.js";
import { startOf } from "../train/start.js";
import type { Ran } from "../train/updater.js";
import { type DataStream, isStream, streamed } from "./data-stream.js";
import { checkDataset, type Dataset, DatasetError } from "./dataset.js";
import { isMeanOfParts } from "./means.js";
import { type Measuring, measuring } from "./measuring.js";
import type { SampleTypes } from "./model.js";
import type { AnyTask, Task } from "./task.js";
import { TaskScheme } from "./task-scheme.js";
import { initialValues, type ModelValues, namesIn, resumedValues } from "./values.js";

export type { UpdateReport, Validation };

export interface FitOptions {
  readonly runtime: Runtime;
  /** number of updates in all, those before a resumption included */
  readonly steps: number;
  /** samples per update; 32, or all where there are fewer */
  readonly batchSize?: number;
  /**
   * in how many parts a batch is gone through, one after the other where there are no helpers, so that no more than one of
   * them is in memory. Numbers depend on the parts, and not on who takes them. By default one for each helper and one more;
   * where there are threads, as many as pay by the work of an update alone, where they are seen to make no difference: not
   * for a model that keeps statistics of batches, a loss that is no mean over samples, or a stream of data.
   */
  readonly parts?: number;
  /** runtimes in threads (`threadRuntime`), each of which takes parts of the batch beside `runtime` */
  readonly helpers?: readonly Runtime[];
  /** threads that take parts of the batch, where there are no helpers and updates take long enough */
  readonly threads?: Threads;
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
  /** by which they are measured, where their arrays are of other shapes than those of training: a task of a model with the same parameters */
  readonly validationTask?: AnyTask;
  /**
   * samples of them that are measured at once, of which the mean is taken; by default 256, and all where a loss or metric is seen to
   * be no mean over samples
   */
  readonly validationBatchSize?: number;
  /** updates from one validation to the next; an epoch by default */
  readonly validateEvery?: number;
  /** stop when the loss of the validation data has not fallen for so many validations */
  readonly patience?: number;
  /** called after each update, and awaited */
  readonly onUpdate?: (update: UpdateReport) => void | Promise<void>;
  /** called with what training decides by itself */
  readonly onNote?: (note: TrainNote) => void;
  readonly onValidation?: (validation: Validation) => void | Promise<void>;
  /** stops after the current update */
  readonly signal?: AbortSignal;
  /** how many updates one run of a graph may do; by default as many as take some 75 ms. Numbers do not depend on it. */
  readonly updatesPerRun?: number;
  /** goes on from here instead of starting anew */
  readonly resume?: Checkpoint;
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
  /** where the last update ran, and in how many threads */
  readonly ran: Ran;
  /** what training decided by itself, in order */
  readonly notes: readonly TrainNote[];
  /** what is unreliable about the solves of updates: the two solutions of a coupled method that drifted apart */
  readonly warnings: readonly SolveWarning[];
  /** "exhausted" where a stream of data came to its end */
  readonly stopped: Stopped;
  readonly checkpoint: Checkpoint;
}

const usualBatch = 32;

/**
 * Trains a model for a task.
 *
 * Each sample is taken once per epoch, in a new random order each; what does not fill a batch at its end is left out of it.
 * Data that do not fit in memory come in pieces ({@link DataStream}), and are taken in their order.
 *
 * @throws {DatasetError} for data that do not fit the task
 * @throws {ModelDefinitionError | LayerError} for a model that cannot be built
 * @throws {TrainingError} if the loss or its gradient is not finite, naming the update
 * @throws {ReconstructionError} if the steps of a solve inside cannot be undone, however many states are stored
 * @throws {SplitError} if a batch has fewer samples than parts
 */
export async function fit<
  Inputs extends SampleTypes,
  Targets extends SampleTypes,
  Outputs extends Readonly<Record<string, Value>>,
>(
  given: Task<Inputs, Targets, Outputs>,
  data: Dataset | DataStream,
  options: FitOptions,
): Promise<FitResult> {
  const task = given as unknown as AnyTask;
  const {
    runtime,
    resume,
    optimiser = adamw(),
    schedule = constant(),
    dtype = "float64",
    seed = 0,
  } = options;
  const { source, resident, batchSize, every } = samplesOf(task, data, options);
  const values = resume
    ? resumedValues(task.model, resume, dtype)
    : initialValues(task.model, { dtype, seed, given: options.parameters ?? {} });
  const start = startOf({ ...changingOf(values), resume }, { optimiser, dtype, keepsBest: false });
  const notes: TrainNote[] = [];
  const watch = new DriftWatch(resume?.drift ?? null);
  const note = (one: TrainNote) => {
    notes.push(one);
    options.onNote?.(one);
  };
  const isMean = () => isMeanOfParts(task, values, { runtime, dtype, batchSize, resident });
  const asked = options.parts ?? 1 + (options.helpers ?? []).length;
  if (asked > 1 && asked <= batchSize && (await isMean()) === false) {
    note({
      ...{ code: "parts", step: resume?.step ?? 0 },
      message:
        `A batch is taken in ${asked} parts, as asked for. What is lowered is the mean of their losses, and not the loss of the batch, ` +
        "which is no mean over samples. Leave out parts and helpers, or, where it is a mean over something else, let weigh of the task " +
        "say over what.",
    });
  }
  const scheme = await TaskScheme.compiled({
    ...{ task, watch, lost: resume?.lost ?? [] },
    updater: {
      ...{ runtime, optimiser, dtype, batchSize, resident, clip: options.clip ?? null },
      ...{ helpers: options.helpers ?? [], parts: options.parts ?? partsOf(resume, options.helpers) },
      ...{ threads: options.threads ?? null, updates: options.steps - (resume?.step ?? 0), keepsBest: false },
      isMean: async () => (await isMean()) === true,
      setup: { key: scalar("int64", randomKey(seed)) },
    },
    note,
  });
  let measures: Measuring | null = null;
  try {
    const { validation } = options;
    measures =
      validation === undefined
        ? null
        : await measuring(options.validationTask ?? task, validation, {
            ...{ runtime, dtype, values, what: "The validation data" },
            ...{ atOnce: options.validationBatchSize, option: "validationBatchSize" },
          });
    for (const message of measures?.notes ?? []) {
      note({ code: "measuring", step: resume?.step ?? 0, message: `validation data: ${message}` });
    }
    const { steps, patience, signal, updatesPerRun, onUpdate } = options;
    const run = new Run(scheme, start, {
      ...{ runtime, dtype, source, learningRate: optimiser.learningRate, schedule, steps, patience },
      ...{ signal, updatesPerRun, onUpdate },
      validating: measures && validatingBy(measures, every, options.onValidation),
      keeps: () => ({
        ...keptParts(scheme),
        ...(scheme.lost.length === 0 ? {} : { lost: scheme.lost }),
        ...(watch.record === null ? {} : { drift: watch.record }),
      }),
    });
    const stopped = await run.toEnd();
    const checkpoint = await run.checkpoint();
    // where a fit ends between two validations, the end is looked at too; a resumed one does not see that
    await run.validate();
    const best = bestOf(measures === null ? checkpoint : await run.checkpoint(), measures !== null);
    return {
      ...namesIn(checkpoint),
      best,
      ...{
        losses: run.losses,
        validations: run.validations,
        seconds: run.seconds,
        ran: scheme.updater.ran,
        notes,
        warnings: scheme.warnings(run.losses.length, best.step),
        stopped,
        checkpoint,
      },
    };
  } finally {
    await scheme.release();
    await measures?.release();
  }
}

/** Where samples come from, and how many updates make an epoch. */
function samplesOf(task: AnyTask, data: Dataset | DataStream, options: FitOptions) {
  const { dtype = "float64", resume, seed = 0, validation, validateEvery } = options;
  const types = { ...task.model.inputs, ...task.targets } as SampleTypes;
  if (isStream(data)) {
    const { batchSize = usualBatch } = options;
    checkOptions(options, batchSize, Number.POSITIVE_INFINITY);
    if (validation !== undefined && validateEvery === undefined) {
      throw new RevortError(
        "A stream has no epochs: say how many updates lie between validations (validateEvery).",
      );
    }
    const source = streamed(data, { types, dtype, batchSize, start: resume?.sampler });
    return { source, resident: null, batchSize, every: validateEvery ?? 1 };
  }
  const { data: samples, count } = checkDataset("The training data", data, types, dtype);
  const { batchSize = Math.min(usualBatch, count) } = options;
  checkOptions(options, batchSize, count);
  const source = shuffled(count, batchSize, resume?.sampler ?? seed, "samples");
  const every = validateEvery ?? Math.max(1, Math.floor(count / batchSize));
  return { source, resident: { samples: { data: samples }, count }, batchSize, every };
}

/** What updates change of a model. */
export function changingOf({ parameters, buffers }: ModelValues): Record<"trained" | "buffers", Branch> {
  return { trained: { parameters }, buffers: Object.keys(buffers).length === 0 ? {} : { buffers } };
}

function validatingBy(
  measures: Measuring,
  every: number,
  onValidation: FitOptions["onValidation"],
): Validating {
  return {
    ...{ every, onValidation },
    measure: ({ trained, buffers }) =>
      measures.measure({
        parameters: trained.parameters as DeviceTensors,
        buffers: (buffers.buffers ?? {}) as DeviceTensors,
      }),
  };
}

function bestOf(checkpoint: Checkpoint, validated: boolean): FitResult["best"] {
  const { best } = checkpoint;
  return validated
    ? { step: best.step, ...namesIn(best) }
    : { step: checkpoint.step, ...namesIn(checkpoint) };
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
  whole("The number of parts of a batch", options.parts, 1);
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
