import { expect } from "chai";
import fc from "fast-check";
import { checkTableau, TableauError } from "../../src/methods/check-tableau.js";
import { denseOutput, polynomialAt } from "../../src/methods/dense.js";
import { explicit } from "../../src/methods/explicit.js";
import { reversible } from "../../src/methods/reversible.js";
import { rootedTrees, showTree } from "../../src/methods/rooted-trees.js";
import { isFirstSameAsLast } from "../../src/methods/tableaux/tableau.js";
import {
  bosh3,
  dopri5,
  midpoint,
  rk4,
  symmetricTableaux,
  type Tableau,
  tableaux,
} from "../../src/methods/tableaux.js";
import { systemIn } from "../../src/programs/inputs.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { evaluate, turning } from "./problems.js";

const all = [...tableaux, ...symmetricTableaux];

describe("rooted trees", () => {
  it("are as many of each size as there are", () => {
    const trees = rootedTrees(8);
    const counts = Array.from({ length: 8 }, (_, i) => trees.filter(({ order }) => order === i + 1).length);
    expect(counts).to.deep.equal([1, 1, 2, 4, 9, 20, 48, 115]);
    expect(new Set(trees.map(showTree)).size).to.equal(trees.length);
  });

  it("have the densities of the textbook", () => {
    const densities = rootedTrees(4).map((tree) => `${showTree(tree)} ${tree.density}`);
    expect(densities).to.deep.equal([
      ...["[] 1", "[[]] 2", "[[][]] 3", "[[[]]] 6"],
      ...["[[][][]] 4", "[[][[]]] 8", "[[[][]]] 12", "[[[[]]]] 24"],
    ]);
  });
});

describe("conditions of tableaux", () => {
  for (const tableau of all) {
    const { name, order, error, dense } = tableau;

    it(`hold for ${name}: c, all trees of its order, its error estimate, its dense output`, () => {
      checkTableau(tableau);
    });

    it(`do not hold for ${name} at a higher order than it says`, () => {
      const fails = (claim: Partial<Tableau>) =>
        expect(() => checkTableau({ ...tableau, ...claim })).to.throw(TableauError);
      fails({ order: order + 1 });
      if (error) fails({ error: { ...error, order: error.order + 1 } });
      if (dense) fails({ dense: { ...dense, order: dense.order + 1 } });
    });

    if (error) {
      it(`make the error weights of ${name} add up to 0`, () => {
        // the weights have 16 digits
        expect(error.weights.reduce((sum, weight) => sum + weight, 0)).to.be.closeTo(0, 1e-15);
      });
    }

    if (dense) {
      it(`make the dense output of ${name} leave y0 with k₁ and reach y1 with f(t1, y1)`, () => {
        for (const [i, row] of dense.weights.entries()) {
          // dopri8's coefficients, as published, reach 100 and are consistent to 1e-12
          expect(row[0] ?? 0).to.equal(i === 0 ? 1 : 0);
          expect(row.reduce<number>((sum, p) => sum + p, 0)).to.be.closeTo(tableau.b[i] ?? 0, 2e-12);
          const slope = row.reduce<number>((sum, p, j) => sum + (j + 1) * p, 0);
          expect(slope).to.be.closeTo(i === tableau.b.length ? 1 : 0, 5e-11);
        }
      });
    }
  }

  it("fail for any coefficient that is off by 1e-9", () => {
    const places = all.flatMap((tableau) => [
      ...tableau.a.flatMap((row, i) => row.map((_, j) => ({ tableau, part: "a" as const, i, j }))),
      ...tableau.b.map((_, i) => ({ tableau, part: "b" as const, i, j: 0 })),
      ...tableau.c.map((_, i) => ({ tableau, part: "c" as const, i, j: 0 })),
      ...(tableau.error?.weights ?? []).map((_, i) => ({ tableau, part: "error" as const, i, j: 0 })),
    ]);
    fc.assert(
      fc.property(fc.constantFrom(...places), ({ tableau, part, i, j }) => {
        const nudged = (values: readonly number[], at: number) =>
          values.map((value, k) => (k === at ? value + 1e-9 : value));
        const broken = {
          a: { a: tableau.a.map((row, k) => (k === i ? nudged(row, j) : row)) },
          b: { b: nudged(tableau.b, i) },
          c: { c: nudged(tableau.c, i) },
          error: tableau.error && { error: { ...tableau.error, weights: nudged(tableau.error.weights, i) } },
        }[part];
        expect(() => checkTableau({ ...tableau, ...broken })).to.throw(TableauError, tableau.name);
      }),
      { seed: 3, numRuns: 300 },
    );
  });

  it("say what is wrong with a tableau of the wrong shape", () => {
    const says = (tableau: Tableau, what: string) =>
      expect(() => checkTableau(tableau)).to.throw(TableauError, what);
    says({ ...rk4, b: [1] }, "a has 4 rows, b 1 weights");
    says({ ...midpoint, a: [[], [1 / 2, 0]] }, "row 1 of a must have 1 entries");
    says({ ...rk4, order: 0 }, "positive integer");
    says({ ...rk4, b: [Number.NaN, 1 / 3, 1 / 3, 1 / 6] }, "finite");
    says({ ...rk4, error: { weights: [1, -1], order: 2 } }, "must have 4 weights, or 5");
    says({ ...rk4, c: [0, 1 / 2, 0.4, 1] }, "c[2] = 0.4 must be the sum of row 2 of a, 0.5");
    says({ ...midpoint, order: 3 }, "the tree [[][]] of order 3");
  });

  it("ask for the last stage of a first-same-as-last pair to be left out", () => {
    const asPublished: Tableau = {
      ...bosh3,
      a: [...bosh3.a, bosh3.b],
      b: [...bosh3.b, 0],
      c: [...bosh3.c, 1],
    };
    expect(() => checkTableau(asPublished)).to.throw(TableauError, "Leave the row out");
    expect(tableaux.filter(isFirstSameAsLast).map(({ name }) => name)).to.deep.equal([
      ...["bosh3", "dopri5", "tsit5", "dopri8"],
    ]);
  });
});

