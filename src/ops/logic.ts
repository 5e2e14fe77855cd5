import { emptyData, type Tensor, type TensorData } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import { broadcastShapes, type Op, sameShape, type Value } from "../graph/graph.js";
import { anything, type ElementTypes, flag, floats, numeric, takes, truth } from "../graph/signature.js";
import { expand, sumTo } from "./broadcast.js";
import { dimsOf, isStatic } from "./dims.js";
import { broadcastIndex, foldBinary } from "./folding.js";
import { intOf, type Operand, operands, required } from "./operand.js";

// Comparisons, logic and selection. What yields bools carries no cotangent, so only Where has a rule.

type Compare = (x: number | bigint, y: number | bigint) => boolean;

function comparison(type: string, types: ElementTypes, f: Compare, rest: Partial<Op> = {}): Op {
  return {
    type,
    inputs: [takes("A", types), takes("B", types)],
    infer(inputs) {
      const x = required(type, inputs, 0);
      const y = required(type, inputs, 1);
      return [{ dtype: "bool", shape: broadcastShapes(type, x.shape, y.shape) }];
    },
    fold: ([x, y]) => [foldBinary(x!, y!, "bool", f, f)],
    ...rest,
  };
}

/** x = y. Asked of a shape with a symbolic dimension, it knows that no dimension is negative. */
export const Equal: Op = comparison("Equal", anything, (x, y) => x === y, {
  simplify(b, [x, y]) {
    const [left, right] = [dimsOf(x!), dimsOf(y!)];
    if (left === null || right === null) return null;
    const length = Math.max(left.length, right.length);
    const results = Array.from({ length }, (_, i) => {
      const l = left[left.length === 1 ? 0 : i]!;
      const r = right[right.length === 1 ? 0 : i]!;
      if (l === r) return true;
      const decided =
        typeof l === typeof r ? typeof l === "number" : Number(typeof l === "number" ? l : r) < 0;
      return decided ? false : null;
    });
    if (results.some((result) => result === null)) return null;
    const shape = x!.shape.length + y!.shape.length === 0 ? [] : [length];
    return [b.constant({ dtype: "bool", shape, data: Uint8Array.from(results, Number) })];
  },
});
export const Less: Op = comparison("Less", numeric, (x, y) => x < y);
export const LessOrEqual: Op = comparison("LessOrEqual", numeric, (x, y) => x <= y, { since: 12 });
export const Greater: Op = comparison("Greater", numeric, (x, y) => x > y);
export const GreaterOrEqual: Op = comparison("GreaterOrEqual", numeric, (x, y) => x >= y, { since: 12 });

function logical(type: string, f: (x: number, y: number) => boolean, rest: Partial<Op> = {}): Op {
  return {
    type,
    inputs: [takes("A", truth), takes("B", truth)],
    infer(inputs) {
      const [x, y] = [required(type, inputs, 0), required(type, inputs, 1)];
      return [{ dtype: "bool", shape: broadcastShapes(type, x.shape, y.shape) }];
    },
    fold: ([x, y]) => [foldBinary(x!, y!, "bool", f)],
    ...rest,
  };
}

export const And: Op = logical("And", (x, y) => x + y === 2);
/** ¬(¬x ∧ ¬y) */
export const Or: Op = logical("Or", (x, y) => x + y > 0, {
  decompose: (b, [x, y]) => [not(b, and(b, not(b, x!), not(b, y!)))],
});
export const Xor: Op = logical("Xor", (x, y) => x !== y);

export const Not: Op = {
  type: "Not",
  inputs: [takes("X", truth)],
  infer: ([x]) => [x!],
  fold: ([x]) => [{ ...x!, data: Uint8Array.from(x!.data as Uint8Array, (bit) => 1 - bit) } as Tensor],
  simplify: (_, [x]) => (x!.node?.op.type === "Not" ? [x!.node.inputs[0]!] : null),
};

function test(
  type: string,
  since: number,
  holds: (x: number, positive: boolean, negative: boolean) => boolean,
  attributes: NonNullable<Op["attributes"]> = {},
): Op {
  return {
    type,
    since,
    inputs: [takes("X", floats)],
    attributes,
    infer: (inputs) => [{ dtype: "bool", shape: required(type, inputs, 0).shape }],
    fold([x], given) {
      const [positive, negative] = ["detect_positive", "detect_negative"].map(
        (name) => intOf(given, name, 1) !== 0,
      );
      const data = Uint8Array.from(x!.data as Float64Array, (v) => Number(holds(v, positive!, negative!)));
      return [{ dtype: "bool", shape: x!.shape, data }];
    },
  };
}

