import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { abs } from "../ops/elementwise.js";
import { isnan, where } from "../ops/logic.js";
import { reduceMax } from "../ops/reduce.js";

/**
 * max |x| over some axes, or all; ∞ where a number is NaN, on every runtime (ONNX Runtime's ReduceMax overlooks most of them).
 */
export function magnitude(b: Builder, x: Value, axes?: readonly number[]): Value {
  return reduceMax(b, where(b, isnan(b, x), Number.POSITIVE_INFINITY, abs(b, x)), axes, false);
}
