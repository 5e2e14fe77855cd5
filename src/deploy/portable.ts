import { tensor } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Graph, Node, Value } from "../graph/graph.js";
import { decompose, rebuild } from "../graph/passes.js";
import { add, div, neg } from "../ops/arithmetic.js";
import { exp } from "../ops/elementwise.js";
import { fuse } from "../runtime/fuse.js";
import { hasOrtKernel } from "../runtime/kernels.js";

type Operands = readonly (Value | null)[];

/** The same graph of operators that ONNX Runtime has kernels for, as it runs them when nobody tells it anything. */
export function portable(graph: Graph): Graph {
  return rebuild(
    fuse(decompose(graph, hasOrtKernel)),
    (b, node, inputs) => unfusedSigmoid(b, node, inputs) ?? unroundedFactor(b, node, inputs),
  );
}

/**
 * x σ(a x) in float64 as x / (1 + e^(−a x)): ONNX Runtime's optimiser (1.30) fuses the former into an operator that it
 * has no kernel for, and whoever runs the file will not know to turn that off.
 */
const unfusedSigmoid = (b: Builder, { op }: Node, inputs: Operands): readonly Value[] | null => {
  if (op.type !== "Mul" || inputs[0]!.dtype !== "float64") return null;
  for (const [i, sigmoid] of inputs.entries()) {
    const other = inputs[1 - i]!;
    const z = sigmoid!.node?.op.type === "Sigmoid" ? sigmoid!.node.inputs[0]! : null;
    if (z === null || !(z === other || z.node?.inputs.includes(other))) continue;
    return [div(b, other, add(b, exp(b, neg(b, z)), 1))];
  }
  return null;
};

/**
 * x c and its like in float64 with c as a vector of equal numbers. ONNX Runtime's optimiser (1.30) takes a single constant
 * for a float32: it drops a factor that rounds to 1 and a summand that rounds to 0, and hands one beside a MatMul to an
 * operator that keeps it as float32, wrong in the eighth digit. A vector it leaves alone.
 */
const unroundedFactor = (b: Builder, { op }: Node, inputs: Operands): readonly Value[] | null => {
  if (!arithmetic.has(op.type) || inputs[0]!.dtype !== "float64") return null;
  for (const [i, number] of inputs.entries()) {
    const constant = number!.constant;
    if (constant === null || constant.data.length !== 1) continue;
    const value = Number(constant.data[0]);
    const { shape } = inputs[1 - i]!;
    const axis = shape.findLastIndex((dim) => typeof dim === "number" && dim > 1);
    if (Math.fround(value) === value || axis < 0 || number!.shape.length > shape.length) continue;
    const n = shape[axis] as number;
    const equal = tensor("float64", [n, ...shape.slice(axis + 1).map(() => 1)], new Array(n).fill(value));
    return [b.apply(op, inputs.with(i, b.constant(equal)))];
  }
  return null;
};

const arithmetic: ReadonlySet<string> = new Set(["Add", "Sub", "Mul", "Div"]);
