import { GradientMethodError } from "../chains/syntax.js";
import type { Control } from "../control/control.js";
import { Random } from "../core/random.js";
import { scalar, type Tensor, tensor } from "../core/tensor.js";
import { type Branch, byPath } from "../core/tree.js";
import { initialParameters, type Tensors } from "../fields/field.js";
import { chooseGradient, type GradientChoice } from "../gradients/choice.js";
import { gridOfTimes, lossSetting } from "../gradients/differentiator.js";
import { type Fit, onStepsOf } from "../gradients/evaluate.js";
import { type GradientRequest, graphGradientOf, showGradientMethod } from "../gradients/method.js";
import { Builder } from "../graph/builder.js";
import { encode } from "../graph/encode.js";
import { type Graph, inputsReadBy } from "../graph/graph.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import { checkParameters, checkState } from "../integrate/solve.js";
import { type Loss, mse } from "../learning/losses.js";
import { adamw, type Optimiser } from "../learning/optimisers.js";
import { constant, type Schedule } from "../learning/schedules.js";
import { isReversible } from "../methods/method.js";
import { gridThrough, stepsOf } from "../programs/grid.js";
import { batchSizeOf } from "../programs/objective.js";
import { type TrajectoriesSetting, trajectories } from "../programs/trajectories.js";
import { memoryOf } from "../programs/update.js";
import { type UpdatesSetting, updateStepProgram, updateStepsProgram } from "../programs/updates.js";
import { sampler } from "../train/batches.js";
import { type Checkpoint, emptyMemory, treeFrom } from "../train/checkpoint.js";
import { type Trajectories, targetsOf } from "../train/data.js";
import { batchOf, checkTrainable, firstBatch, samplesIn, setupOf } from "../train/trajectory-updater.js";
import { version } from "../version.js";
import { type FieldMetadata, metadataOf } from "./field-file.js";
import { kindKey } from "./kind.js";
import { portable } from "./portable.js";

/** How a training step is done: as the options of `train` of the same names. */
export interface TrainStepOptions {
  readonly loss?: Loss;
  readonly optimiser?: Optimiser;
  /** "auto" chooses by what is at stake; whatever is asked for stores states where its reconstruction would be lost */
  readonly gradient?: GradientRequest;
  /** what stored states may take where the gradient is chosen, in bytes; 1 GB by default */
  readonly memoryBudget?: number;
  /** steps of another size than the equation's, or between given times */
  readonly control?: Control;
  readonly clip?: number;
  readonly trainY0?: boolean;
  readonly batchSize?: number;
  /** whether the file does several updates in a run, as many as learning rates are given */
  readonly many?: boolean;
  readonly metadata?: FieldMetadata;
}

/**
 * The graph of a training step on given trajectories: what is trained, the optimiser's memory, learning rate and number
 * of the update, data and time grid in; loss, gradient norm and what is new out.
 *
 * @throws {GradientMethodError} for steps that are chosen outside of the graph, or a solver that cannot be undone
 * @throws {ShapeError | TimeError | TrainingDataError} for data that do not fit
 */
export function trainStepGraph(ode: NeuralOde, data: Trajectories, options: TrainStepOptions = {}): Graph {
  const { updates } = prepared(ode, data, options);
  return (options.many ? updateStepsProgram(updates) : updateStepProgram(updates)).graph;
}

/** How a training step is differentiated, and why it is so where that is not what was asked for. */
export function trainStepGradient(
  ode: NeuralOde,
  data: Trajectories,
  options: TrainStepOptions = {},
): GradientChoice {
  return prepared(ode, data, options).choice;
}

/**
 * A training step as one `.onnx` of standard operators, which any ONNX Runtime runs without revort: solve, loss,
 * gradient and update. What comes out as `next/…` goes in again without the `next/`; `loss` is the one before the
 * update. The times of the data are inside, so other data must have been observed at the same ones. Where steps are
 * undone, `reconstructionError` says how far states came back, relative to y: past 1e−6 (1e−3 in float32) the gradient of
 * that update was lost.
 *
 * @throws as {@link trainStepGraph}
 */
export function encodeTrainStep(
  ode: NeuralOde,
  data: Trajectories,
  options: TrainStepOptions = {},
): Uint8Array {
  const { updates, loss, fit, choice } = prepared(ode, data, options);
  const { gradient: method } = choice;
  const { optimiser, clip, objective } = updates;
  const graph = portable(trainStepGraph(ode, data, options));
  const grid = byPath<Tensor>(setupOf(ode, fit, method, objective.setup));
  // of times that nothing depends on, ONNX Runtime would complain
  const read = inputsReadBy(graph);
  const inputs = graph.inputs.filter((value) => read.has(value) || !Object.hasOwn(grid, value.name!));
  const names = new Set(inputs.map(({ name }) => name));
  const stored = Object.entries(grid).filter(([name]) => names.has(name));
  return encode(
    { ...graph, inputs },
    {
      initializers: Object.fromEntries(stored),
      doc:
        `Trains dy/dt = f(t, y) by ${optimiser.name} on states at ${data.times.length} times from ${data.t0} ` +
        `to ${data.times.at(-1)}; written by revort ${version}`,
      metadata: {
        [kindKey]: options.many ? "train-steps" : "train-step",
        ...metadataOf(ode, options.metadata ?? {}),
        "revort.optimiser": optimiser.name,
        "revort.optimiserSettings": JSON.stringify(optimiser.settings),
        "revort.loss": loss.name,
        "revort.gradient": showGradientMethod(method),
        ...(clip === null ? {} : { "revort.clip": String(clip) }),
        "revort.countsFrom": "1",
      },
    },
  );
}

