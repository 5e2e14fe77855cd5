import { sizeOf, type Tensor, tensor } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import { type Graph, type Node, sameShape, type Value } from "../graph/graph.js";
import { rebuild } from "../graph/passes.js";
import { usesIn } from "../graph/uses.js";
import { gemm } from "../ops/linalg.js";
import { transpose } from "../ops/reshape.js";

/**
 * The same graph in fewer operators, for a runtime where each costs time of its own. Gradients of parameters are sums
 * of products, one for each evaluation of the field, and so are those of biases, as products with ones:
 *
 *   A B + C D = Gemm(A, B, Gemm(C, D)),   Σᵢ xᵢⱼ = 1ᵀ x,   reshape(x) + reshape(y) = reshape(x + y)
 *
 * Products AᵀB that are tall and narrow are taken as (BᵀA)ᵀ, a quarter of the time on a batch of 512.
 *
 * Only sums of products are taken together; what is added up from step to step stays a sum of its own, so that it is
 * rounded once a step as before.
 */
export function fuse(graph: Graph): Graph {
  const uses = usesIn(graph);
  /** products, and sums of them, that nothing but their sum needs */
  const sums = new Set<Value>();
  const once = (value: Value | null, node: Node): value is Value =>
    value !== null && uses.get(value) === 1 && value.node !== null && value.scope === node.scope;

  return rebuild(graph, (b, node, inputs) => {
    const [x, y] = inputs;
    const type = node.op.type;
    if (type === "Gemm" && inputs.length === 2 && (node.attributes.beta ?? 1) === 1) {
      const turned = isTall(node);
      const product = b.apply(node.op, turned ? [y!, x!] : inputs, node.attributes);
      if (uses.get(node.outputs[0]!) === 1) sums.add(product);
      return [turned ? transpose(b, product, [1, 0]) : product];
    }
    if (type === "ReduceSum" && sumsRows(node)) {
      const rows = x!.shape[0] as number;
      const ones = b.constant(tensor(x!.dtype, [1, rows], new Array<number>(rows).fill(1)) as Tensor);
      const product = gemm(b, ones, x!);
      if (uses.get(node.outputs[0]!) === 1) sums.add(product);
      return [product];
    }
    if (type !== "Add" || !once(node.inputs[0]!, node) || !once(node.inputs[1]!, node)) return null;
    if (sums.has(x!) && sums.has(y!) && sameShape(x!.shape, y!.shape)) return [join(b, sums, x!, y!)];
    const [p, q] = [x!.node, y!.node];
    if (p == null || q == null || p.op !== q.op || !["Reshape", "Transpose"].includes(p.op.type)) return null;
    // only those made here and by sums of rows come with operands that are sums, all of one permutation
    const [from, also] = [p.inputs[0]!, q.inputs[0]!];
    const alike = sameShape(from.shape, also.shape) && p.inputs[1] === q.inputs[1];
    if (!alike || !sums.has(from) || !sums.has(also)) return null;
    return b.emit(p.op, [join(b, sums, from, also), ...p.inputs.slice(1)], p.attributes);
  });
}

/** The sum of two sums of products: the second goes into the first, as what its innermost product is added to. */
function join(b: Builder, sums: Set<Value>, x: Value, y: Value): Value {
  const { op, inputs, attributes } = x.node!;
  const [left, right, rest] = inputs as [Value, Value, Value | undefined];
  const joined = b.apply(op, [left, right, rest === undefined ? y : join(b, sums, rest, y)], attributes);
  sums.add(joined);
  return joined;
}

/** Whether a product is AᵀB over many rows, with few columns beside its height. */
function isTall({ inputs: [a, w], outputs: [y], attributes }: Node): boolean {
  const [height, width] = y!.shape;
  const rows = a!.shape[0];
  if (typeof height !== "number" || typeof width !== "number" || typeof rows !== "number") return false;
  const plain = attributes.transA === 1 && attributes.transB !== 1 && a !== w;
  return plain && rows >= 128 && width <= 8 && height >= 4 * width;
}

/** Whether a reduction adds up the rows of a matrix of which the size is known. */
function sumsRows({ inputs: [x, axes], attributes }: Node): boolean {
  return (
    x!.shape.length === 2 &&
    x!.shape.every((dim) => typeof dim === "number") &&
    (x!.dtype === "float32" || x!.dtype === "float64") &&
    attributes.keepdims !== 0 &&
    axes?.constant !== null &&
    axes !== undefined &&
    sizeOf(axes!.constant!.shape) === 1 &&
    [0, -2].includes(Number(axes!.constant!.data[0]))
  );
}
