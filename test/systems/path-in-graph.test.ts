import { readFileSync } from "node:fs";
import { expect } from "chai";
import { withoutRegions } from "../../src/autodiff/region.js";
import { pullback } from "../../src/autodiff/vjp.js";
import { OptionError } from "../../src/core/options.js";
import { numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import { encode } from "../../src/graph/encode.js";
import type { Value } from "../../src/graph/graph.js";
import { mul } from "../../src/ops/arithmetic.js";
import { reduceSum } from "../../src/ops/broadcast.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { controlPath } from "../../src/systems/control-path.js";
import { type Interpolation, PathError } from "../../src/systems/interpolation.js";
import { pathCoefficients } from "../../src/systems/path-in-graph.js";
import { evaluate, runGraph } from "../support/evaluate.js";
import { failure } from "../support/failure.js";

interface Known {
  readonly shape: readonly [number, number, number];
  readonly times: readonly number[];
  readonly paths: Readonly<
    Record<Interpolation, Record<"values" | "coefficients" | "gradient", readonly (number | null)[]>>
  >;
}

const known: Known = JSON.parse(readFileSync(new URL("./missing-paths.json", import.meta.url), "utf8"));
const { times, shape } = known;
const kinds = Object.keys(known.paths) as Interpolation[];
const withGaps = (of: readonly (number | null)[]) =>
  tensor(
    "float64",
    shape,
    of.map((x) => x ?? Number.NaN),
  );

/** The largest difference of two lists, beside numbers of order one; ∞ where one is NaN. */
function apart(found: readonly number[], expected: readonly (number | null)[]): number {
  if (found.length !== expected.length) return Number.POSITIVE_INFINITY;
  return found.reduce((most, x, i) => {
    const difference = Math.abs(x - expected[i]!) / Math.max(1, Math.abs(expected[i]!));
    return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(most, difference);
  }, 0);
}

/** Coefficients in a graph, and the gradient of the sum of them times sin k. */
function inGraph(b: Builder, at: readonly number[], x: Value, kind: Interpolation, missing: boolean) {
  const { coefficients } = pathCoefficients(b, at, x, kind, { missing });
  const of = coefficients.shape as number[];
  const count = of.reduce((product, dim) => product * dim, 1);
  const weights = b.constant(
    tensor(
      "float64",
      of,
      Array.from({ length: count }, (_, k) => Math.sin(k)),
    ),
  );
  const [gradient] = pullback(
    b,
    [reduceSum(b, mul(b, coefficients, weights))],
    [b.scalar("float64", 1)],
    [x],
  );
  return { coefficients, gradient: gradient! };
}

describe("a path made in a graph through series of which values are missing", () => {
  for (const kind of kinds) {
    const { values, coefficients, gradient } = known.paths[kind];

    it(`has the coefficients and gradients of torchcde 0.2.5, and of one made beforehand: ${kind}`, async () => {
      const x = withGaps(values);
      const beforehand = numbers(controlPath(times, x, { interpolation: kind }).coefficients);
      // some hundred operations on numbers up to a hundred, coefficients of short intervals
      expect(apart(beforehand, coefficients)).to.be.below(1e-12);
      for (const runtime of [jit(), await ortNode()]) {
        const b = new Builder();
        const { coefficients: own, gradient: slopes } = inGraph(
          b,
          times,
          b.input("x", "float64", shape),
          kind,
          true,
        );
        const graph = withoutRegions(b.graph({ coefficients: own, gradient: slopes }));
        const found = await runGraph(runtime, graph, { x });
        expect(apart(numbers(found.coefficients!), coefficients), runtime.name).to.be.below(1e-12);
        expect(apart(numbers(found.gradient!), gradient), runtime.name).to.be.below(1e-12);
      }
    });

    it(`is the one without gaps where there are none, and of two times: ${kind}`, async () => {
      const whole = tensor(
        "float64",
        shape,
        values.map((x, i) => x ?? Math.sin(i)),
      );
      for (const missing of [true, false]) {
        const { coefficients: own } = await evaluate(jit(), { x: whole }, (b, v) => ({
          coefficients: pathCoefficients(b, times, v.x!, kind, { missing }).coefficients,
        }));
        const expected = numbers(controlPath(times, whole, { interpolation: kind }).coefficients);
        expect(apart(numbers(own), expected), `${missing}`).to.be.below(1e-12);
      }
      const short = tensor("float64", [2, 2, 2], [1, 2, 3, Number.NaN, 0, 5, 1, 7]);
      const { coefficients: own } = await evaluate(jit(), { x: short }, (b, v) => ({
        coefficients: pathCoefficients(b, [0, 2], v.x!, kind, { missing: true }).coefficients,
      }));
      const expected = numbers(controlPath([0, 2], short, { interpolation: kind }).coefficients);
      expect(apart(numbers(own), expected)).to.be.below(1e-15);
    });

    it(`is not a number where a channel has no value, as nothing can be refused in a graph: ${kind}`, async () => {
      const empty = withGaps(values.map((x, i) => (i % 3 === 2 && i < 27 ? null : x)));
      await failure(
        Promise.resolve().then(() => controlPath(times, empty, { interpolation: kind })),
        PathError,
      );
      const found = await evaluate(jit(), { x: empty }, (b, v) => ({
        c: pathCoefficients(b, times, v.x!, kind, { missing: true }).coefficients,
      }));
      // of sample 0 the last channel, [batch, intervals, 4, channels]
      const all = numbers(found.c);
      const isOfIt = (i: number) => i < all.length / 4 && i % 3 === 2;
      expect(all.filter((_, i) => isOfIt(i) && i % 12 < 3).every(Number.isNaN)).to.equal(true);
      expect(all.filter((_, i) => !isOfIt(i)).some(Number.isNaN)).to.equal(false);
    });
  }

  it("is linear in time and file in the number of times: 1000 of them, whatever is missing", () => {
    for (const kind of kinds) {
      for (const missing of [true, false]) {
        const sizeOf = (count: number) => {
          const b = new Builder();
          const at = Array.from({ length: count }, (_, k) => k + 0.3 * Math.sin(k));
          const x = b.input("x", "float64", [2, count, 3]);
          return encode(b.graph({ c: pathCoefficients(b, at, x, kind, { missing }).coefficients })).length;
        };
        const [some, twice] = [sizeOf(500), sizeOf(1000)];
        expect(twice / some, `${kind} ${missing}`).to.be.below(2.1);
        // a matrix to all times has 4 · 1000 · 1000 numbers: 32 MB, and of a rectilinear path four times that
        expect(twice, `${kind} ${missing}`).to.be.below(1_500_000);
      }
    }
  });

  it("has an inverse near the diagonal alone, for times however uneven: a natural spline of 300 times", async () => {
    const at = [0];
    for (let k = 1; k < 300; k++) at.push(at[k - 1]! + 10 ** (3 * Math.sin(k * k)));
    const x: Tensor = tensor(
      "float64",
      [1, 300, 1],
      at.map((_, k) => Math.cos(k)),
    );
    const { c } = await evaluate(jit(), { x }, (b, v) => ({
      c: pathCoefficients(b, at, v.x!, "natural").coefficients,
    }));
    const expected = numbers(controlPath(at, x, { interpolation: "natural" }).coefficients);
    const found = numbers(c);
    // relative to the largest of each interval's, which are of 10³ to 10⁻³ to the power of three
    for (let k = 0; k < 299; k++) {
      const h = at[k + 1]! - at[k]!;
      for (let power = 0; power < 4; power++) {
        const [own, other] = [found[4 * k + power]!, expected[4 * k + power]!].map((y) => y * h ** power);
        expect(own!, `${k} ${power}`).to.be.closeTo(other!, 1e-9);
      }
    }
  });

  it("says which options there are", () => {
    const b = new Builder();
    const x = b.input("x", "float64", [2, 3, 1]);
    const wrong = { mising: true } as object;
    expect(() => pathCoefficients(b, [0, 1, 2], x, "linear", wrong)).to.throw(OptionError, "missing");
  });
});
