import type { Builder } from "../graph/builder.js";
import type { Node, Op, Value } from "../graph/graph.js";
import { Relu, Sigmoid } from "./activation.js";
import { Add, add, Div, Mul, mul, Neg, Sub } from "./arithmetic.js";
import { Gemm, matmul } from "./linalg.js";
import { reshape, squeeze, unsqueeze } from "./reshape.js";
import { split } from "./slicing.js";
import { Tanh } from "./trigonometry.js";

/** So many columns at most are multiplied one by one. */
const few = 8;

/**
 * M v for each row of a batch: matrices M [batch, rows, columns] times vectors v [batch, columns], as [batch, rows].
 *
 * A runtime takes a product of two small matrices for each row of the batch, which costs several times what its numbers
 * do. Where M is made of a product with weights, it is found column by column, and so is the sum:
 *
 *   M = φ(x Wᵀ + b):   M v = Σ_c φ(x W_cᵀ + b_c) v_c,   W_c the rows of W that make column c
 *
 * with the same multiplications in all, and whole arrays of [batch, rows] between them.
 */
export function rowProducts(b: Builder, matrix: Value, vector: Value): Value {
  const [, rows, count] = matrix.shape as readonly [unknown, number, number];
  const columns = columnsOf(b, matrix, rows, count);
  if (columns === null) return squeeze(b, matmul(b, matrix, unsqueeze(b, vector, [2])), [2]);
  const entries = count === 1 ? [vector] : split(b, vector, 1, Array<number>(count).fill(1));
  return columns.map((column, c) => mul(b, column, entries[c]!)).reduce((sum, term) => add(b, sum, term));
}

/** The columns of matrices [batch, rows, columns], each [batch, rows]; `null` where they cannot be found one by one. */
function columnsOf(b: Builder, matrix: Value, rows: number, count: number): readonly Value[] | null {
  if (count === 1) return [squeeze(b, matrix, [2])];
  const flat = matrix.node?.op.type === "Reshape" ? matrix.node.inputs[0]! : null;
  if (count > few || flat?.shape.length !== 2 || flat.shape[1] !== rows * count) return null;
  return new Columns(b, rows, count).of(flat);
}

/** What acts on each number by itself. */
const elementwise: ReadonlySet<Op> = new Set([Tanh, Relu, Sigmoid, Neg, Add, Sub, Mul, Div]);

/** The columns of matrices that lie in rows of numbers, [batch, rows · columns]: every so many-th number. */
class Columns {
  constructor(
    readonly b: Builder,
    readonly rows: number,
    readonly count: number,
  ) {}

  /** @param value  [batch, rows · columns] */
  of(value: Value): readonly Value[] | null {
    const { node } = value;
    if (node === null) return null;
    if (node.op === Gemm) return this.#ofProduct(node);
    if (!elementwise.has(node.op)) return null;
    const operands = node.inputs.map((operand) => this.#ofOperand(operand!, value));
    if (operands.includes(null)) return null;
    return this.#each((c) =>
      this.b.apply(
        node.op,
        operands.map((columns) => columns![c]!),
        node.attributes,
      ),
    );
  }

  /** x Wᵀ + b, of which W and b are cut. */
  #ofProduct({ inputs: [x, weight, bias], attributes }: Node): readonly Value[] | null {
    const biases = bias ? this.#ofRow(bias) : null;
    if (attributes.transA === 1 || (bias && biases === null)) return null;
    const axis = attributes.transB === 1 ? 0 : 1;
    const weights = this.#cut(weight!, axis);
    return this.#each((c) =>
      this.b.apply(Gemm, [x!, weights[c]!, ...(biases === null ? [] : [biases[c]!])], attributes),
    );
  }

  #ofOperand(operand: Value, whole: Value): readonly Value[] | null {
    const isWhole = operand.shape.length === 2 && operand.shape[0] === whole.shape[0];
    return isWhole && operand.shape[1] === whole.shape[1] ? this.of(operand) : this.#ofRow(operand);
  }

  /** Of what is the same for the whole batch, or for all columns. */
  #ofRow(value: Value): readonly Value[] | null {
    const { shape } = value;
    const last = shape.at(-1) ?? 1;
    if (last === 1) return this.#each(() => value);
    return shape.length === 1 && last === this.rows * this.count ? this.#cut(value, 0) : null;
  }

  /** Parts along an axis that holds the matrix. */
  #cut(value: Value, axis: 0 | 1): readonly Value[] {
    const { b, rows, count } = this;
    const { shape } = value;
    const [before, after] = [shape.slice(0, axis), shape.slice(axis + 1)] as (readonly number[])[];
    const apart = reshape(b, value, [...before!, rows, count, ...after!]);
    return split(b, apart, axis + 1, Array<number>(count).fill(1)).map((part) =>
      reshape(b, part, [...before!, rows, ...after!]),
    );
  }

  #each(make: (c: number) => Value): readonly Value[] {
    return Array.from({ length: this.count }, (_, c) => make(c));
  }
}
