import { expect } from "chai";
import { pullback } from "../../src/autodiff/vjp.js";
import { Random } from "../../src/core/random.js";
import { type Tensor, tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import { nodesOf, type Value } from "../../src/graph/graph.js";
import { mul } from "../../src/ops/arithmetic.js";
import { reduceSum } from "../../src/ops/broadcast.js";
import { gemm } from "../../src/ops/linalg.js";
import { reshape } from "../../src/ops/reshape.js";
import { rowProducts } from "../../src/ops/row-products.js";
import { tanh } from "../../src/ops/trigonometry.js";
import { valuesOf } from "../support/evaluate.js";

const [batch, inner, rows] = [3, 4, 5];
const random = Random.seeded(1);
const drawn = (...shape: readonly number[]) =>
  tensor(
    "float64",
    shape,
    Array.from({ length: shape.reduce((size, dim) => size * dim, 1) }, () => random.uniform(-1, 1)),
  );
const sum = (count: number, term: (k: number) => number) =>
  Array.from({ length: count }, (_, k) => term(k)).reduce((total, x) => total + x, 0);

/** s tanh(x Wᵀ + b) as matrices, times v: in a graph, and number by number. */
function setting(columns: number, stored: "by rows" | "by columns") {
  const width = rows * columns;
  const given: Readonly<Record<string, Tensor>> = {
    x: drawn(batch, inner),
    weight: stored === "by rows" ? drawn(width, inner) : drawn(inner, width),
    bias: drawn(width),
    scale: drawn(width),
    v: drawn(batch, columns),
  };
  const at = (name: string, i: number) => Number(given[name]!.data[i]);
  const weight = (j: number, k: number) => at("weight", stored === "by rows" ? j * inner + k : k * width + j);
  const entry = (i: number, j: number) =>
    at("scale", j) * Math.tanh(sum(inner, (k) => at("x", i * inner + k) * weight(j, k)) + at("bias", j));
  const expected = Array.from({ length: batch * rows }, (_, n) => {
    const [i, row] = [Math.floor(n / rows), n % rows];
    return sum(columns, (c) => entry(i, row * columns + c) * at("v", i * columns + c));
  });
  const build = (b: Builder) => {
    const values = Object.fromEntries(
      Object.entries(given).map(([name, { dtype, shape }]) => [name, b.input(name, dtype, shape)]),
    ) as Readonly<Record<"x" | "weight" | "bias" | "scale" | "v", Value>>;
    const { x, weight: w, bias, scale, v } = values;
    const flat = mul(b, tanh(b, gemm(b, x, w, bias, { transB: stored === "by rows" ? 1 : 0 })), scale);
    return { values, product: rowProducts(b, reshape(b, flat, [-1, rows, columns]), v) };
  };
  return { given, expected, build };
}

describe("products of a matrix and a vector for each row of a batch", () => {
  for (const stored of ["by rows", "by columns"] as const) {
    for (const columns of [1, 3, 9]) {
      it(`are sums of products of their numbers: ${columns} columns, weights ${stored}`, async () => {
        const { given, expected, build } = setting(columns, stored);
        const { product } = await valuesOf((b) => ({ product: build(b).product }), given);
        product!.forEach((value, n) => {
          expect(value).to.be.closeTo(expected[n]!, 1e-14);
        });
      });
    }
  }

  it("are found column by column where the matrices are made of few columns, without a product for each row", () => {
    const ranks = (columns: number) => {
      const b = new Builder();
      const products = nodesOf(b.graph({ product: setting(columns, "by rows").build(b).product }));
      return products.filter(({ op }) => op.type === "MatMul").map(({ outputs: [y] }) => y!.shape.length);
    };
    expect(ranks(3)).to.eql([]);
    expect(ranks(9)).to.eql([3]);
  });

  it("have the derivatives of differences by all that they are made of", async () => {
    const { given, build } = setting(3, "by rows");
    // Σ y²
    const loss = async (feeds: Readonly<Record<string, Tensor>>) => {
      const { product } = await valuesOf((b) => ({ product: build(b).product }), feeds);
      return sum(product!.length, (n) => product![n]! ** 2);
    };
    const found = await valuesOf((b) => {
      const { values, product } = build(b);
      const wrt = Object.values(values);
      const cotangents = pullback(b, [reduceSum(b, mul(b, product, product))], [b.scalar("float64", 1)], wrt);
      return Object.fromEntries(Object.keys(values).map((name, k) => [name, cotangents[k]!]));
    }, given);
    const step = 1e-5;
    for (const [name, { dtype, shape, data }] of Object.entries(given)) {
      const moved = (by: number) => {
        const all = Array.from(data, Number);
        all[1]! += by;
        return loss({ ...given, [name]: tensor(dtype as "float64", shape, all) });
      };
      const slope = ((await moved(step)) - (await moved(-step))) / (2 * step);
      // central differences: h² times a third derivative, and rounding over h
      expect(found[name]![1], name).to.be.closeTo(slope, 1e-8);
    }
  });

  it("keep what is infinite in one row of a matrix to that row", async () => {
    const { given, expected, build } = setting(3, "by rows");
    const scale = Array.from(given.scale!.data, Number);
    scale[2 * 3 + 1] = Number.POSITIVE_INFINITY;
    const feeds = { ...given, scale: tensor("float64", [scale.length], scale) };
    const { product } = await valuesOf((b) => ({ product: build(b).product }), feeds);
    product!.forEach((value, n) => {
      if (n % rows === 2) expect(Math.abs(value)).to.equal(Number.POSITIVE_INFINITY);
      else expect(value).to.be.closeTo(expected[n]!, 1e-14);
    });
  });
});
