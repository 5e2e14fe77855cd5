import type { Graph } from "../graph/graph.js";
import { decompose, type Rewrite, rebuild } from "../graph/passes.js";
import { add, div, neg } from "../ops/arithmetic.js";
import { exp } from "../ops/elementwise.js";
import { fuse } from "../runtime/fuse.js";
import { hasOrtKernel } from "../runtime/kernels.js";

/** The same graph of operators that ONNX Runtime has kernels for, as it runs them when nobody tells it anything. */
export function portable(graph: Graph): Graph {
  return rebuild(fuse(decompose(graph, hasOrtKernel)), unfusable);
}

/**
 * x σ(a x) in float64 as x / (1 + e^(−a x)): ONNX Runtime's optimiser (1.30) fuses the former into an operator that it
 * has no kernel for, and whoever runs the file will not know to turn that off.
 */
const unfusable: Rewrite = (b, { op }, inputs) => {
  if (op.type !== "Mul" || inputs[0]!.dtype !== "float64") return null;
  for (const [i, sigmoid] of inputs.entries()) {
    const other = inputs[1 - i]!;
    const z = sigmoid!.node?.op.type === "Sigmoid" ? sigmoid!.node.inputs[0]! : null;
    if (z === null || !(z === other || z.node?.inputs.includes(other))) continue;
    return [div(b, other, add(b, exp(b, neg(b, z)), 1))];
  }
  return null;
};
