import type { Op } from "../graph/graph.js";
import {
  Celu,
  Elu,
  HardSigmoid,
  HardSwish,
  LeakyRelu,
  Mish,
  PRelu,
  Relu,
  Selu,
  Shrink,
  Sigmoid,
  Softplus,
  Softsign,
  ThresholdedRelu,
} from "./activation.js";
import { Add, Div, Mul, Neg, Sub } from "./arithmetic.js";
import { BitShift, BitwiseAnd, BitwiseNot, BitwiseOr, BitwiseXor } from "./bitwise.js";
import { Expand, ReduceSum } from "./broadcast.js";
import { NegativeLogLikelihoodLoss, SoftmaxCrossEntropyLoss } from "./class-losses.js";
import { If, Loop, Scan } from "./control.js";
import { Conv, ConvTranspose } from "./convolution.js";
import { DepthToSpace, SpaceToDepth } from "./depth.js";
import { Einsum } from "./einsum.js";
import { Abs, Ceil, Exp, Floor, Log, Reciprocal, Round, Sign, Sqrt } from "./elementwise.js";
import { Erf, Gelu } from "./erf.js";
import { Clip, Max, Mean, Min, Sum } from "./extrema.js";
import { Constant, ConstantOfShape, EyeLike, OneHot, Range, Size } from "./generate.js";
import { Gemm, MatMul } from "./linalg.js";
import {
  And,
  Equal,
  Greater,
  GreaterOrEqual,
  IsInf,
  IsNaN,
  Less,
  LessOrEqual,
  Not,
  Or,
  Where,
  Xor,
} from "./logic.js";
import {
  BatchNormalization,
  GroupNormalization,
  InstanceNormalization,
  LayerNormalization,
} from "./normalise.js";
import { CumSum, Tile, Trilu } from "./pattern.js";
import { AveragePool, MaxPool } from "./pooling.js";
import { Mod, Pow } from "./power.js";
import { GRU, LSTM, RNN } from "./recurrent.js";
import {
  ArgMax,
  ArgMin,
  ReduceL1,
  ReduceL2,
  ReduceLogSum,
  ReduceLogSumExp,
  ReduceMax,
  ReduceMean,
  ReduceMin,
  ReduceProd,
  ReduceSumSquare,
} from "./reduce.js";
import { Cast, Flatten, Identity, Reshape, ShapeOp, Squeeze, Transpose, Unsqueeze } from "./reshape.js";
import { Resize } from "./resize.js";
import { GatherElements, GatherND, ScatterElements, ScatterND } from "./scatter.js";
import { Pad, Slice } from "./slice.js";
import { Concat, Gather, Split } from "./slicing.js";
import { LogSoftmax, Softmax } from "./softmax.js";
import { TopK } from "./top-k.js";
import { Acos, Acosh, Asin, Asinh, Atan, Atanh, Cos, Cosh, Sin, Sinh, Tan, Tanh } from "./trigonometry.js";
import {
  GlobalAveragePool,
  GlobalMaxPool,
  Hardmax,
  LpNormalization,
  MeanVarianceNormalization,
} from "./whole-axes.js";

/** Every operator that revort knows. Needed where operators come as names: reading files, and tests over all. */
export const operators: readonly Op[] = [
  ...[Add, Sub, Mul, Div, Neg, Pow, Mod],
  ...[Exp, Log, Sqrt, Reciprocal, Abs, Sign, Floor, Ceil, Round],
  ...[Sin, Cos, Tan, Asin, Acos, Atan, Sinh, Cosh, Tanh, Asinh, Acosh, Atanh],
  ...[Sigmoid, Relu, LeakyRelu, ThresholdedRelu, PRelu, Elu, Selu, Celu],
  ...[Softplus, Softsign, HardSigmoid, HardSwish, Mish, Erf, Gelu],
  ...[Max, Min, Sum, Mean, Clip],
  ...[Equal, Less, LessOrEqual, Greater, GreaterOrEqual, And, Or, Xor, Not, IsNaN, IsInf, Where],
  ...[Expand, ReduceSum, ReduceMean, ReduceMax, ReduceMin, ReduceProd, ReduceL1, ReduceL2],
  ...[ReduceSumSquare, ReduceLogSum, ReduceLogSumExp, ArgMax, ArgMin],
  ...[Softmax, LogSoftmax, LayerNormalization, GroupNormalization, InstanceNormalization, BatchNormalization],
  ...[MatMul, Gemm, Einsum],
  ...[Conv, ConvTranspose, AveragePool, MaxPool],
  ...[Identity, Cast, ShapeOp, Reshape, Transpose, Squeeze, Unsqueeze, Flatten],
  ...[Concat, Split, Slice, Pad, Gather, GatherElements, GatherND, ScatterElements, ScatterND],
  ...[Tile, Trilu, CumSum, Constant, ConstantOfShape, Range, EyeLike, Size, OneHot],
  ...[BitwiseAnd, BitwiseOr, BitwiseXor, BitwiseNot, BitShift],
  ...[Shrink, Hardmax, LpNormalization, MeanVarianceNormalization, GlobalAveragePool, GlobalMaxPool],
  ...[NegativeLogLikelihoodLoss, SoftmaxCrossEntropyLoss, SpaceToDepth, DepthToSpace, Resize, TopK],
  ...[RNN, GRU, LSTM],
  ...[Loop, Scan, If],
];

/** Operators by their ONNX type. */
export const opset: ReadonlyMap<string, Op> = new Map(operators.map((op) => [op.type, op]));