export interface TrainStartOptions extends TrainStepOptions {
  /** of the initial parameters and the order of batches, where there is no checkpoint */
  readonly seed?: number;
  /** θ before the first update; drawn from the seed where not given */
  readonly parameters?: Tensors;
  /** where to go on, instead of starting anew */
  readonly resume?: Checkpoint;
  readonly schedule?: Schedule;
  /** how many learning rates (and batches) to give, where a run does several updates */
  readonly updates?: number;
}

/** Everything that a training step takes before its first update, or where a run has stopped, by the names of inputs. */
export function trainStart(ode: NeuralOde, data: Trajectories, options: TrainStartOptions = {}): Tensors {
  const { updates: setting, fit } = prepared(ode, data, options);
  const { optimiser, objective, samples } = setting;
  const { dtype } = objective;
  const { resume, many = false, updates = 1, schedule = constant(), seed = 0 } = options;
  const parameters = options.parameters ?? initialParameters(ode.field, Random.seeded(seed), dtype);
  const trained: Branch = resume
    ? treeFrom(objective.trained, resume.trained)
    : { parameters: checkParameters(ode.field, parameters, ode), ...(options.trainY0 ? { y0: fit.y0 } : {}) };
  const noMemory = emptyMemory(memoryOf(optimiser, trained), dtype);
  const done = resume?.step ?? 0;
  const length = many ? updates : 1;
  const seen = { losses: resume?.losses ?? [], validations: [] };
  const rates = Array.from({ length }, (_, k) => optimiser.learningRate * schedule.factor(done + k, seen));
  const size = batchSizeOf(objective)!;
  const batches = sampler(fit.y0.shape[0]!, size, resume?.sampler ?? seed);
  const rows = Array.from({ length: samples === null ? 0 : length }, () => batches.next());
  return byPath<Tensor>({
    ...samplesIn(objective.data, fit),
    ...trained,
    memory: resume ? treeFrom(noMemory, resume.memory, "memory") : noMemory,
    ...(many
      ? { learningRates: tensor(dtype, [length], rates) }
      : { learningRate: scalar(dtype, rates[0]!) }),
    count: scalar(dtype, done + 1),
    batches: samples === null ? null : tensor("int64", many ? [length, size] : [size], rows.flat()),
  });
}

/**
 * Tensors as an `.onnx` that takes nothing and puts them out by name: what a training step takes first, to be had
 * wherever ONNX Runtime is, without anything else that reads files of tensors.
 */
export function encodeTrainStart(values: Tensors): Uint8Array {
  const b = new Builder();
  const outputs = Object.entries(values).map(([name, value]: [string, Tensor]) => [name, b.constant(value)]);
  return encode(b.graph(Object.fromEntries(outputs), "trainStart"), {
    doc: `What a training step takes first; written by revort ${version}`,
    metadata: { [kindKey]: "train-start", "revort.version": version },
  });
}

function prepared(
  ode: NeuralOde,
  data: Trajectories,
  { loss = mse(), optimiser = adamw(), control, clip, trainY0 = false, ...options }: TrainStepOptions,
): { updates: UpdatesSetting; loss: Loss; fit: Fit; choice: GradientChoice } {
  const y0 = checkState(ode, data.y0);
  const { target, weight } = targetsOf({ ...data, y0 }, ode.dtype);
  const grid = control ? gridOfTimes(data.t0, data.times) : gridThrough(data.t0, data.times, ode.stepSize);
  const fit = onStepsOf(ode, { grid, y0, target, weight }, control);
  checkSteps(control);
  const count = y0.shape[0]!;
  const batchSize = options.batchSize ?? count;
  checkTrainable(ode.field, { count, batchSize, trainY0 });
  const batch = batchOf(fit, firstBatch({ batchSize }));
  const choice = chooseGradient(
    ode,
    options.gradient ?? (isReversible(ode.method) ? "reversible" : "direct"),
    {
      state: batch.y0.shape,
      steps: stepsOf(fit.grid),
      memoryBudget: options.memoryBudget,
    },
  );
  const setting: TrajectoriesSetting = {
    ...lossSetting(ode, { loss, fit: batch, ...(control && { control }) }),
    ...{ gradient: graphGradientOf(choice.gradient), trainY0 },
  };
  const samples = batchSize === count ? null : count;
  const updates = { objective: trajectories(setting), samples, optimiser, clip: clip ?? null };
  return { updates, loss, fit, choice };
}

/** @throws {GradientMethodError} for adaptive steps */
function checkSteps(control: Control | undefined): void {
  if (control?.kind !== "pid") return;
  throw new GradientMethodError(
    "Steps that are chosen by their error are chosen outside of the gradient's graph, so such a training step is " +
      "no single graph. Use steps of one size (a step size), or given times.",
  );
}
