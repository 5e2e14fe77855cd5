import type { Values } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { type Parametrised, parametersOf, partOf } from "../nn/layer.js";
import { linear } from "../nn/linear.js";
import { layerNorm } from "../nn/normalisation.js";
import { add } from "../ops/arithmetic.js";
import { gelu } from "../ops/erf.js";
import { split } from "../ops/slicing.js";
import { type Attend, headsOf, rowsOf } from "./attention.js";
import type { CellName } from "./configuration.js";

/** What a cell is applied with, besides its parameters. */
export interface Surroundings {
  /** places of a sequence that it is applied to at once: all, or one */
  readonly length: number;
  readonly attend: Attend;
  /** drops some of what attention (0) and the perceptron (1) give; the same of it in each application */
  readonly drop: (b: Builder, x: Value, which: 0 | 1) => Value;
}

/**
 * A function of the states z of a sequence and of what is fed in, x: a block of a transformer, or what a deep-equilibrium model
 * seeks the fixed point of.
 */
export interface Cell extends Parametrised {
  /** @param z, x  rows [batch · length, width]; without x nothing is fed in */
  readonly apply: (b: Builder, theta: Values, z: Value, x: Value | null, within: Surroundings) => Value;
}

export interface CellOptions {
  readonly width: number;
  readonly heads: number;
  /** widths of the perceptron between */
  readonly hidden: readonly number[];
}

/**
 * The block of a transformer with normalisation first, whose attention also sees what is fed in:
 *
 *   u = z + A(LN(z + x)),   f(z, x) = u + M(LN(u))
 *
 * with A the attention of several heads and M a perceptron with tanh-approximated GELU.
 *
 * @see Radford et al. 2019, "GPT-2", for x = 0
 */
export function block({ width, heads, hidden }: CellOptions): Cell {
  const parts = {
    norm1: layerNorm(width),
    in_proj: linear(width, 3 * width),
    out_proj: linear(width, width),
    norm2: layerNorm(width),
    ...perceptron(width, hidden),
  };
  return residualCell(parts, (b, theta, x, { attend, length }) => {
    const [q, k, v] = split(b, parts.in_proj.apply(b, partOf(theta, "in_proj"), x), 1, [width, width, width]);
    const [query, key, value] = [q, k, v].map((rows) => headsOf(b, rows!, heads, length));
    const mixed = attend(b, query!, { key: key!, value: value! });
    return parts.out_proj.apply(b, partOf(theta, "out_proj"), rowsOf(b, mixed));
  });
}

/**
 * The block of the published RevDEQ language model: as {@link block}, where queries, keys and values are projected with biases
 * first, and each once more by the attention itself, without.
 *
 * @see McCallum, Arora & Foster 2025, arXiv:2509.12917
 */
export function publishedBlock({ width, heads, hidden }: CellOptions): Cell {
  const plain = () => linear(width, width, { bias: false });
  const parts = {
    norm1: layerNorm(width),
    ...{ query: linear(width, width), key: linear(width, width), value: linear(width, width) },
    ...{ query_proj: plain(), key_proj: plain(), value_proj: plain(), output_proj: plain() },
    norm2: layerNorm(width),
    ...perceptron(width, hidden),
  };
  return residualCell(parts, (b, theta, x, { attend, length }) => {
    const by = (name: keyof typeof parts, rows: Value) => parts[name]!.apply(b, partOf(theta, name), rows);
    const twice = (name: "query" | "key" | "value") =>
      headsOf(b, by(`${name}_proj`, by(name, x)), heads, length);
    const mixed = attend(b, twice("query"), { key: twice("key"), value: twice("value") });
    return by("output_proj", rowsOf(b, mixed));
  });
}

/**
 * The cell of the talk, without a path around its parts:
 *
 *   f(z, x) = LN(M(LN(A(z + x))))
 *
 * so that states are normalised whatever came before.
 */
export function talkCell({ width, heads, hidden }: CellOptions): Cell {
  const parts = {
    in_proj: linear(width, 3 * width),
    out_proj: linear(width, width),
    norm1: layerNorm(width),
    ...perceptron(width, hidden),
    norm2: layerNorm(width),
  };
  return {
    ...parametersOf(parts),
    apply(b, theta, z, x, { attend, length, drop }) {
      const by = (name: string, rows: Value) => parts[name as "norm1"].apply(b, partOf(theta, name), rows);
      const fed = x === null ? z : add(b, z, x);
      const heads3 = split(b, by("in_proj", fed), 1, [width, width, width]);
      const [query, key, value] = heads3.map((rows) => headsOf(b, rows, heads, length));
      const mixed = rowsOf(b, attend(b, query!, { key: key!, value: value! }));
      const attended = by("norm1", drop(b, by("out_proj", mixed), 0));
      return by("norm2", drop(b, throughPerceptron(b, theta, parts, attended), 1));
    },
  };
}

export const cells = { block, published: publishedBlock, talk: talkCell } as const satisfies Record<
  CellName,
  (options: CellOptions) => Cell
>;

type Parts = Readonly<Record<string, ReturnType<typeof linear>>>;

/** Linear layers `mlp0`, `mlp1`, … from a width through others and back. */
function perceptron(width: number, hidden: readonly number[]): Parts {
  const widths = [width, ...hidden, width];
  return Object.fromEntries(
    widths.slice(1).map((outputs, i) => [`mlp${i}`, linear(widths[i]!, outputs)] as const),
  );
}

function throughPerceptron(b: Builder, theta: Values, parts: Parts, x: Value): Value {
  const layers = Object.keys(parts).filter((name) => /^mlp\d+$/.test(name));
  return layers.reduce(
    (y, name, i) => parts[name]!.apply(b, partOf(theta, name), i === 0 ? y : gelu(b, y, "tanh")),
    x,
  );
}

function residualCell(
  parts: Parts,
  attention: (b: Builder, theta: Values, x: Value, within: Surroundings) => Value,
): Cell {
  return {
    ...parametersOf(parts),
    apply(b, theta, z, x, within) {
      const fed = x === null ? z : add(b, z, x);
      const normed = parts.norm1!.apply(b, partOf(theta, "norm1"), fed);
      const u = add(b, z, within.drop(b, attention(b, theta, normed, within), 0));
      const inner = parts.norm2!.apply(b, partOf(theta, "norm2"), u);
      return add(b, u, within.drop(b, throughPerceptron(b, theta, parts, inner), 1));
    },
  };
}
