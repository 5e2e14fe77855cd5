import { type DType, sizeOf } from "../core/tensor.js";
import { type Attributes, type Node, sameShape, type Value } from "../graph/graph.js";
import { reductionAxes } from "../ops/broadcast.js";
import {
  type ConvSetting,
  cached,
  convSetting,
  hasFewWindows,
  numbersSeen,
  transposedSetting,
} from "../ops/convolution-setting.js";
import { wholeShapes } from "../ops/einsum.js";
import { excludesMinusOne } from "../ops/integer-division.js";
import { resizedAxes } from "../ops/resize.js";

/**
 * Operators without a float64 kernel on ONNX Runtime's CPU provider (1.30), native and WebAssembly alike: each was
 * tried. Gelu, HardSwish and Mish are functions of others of the list; GroupNormalization runs, but in float32.
 */
const float32Only: ReadonlySet<string> = new Set([
  ...["Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh", "Erf"],
  ...["LeakyRelu", "ThresholdedRelu", "PRelu", "Elu", "Selu", "Celu", "Softplus", "Softsign"],
  ...["HardSigmoid", "HardSwish", "Mish", "Gelu", "Mean", "OneHot"],
  ...["InstanceNormalization", "GroupNormalization"],
  ...["Conv", "ConvTranspose", "AveragePool", "MaxPool", "Resize"],
  ...["RNN", "GRU", "LSTM"],
]);

/**
 * Operators that its kernels compute wrongly: those of int64 take 2³¹ for less than 0, the sum of exponentials is not
 * shifted where a first element is −∞, and the softmax of float64 makes numbers of NaN.
 */
const wrong: Readonly<Partial<Record<DType, ReadonlySet<string>>>> = {
  int64: new Set(["Max", "Min", "Clip", "Sign"]),
  float32: new Set(["ReduceLogSumExp"]),
  float64: new Set(["ReduceLogSumExp", "LogSoftmax"]),
};

/**
 * Operators that add up float32 one after the other: of 10⁶ equal numbers a sum may be off by 10⁻³. From so many terms on they
 * are sums in float64.
 */
const sums: ReadonlySet<string> = new Set([
  ...[
    "ReduceSum",
    "ReduceMean",
    "ReduceL1",
    "ReduceL2",
    "ReduceSumSquare",
    "ReduceLogSum",
    "Softmax",
    "LogSoftmax",
  ],
]);
const longSum = 1 << 16;

function isLongSum({ op, inputs, attributes }: Node): boolean {
  const x = inputs[0];
  if (!sums.has(op.type) || x?.dtype !== "float32") return false;
  const axes = op.type.startsWith("Reduce")
    ? reductionAxes(op.type, inputs, attributes)
    : [Number(attributes.axis ?? -1)];
  const terms = axes.reduce((product, axis) => {
    const dim = x.shape.at(axis)!;
    return typeof dim === "number" ? product * dim : product;
  }, 1);
  return terms > longSum;
}

/** Whether ONNX Runtime's CPU provider runs a node as it is, and rightly. */
export function hasOrtKernel(node: Node): boolean {
  return runsOnOrt(node) && !isLongSum(node);
}

/**
 * Whether ONNX Runtime's CPU provider runs a node as it is, and does not run its decomposition faster. Convolutions in float32 it
 * has, and takes one image after the other; by products of matrices, on one core (Zen 5, onnxruntime 1.32), in milliseconds:
 *
 *   images, channels, places, kernel      Conv   product      its weights' cotangent, as a Conv   as products
 *   128 × 65 × 6 × 6, 64 of 3 × 3         3.2    1.9                                      8.3    2.0
 *   32 × 64 × 14 × 14, 64 of 3 × 3        3.0    3.4                                     11.9    2.7
 *   8 × 32 × 64 × 64, 32 of 3 × 3         8.3    6.2                                     30.8    4.6
 *   32 × 16 × 6 × 6, 16 of 3 × 3          0.11   0.09                                     0.21   0.11
 *   8 × 64 × 6 × 6, 64 of 3 × 3           0.20   0.12
 *   8 × 16 × 6 × 6, 16 of 3 × 3           0.030  0.029
 *   32 × 8 × 6 × 6, 8 of 3 × 3            0.053  0.065
 *   16 × 2 × 32 × 32, 8 of 5 × 5          0.19   0.91                                     0.41   1.0
 *
 * So few windows, as the cotangent of weights has them, pay from rows of 8 on. Others pay where neither side of the product is
 * short and what all windows see stays in the cache; beyond that it depends on who else uses the memory. Patches of an image, as many
 * as 14 × 14, are not few windows: 32 images of 224 × 224 in patches of 16 × 16 take 33 ms by Conv, and a product each takes 60.
 */
export function isBestOnOrt(node: Node): boolean {
  return hasOrtKernel(node) && !isFasterAsProducts(node);
}

function isFasterAsProducts({ op, inputs, attributes }: Node): boolean {
  if (inputs[0]?.dtype !== "float32") return false;
  // it has no kernel of its own: ONNX Runtime writes it out, in more passes than there need be
  if (op.type === "GroupNormalization") return true;
  if (op.type !== "Conv" && op.type !== "ConvTranspose") return false;
  const [x, w] = inputs as readonly [Value, Value];
  const images = x.shape[0]!;
  if (typeof images !== "number") return false;
  if (op.type === "Conv") {
    const setting = convSetting(x, w, attributes);
    return hasFewWindows(setting) ? images >= 8 : paysAsProduct(x, setting, setting.windows.output, 16);
  }
  const setting = transposedSetting(x, w, attributes);
  const { strides, input } = setting.windows;
  return strides.every((stride) => stride === 1) && paysAsProduct(x, setting, input, 32);
}

