import { type DType, dtypes, isFloat, numbers, sizeOf, type Tensor, tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import type { Attributes, Op } from "../../src/graph/graph.js";
import { onnxTypeNumber } from "../../src/graph/types.js";
import { operators } from "../../src/ops/opset.js";
import { ints } from "./cases.js";

// Every operator that computes with elements, on values at the edges of each element type.

/** One application of an operator. */
export interface Probe {
  readonly label: string;
  readonly op: Op;
  readonly operands: readonly Tensor[];
  readonly attributes: Attributes;
  /** operands that have to be constant: axes */
  readonly constants: readonly number[];
  /** the elements of the operands that element i of the result is made of */
  readonly sources: (i: number) => readonly number[];
}

type Values = readonly (number | bigint)[];

/** Signed zeros, infinities, NaN, subnormal, tiny and huge numbers, ends of integer types, and ordinary ones. */
function floats(subnormal: number, normal: number, largest: number): number[] {
  return [
    ...[0, 0.5, 1, 1.5, 2.5, 3, Math.PI, 20, 100, 1000].flatMap((x) => [x, -x]),
    ...[subnormal, normal, 1e-20, 1e10, 1e20, largest, Infinity].flatMap((x) => [x, -x]),
    ...[255, 256, 65535, 65536, 2 ** 31, 2 ** 32, 2 ** 53, 2 ** 63, 2 ** 64].flatMap((x) => [x, -x]),
    Number.NaN,
  ];
}

/** Small numbers, the ends of the type, and in 64 bits what neither 32 bits nor float64 hold, nor float32 in one rounding. */
function integers(bits: 32 | 64): bigint[] {
  const top = 1n << BigInt(bits - 1);
  const near = [0n, 1n, 2n, 3n, 7n, 46341n, top - 1n, top - 2n].flatMap((x) => [x, -x]);
  const wide = [1n << 31n, 3037000500n, (1n << 53n) + 1n, (1n << 60n) + (1n << 36n) + 1n];
  return [...new Set([...near, -top, ...(bits === 64 ? wide.flatMap((x) => [x, -x]) : [])])];
}

const edges: Readonly<Record<DType, Values>> = {
  float32: floats(2 ** -149, 2 ** -126, (2 - 2 ** -23) * 2 ** 127),
  float64: floats(Number.MIN_VALUE, 2 ** -1022, Number.MAX_VALUE),
  int32: integers(32),
  int64: integers(64),
  bool: [0, 1],
  int8: [0, 1, -1, 127, -128],
  uint8: [0, 1, 127, 255],
  int16: [0, 1, -1, 255, 32767, -32768],
  uint16: [0, 1, 255, 65535],
  uint32: [0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1],
  uint64: [0n, 1n, (1n << 53n) + 1n, (1n << 63n) - 1n, 1n << 63n, (1n << 64n) - 1n],
};

const line = (dtype: DType, values: Values) => tensor(dtype, [values.length], values);

/** All pairs of two lists, as two lists. */
function pairs(x: Values, y: Values): readonly [Values, Values] {
  return [x.flatMap((a) => y.map(() => a)), x.flatMap(() => [...y])];
}

/** Without divisions of integers by zero, which end a run with an error. */
function withoutTraps(
  { type }: Op,
  types: readonly DType[],
  [x, y]: readonly [Values, Values],
): readonly [Values, Values] {
  if (!["Div", "Mod", "Pow"].includes(type) || types.some(isFloat)) return [x, y];
  const traps = (i: number) => {
    const [a, b] = [x[i]!, y[i]!];
    return type === "Pow" ? Number(a) === 0 && Number(b) < 0 : Number(b) === 0;
  };
  const kept = x.map((_, i) => i).filter((i) => !traps(i));
  return [kept.map((i) => x[i]!), kept.map((i) => y[i]!)];
}

/** Attributes that operators are tried with beside none. */
const variants: Readonly<Record<string, readonly Attributes[]>> = {
  Mod: [{}, { fmod: 1 }],
  IsInf: [{}, { detect_negative: 0 }, { detect_positive: 0 }],
  Cast: dtypes.map((to) => ({ to: onnxTypeNumber[to] })),
  Gelu: [{}, { approximate: "tanh" }],
  ArgMax: [{ axis: 1 }, { axis: 1, select_last_index: 1 }],
  ArgMin: [{ axis: 1 }, { axis: 1, select_last_index: 1 }],
  Hardmax: [{ axis: 1 }],
  Softmax: [{ axis: 1 }],
  LogSoftmax: [{ axis: 1 }],
};

/** Whether an operator takes such operands, and gives a result for each element or for each row. */
function takes(op: Op, operands: readonly (Tensor | DType)[], attributes: Attributes): boolean {
  const b = new Builder();
  try {
    const values = operands.map((x, i) =>
      typeof x === "string" ? b.input(`x${i}`, x, [2, 5]) : b.constant(x),
    );
    const [result, ...more] = b.emit(op, values, attributes);
    return more.length === 0 && [2, 10].includes(sizeOf(result!.shape as number[]));
  } catch {
    return false;
  }
}

/** What works along an axis. */
const isAlong = (op: Op) => /^(Reduce|Arg|CumSum|Layer|Hardmax)|Softmax$/.test(op.type);

/** Elements at the same place in every operand. */
const same =
  (operands: readonly Tensor[]): Probe["sources"] =>
  (i) =>
    operands.map(({ data }) => Number(data[data.length === 1 ? 0 : i]!));

function elementwise(op: Op, attributes: Attributes): Probe[] {
  const probe = (what: string, operands: readonly Tensor[]): Probe => ({
    label: `${op.type} of ${what} ${JSON.stringify(attributes)}`,
    ...{ op, operands, attributes, constants: [], sources: same(operands) },
  });
  return dtypes.flatMap((dtype): Probe[] => {
    const own = edges[dtype];
    if (op.type === "Where") {
      const [x, y] = pairs(own, own);
      const chosen = line(
        "bool",
        x.map((_, i) => i % 2),
      );
      return takes(op, ["bool", dtype, dtype], {})
        ? [probe(dtype, [chosen, line(dtype, x), line(dtype, y)])]
        : [];
    }
    if (op.type === "Clip") {
      const finite = [
        [-1, 2],
        [0, 0],
        [2, -1],
      ];
      const bounds = isFloat(dtype)
        ? [...finite, [-Infinity, Infinity], [Number.NaN, 1], [0, Number.NaN]]
        : finite;
      return bounds
        .filter(() => takes(op, [dtype, tensor(dtype, [], [0])], {}))
        .map(([low, high]) =>
          probe(`${dtype} in [${low}, ${high}]`, [
            line(dtype, own),
            tensor(dtype, [], [low!]),
            tensor(dtype, [], [high!]),
          ]),
        );
    }
    // few elements are computed in registers, many in memory
    if (takes(op, [dtype], attributes) && !takes(op, [dtype, dtype], attributes)) {
      return [own, [...own, ...own, ...own]].map((values) =>
        probe(`${values.length} ${dtype}`, [line(dtype, values)]),
      );
    }
    return dtypes.flatMap((other) => {
      if (!takes(op, [dtype, other], attributes)) return [];
      const [x, y] = withoutTraps(op, [dtype, other], pairs(own, edges[other]));
      return [probe(`${dtype} and ${other}`, [line(dtype, x), line(other, y)])];
    });
  });
}

/** Rows of two elements, the same in columns, and longer rows with one special element. */
function along(op: Op, attributes: Attributes): Probe[] {
  const isLayer = op.type === "LayerNormalization";
  const axis = op.type === "CumSum" ? [ints([1], [])] : op.type.startsWith("Reduce") ? [ints([1])] : [];
  return dtypes.flatMap((dtype): Probe[] => {
    if (!takes(op, [dtype, ...axis, ...(isLayer ? [dtype] : [])], attributes)) return [];
    const own = edges[dtype];
    const [x, y] = pairs(own, own);
    const ordinary = (k: number) =>
      typeof own[0] === "bigint" ? BigInt((k % 2) + 1) : dtype === "bool" ? k % 2 : (k % 2) + 1;
    const rows: readonly (readonly [string, Tensor])[] = [
      [
        "pairs",
        tensor(
          dtype,
          [x.length, 2],
          x.flatMap((a, i) => [a, y[i]!]),
        ),
      ],
      ["columns", tensor(dtype, [1, 2, x.length], [...x, ...y])],
      [
        "rows",
        tensor(
          dtype,
          [own.length, 37],
          own.flatMap((special) => Array.from({ length: 37 }, (_, k) => (k === 21 ? special : ordinary(k)))),
        ),
      ],
    ];
    return rows
      .filter(([name]) => !(isLayer && name === "columns"))
      .map(([name, operand]): Probe => {
        const [outer, length, inner = 1] = operand.shape as [number, number, number?];
        const isKept = !/^(Reduce|Arg)/.test(op.type);
        const values = numbers(operand);
        const scales = isLayer ? [tensor(dtype, [length], new Array(length).fill(1))] : [];
        return {
          label: `${op.type} of ${name} of ${dtype} ${JSON.stringify(attributes)}`,
          ...{ op, operands: [operand, ...axis, ...scales], attributes, constants: isLayer ? [] : [1] },
          sources(i) {
            const [row, at] = isKept
              ? [Math.floor(i / (length * inner)), i % inner]
              : [Math.floor(i / inner) % outer, i % inner];
            return Array.from({ length }, (_, k) => values[(row * length + k) * inner + at]!);
          },
        };
      });
  });
}

/** Operators that move elements about, or are about shapes and indices. */
const moving: ReadonlySet<string> = new Set([
  ...["Identity", "Shape", "Size", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Trilu"],
  ...["Concat", "Split", "Slice", "Pad", "Gather", "GatherElements", "GatherND", "Tile", "Expand", "EyeLike"],
]);

/** Every operator that computes with elements, generated from its signature: an operator that is added is probed, too. */
export function probes(): Probe[] {
  return operators
    .filter(({ type }) => !moving.has(type))
    .flatMap((op) =>
      (variants[op.type] ?? [{}]).flatMap((attributes) =>
        isAlong(op) ? along(op, attributes) : elementwise(op, attributes),
      ),
    );
}
