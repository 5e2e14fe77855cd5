import { expect } from "chai";
import { operators } from "../../src/ops/opset.js";
import * as ops from "../../src/ops.js";

/** Operators that go by another name, or by none. */
const otherwise: Readonly<Record<string, keyof typeof ops | null>> = {
  PRelu: "prelu",
  Max: "maximum",
  Min: "minimum",
  IsNaN: "isnan",
  IsInf: "isinf",
  MatMul: "matmul",
  Mod: "fmod",
  Shape: "shapeOf",
  If: "ifElse",
  ...{ RNN: "rnn", GRU: "gru", LSTM: "lstm" },
  // sum / n, log of reduceSum, reshape, what a constant is, and forms that only files need
  ...{ Mean: null, ReduceLogSum: null, Flatten: null, Identity: null, Size: null, EyeLike: null },
  ...{ Constant: null, ConstantOfShape: null, ThresholdedRelu: null },
  ...{ Shrink: null, Hardmax: null, LpNormalization: null, MeanVarianceNormalization: null },
  ...{ SpaceToDepth: null, DepthToSpace: null, BitShift: null },
  ...{ BitwiseAnd: null, BitwiseOr: null, BitwiseXor: null, BitwiseNot: null },
  // crossEntropy of the package
  ...{ NegativeLogLikelihoodLoss: null, SoftmaxCrossEntropyLoss: null },
  // layers keep their statistics
  ...{ BatchNormalization: null, InstanceNormalization: null },
};

describe("revort/ops", () => {
  it("has a function for every operator, by ONNX's name in lower case", () => {
    const names = operators.map(({ type }) =>
      type in otherwise ? otherwise[type]! : `${type[0]!.toLowerCase()}${type.slice(1)}`,
    );
    expect(Object.keys(ops)).to.include.members(names.filter((name) => name !== null));
  });
});
