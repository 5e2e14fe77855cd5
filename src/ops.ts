// revort/ops: what fields, losses and events are written with. Each function adds a node to the graph that a builder
// grows, b, and returns what it computes. Where two operands are taken, one may be a number.

export { region, stopGradient } from "./autodiff/region.js";
export { pullback, vjp } from "./autodiff/vjp.js";
export {
  celu,
  elu,
  hardSigmoid,
  hardSwish,
  leakyRelu,
  mish,
  prelu,
  relu,
  selu,
  sigmoid,
  softplus,
  softsign,
} from "./ops/activation.js";
export { add, div, mul, neg, sub } from "./ops/arithmetic.js";
export { expand, expandTo, reduceSum, sumTo } from "./ops/broadcast.js";
export { ifElse, type LoopOptions, type LoopStep, loop, type ScanOptions, scan } from "./ops/control.js";
export { type ConvOptions, conv, convTranspose } from "./ops/convolution.js";
export { einsum } from "./ops/einsum.js";
export { abs, ceil, exp, floor, log, log1p, reciprocal, round, sign, sqrt } from "./ops/elementwise.js";
export { erf, gelu } from "./ops/erf.js";
export { clip, maximum, minimum, sum } from "./ops/extrema.js";
export { oneHot, range, zerosLike } from "./ops/generate.js";
export { gemm, matmul, zeros } from "./ops/linalg.js";
export {
  and,
  equal,
  greater,
  greaterOrEqual,
  isinf,
  isnan,
  less,
  lessOrEqual,
  not,
  or,
  where,
  xor,
} from "./ops/logic.js";
export { groupNormalization, layerNormalization } from "./ops/normalise.js";
export type { Operand } from "./ops/operand.js";
export { cumSum, tile, trilu } from "./ops/pattern.js";
export { averagePool, maxPool, type PoolOptions } from "./ops/pooling.js";
export { fmod, pow } from "./ops/power.js";
export { gru, lstm, type RecurrentOptions, type RecurrentWeights, rnn } from "./ops/recurrent-functions.js";
export {
  argMax,
  argMin,
  reduceL1,
  reduceL2,
  reduceLogSumExp,
  reduceMax,
  reduceMean,
  reduceMin,
  reduceProd,
  reduceSumSquare,
} from "./ops/reduce.js";
export { cast, reshape, rounded, shapeOf, squeeze, transpose, unsqueeze } from "./ops/reshape.js";
export { type ResizeOptions, resize } from "./ops/resize.js";
export { gatherElements, gatherND, scatterElements, scatterND } from "./ops/scatter.js";
export { flip, type PadMode, pad, padWith, slice } from "./ops/slice.js";
export { concat, gather, split } from "./ops/slicing.js";
export { logSoftmax, softmax } from "./ops/softmax.js";
export { type Telling, tell, told } from "./ops/told.js";
export { type TopKOptions, topK } from "./ops/top-k.js";
export {
  acos,
  acosh,
  asin,
  asinh,
  atan,
  atanh,
  cos,
  cosh,
  sin,
  sinh,
  tan,
  tanh,
} from "./ops/trigonometry.js";
export { globalAveragePool, globalMaxPool } from "./ops/whole-axes.js";
