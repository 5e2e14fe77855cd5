import { pullback } from "../autodiff/vjp.js";
import { type FloatDType, sizeOf } from "../core/tensor.js";
import { type Like, leavesOf, withLeaves } from "../core/tree.js";
import type { Builder } from "../graph/builder.js";
import { sameShape, showType, type Value, type ValueType } from "../graph/graph.js";
import type { SolvesInTraining, Training } from "../nn/layer.js";
import { add, mul } from "../ops/arithmetic.js";
import { zerosLike } from "../ops/generate.js";
import { countersFrom, randomNormal, randomUniform } from "../ops/random.js";
import { cast } from "../ops/reshape.js";
import { type Telling, told } from "../ops/told.js";
import type { Objective } from "../programs/objective.js";
import { inputType } from "../programs/program.js";
import { ModelDefinitionError } from "./model.js";
import type { AnyTask } from "./task.js";
import { measured, weightOf } from "./task-measures.js";
import { dataTypesOf, type Named, parameterTypesOf } from "./task-types.js";

export interface TaskObjectiveOptions {
  readonly dtype: FloatDType;
  /** samples in a batch */
  readonly batchSize: number;
  /** what solves make of states that did not come back */
  readonly stores?: SolvesInTraining;
}

/** The objective of a task: its loss over a batch, whose gradient goes back through layers and solves alike. */
export function taskObjective(task: AnyTask, options: TaskObjectiveOptions) {
  const { dtype, batchSize } = options;
  const { parameters, buffers } = parameterTypesOf(task.model, dtype);
  const trained = { parameters };
  const kept = Object.keys(buffers).length === 0 ? {} : { buffers };
  const data = { data: dataTypesOf(task, dtype, batchSize) };
  const setup = { key: inputType("int64", []) };
  const objective: Objective<typeof trained, Kept, typeof data, typeof setup> = {
    ...{ name: task.model.name, dtype, trained, buffers: kept, data, setup, draws: true },
    observes: ["reconstructionError", "drift", "residual"],
    descent(b, inputs) {
      const { loss, seen } = lossInTraining(b, task, inputs, options);
      const theta = inputs.trained.parameters;
      const wrt = leavesOf<Value>(theta);
      const pulled = pullback(b, [loss], [b.scalar(dtype, 1)], wrt);
      const gradients = withLeaves(
        theta,
        wrt.map((value, i) => pulled[i] ?? zerosLike(b, value)),
      ) as Like<typeof parameters, Value>;
      const found = told(b);
      const largest = (of: Telling) => cast(b, found[of] ?? b.scalar(dtype, 0), dtype);
      const before = inputs.buffers.buffers;
      return {
        ...{ loss, gradients: { parameters: gradients } },
        buffers: before === undefined ? {} : { buffers: { ...before, ...seen.kept } },
        observed: {
          reconstructionError: largest("reconstructionError"),
          ...{ drift: largest("drift"), residual: largest("residual") },
        },
      };
    },
    ...(task.weigh === undefined
      ? {}
      : { weigh: (b, { data: samples }) => weightOf(b, task, dtype, samples)! }),
  };
  return objective;
}

type Kept = { readonly buffers?: Named<ValueType> };

/** What the loss of a task reads. */
interface TaskInputs {
  readonly trained: { readonly parameters: Named<Value> };
  readonly buffers: { readonly buffers?: Named<Value> };
  readonly data: { readonly data: Named<Value> };
  readonly setup: { readonly key: Value };
  readonly batch: Value;
}

/** The loss of a batch in training, of samples that are made of those given where the task asks for it. */
export function lossInTraining(
  b: Builder,
  task: AnyTask,
  { trained, buffers, data, setup, batch }: TaskInputs,
  { dtype, stores = {} }: TaskObjectiveOptions,
): { readonly loss: Value; readonly seen: Seen } {
  const { training, seen } = trainingIn(dtype, setup.key, batch);
  const own = { ...training, ...stores };
  const { loss } = measured(
    b,
    task,
    { ...trained.parameters, ...buffers.buffers },
    augmented(b, task, data.data, own),
    own,
  );
  return { loss, seen };
}

/** @throws {ModelDefinitionError} for samples of other types than those given */
function augmented(
  b: Builder,
  { augment, model }: AnyTask,
  data: Named<Value>,
  training: Training,
): Named<Value> {
  if (augment === undefined) return data;
  const made = augment(b, data as never, training) as Named<Value>;
  for (const [name, value] of Object.entries(data)) {
    const own = made[name];
    if (own !== undefined && own.dtype === value.dtype && sameShape(own.shape, value.shape)) continue;
    throw new ModelDefinitionError(
      `The augmentation of a task with the model "${model.name}" must give "${name}" of type ${showType(value)} back, but ` +
        `${own === undefined ? "gives none" : `gives ${showType(own)}`}.`,
    );
  }
  return made;
}

/** What layers leave behind in training. */
interface Seen {
  readonly kept: Record<string, Value>;
}

/** What layers need in training: random numbers, of which each batch has 2³² of its own, and where to leave what they keep. */
function trainingIn(dtype: FloatDType, key: Value, batch: Value) {
  const seen: Seen = { kept: {} };
  let drawn = 0;
  const countersOf = (scope: Builder, numbers: number) => {
    const own = mul(scope, batch, scope.scalar("int64", 2n ** 32n));
    const first = add(scope, own, scope.scalar("int64", drawn));
    drawn += numbers;
    return first;
  };
  const training: Training = {
    uniform: (scope, shape) =>
      randomUniform(scope, key, countersFrom(scope, countersOf(scope, sizeOf(shape)), shape), dtype),
    normal(scope, shape) {
      const size = sizeOf(shape);
      const counters = countersFrom(scope, countersOf(scope, 2 * size), shape);
      return randomNormal(scope, key, counters, size, dtype);
    },
    keep(name, value) {
      seen.kept[name] = value;
    },
  };
  return { training, seen };
}
