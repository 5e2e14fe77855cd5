import { emptyData, numbers, type Tensor, type TensorData } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import { normaliseAxis, type Op, type Value } from "../graph/graph.js";
import { floats, int, takes } from "../graph/signature.js";
import { mul, sub } from "./arithmetic.js";
import { broadcastIndex, reducedShape, reduceSum } from "./broadcast.js";
import { exp, log } from "./elementwise.js";
import { intOf, required } from "./operand.js";
import { reduceMax } from "./reduce.js";

/**
 * A softmax along an axis, or its logarithm, both shifted by the largest element so that nothing overflows.
 */
function softmaxRecord(type: string, isLog: boolean, rules: Pick<Op, "vjp" | "decompose">): Op {
  return {
    type,
    inputs: [takes("input", floats)],
    attributes: { axis: int(-1) },
    infer(inputs, attributes) {
      const x = required(type, inputs, 0);
      normaliseAxis(intOf(attributes, "axis", -1), x.shape.length, type);
      return [x];
    },
    fold([x], attributes) {
      const axis = normaliseAxis(intOf(attributes, "axis", -1), x!.shape.length, type);
      const kept = reducedShape(x!.shape, [axis], true) as number[];
      const group = broadcastIndex(kept, x!.shape);
      const values = numbers(x!);
      const largest: number[] = [];
      const sums: number[] = [];
      values.forEach((v, i) => {
        largest[group[i]!] = Math.max(largest[group[i]!] ?? -Infinity, v);
      });
      values.forEach((v, i) => {
        sums[group[i]!] = (sums[group[i]!] ?? 0) + Math.exp(v - largest[group[i]!]!);
      });
      const data = emptyData(x!.dtype, values.length) as TensorData;
      values.forEach((v, i) => {
        const shifted = v - largest[group[i]!]!;
        data[i] = isLog ? shifted - Math.log(sums[group[i]!]!) : Math.exp(shifted) / sums[group[i]!]!;
      });
      return [{ ...x!, data } as Tensor];
    },
    ...rules,
  };
}

/** y = eˣ / Σ eˣ:  x̄ = y (ȳ − Σ ȳ y) */
export const Softmax: Op = softmaxRecord("Softmax", false, {
  vjp(b, { outputs: [y], attributes }, [g]) {
    const inner = reduceSum(b, mul(b, g!, y!), [intOf(attributes, "axis", -1)], true);
    return [mul(b, y!, sub(b, g!, inner))];
  },
});

/** y = x − log Σ eˣ:  x̄ = ȳ − eʸ Σ ȳ */
export const LogSoftmax: Op = softmaxRecord("LogSoftmax", true, {
  vjp(b, { outputs: [y], attributes }, [g]) {
    const sum = reduceSum(b, g!, [intOf(attributes, "axis", -1)], true);
    return [sub(b, g!, mul(b, exp(b, y!), sum))];
  },
  decompose(b, [x], attributes) {
    const axes = [intOf(attributes, "axis", -1)];
    const shifted = sub(b, x!, reduceMax(b, x!, axes, true));
    return [sub(b, shifted, log(b, reduceSum(b, exp(b, shifted), axes, true)))];
  },
});

export function softmax(b: Builder, x: Value, axis = -1): Value {
  return b.apply(Softmax, [x], { axis: normaliseAxis(axis, x.shape.length, "Softmax") });
}

export function logSoftmax(b: Builder, x: Value, axis = -1): Value {
  return b.apply(LogSoftmax, [x], { axis: normaliseAxis(axis, x.shape.length, "LogSoftmax") });
}
