import type { Node } from "../graph/graph.js";

/**
 * Operators without a float64 kernel on ONNX Runtime's CPU provider (1.30), native and WebAssembly alike: each was
 * tried. Gelu, HardSwish and Mish are functions of others of the list; GroupNormalization runs, but in float32.
 */
const float32Only: ReadonlySet<string> = new Set([
  ...["Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh", "Erf"],
  ...["LeakyRelu", "ThresholdedRelu", "PRelu", "Elu", "Selu", "Celu", "Softplus", "Softsign"],
  ...["HardSigmoid", "HardSwish", "Mish", "Gelu", "Mean", "OneHot"],
  ...["InstanceNormalization", "GroupNormalization"],
]);

/** Whether ONNX Runtime's CPU provider runs a node as it is. */
export function hasOrtKernel({ op, inputs }: Node): boolean {
  if (op.type === "Where") return inputs[1]!.dtype !== "bool";
  return !(float32Only.has(op.type) && inputs.some((value) => value?.dtype === "float64"));
}

/** Whether ONNX Runtime's WebGPU provider runs a node as it is. */
export function hasWebGpuKernel(node: Node): boolean {
  return hasOrtKernel(node);
}
