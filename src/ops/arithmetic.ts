import { emptyData, type Tensor, type TensorData } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import { broadcastShapes, GraphError, type Op, type Value } from "../graph/graph.js";
import { numeric, signed, takes } from "../graph/signature.js";
import { sumTo } from "./broadcast.js";
import { foldBinary } from "./folding.js";
import { withoutMinusOne } from "./integer-division.js";
import { where } from "./logic.js";
import { type Operand, operands, required } from "./operand.js";

/** The derivative of z = f(x, y) with respect to each operand, times the cotangent, before broadcasting is undone. */
type BinaryRule = (
  b: Builder,
  cotangent: Value,
  x: Value,
  y: Value,
  z: Value,
) => readonly [Value | null, Value | null];

/** An elementwise operator of two operands. */
export function binary(
  type: string,
  f: (x: number, y: number) => number,
  exact: ((x: bigint, y: bigint) => bigint) | undefined,
  rule: BinaryRule,
  rest: Partial<Op> = {},
): Op {
  return {
    type,
    inputs: [takes("A", numeric), takes("B", numeric)],
    infer(inputs) {
      const x = required(type, inputs, 0);
      const y = required(type, inputs, 1);
      return [{ dtype: x.dtype, shape: broadcastShapes(type, x.shape, y.shape) }];
    },
    fold: ([x, y]) => [foldBinary(x!, y!, x!.dtype, f, exact)],
    vjp(b, { inputs: [x, y], outputs: [z] }, [cotangent]) {
      const [dx, dy] = rule(b, cotangent!, x!, y!, z!);
      return [dx && sumTo(b, dx, x!), dy && sumTo(b, dy, y!)];
    },
    ...rest,
  };
}

/** z = x + y:  x̄ = z̄, ȳ = z̄ */
export const Add: Op = binary(
  "Add",
  (x, y) => x + y,
  (x, y) => x + y,
  (_, g) => [g, g],
  {
    // x + (−0) is x for every x; x + 0 is not: it turns −0 into 0
    simplify(_, [x, y]) {
      if (isScalar(x!, -0)) return [y!];
      return isScalar(y!, -0) ? [x!] : null;
    },
  },
);

/** z = x − y:  x̄ = z̄, ȳ = −z̄ */
export const Sub: Op = binary(
  "Sub",
  (x, y) => x - y,
  (x, y) => x - y,
  (b, g) => [g, neg(b, g)],
  { simplify: (_, [x, y]) => (isScalar(y!, 0) ? [x!] : null) },
);

/** z = x y:  x̄ = z̄ y, ȳ = z̄ x */
export const Mul: Op = binary(
  "Mul",
  (x, y) => x * y,
  (x, y) => x * y,
  (b, g, x, y) => [mul(b, g, y), mul(b, g, x)],
  {
    simplify(_, [x, y]) {
      if (isScalar(x!, 1)) return [y!];
      return isScalar(y!, 1) ? [x!] : null;
    },
  },
);

/** z = x / y, of integers cut off:  x̄ = z̄ / y, ȳ = −(z̄ / y) z */
export const Div: Op = binary(
  "Div",
  (x, y) => x / y,
  (x, y) => {
    if (y === 0n) throw new GraphError("Div: a constant integer is divided by zero.");
    return x / y;
  },
  (b, g, _x, y, z) => {
    const dx = div(b, g, y);
    return [dx, neg(b, mul(b, dx, z))];
  },
  {
    simplify: (_, [x, y]) => (isScalar(y!, 1) ? [x!] : null),
    decompose(b, [x, y]) {
      const { divisor, isMinusOne } = withoutMinusOne(b, y!);
      return [where(b, isMinusOne, neg(b, x!), div(b, x!, divisor))];
    },
  },
);

/** Whether a value is a constant without axes (so that no broadcasting hides in it) and equal to `number`. */
export function isScalar(value: Value, number: number): boolean {
  if (value.constant === null || value.shape.length > 0) return false;
  const element = value.constant.data[0]!;
  return typeof element === "bigint" ? element === BigInt(number) : Object.is(element, number);
}

/** Negation:  x̄ = −z̄ */
export const Neg: Op = {
  type: "Neg",
  inputs: [takes("X", signed)],
  infer: (inputs) => [required("Neg", inputs, 0)],
  fold([x]) {
    const data = emptyData(x!.dtype, x!.data.length) as TensorData;
    for (let i = 0; i < data.length; i++) data[i] = -x!.data[i]!;
    return [{ ...x!, data } as Tensor];
  },
  simplify: (_, [x]) => (x!.node?.op.type === "Neg" ? [x!.node.inputs[0]!] : null),
  vjp: (b, _, [cotangent]) => [neg(b, cotangent!)],
};

export function add(b: Builder, x: Operand, y: Operand): Value {
  return b.apply(Add, operands(b, x, y));
}

export function sub(b: Builder, x: Operand, y: Operand): Value {
  return b.apply(Sub, operands(b, x, y));
}

export function mul(b: Builder, x: Operand, y: Operand): Value {
  return b.apply(Mul, operands(b, x, y));
}

export function div(b: Builder, x: Operand, y: Operand): Value {
  return b.apply(Div, operands(b, x, y));
}

export function neg(b: Builder, x: Value): Value {
  return b.apply(Neg, [x]);
}

/** x + y where `null` is zero, as cotangents are written. */
export function accumulate(b: Builder, x: Value | null, y: Value | null): Value | null {
  if (x === null) return y;
  return y === null ? x : add(b, x, y);
}
