import { emptyData, ShapeError, stridesOf, type Tensor, type TensorData } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import { type Attributes, normaliseAxis, type Op, showType, type Value } from "../graph/graph.js";
import { flag, int, int64, numeric, takes } from "../graph/signature.js";
import { zerosLike } from "./generate.js";
import { checkSingle, constantInts, intOf, required } from "./operand.js";
import { scatterElements } from "./scatter.js";

/**
 * TopK: the k largest (or smallest) elements along an axis in their order, and where they were. Of equal elements the
 * first comes first; NaN is larger than any number, as in PyTorch.
 *
 *   x̄[index[j]] = ȳ[j]
 */
export const TopK: Op = {
  type: "TopK",
  inputs: [takes("X", numeric), takes("K", int64, { since: 10 })],
  outputs: 2,
  attributes: {
    axis: int(-1),
    k: int(undefined, { required: true, until: 10 }),
    largest: flag(1, { since: 11 }),
    sorted: flag(1, { since: 11 }),
  },
  infer(inputs, attributes) {
    const x = required("TopK", inputs, 0);
    checkSingle("TopK", "K", inputs[1]);
    const [k] = constantInts("TopK", "K", required("TopK", inputs, 1)) as [number];
    const axis = normaliseAxis(intOf(attributes, "axis", -1), x.shape.length, "TopK");
    const dim = x.shape[axis]!;
    if (k < 0 || (typeof dim === "number" && k > dim)) {
      throw new ShapeError(
        `TopK: ${k} elements are asked for along axis ${axis} of ${showType(x)}. Ask for 0 to ${dim}.`,
      );
    }
    const shape = x.shape.with(axis, k);
    return [
      { dtype: x.dtype, shape },
      { dtype: "int64", shape },
    ];
  },
  /** any order would do where none is asked for: it is the same everywhere so */
  simplify(b, inputs, { sorted = 1, ...attributes }) {
    return sorted === 0 ? b.emit(TopK, inputs, attributes) : null;
  },
  fold: ([x, k], attributes) => largest(x!, Number(k!.data[0]), attributes),
  vjp(b, { inputs: [x], outputs: [, indices], attributes }, [g]) {
    if (!g) return [null, null];
    const axis = normaliseAxis(intOf(attributes, "axis", -1), x!.shape.length, "TopK");
    return [scatterElements(b, zerosLike(b, x!), indices!, g, { axis }), null];
  },
};

type Element = number | bigint;

/** Less than 0 where x comes before y in descending order. */
function descending(x: Element, y: Element): number {
  const [isNaNx, isNaNy] = [Number.isNaN(x), Number.isNaN(y)];
  if (isNaNx || isNaNy) return Number(isNaNy) - Number(isNaNx);
  return x > y ? -1 : x < y ? 1 : 0;
}

function largest(x: Tensor, k: number, attributes: Attributes): readonly Tensor[] {
  const axis = normaliseAxis(intOf(attributes, "axis", -1), x.shape.length, "TopK");
  const sign = intOf(attributes, "largest", 1) === 1 ? 1 : -1;
  const [dim, step] = [x.shape[axis]!, stridesOf(x.shape)[axis]!];
  const shape = x.shape.with(axis, k);
  const lines = x.data.length / dim || 0;
  const values = emptyData(x.dtype, lines * k) as TensorData;
  const places = new BigInt64Array(lines * k);
  for (let line = 0; line < lines; line++) {
    const [outer, inner] = [Math.floor(line / step), line % step];
    const at = (i: number) => x.data[(outer * dim + i) * step + inner]!;
    const order = Array.from({ length: dim }, (_, i) => i);
    order.sort((i, j) => sign * descending(at(i), at(j)) || i - j);
    for (let j = 0; j < k; j++) {
      const to = (outer * k + j) * step + inner;
      values[to] = at(order[j]!);
      places[to] = BigInt(order[j]!);
    }
  }
  return [{ dtype: x.dtype, shape, data: values } as Tensor, { dtype: "int64", shape, data: places }];
}

export interface TopKOptions {
  /** the last one unless given */
  readonly axis?: number;
  /** the largest unless `false` */
  readonly largest?: boolean;
}

/** The k largest or smallest elements along an axis, sorted, and where they were: int64. */
export function topK(
  b: Builder,
  x: Value,
  k: number,
  { axis = -1, largest: isLargest = true }: TopKOptions = {},
): { values: Value; indices: Value } {
  const [values, indices] = b.emit(TopK, [x, b.ints([k])], { axis, largest: isLargest ? 1 : 0 });
  return { values: values!, indices: indices! };
}
