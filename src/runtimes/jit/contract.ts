import { isFloat } from "../../core/tensor.js";
import { broadcastShapes, type Graph, type Node, type Op, sameShape, type Value } from "../../graph/graph.js";
import type { Rewrite } from "../../graph/passes.js";
import { floats, takes } from "../../graph/signature.js";
import { usesIn } from "../../graph/uses.js";
import { Identity } from "../../ops/reshape.js";

function fusedOp(type: string): Op {
  return {
    type,
    inputs: ["x", "y", "z"].map((name) => takes(name, floats)),
    infer: ([x, y, z]) => [
      { dtype: x!.dtype, shape: broadcastShapes(type, broadcastShapes(type, x!.shape, y!.shape), z!.shape) },
    ],
  };
}

/** x y + z, rounded once. */
export const MultiplyAdd = fusedOp("MultiplyAdd");
/** z − x y, rounded once. */
export const MultiplySubtract = fusedOp("MultiplySubtract");

/** A product that has been kept from being fused, or need not be: as any other. */
export function roundedAnyway({ op }: Pick<Node, "op">, [x]: readonly (Value | null)[]): Value[] | null {
  return op === Identity ? [x!] : null;
}

/**
 * Sums of products that nothing else needs, as one operation: half the instructions, and half the latency where steps
 * follow from each other, as the stages of a Runge–Kutta method do. Single elements are left alone, for which
 * WebAssembly has no such instruction.
 */
export function contraction(graph: Graph): Rewrite {
  const uses = usesIn(graph);
  const isTerm = (value: Value | null, sum: Value): boolean =>
    value?.node?.op.type === "Mul" &&
    value.node.scope === sum.scope &&
    uses.get(value) === 1 &&
    sameShape(value.shape, sum.shape);
  return (b, { op, inputs, outputs }, images) => {
    // a product whose rounding counts is no term, and from here on it is as any other
    if (op === Identity) return roundedAnyway({ op }, images);
    const sum = outputs[0]!;
    if ((op.type !== "Add" && op.type !== "Sub") || !isFloat(sum.dtype)) return null;
    if (sum.shape.every((dim) => dim === 1)) return null;
    const [left, right] = [0, 1].map((i) => isTerm(inputs[i]!, sum)) as [boolean, boolean];
    // of two products, the one that is known last
    const which = op.type === "Sub" || !left ? 1 : right && inputs[1]!.node!.id > inputs[0]!.node!.id ? 1 : 0;
    if (!(which === 1 ? right : left)) return null;
    const product = images[which]!.node;
    if (product?.op.type !== "Mul") return null;
    const fused = op.type === "Add" ? MultiplyAdd : MultiplySubtract;
    return b.emit(fused, [...product.inputs, images[1 - which]!]);
  };
}
