import type { Op } from "../graph/graph.js";
import { Add, Div, Mul, Neg, Sub } from "./arithmetic.js";
import { Expand, ReduceSum } from "./broadcast.js";
import { Loop } from "./control.js";
import { Gemm, MatMul } from "./linalg.js";
import { Cast, Flatten, Identity, Reshape, ShapeOp, Squeeze, Transpose, Unsqueeze } from "./reshape.js";
import { Concat, ConstantOfShape, Gather, Split } from "./slicing.js";

/** Every operator that revort knows. Needed where operators come as names: reading files, and tests over all. */
export const operators: readonly Op[] = [
  ...[Add, Sub, Mul, Div, Neg],
  ...[Expand, ReduceSum],
  ...[MatMul, Gemm],
  ...[Identity, Cast, ShapeOp, Reshape, Transpose, Squeeze, Unsqueeze, Flatten],
  ...[Concat, Split, Gather, ConstantOfShape],
  Loop,
];

/** Operators by their ONNX type. */
export const opset: ReadonlyMap<string, Op> = new Map(operators.map((op) => [op.type, op]));