describe("inside a step", () => {
  let runtime: Runtime;
  before(async () => {
    runtime = await ortNode();
  });

  /** The size of the error estimate, and the largest error at θ = 0, ¼, ½, ¾, 1, of a step of size h from t = ½. */
  async function step(tableau: Tableau, h: number) {
    const t0 = 0.5;
    const thetas = [0, 0.25, 0.5, 0.75, 1];
    const given = { t0, t1: t0 + h, h, a: 1, y0: turning.exact(t0) };
    const results = await evaluate(runtime, given, (b, v) => {
      const system = systemIn(b, turning.field, { a: v.a! });
      const interval = { t0: v.t0!, t1: v.t1!, h: v.h! };
      const method = explicit(tableau);
      const after = method.step(system, interval, [v.y0!]);
      const coefficients = denseOutput(method, system, interval, [v.y0!], after);
      return {
        y1: after[0],
        ...(method.error && { estimate: method.error.of(system, interval, [v.y0!], after) }),
        ...Object.fromEntries(
          thetas.map((theta, i) => [`at${i}`, polynomialAt(b, coefficients, b.scalar("float64", theta))]),
        ),
      };
    });
    const distance = (x: readonly number[], y: readonly number[]) =>
      Math.max(...x.map((value, i) => Math.abs(value - y[i]!)));
    return {
      estimate: results.estimate && distance(results.estimate, [0, 0]),
      ends: Math.max(distance(results.at0!, given.y0), distance(results.at4!, results.y1!)),
      between: Math.max(
        ...[1, 2, 3].map((i) => distance(results[`at${i}`]!, turning.exact(t0 + thetas[i]! * h))),
      ),
    };
  }

  for (const tableau of all) {
    const { name, error, dense } = tableau;
    const order = Math.min(dense?.order ?? 3, tableau.order);

    it(`${name} is dense to O(h^${order + 1})${error ? `, and its error estimate O(h^${error.order})` : ""}`, async () => {
      const [coarse, fine] = [await step(tableau, 0.1), await step(tableau, 0.05)];
      // y1 is put together in another order; dopri8's coefficients are consistent to 1e-12
      expect(fine.ends).to.be.below(tableau.order === 8 ? 1e-12 : 1e-15);
      // the next terms of both expansions are still seen at these steps
      expect(Math.log2(coarse.between / fine.between)).to.be.above(order + 0.7);
      if (error) {
        expect(Math.log2(coarse.estimate! / fine.estimate!)).to.be.within(error.order - 0.3, error.order + 1);
      }
    });
  }

  it("the estimate of a coupled method is that of its second half step, backwards from y1", async () => {
    const h = 0.1;
    const given = { t0: 0.5, t1: 0.6, h, back: -h, a: 1, y: [0.3, 0.9], z: [0.31, 0.88] };
    const { coupled, plain } = await evaluate(runtime, given, (b, v) => {
      const system = systemIn(b, turning.field, { a: v.a! });
      const method = reversible(dopri5);
      const interval = { t0: v.t0!, t1: v.t1!, h: v.h! };
      const after = method.step(system, interval, [v.y!, v.z!]);
      const backwards = { t0: v.t1!, t1: v.t0!, h: v.back! };
      const half = explicit(dopri5);
      return {
        coupled: method.error!.of(system, interval, [v.y!, v.z!], after),
        plain: half.error!.of(system, backwards, [after[0]], half.step(system, backwards, [after[0]])),
      };
    });
    expect(coupled).to.deep.equal(plain);
    expect(Math.max(...coupled!.map(Math.abs))).to.be.above(0);
  });
});
