import { type Node, sameShape, type Value } from "../../graph/graph.js";
import type { Frame } from "./frame.js";
import { isSmallProduct, productOf } from "./product.js";
import type { ProductSum } from "./product-sum.js";

/** Whether a node is a product that can add to a matrix in memory. */
function isTerm(node: Node): boolean {
  return (
    ["Gemm", "MatMul"].includes(node.op.type) &&
    node.outputs[0]!.shape.length === 2 &&
    productOf(node).c === null &&
    !isSmallProduct(node)
  );
}

/** The sums of products among the nodes of a scope, by each of their nodes. */
export function productSums(frame: Frame, nodes: readonly Node[]): Map<Node, ProductSum> {
  const sums = new Map<Value, ProductSum>();
  for (const node of nodes) {
    const result = node.outputs[0]!;
    if (isTerm(node)) sums.set(result, { products: [node], rest: null, adds: [], result });
    else if (node.op.type === "Add" && node.inputs.every((x) => sameShape(x!.shape, result.shape))) {
      const [x, y] = node.inputs.map((value): Omit<ProductSum, "result"> => {
        const known = frame.usesOf(value!) === 1 ? sums.get(value!) : undefined;
        return known ?? { products: [], rest: value, adds: [] };
      }) as [ProductSum, ProductSum];
      if (x.rest !== null && y.rest !== null) continue;
      for (const value of node.inputs) sums.delete(value!);
      const products = [...x.products, ...y.products].sort((a, b) => a.id - b.id);
      sums.set(result, { products, rest: x.rest ?? y.rest, adds: [...x.adds, ...y.adds, node], result });
    }
  }
  const found = new Map<Node, ProductSum>();
  for (const sum of sums.values()) {
    if (sum.adds.length > 0) for (const node of [...sum.products, ...sum.adds]) found.set(node, sum);
  }
  return found;
}