/** @param width  the least number of channels and of filters in a group */
function paysAsProduct(x: Value, setting: ConvSetting, result: readonly number[], width: number): boolean {
  const { windows, channels, filters, groups } = setting;
  const rows = Number(x.shape[0]) * sizeOf(result);
  const isSpatial = sizeOf(windows.kernel) > 1;
  const isWide = Math.min(Number(channels), filters) / groups >= width;
  return isSpatial && isWide && rows >= 256 && numbersSeen(x, setting) <= cached;
}

function runsOnOrt({ op, inputs, attributes }: Node): boolean {
  const [x, y] = inputs;
  switch (op.type) {
    case "Where":
      return y!.dtype !== "bool";
    case "Div":
    case "Mod":
      // it divides by −1 without a look, which ends the process where x is the smallest integer of 32 or 64 bits
      return !["int32", "int64"].includes(x!.dtype) || excludesMinusOne(y!);
    case "RNN":
    case "GRU":
    case "LSTM":
      if (!recursOnOrt(attributes)) return false;
      break;
    case "Conv":
    case "ConvTranspose":
      // of no channels its kernels do not return
      if (inputs.some((value) => value?.shape.includes(0))) return false;
      break;
    case "Resize":
      if (!resizesOnOrt(inputs, attributes)) return false;
  }
  if (x && wrong[x.dtype]?.has(op.type)) return false;
  return !(float32Only.has(op.type) && inputs.some((value) => value?.dtype === "float64"));
}

/** Whether its kernels compute a recurrent operator: of a batch that leads they do not, and α and β they take for 0 if not given. */
function recursOnOrt({ layout = 0, activations = [] }: Attributes): boolean {
  const named = (activations as readonly string[]).map((name) => name.toLowerCase());
  return layout === 0 && !["affine", "scaledtanh", "thresholdedrelu"].some((name) => named.includes(name));
}

/** Whether its Resize has code for these axes: it interpolates images, [N, C, …] or [N, …, C], and matrices. */
function resizesOnOrt(inputs: readonly (Value | null)[], attributes: Attributes): boolean {
  const { mode = "nearest", exclude_outside: excludes = 0, antialias = 0 } = attributes;
  if (excludes === 1 && mode !== "cubic" && antialias === 0) return false;
  if (mode === "nearest") return true;
  const rank = inputs[0]!.shape.length;
  const axes = resizedAxes(inputs, attributes);
  const isImage = axes.every((axis) => axis > 1);
  if (mode === "cubic") return rank === 2 || (rank === 4 && isImage);
  const isInner = axes.every((axis) => axis > 0 && axis < rank - 1);
  return [2, 3].includes(rank) || (rank === 4 && (isImage || isInner)) || (rank === 5 && isImage);
}

/**
 * Operators without a kernel on ONNX Runtime's WebGPU provider (1.30) that are functions of those that have one. The
 * processor would run them, and each run would wait for what the GPU hands to it. There it runs, with no such function,
 * Mod, Round, IsNaN, IsInf, Xor, Loop and Scan, float powers with int64 exponents, what moves bools about (but for
 * Gather and Unsqueeze), and all but Cast of int64.
 */
const processorOnly: ReadonlySet<string> = new Set([
  ...["Sign", "Or", "Sum", "Mean", "LogSoftmax", "OneHot"],
  ...["Selu", "Celu", "Softsign", "GroupNormalization"],
]);

/** Operators that are off by up to 3e-3 and 7e-5 as WGSL defines them, and one that overflows at 89. */
const imprecise: ReadonlySet<string> = new Set(["Asinh", "Acos", "ReduceLogSumExp"]);

/** Whether ONNX Runtime's WebGPU provider runs a node as it is, for float32, and rightly. */
export function hasWebGpuKernel(node: Node): boolean {
  const { op, inputs, outputs, attributes } = node;
  switch (op.type) {
    case "Einsum":
      // it reads past the end of an axis of size 1 where another operand's is longer
      return wholeShapes(inputs as readonly Value[], attributes).every((shape, i) =>
        sameShape(shape, inputs[i]!.shape),
      );
    case "LayerNormalization": {
      const [x, scale, bias] = inputs as readonly [Value, Value, Value?];
      const normalised = x.shape.slice(Number(attributes.axis ?? -1));
      return [scale, bias ?? scale].every(({ shape }) => sameShape(shape, normalised));
    }
    case "Resize":
      // it smooths nothing, and was tried for the two modes that images are given in
      return (
        attributes.antialias !== 1 &&
        attributes.mode !== "cubic" &&
        attributes.coordinate_transformation_mode !== "tf_crop_and_resize" &&
        runsOnOrt(node)
      );
    case "GRU":
      return (
        ((attributes.activations ?? []) as readonly string[]).every((name) =>
          ["sigmoid", "tanh"].includes(name.toLowerCase()),
        ) && runsOnOrt(node)
      );
    default:
      if (!runsOnOrt(node) || imprecise.has(op.type)) return false;
      return !processorOnly.has(op.type) || outputs[0]!.dtype === "int64";
  }
}