export const IsNaN: Op = test("IsNaN", 9, Number.isNaN);
export const IsInf: Op = test(
  "IsInf",
  10,
  (x, positive, negative) => (positive && x === Infinity) || (negative && x === -Infinity),
  { detect_positive: flag(1), detect_negative: flag(1) },
);

/**
 * Where: z = x where c holds, else y.
 *
 *   x̄ = z̄ where c, else 0;  ȳ = 0 where c, else z̄
 */
export const Where: Op = {
  type: "Where",
  since: 9,
  inputs: [takes("condition", truth), takes("X", anything), takes("Y", anything)],
  infer([c, x, y]) {
    return [{ dtype: x!.dtype, shape: broadcastShapes("Where", c!.shape, x!.shape, y!.shape) }];
  },
  fold([c, x, y]) {
    const shape = broadcastShapes("Where", c!.shape, x!.shape, y!.shape) as number[];
    const [ic, ix, iy] = [c!, x!, y!].map((t) => broadcastIndex(t.shape, shape)) as [
      Int32Array,
      Int32Array,
      Int32Array,
    ];
    const data = emptyData(x!.dtype, ic.length) as TensorData;
    for (let i = 0; i < ic.length; i++) data[i] = c!.data[ic[i]!] ? x!.data[ix[i]!]! : y!.data[iy[i]!]!;
    return [{ dtype: x!.dtype, shape, data } as Tensor];
  },
  /** A constant condition that is everywhere the same has chosen already. */
  simplify(b, inputs) {
    const [c, x, y] = inputs as [Value, Value, Value];
    if (c.constant === null || c.constant.data.length === 0) return null;
    const [first, ...rest] = c.constant.data as Uint8Array;
    if (rest.some((bit) => bit !== first)) return null;
    const chosen = first ? x : y;
    const { shape } = Where.infer(inputs, {})[0]!;
    if (sameShape(shape, chosen.shape)) return [chosen];
    return isStatic(shape) ? [expand(b, chosen, shape)] : null;
  },
  vjp(b, { inputs: [c, x, y] }, [cotangent]) {
    const g = cotangent!;
    return [null, sumTo(b, where(b, c!, g, 0), x!), sumTo(b, where(b, c!, 0, g), y!)];
  },
  /** for bools, which ONNX Runtime does not select:  (c ∧ x) ∨ (¬c ∧ y) */
  decompose(b, inputs) {
    const [c, x, y] = inputs as [Value, Value, Value];
    return [b.apply(Or, [b.apply(And, [c, x]), b.apply(And, [b.apply(Not, [c]), y])])];
  },
};

export function where(b: Builder, condition: Value, x: Operand, y: Operand): Value {
  return b.apply(Where, [condition, ...operands(b, x, y)]);
}

export function equal(b: Builder, x: Operand, y: Operand): Value {
  return b.apply(Equal, operands(b, x, y));
}

export function less(b: Builder, x: Operand, y: Operand): Value {
  return b.apply(Less, operands(b, x, y));
}

export function lessOrEqual(b: Builder, x: Operand, y: Operand): Value {
  return b.apply(LessOrEqual, operands(b, x, y));
}

export function greater(b: Builder, x: Operand, y: Operand): Value {
  return b.apply(Greater, operands(b, x, y));
}

export function greaterOrEqual(b: Builder, x: Operand, y: Operand): Value {
  return b.apply(GreaterOrEqual, operands(b, x, y));
}

export function and(b: Builder, x: Value, y: Value): Value {
  return b.apply(And, [x, y]);
}

export function or(b: Builder, x: Value, y: Value): Value {
  return b.apply(Or, [x, y]);
}

export function xor(b: Builder, x: Value, y: Value): Value {
  return b.apply(Xor, [x, y]);
}

export function not(b: Builder, x: Value): Value {
  return b.apply(Not, [x]);
}

export function isnan(b: Builder, x: Value): Value {
  return b.apply(IsNaN, [x]);
}

export function isinf(b: Builder, x: Value): Value {
  return b.apply(IsInf, [x]);
}
