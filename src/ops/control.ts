import { DTypeError, ShapeError } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import {
  type Dim,
  type Graph,
  GraphError,
  type Op,
  sameShape,
  showType,
  type Value,
} from "../graph/graph.js";
import { operand } from "./operand.js";

/**
 * Loop. Inputs: trip count (int64, or none), condition (bool, or none), carried values. The body maps (iteration,
 * condition, carried …) to (condition, carried …, scans …); scans are stacked along a new leading axis.
 *
 * There is no derivative rule: reversible and stored-step gradients build the backward loop themselves.
 */
export const Loop: Op = {
  type: "Loop",
  attributes: { body: "graph" },
  infer(inputs, attributes) {
    const body = attributes.body as Graph;
    const carried = inputs.slice(2);
    const results = body.outputs.slice(1);
    if (body.inputs.length !== carried.length + 2) {
      throw new GraphError(
        `Loop: the body takes ${body.inputs.length - 2} carried values, but ${carried.length} were given.`,
      );
    }
    const length: Dim = body.trips ?? "steps";
    return results.map(({ name, value }, i) => {
      if (i >= carried.length) return { dtype: value.dtype, shape: [length, ...value.shape] };
      const start = carried[i]!;
      if (start.dtype !== value.dtype) {
        throw new DTypeError(
          `Loop: "${name}" starts as ${showType(start)} and comes back as ${showType(value)}.`,
        );
      }
      if (!sameShape(start.shape, value.shape)) {
        throw new ShapeError(
          `Loop: "${name}" starts as ${showType(start)} and comes back as ${showType(value)}.`,
        );
      }
      return { dtype: value.dtype, shape: value.shape };
    });
  },
};

export interface LoopOptions {
  /** number of iterations */
  readonly trips: Value | number;
  /** values handed from one iteration to the next */
  readonly carried: readonly Value[];
  /** the leading dimension of the scans, where it is known */
  readonly length?: Dim;
}

export interface LoopStep {
  readonly carried: readonly Value[];
  /** what this iteration adds to each scan output */
  readonly scans?: readonly Value[];
  /** a bool scalar: whether to go on */
  readonly proceed?: Value;
}

/**
 * Repeats `body` and returns the last carried values and the stacked scans. The body may read values of the
 * enclosing scopes freely.
 */
export function loop(
  b: Builder,
  { trips, carried, length }: LoopOptions,
  body: (b: Builder, iteration: Value, carried: Value[]) => LoopStep,
): { carried: Value[]; scans: Value[] } {
  const inner = b.child();
  const iteration = inner.input("iteration", "int64", []);
  inner.input("condition", "bool", []);
  const state = carried.map((value, i) => inner.input(`carried${i}`, value.dtype, value.shape));
  const step = body(inner, iteration, state);
  if (step.carried.length !== carried.length) {
    throw new GraphError(
      `Loop: ${carried.length} values were carried in, but ${step.carried.length} came back.`,
    );
  }
  const graph = inner.graph(
    Object.fromEntries([
      ["proceed", step.proceed ?? inner.scalar("bool", true)],
      ...step.carried.map((value, i) => [`next${i}`, value] as const),
      ...(step.scans ?? []).map((value, i) => [`scan${i}`, value] as const),
    ]),
    "body",
  );
  const known = length === undefined ? graph : { ...graph, trips: length };
  const outputs = b.emit(Loop, [operand(b, trips, "int64"), null, ...carried], { body: known });
  return { carried: outputs.slice(0, carried.length), scans: outputs.slice(carried.length) };
}
