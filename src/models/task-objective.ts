import { pullback } from "../autodiff/vjp.js";
import { type FloatDType, sizeOf } from "../core/tensor.js";
import { type Like, leavesOf, withLeaves } from "../core/tree.js";
import type { Builder } from "../graph/builder.js";
import type { Value, ValueType } from "../graph/graph.js";
import type { Observed, Training } from "../nn/layer.js";
import { add, mul } from "../ops/arithmetic.js";
import { maximum } from "../ops/extrema.js";
import { zerosLike } from "../ops/generate.js";
import { countersFrom, randomNormal, randomUniform } from "../ops/random.js";
import type { Objective } from "../programs/objective.js";
import { inputType } from "../programs/program.js";
import type { AnyTask } from "./task.js";
import { measured } from "./task-measures.js";
import { dataTypesOf, type Named, parameterTypesOf } from "./task-types.js";

/**
 * The objective of a task: its loss over a batch, whose gradient goes back through layers and solves alike.
 *
 * @param batchSize  samples in a batch
 */
export function taskObjective(
  task: AnyTask,
  { dtype, batchSize }: { readonly dtype: FloatDType; readonly batchSize: number },
) {
  const { parameters, buffers } = parameterTypesOf(task.model, dtype);
  const trained = { parameters };
  const kept = Object.keys(buffers).length === 0 ? {} : { buffers };
  const data = { data: dataTypesOf(task, dtype, batchSize) };
  const setup = { key: inputType("int64", []) };
  const objective: Objective<
    typeof trained,
    { readonly buffers?: Named<ValueType> },
    typeof data,
    typeof setup
  > = {
    ...{ name: task.model.name, dtype, trained, buffers: kept, data, setup, draws: true },
    observes: ["reconstructionError", "drift"],
    descent(
      b,
      { trained: { parameters: theta }, buffers: before, data: { data: samples }, setup: { key }, batch },
    ) {
      const { training, seen } = trainingIn(b, dtype, key, batch);
      const given = { ...theta, ...before.buffers };
      const { loss } = measured(b, task, given, samples, training);
      const wrt = leavesOf<Value>(theta);
      const pulled = pullback(b, [loss], [b.scalar(dtype, 1)], wrt);
      const gradients = withLeaves(
        theta,
        wrt.map((value, i) => pulled[i] ?? zerosLike(b, value)),
      ) as Like<typeof parameters, Value>;
      const largest = (of: keyof Observed) =>
        seen.observed.flatMap((one) => one[of] ?? []).reduce((x, y) => maximum(b, x, y), b.scalar(dtype, 0));
      return {
        ...{ loss, gradients: { parameters: gradients } },
        buffers: before.buffers === undefined ? {} : { buffers: { ...before.buffers, ...seen.kept } },
        ...{ reconstructionError: largest("error"), drift: largest("drift") },
      };
    },
  };
  return objective;
}

/** What layers and solves leave behind in training. */
interface Seen {
  readonly kept: Record<string, Value>;
  readonly observed: Observed[];
}

/** What layers need in training: random numbers, of which each batch has 2³² of its own, and where to leave what they keep. */
function trainingIn(b: Builder, dtype: FloatDType, key: Value, batch: Value) {
  const seen: Seen = { kept: {}, observed: [] };
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
    observe(scope, one) {
      // what is inside a loop of the model is not seen from here
      if (scope === b) seen.observed.push(one);
    },
  };
  return { training, seen };
}
