import type { Model } from "../graph/model.js";

// What the names of arrays tell, where nothing else does.

/** Names that exporters make up for numbers that have none: `val_3`, `onnx::Mul_9`, `/net/Constant_output_0`. */
const madeUp = [
  /^val_\d+$/,
  /^onnx::/,
  /^\//,
  /^\d+$/,
  /^_?scalar_tensor_default/,
  /^lifted_tensor/,
  /(^|[/_.])const(ant)?([_.\d]|$)/i,
  /_cast(_\d+)?$/,
  // TensorFlow's operands that are numbers of the program, and what skl2onnx and jax2onnx number
  /\/[xy](:0)?$/,
  /cst\d*$/,
  /^(ipow_exp|dot_bias|dpa_scale)_\d+$/,
];

/** Statistics that batch normalisation gathers: buffers of a module, never parameters. */
const gathered = /(^|\.)(running_mean|running_var|num_batches_tracked)$/;

/** Whether an exporter made up a name, for a number that has none in the program. */
export function isMadeUp(name: string): boolean {
  return madeUp.some((pattern) => pattern.test(name));
}

/** Whether a name is that of a statistic that batch normalisation gathers. */
export function isGathered(name: string): boolean {
  return gathered.test(name);
}

/** Whether a name is that of a variable in the program that was exported: PyTorch's of modules, TensorFlow's of reads. */
export function isNameOfVariable({ producer }: Model, name: string): boolean {
  if (/^pytorch\b/.test(producer)) return /^[A-Za-z_]\w*(\.\w+)*$/.test(name);
  return /^tf2onnx\b/.test(producer) && name.includes("ReadVariableOp");
}
