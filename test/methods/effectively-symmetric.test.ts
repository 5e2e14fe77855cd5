import { expect } from "chai";
import { ReconstructionError, refreshedCloser } from "../../src/gradients/reconstruction-limit.js";
import { checkTableau, TableauError } from "../../src/methods/check-tableau.js";
import { effectivelySymmetric, SymmetryError } from "../../src/methods/effectively-symmetric.js";
import type { ReversibleMethod } from "../../src/methods/method.js";
import { isStableAt } from "../../src/methods/stability.js";
import { ees25, ees27, midpoint, rk4, symmetricTableaux } from "../../src/methods/tableaux.js";
import { sub } from "../../src/ops/arithmetic.js";
import { systemIn } from "../../src/programs/inputs.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { distance } from "../support/distance.js";
import { failure } from "../support/failure.js";
import { countEvaluations, decayed, evaluate, expectGradients, gradientsOf, turning } from "./problems.js";

describe("effectively symmetric tableaux", () => {
  for (const tableau of symmetricTableaux) {
    const { name, antisymmetricOrder: m } = tableau;

    it(`hold what they say of a step back: ${name} undoes a step but for O(h^${m! + 1}), and no further`, () => {
      checkTableau(tableau);
      expect(() => checkTableau({ ...tableau, antisymmetricOrder: m! + 1 })).to.throw(
        TableauError,
        `fails the condition of the tree`,
      );
    });
  }

  it("are none of the usual ones: a step back undoes midpoint but for O(h⁴), and RK4 for O(h⁶)", () => {
    checkTableau({ ...midpoint, antisymmetricOrder: 3 });
    expect(() => checkTableau({ ...midpoint, antisymmetricOrder: 4 })).to.throw(TableauError);
    expect(() => checkTableau({ ...rk4, antisymmetricOrder: 6 })).to.throw(TableauError);
  });

  it("fail for a coefficient that is off by 1e-9", () => {
    const a = [ees25.a[0], ees25.a[1], [-5 / 48 + 1e-9, 15 / 16 - 1e-9]];
    expect(() => checkTableau({ ...ees25, a })).to.throw(TableauError, "ees25");
  });
});

describe("effectively symmetric methods", () => {
  let runtime: Runtime;
  before(async () => {
    runtime = await ortNode();
  });

  /** What is left of a state after a step of size h from t = ½ and its undoing. */
  async function lost(method: ReversibleMethod, h: number): Promise<number> {
    const given = { t0: 0.5, t1: 0.5 + h, h, a: 1.3, y0: turning.exact(0.5) };
    const { apart } = await evaluate(runtime, given, (b, v) => {
      const system = systemIn(b, turning.field, { a: v.a! });
      const interval = { t0: v.t0!, t1: v.t1!, h: v.h! };
      const [back] = method.undo(system, interval, method.step(system, interval, [v.y0!]));
      return { apart: sub(b, back, v.y0!) };
    });
    return Math.max(...apart!.map(Math.abs));
  }

  for (const [tableau, h] of [
    [ees25, 0.1],
    [ees27, 0.2],
  ] as const) {
    const m = tableau.antisymmetricOrder;

    it(`${tableau.name} is undone but for O(h^${m + 1}), measured`, async () => {
      const method = effectivelySymmetric(tableau);
      const [coarse, fine] = [await lost(method, h), await lost(method, h / 2)];
      // the next term of the expansion is still seen, and rounding is not: 1e-16 beside
      expect(fine).to.be.above(1e-13);
      expect(Math.log2(coarse / fine)).to.be.within(m + 0.5, m + 1.9);
    });

    it(`${tableau.name} takes ${tableau.b.length} evaluations forwards and twice as many backwards`, () => {
      const method = effectivelySymmetric(tableau);
      expect(countEvaluations(method)).to.deep.equal({
        step: method.evaluations,
        back: method.backEvaluations,
      });
    });

    it(`${tableau.name} is right where coupled methods blow up: y' = −y over 200 steps of 0.1`, async () => {
      // of order 2: (1 + h³/6 T/h) e^(−20), some per cent of 2.06e−9
      expect(await decayed(runtime, effectivelySymmetric(tableau))).to.be.closeTo(2.06e-9, 2e-10);
      expect(isStableAt(effectivelySymmetric(tableau), [-3, 0])).to.equal(true);
    });
  }

  it("ees27 has the same gradient by reconstruction, by stored steps and by differences: h^7 is 1e-9, of small terms", () =>
    expectGradients(runtime, effectivelySymmetric(ees27), turning));

  it("ees25 has the gradient of stored steps to its order, and that is the one of differences", async () => {
    const { reversible, direct, differences } = await gradientsOf(
      runtime,
      effectivelySymmetric(ees25),
      turning,
    );
    // h^5 with h = 0.05 is 3e-7
    expect(distance(reversible, direct)).to.be.within(1e-11, 3e-7);
    expect(distance(direct, differences)).to.be.below(1e-8);
  });

  it("refuse a tableau that a step back does not undo", () => {
    expect(() => effectivelySymmetric(rk4)).to.throw(SymmetryError, "reversible(rk4)");
  });
});

describe("what is watched of steps that are undone to an order", () => {
  const of = { method: effectivelySymmetric(ees25), dtype: "float64" } as const;

  it("grows with their number, so that states are stored closer by as much as is too far off", () => {
    const closer = (error: number) =>
      refreshedCloser({ ...of, gradient: { kind: "reversible" } }, 1000, error);
    expect(closer(0.99e-5)).to.deep.equal({ kind: "reversible", refresh: 50 });
    expect(closer(1.5e-6)).to.deep.equal({ kind: "reversible", refresh: 333 });
    // what is not finite says nothing but that it is too far
    expect(closer(Number.NaN)).to.deep.equal({ kind: "reversible", refresh: 500 });
  });

  it("asks for smaller steps where one is too much", async () => {
    const lost = async () =>
      refreshedCloser({ ...of, gradient: { kind: "reversible", refresh: 1 } }, 1000, 1);
    const { message } = await failure(lost(), ReconstructionError);
    expect(message).to.include("smaller steps").and.include("O(h^5)");
  });
});
