import type { Builder } from "../graph/builder.js";
import { normaliseAxis, type Op, type Value } from "../graph/graph.js";
import { floats, int, takes } from "../graph/signature.js";
import { div, mul, sub } from "./arithmetic.js";
import { reduceSum } from "./broadcast.js";
import { exp, log } from "./elementwise.js";
import { composedOf } from "./folding.js";
import { intOf, required } from "./operand.js";
import { reduceMax } from "./reduce.js";

/** A function of the exponentials along an axis, shifted by the largest element so that nothing overflows. */
function softmaxRecord(
  type: string,
  formula: (b: Builder, shifted: Value, axis: number) => Value,
  vjp: NonNullable<Op["vjp"]>,
): Op {
  const decompose: NonNullable<Op["decompose"]> = (b, inputs, attributes) => {
    const x = inputs[0]!;
    const axis = normaliseAxis(intOf(attributes, "axis", -1), x.shape.length, type);
    return [formula(b, sub(b, x, reduceMax(b, x, [axis], true)), axis)];
  };
  return {
    type,
    inputs: [takes("input", floats)],
    attributes: { axis: int(-1) },
    infer(inputs, attributes) {
      const x = required(type, inputs, 0);
      normaliseAxis(intOf(attributes, "axis", -1), x.shape.length, type);
      return [x];
    },
    ...composedOf(decompose),
    vjp,
  };
}

/** y = eˣ / Σ eˣ:  x̄ = y (ȳ − Σ ȳ y) */
export const Softmax: Op = softmaxRecord(
  "Softmax",
  (b, shifted, axis) => {
    const e = exp(b, shifted);
    return div(b, e, reduceSum(b, e, [axis], true));
  },
  (b, { outputs: [y], attributes }, [g]) => {
    const inner = reduceSum(b, mul(b, g!, y!), [intOf(attributes, "axis", -1)], true);
    return [mul(b, y!, sub(b, g!, inner))];
  },
);

/** y = x − log Σ eˣ:  x̄ = ȳ − eʸ Σ ȳ */
export const LogSoftmax: Op = softmaxRecord(
  "LogSoftmax",
  (b, shifted, axis) => sub(b, shifted, log(b, reduceSum(b, exp(b, shifted), [axis], true))),
  (b, { outputs: [y], attributes }, [g]) => {
    const sum = reduceSum(b, g!, [intOf(attributes, "axis", -1)], true);
    return [sub(b, g!, mul(b, exp(b, y!), sum))];
  },
);

export function softmax(b: Builder, x: Value, axis = -1): Value {
  return b.apply(Softmax, [x], { axis: normaliseAxis(axis, x.shape.length, "Softmax") });
}

export function logSoftmax(b: Builder, x: Value, axis = -1): Value {
  return b.apply(LogSoftmax, [x], { axis: normaliseAxis(axis, x.shape.length, "LogSoftmax") });
}
