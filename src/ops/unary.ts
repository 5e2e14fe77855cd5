import { emptyData, isBigInt, isFloat, type Tensor, type TensorData } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Attributes, Op, Value } from "../graph/graph.js";
import { type ElementTypes, floats, takes } from "../graph/signature.js";

/** What there is to say about an elementwise function y = f(x). */
export interface Unary extends Pick<Op, "since"> {
  /** what it takes; floats unless given */
  readonly types?: ElementTypes;
  readonly attributes?: NonNullable<Op["attributes"]>;
  /** f on the host */
  readonly f: (x: number, attributes: Attributes) => number;
  /** f on integers, where the operator takes them */
  readonly exact?: (x: bigint) => bigint;
  /** x̄ from ȳ (g), x, and y; `null` where f is piecewise constant */
  readonly vjp: ((b: Builder, g: Value, x: Value, y: Value, attributes: Attributes) => Value) | null;
  /** f by simpler operators */
  readonly formula?: (b: Builder, x: Value, attributes: Attributes) => Value;
  readonly simplify?: NonNullable<Op["simplify"]>;
}

/** The record of an elementwise function of one operand. */
export function unary(
  type: string,
  { since, types = floats, attributes, f, exact, vjp, formula, simplify }: Unary,
): Op {
  return {
    type,
    ...(since === undefined ? {} : { since }),
    inputs: [takes("X", types)],
    ...(attributes === undefined ? {} : { attributes }),
    infer: ([x]) => [x!],
    fold([x], given) {
      const data = emptyData(x!.dtype, x!.data.length) as TensorData;
      for (let i = 0; i < data.length; i++) {
        const value = x!.data[i]!;
        if (isFloat(x!.dtype)) data[i] = f(value as number, given);
        else data[i] = isBigInt(x!.dtype) ? exact!(value as bigint) : Number(exact!(BigInt(value)));
      }
      return [{ ...x!, data } as Tensor];
    },
    ...(simplify === undefined ? {} : { simplify }),
    vjp: (b, { inputs: [x], outputs: [y], attributes: given }, [g]) => [
      vjp === null ? null : vjp(b, g!, x!, y!, given),
    ],
    ...(formula === undefined ? {} : { decompose: (b, [x], given) => [formula(b, x!, given)] }),
  };
}
