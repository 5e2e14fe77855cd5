import { type DType, integerRange, ShapeError } from "../core/tensor.js";
import { broadcastShapes, type Op } from "../graph/graph.js";
import { choice, type ElementTypes, takes } from "../graph/signature.js";
import { foldBinary } from "./folding.js";
import { required } from "./operand.js";

// Operators on the bits of integers, in two's complement. They carry no cotangent.

const whole = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"] as const;
const integers: ElementTypes = { of: whole, words: "of integers" };
const unsigned: ElementTypes = {
  of: whole.filter((dtype) => dtype.startsWith("u")),
  words: "of integers without a sign",
};

function bitwise(type: string, exact: (x: bigint, y: bigint) => bigint): Op {
  return {
    type,
    since: 18,
    inputs: [takes("A", integers), takes("B", integers)],
    infer(inputs) {
      const [x, y] = [required(type, inputs, 0), required(type, inputs, 1)];
      return [{ dtype: x.dtype, shape: broadcastShapes(type, x.shape, y.shape) }];
    },
    fold: ([x, y]) => [foldBinary(x!, y!, x!.dtype, undecided, exact)],
  };
}

export const BitwiseAnd: Op = bitwise("BitwiseAnd", (x, y) => x & y);
export const BitwiseOr: Op = bitwise("BitwiseOr", (x, y) => x | y);
export const BitwiseXor: Op = bitwise("BitwiseXor", (x, y) => x ^ y);

export const BitwiseNot: Op = {
  type: "BitwiseNot",
  since: 18,
  inputs: [takes("X", integers)],
  infer: (inputs) => [required("BitwiseNot", inputs, 0)],
  fold: ([x]) => [foldBinary(x!, x!, x!.dtype, undecided, (value) => ~value)],
};

/** BitShift: x 2ʸ, or x / 2ʸ cut off, without what leaves the type; 0 where y is as many bits as it has. */
export const BitShift: Op = {
  type: "BitShift",
  since: 11,
  inputs: [takes("X", unsigned), takes("Y", unsigned)],
  attributes: { direction: choice(["LEFT", "RIGHT"], { required: true }) },
  infer(inputs) {
    const [x, y] = [required("BitShift", inputs, 0), required("BitShift", inputs, 1)];
    return [{ dtype: x.dtype, shape: broadcastShapes("BitShift", x.shape, y.shape) }];
  },
  fold([x, y], { direction }) {
    const bits = bitsOf(x!.dtype);
    const exact = (value: bigint, by: bigint) => {
      if (by >= bits) return 0n;
      return direction === "LEFT" ? value << by : value >> by;
    };
    return [foldBinary(x!, y!, x!.dtype, undecided, exact)];
  },
};

function bitsOf(dtype: DType): bigint {
  return BigInt(integerRange(dtype)[1].toString(2).length);
}

function undecided(): never {
  throw new ShapeError("Floats have no bits here.");
}
