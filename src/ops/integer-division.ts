import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { equal, where } from "./logic.js";

// Processors trap where −1 divides the smallest integer, since its opposite is not in range; ONNX Runtime ends with them.

/** A divisor with 1 in the place of −1, and where it is −1. */
export function withoutMinusOne(
  b: Builder,
  y: Value,
): { readonly divisor: Value; readonly isMinusOne: Value } {
  const isMinusOne = equal(b, y, -1);
  return { divisor: where(b, isMinusOne, 1, y), isMinusOne };
}

/** Whether a divisor is known to be nowhere −1: a constant, or one that −1 was taken out of. */
export function excludesMinusOne({ constant, node }: Value): boolean {
  if (constant !== null) return !(constant.data as BigInt64Array).some((value) => Number(value) === -1);
  const [condition, , otherwise] = node?.op.type === "Where" ? node.inputs : [];
  const asked = condition?.node;
  return asked?.op.type === "Equal" && asked.inputs[0] === otherwise && excludesMinusOne(node!.inputs[1]!);
}
