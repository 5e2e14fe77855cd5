import { withoutRegions } from "../autodiff/region.js";
import { type FloatDType, scalar, type Tensor, tensor } from "../core/tensor.js";
import { byPath } from "../core/tree.js";
import type { Tensors } from "../fields/field.js";
import { Builder } from "../graph/builder.js";
import { encode } from "../graph/encode.js";
import type { Value } from "../graph/graph.js";
import { usesIn } from "../graph/uses.js";
import { adamw, type Optimiser } from "../learning/optimisers.js";
import { constant, type Schedule } from "../learning/schedules.js";
import { checkDataset, type Dataset } from "../models/dataset.js";
import { changingOf } from "../models/fit.js";
import { applied, type Model, type SampleTypes, sampleInputs } from "../models/model.js";
import type { AnyTask, Task } from "../models/task.js";
import { taskObjective } from "../models/task-objective.js";
import { checkValues, initialValues, resumedValues } from "../models/values.js";
import { randomKey } from "../ops/random.js";
import { batchSizeOf } from "../programs/objective.js";
import { memoryOf } from "../programs/update.js";
import { type UpdatesSetting, updatesProgram } from "../programs/updates.js";
import { sampler } from "../train/batches.js";
import { type Checkpoint, emptyMemory, treeFrom } from "../train/checkpoint.js";
import { version } from "../version.js";
import { kindKey } from "./kind.js";
import { portable } from "./portable.js";

export interface PredictionOptions {
  readonly parameters: Tensors;
  readonly buffers?: Tensors;
  readonly dtype?: FloatDType;
  /** samples per run; any number by default */
  readonly batchSize?: number;
}

/**
 * A trained model as one `.onnx` of standard operators: its inputs, each [batch, …], to its outputs, by name, with its
 * parameters inside, as far as it reads them.
 *
 * @throws {ParameterError} unless all parameters and buffers are there
 * @throws {ShapeError | GraphError} for a model that needs to know the size of a batch: give batchSize
 */
export function encodePrediction<Inputs extends SampleTypes, Outputs extends Readonly<Record<string, Value>>>(
  given: Model<Inputs, Outputs>,
  { parameters, buffers = {}, dtype = "float64", batchSize }: PredictionOptions,
): Uint8Array {
  const model = given as unknown as Model;
  const values = checkValues(model, { parameters, buffers }, dtype);
  const b = new Builder();
  const inputs = sampleInputs(b, model.inputs, dtype, batchSize ?? "batch");
  const theta: Record<string, Value> = {};
  const stored: Record<string, Tensor> = {};
  for (const [name, value] of Object.entries({ ...values.parameters, ...values.buffers })) {
    theta[name] = b.input(name, dtype, value.shape);
    stored[name] = value;
  }
  const outputs = applied(b, model, theta, inputs, null);
  const graph = portable(withoutRegions(b.graph(outputs, model.name)));
  // a model may be a part of what was trained, as a decoder is: what it does not read has no place in its file
  const uses = usesIn(graph);
  const isParameter = ({ name }: Value) => Object.hasOwn(stored, name!);
  const read = graph.inputs.filter((input) => uses.has(input) || !isParameter(input));
  const initializers = Object.fromEntries(
    read.filter(isParameter).map(({ name }) => [name!, stored[name!]!] as const),
  );
  return encode(
    { ...graph, inputs: read },
    {
      initializers,
      doc: `${model.name}; written by revort ${version}`,
      metadata: { [kindKey]: "prediction", "revort.version": version },
    },
  );
}

export interface FitStepOptions {
  readonly optimiser?: Optimiser;
  readonly clip?: number;
  readonly dtype?: FloatDType;
  readonly batchSize?: number;
  /** updates per run, at most */
  readonly updates?: number;
}

/**
 * Training steps of a task as one `.onnx`: all samples, parameters, the optimiser's memory, learning rates and the
 * samples of each update in; what is trained and remembered out as `next/…`, with losses and norms of gradients.
 */
export function encodeFitSteps<
  Inputs extends SampleTypes,
  Targets extends SampleTypes,
  Outputs extends Readonly<Record<string, Value>>,
>(task: Task<Inputs, Targets, Outputs>, data: Dataset, options: FitStepOptions = {}): Uint8Array {
  const { setting, updates } = settingOf(task as AnyTask, data, options);
  const { optimiser, clip } = setting;
  return encode(portable(updatesProgram(setting, { capacity: updates, best: false }).graph), {
    doc: `Trains ${task.model.name} by ${optimiser.name}; written by revort ${version}`,
    metadata: {
      [kindKey]: "fit-steps",
      "revort.version": version,
      "revort.optimiser": optimiser.name,
      "revort.optimiserSettings": JSON.stringify(optimiser.settings),
      ...(clip === null ? {} : { "revort.clip": String(clip) }),
    },
  });
}

export interface FitStartOptions extends FitStepOptions {
  readonly seed?: number;
  readonly schedule?: Schedule;
  /** parameters before the first update, all or some; drawn from the seed where not given */
  readonly parameters?: Tensors;
  readonly resume?: Checkpoint;
}

/** Everything that {@link encodeFitSteps} takes before its first run, or where a fit has stopped, by the names of inputs. */
export function fitStart<
  Inputs extends SampleTypes,
  Targets extends SampleTypes,
  Outputs extends Readonly<Record<string, Value>>,
>(task: Task<Inputs, Targets, Outputs>, data: Dataset, options: FitStartOptions = {}): Tensors {
  const { setting, updates, samples, count } = settingOf(task as AnyTask, data, options);
  const { optimiser, objective } = setting;
  const { dtype } = objective;
  const { seed = 0, schedule = constant(), resume, parameters = {} } = options;
  const { model } = task as AnyTask;
  const values = resume
    ? resumedValues(model, resume, dtype)
    : initialValues(model, { dtype, seed, given: parameters });
  const { trained, buffers } = changingOf(values);
  const memory = memoryOf(optimiser, trained);
  const done = resume?.step ?? 0;
  const batchSize = batchSizeOf(objective)!;
  const batches = sampler(count, batchSize, resume?.sampler ?? seed, "samples");
  const rows = Array.from({ length: updates }, () => batches.next());
  const seen = { losses: resume?.losses ?? [], validations: resume?.validations ?? [] };
  const rates = rows.map((_, i) => optimiser.learningRate * schedule.factor(done + i, seen));
  return byPath<Tensor>({
    ...{ ...trained, ...buffers },
    memory: resume ? treeFrom(memory, resume.memory, "memory") : emptyMemory(memory, dtype),
    ...{ data: samples, key: scalar("int64", randomKey(seed)) },
    learningRates: tensor(dtype, [updates], rates),
    count: scalar("int64", done + 1),
    updates: scalar("int64", updates),
    batches: tensor("int64", [updates, batchSize], rows.flat().map(BigInt)),
  });
}

function settingOf(task: AnyTask, data: Dataset, options: FitStepOptions) {
  const { optimiser = adamw(), clip = null, dtype = "float64", updates = 1 } = options;
  const types = { ...task.model.inputs, ...task.targets } as SampleTypes;
  const { data: samples, count } = checkDataset("The training data", data, types, dtype);
  const batchSize = options.batchSize ?? Math.min(32, count);
  const objective = taskObjective(task, { dtype, batchSize });
  const setting: UpdatesSetting = { objective, samples: count, optimiser, clip };
  return { setting, updates, samples, count };
}
