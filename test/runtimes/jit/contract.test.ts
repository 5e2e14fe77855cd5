import { expect } from "chai";
import { Random } from "../../../src/core/random.js";
import { type FloatDType, numbers, tensor } from "../../../src/core/tensor.js";
import { initialParameters } from "../../../src/fields/field.js";
import { mlp } from "../../../src/fields/mlp.js";
import { Builder } from "../../../src/graph/builder.js";
import type { Value } from "../../../src/graph/graph.js";
import { neuralOde } from "../../../src/integrate/neural-ode.js";
import { solve } from "../../../src/integrate/solve.js";
import { reversible } from "../../../src/methods/reversible.js";
import { midpoint } from "../../../src/methods/tableaux.js";
import { add, mul, sub } from "../../../src/ops/arithmetic.js";
import { hasFusedMultiplyAdd } from "../../../src/runtimes/jit/engine.js";
import { jit } from "../../../src/runtimes/jit/jit.js";

/** Small enough to stay in locals, and not; with elements that do not fill a vector. */
const lengths = [3, 67];

/** What comes out of a graph on `length` elements, all the same. */
async function first(
  build: (b: Builder, x: Value, y: Value, z: Value) => Value,
  [x, y, z]: readonly [number, number, number],
  { length, dtype, fused }: { length: number; dtype: FloatDType; fused: boolean },
): Promise<number> {
  const runtime = jit({ fused });
  const b = new Builder();
  const [p, q, r] = ["x", "y", "z"].map((name) => b.input(name, dtype, [length])) as [Value, Value, Value];
  const executable = await runtime.compile(b.graph({ out: build(b, p, q, r) }));
  const all = (value: number) => runtime.upload(tensor(dtype, [length], new Array(length).fill(value)));
  const { out } = await executable.run({ x: all(x), y: all(y), z: all(z) });
  const found = numbers(await runtime.download(out!));
  expect(new Set(found).size, "distinct elements").to.equal(1);
  return found[0]!;
}

describe("sums of products on the compiled runtime", () => {
  // (1 + ε)(1 − ε) = 1 − ε², of which nothing is left once it has been rounded
  const cases = { float64: 2 ** -30, float32: 2 ** -14 } as const;
  for (const [dtype, epsilon] of Object.entries(cases) as [FloatDType, number][]) {
    const factors = [1 + epsilon, 1 - epsilon] as const;
    const square = epsilon ** 2;
    it(`are rounded once where there is a fused multiply-add, and twice where it is declined, in ${dtype}`, async function () {
      if (!hasFusedMultiplyAdd()) this.skip();
      for (const length of lengths) {
        const on = (fused: boolean) => ({ length, dtype, fused });
        const sum = (b: Builder, x: Value, y: Value, z: Value) => add(b, mul(b, x, y), z);
        const swapped = (b: Builder, x: Value, y: Value, z: Value) => add(b, z, mul(b, x, y));
        const difference = (b: Builder, x: Value, y: Value, z: Value) => sub(b, z, mul(b, x, y));
        expect(await first(sum, [...factors, -1], on(true))).to.equal(-square);
        expect(await first(swapped, [...factors, -1], on(true))).to.equal(-square);
        expect(await first(difference, [...factors, 1], on(true))).to.equal(square);
        for (const build of [sum, swapped, difference]) {
          expect(await first(build, [...factors, build === difference ? 1 : -1], on(false))).to.equal(0);
        }
      }
    });
  }

  it("are left as they are where the product is needed otherwise, or is taken away from", async function () {
    if (!hasFusedMultiplyAdd()) this.skip();
    const epsilon = 2 ** -30;
    for (const length of lengths) {
      const on = { length, dtype: "float64", fused: true } as const;
      const twice = (b: Builder, x: Value, y: Value, z: Value) => {
        const product = mul(b, x, y);
        return add(b, add(b, product, z), mul(b, product, 0));
      };
      expect(await first(twice, [1 + epsilon, 1 - epsilon, -1], on)).to.equal(0);
      const less = (b: Builder, x: Value, y: Value, z: Value) => sub(b, mul(b, x, y), z);
      expect(await first(less, [1 + epsilon, 1 - epsilon, 1], on)).to.equal(0);
    }
  });

  it("leave reconstruction what it is: undoing steps loses as much as without", async function () {
    if (!hasFusedMultiplyAdd()) this.skip();
    const error = async (fused: boolean, dtype: FloatDType) => {
      const losses: number[] = [];
      for (let seed = 0; seed < 8; seed++) {
        const random = Random.seeded(seed);
        const field = mlp({ dim: 2, hidden: [16, 16], time: false });
        const ode = neuralOde({ field, method: reversible(midpoint), stepSize: 0.005, dtype });
        const { stats } = await solve(ode, {
          ...{ runtime: jit({ fused }), parameters: initialParameters(field, random, dtype), t0: 0, t1: 5 },
          y0: tensor(
            dtype,
            [4, 2],
            Array.from({ length: 8 }, () => random.normal()),
          ),
          checkReconstruction: true,
        });
        losses.push(stats.reconstructionError!);
      }
      return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
    };
    for (const dtype of ["float64", "float32"] as const) {
      // means of eight that differ by a factor of two or so from seed to seed
      expect(await error(true, dtype), dtype).to.be.below(4 * (await error(false, dtype)));
    }
  });

  it("of two products take in the one that is known last, and broadcast as before", async function () {
    if (!hasFusedMultiplyAdd()) this.skip();
    const epsilon = 2 ** -30;
    for (const length of lengths) {
      const on = { length, dtype: "float64", fused: true } as const;
      // −1 · 1 rounds to itself, whichever is taken in
      const both = (b: Builder, x: Value, y: Value, z: Value) => add(b, mul(b, z, 1.0625), mul(b, x, y));
      const found = await first(both, [1 + epsilon, 1 - epsilon, -1 / 1.0625], on);
      const rounded = (-1 / 1.0625) * 1.0625;
      expect(found).to.equal(rounded === -1 ? -(epsilon ** 2) : rounded + 1);
    }
  });
});
