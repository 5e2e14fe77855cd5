import { Random } from "../../src/core/random.js";
import { type DType, type FloatDType, sizeOf, type Tensor, tensor } from "../../src/core/tensor.js";
import { type Attributes, type Op, subgraphsOf } from "../../src/graph/graph.js";

/** A float operand: what it is differentiated by, and where it is drawn from. */
export interface Draw {
  readonly shape: readonly number[];
  readonly low: number;
  readonly high: number;
  /** kinks and poles: nothing is drawn within 0.05 of them */
  readonly avoid: readonly number[];
  /** the values, where they are not drawn */
  readonly at?: readonly number[];
}

/** One application of an operator: its operands are drawn, or constant, or left out. */
export interface Case {
  readonly label: string;
  readonly operands: readonly (Draw | Tensor | null)[];
  readonly attributes?: Attributes;
  /** why the second derivative is not checked */
  readonly firstOnly?: string;
}

export interface Domain {
  readonly low?: number;
  readonly high?: number;
  readonly avoid?: readonly number[];
}

export function draw(shape: readonly number[], { low = -2, high = 2, avoid = [] }: Domain = {}): Draw {
  return { shape, low, high, avoid };
}

/** Given values, to be differentiated by. */
export function at(...values: readonly number[]): Draw {
  return { ...draw([values.length]), at: values };
}

export function isDraw(operand: Draw | Tensor | null): operand is Draw {
  return operand !== null && "low" in operand;
}

export function ints(values: readonly number[], shape: readonly number[] = [values.length]): Tensor<"int64"> {
  return tensor("int64", shape, values);
}

export function bools(values: readonly number[], shape: readonly number[] = [values.length]): Tensor<"bool"> {
  return tensor("bool", shape, values);
}

/** Values of a draw. All differ by 0.01 at least (where there is room), so that no maximum has a tie. */
export function sample({ shape, low, high, avoid, at }: Draw, random: Random, dtype: FloatDType): Tensor {
  if (at !== undefined) return tensor(dtype, shape, at);
  const values: number[] = [];
  while (values.length < sizeOf(shape)) {
    const value = random.uniform(low, high);
    const isClear =
      avoid.every((point) => Math.abs(value - point) > 0.05) &&
      values.every((other) => Math.abs(value - other) > 0.002 * (high - low));
    if (isClear) values.push(value);
  }
  return tensor(dtype, shape, values);
}

/** The operands of a case on the host; float constants follow the dtype of the draws. */
export function operandsOf(test: Case, dtype: FloatDType, seed = 1): (Tensor | null)[] {
  const random = Random.seeded(seed);
  return test.operands.map((operand) => {
    if (operand === null) return null;
    if (isDraw(operand)) return sample(operand, random, dtype);
    const kind: DType = operand.dtype;
    return kind === "float64" || kind === "float32"
      ? tensor(dtype, operand.shape, Array.from(operand.data, Number))
      : operand;
  });
}

export function hasBodies(test: Case): boolean {
  return subgraphsOf(test.attributes ?? {}).length > 0;
}

export type CaseTable = ReadonlyMap<Op, readonly Case[]>;

/** Shapes that cover broadcasting: equal, trailing, size-1 axes on both sides, scalars, missing leading axes. */
export const broadcastPairs: readonly (readonly [readonly number[], readonly number[]])[] = [
  [
    [2, 3],
    [2, 3],
  ],
  [[2, 3], [3]],
  [
    [2, 1],
    [1, 3],
  ],
  [[], [2, 2]],
  [[2, 2], []],
  [
    [2, 1, 2],
    [3, 1],
  ],
  [[1], []],
];

export function pairs(x: Domain = {}, y: Domain = {}, attributes?: Attributes): Case[] {
  return broadcastPairs.map(([a, b]) => ({
    label: `[${a}] and [${b}]`,
    operands: [draw(a, x), draw(b, y)],
    ...(attributes === undefined ? {} : { attributes }),
  }));
}

export function elementwise(domain: Domain = {}, ...attributes: readonly Attributes[]): Case[] {
  const kinds = attributes.length === 0 ? [{}] : attributes;
  return [
    ...kinds.map((given) => ({
      label: `[2, 3] ${JSON.stringify(given)}`,
      operands: [draw([2, 3], domain)],
      attributes: given,
    })),
    { label: "a scalar", operands: [draw([], domain)] },
  ];
}

export function one(
  label: string,
  operands: Case["operands"],
  attributes: Attributes = {},
  firstOnly?: string,
): Case {
  return { label, operands, attributes, ...(firstOnly === undefined ? {} : { firstOnly }) };
}
