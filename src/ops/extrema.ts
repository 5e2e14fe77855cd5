import { ShapeError } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import { broadcastShapes, type Op, showType, type Value } from "../graph/graph.js";
import { float, floats, mayTake, numeric, takes, takesMany } from "../graph/signature.js";
import { add, binary, div } from "./arithmetic.js";
import { sumTo } from "./broadcast.js";
import { composedOf } from "./folding.js";
import { and, greater, greaterOrEqual, less, lessOrEqual, where } from "./logic.js";
import { checkSingle, type Operand, operand, operands, required } from "./operand.js";

// Operators of any number of operands, and Clip.

/** Min and Max. Of equal operands the first takes the whole cotangent. More than two operands are nested pairs. */
function extremum(
  type: string,
  f: (x: number, y: number) => number,
  exact: (x: bigint, y: bigint) => bigint,
  isFirst: typeof less,
): Op {
  const pair = binary(type, f, exact, (b, g, x, y) => {
    const first = isFirst(b, x, y);
    return [where(b, first, g, 0), where(b, first, 0, g)];
  });
  const record: Op = {
    ...pair,
    inputs: [takesMany("data", numeric)],
    infer: variadicType(type),
    fold: (inputs) => [inputs.reduce((x, y) => pair.fold!([x, y], {})![0]!)!],
    simplify(b, inputs) {
      const [first, ...rest] = inputs as readonly Value[];
      if (rest.length === 0) return [first!];
      return rest.length === 1 ? null : [rest.reduce((x, y) => b.apply(record, [x, y]), first!)];
    },
    /** for integers: of NaN and a number this takes the number */
    decompose: (b, [x, y]) => [where(b, isFirst(b, x!, y!), x!, y!)],
  };
  return record;
}

/** Math.max of integers */
export function larger(x: bigint, y: bigint): bigint {
  if (x > y) return x;
  return y;
}

/** Math.min of integers */
export function smaller(x: bigint, y: bigint): bigint {
  if (x < y) return x;
  return y;
}

function variadicType(type: string): Op["infer"] {
  return (inputs) => {
    required(type, inputs, 0);
    const shapes = inputs.map((_, i) => required(type, inputs, i).shape);
    return [{ dtype: inputs[0]!.dtype, shape: broadcastShapes(type, ...shapes) }];
  };
}

export const Max: Op = extremum("Max", Math.max, larger, greaterOrEqual);
export const Min: Op = extremum("Min", Math.min, smaller, lessOrEqual);

/** The sum of any number of operands: each gets the cotangent. */
export const Sum: Op = {
  type: "Sum",
  inputs: [takesMany("data", floats)],
  infer: variadicType("Sum"),
  simplify: (_, inputs) => (inputs.length === 1 ? [inputs[0]!] : null),
  vjp: (b, { inputs }, [g]) => inputs.map((x) => sumTo(b, g!, x!)),
  ...composedOf((b, inputs) => [(inputs as readonly Value[]).reduce((x, y) => add(b, x, y))]),
};

/** The mean of n operands: each gets ȳ / n. */
export const Mean: Op = {
  type: "Mean",
  inputs: [takesMany("data", floats)],
  infer: variadicType("Mean"),
  simplify: (_, inputs) => (inputs.length === 1 ? [inputs[0]!] : null),
  vjp: (b, { inputs }, [g]) => inputs.map((x) => sumTo(b, div(b, g!, inputs.length), x!)),
  ...composedOf((b, inputs) => [div(b, b.apply(Sum, inputs), inputs.length)]),
};

/**
 * Clip: y = min(max(x, low), high).
 *
 *   x̄ = ȳ where low ≤ x ≤ high;  the bounds take what x is denied
 */
export const Clip: Op = {
  type: "Clip",
  inputs: [
    takes("input", numeric),
    mayTake("min", numeric, { since: 11 }),
    mayTake("max", numeric, { since: 11 }),
  ],
  attributes: { min: float(undefined, { until: 11 }), max: float(undefined, { until: 11 }) },
  infer([x, low, high]) {
    for (const bound of [low, high]) {
      checkSingle("Clip", "a bound", bound);
      if (bound && bound.shape.length > x!.shape.length) {
        throw new ShapeError(`Clip: ${showType(x!)} has a bound of more axes, ${showType(bound)}.`);
      }
    }
    return [x!];
  },
  ...composedOf((b, [x, low, high]) => {
    const above = low ? maximum(b, x!, low) : x!;
    return [high ? minimum(b, above, high) : above];
  }),
  simplify: (_, [x, low, high]) => (!low && !high ? [x!] : null),
  vjp(b, { inputs: [x, low, high] }, [cotangent]) {
    const g = cotangent!;
    const isAbove = low ? greaterOrEqual(b, x!, low) : null;
    const isBelow = high ? lessOrEqual(b, x!, high) : null;
    const isInside = isAbove && isBelow ? and(b, isAbove, isBelow) : (isAbove ?? isBelow!);
    return [
      where(b, isInside, g, 0),
      low && low.constant === null ? sumTo(b, where(b, less(b, x!, low), g, 0), low) : null,
      high && high.constant === null ? sumTo(b, where(b, greater(b, x!, high), g, 0), high) : null,
    ];
  },
};

export function maximum(b: Builder, x: Operand, y: Operand): Value {
  return b.apply(Max, operands(b, x, y));
}

export function minimum(b: Builder, x: Operand, y: Operand): Value {
  return b.apply(Min, operands(b, x, y));
}

/** The sum of several values of one type. */
export function sum(b: Builder, values: readonly Value[]): Value {
  return b.apply(Sum, values);
}

/** x between bounds, either of which may be left out (`null`). */
export function clip(b: Builder, x: Value, low: Operand | null, high: Operand | null): Value {
  const bound = (value: Operand | null) => (value === null ? null : operand(b, value, x.dtype));
  return b.apply(Clip, [x, bound(low), bound(high)]);
}
