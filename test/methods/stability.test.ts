import { expect } from "chai";
import fc from "fast-check";
import type { VectorField } from "../../src/fields/field.js";
import type { Value } from "../../src/graph/graph.js";
import { alf } from "../../src/methods/alf.js";
import { effectivelySymmetric } from "../../src/methods/effectively-symmetric.js";
import { explicit } from "../../src/methods/explicit.js";
import { leapfrogMidpoint } from "../../src/methods/leapfrog-midpoint.js";
import type { Method } from "../../src/methods/method.js";
import { reversible } from "../../src/methods/reversible.js";
import { reversibleHeun } from "../../src/methods/reversible-heun.js";
import { semiImplicitEuler } from "../../src/methods/semi-implicit-euler.js";
import {
  determinantAt,
  incrementPolynomial,
  isStableAt,
  StabilityError,
  spectralRadius,
  stabilityArea,
  traceAt,
} from "../../src/methods/stability.js";
import { dopri8, ees25, ees27, euler, rk4, symmetricTableaux, tableaux } from "../../src/methods/tableaux.js";
import { mul } from "../../src/ops/arithmetic.js";
import { systemIn } from "../../src/programs/inputs.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { evaluate } from "./problems.js";

/** y' = a y. */
const linear: VectorField = {
  name: "linear",
  state: ["batch", 2],
  parameters: { a: { shape: [], initial: () => [1] } },
  apply: (b, theta, _t, y) => mul(b, theta.a!, y),
};

describe("increment polynomials", () => {
  for (const tableau of [...tableaux, ...symmetricTableaux]) {
    it(`of ${tableau.name} are e^x − 1 up to x^${tableau.order}, and no further`, () => {
      const p = incrementPolynomial(tableau);
      let factorial = 1;
      for (let k = 1; k <= tableau.order + 1; k++) {
        factorial *= k;
        // relative; coefficients of 17 digits with cancellation
        const off = Math.abs((p[k] ?? 0) * factorial - 1);
        if (k <= tableau.order) expect(off).to.be.below(1e-11);
        else expect(off).to.be.above(1e-3);
      }
      expect(p[0]).to.equal(0);
    });
  }
});

describe("step matrices", () => {
  let runtime: Runtime;
  before(async () => {
    runtime = await ortNode();
  });

  interface Case {
    readonly name: string;
    readonly method: Method;
    /** the arrays after y, from the second component of the vector that the matrix acts on */
    readonly rest: (second: number, x: number) => readonly number[];
  }
  const cases: readonly Case[] = [
    ...tableaux.map((tableau) => ({ name: tableau.name, method: explicit(tableau), rest: () => [] })),
    ...tableaux.map((tableau) => ({
      name: `${tableau.name}, coupled,`,
      method: reversible(tableau, { coupling: 0.7 }),
      rest: (z: number) => [z],
    })),
    ...symmetricTableaux.map((tableau) => ({
      ...{ name: tableau.name, method: effectivelySymmetric(tableau), rest: () => [] },
    })),
    { name: "ALF", method: alf(), rest: (v) => [v] },
    { name: "damped ALF", method: alf({ damping: 0.8 }), rest: (v) => [v] },
    { name: "leapfrog/midpoint", method: leapfrogMidpoint(), rest: (v) => [v] },
    { name: "reversible Heun", method: reversibleHeun(), rest: (hat, x) => [hat, x * hat] },
  ];

  for (const { name, method, rest } of cases) {
    it(`of ${name} have the trace and determinant of what the graph does to y' = α y`, async () => {
      // with h = 1, x = α. The state has two components, which start from the two unit vectors.
      const x = -0.37;
      const [first, second] = [rest(0, x), rest(1, x)];
      const arrays = [[1, 0], ...first.map((value, i) => [value, second[i]!])];
      const given = {
        ...{ t0: 0, t1: 1, h: 1, a: x },
        ...Object.fromEntries(arrays.map((values, i) => [`s${i}`, values])),
      };
      const results = await evaluate(runtime, given, (b, v) => {
        const state = arrays.map((_, i) => v[`s${i}`]!) as [Value, ...Value[]];
        const next = method.step(systemIn(b, linear, { a: v.a! }), { t0: v.t0!, t1: v.t1!, h: v.h! }, state);
        return Object.fromEntries(next.map((value, i) => [`next${i}`, value]));
      });
      const [y, z] = [results.next0!, results.next1];
      const trace = z === undefined ? y[0]! : y[0]! + z[1]!;
      const determinant = z === undefined ? y[0]! : y[0]! * z[1]! - y[1]! * z[0]!;
      // dopri8's coefficients reach 16 and cancel
      expect(traceAt(method.stepMatrix!, [x, 0])[0]).to.be.closeTo(trace, 1e-13);
      expect(determinantAt(method.stepMatrix!, [x, 0])[0]).to.be.closeTo(determinant, 1e-13);
    });
  }

  it("have the determinant λ and the trace λ + 1 − P(−x) (1 − λ + P(x)) when coupled, at any complex x", () => {
    const unit = fc.double({ min: -1, max: 1, noNaN: true });
    const lambda = fc.double({ min: 0.01, max: 1, noNaN: true });
    fc.assert(
      fc.property(unit, unit, lambda, fc.constantFrom(...tableaux), (re, im, coupling, tableau) => {
        const { stepMatrix } = reversible(tableau, { coupling });
        const [d, dIm] = determinantAt(stepMatrix!, [re, im]);
        expect(d).to.be.closeTo(coupling, 1e-12);
        expect(dIm).to.be.closeTo(0, 1e-12);
      }),
      { seed: 1 },
    );
    const p = incrementPolynomial(rk4);
    const at = (x: number) => p.reduce((sum, coefficient, k) => sum + coefficient * x ** k, 0);
    expect(traceAt(reversible(rk4, { coupling: 0.9 }).stepMatrix!, [0.3, 0])[0]).to.be.closeTo(
      0.9 + 1 - at(-0.3) * (0.1 + at(0.3)),
      1e-15,
    );
  });
});

describe("stability", () => {
  for (const tableau of [euler, rk4, dopri8]) {
    for (const coupling of [0.9, 0.99, 0.999]) {
      it(`of ${tableau.name} coupled with λ = ${coupling} ends at |α h| ≈ −ln λ on the negative real axis`, () => {
        const method = reversible(tableau, { coupling });
        const limit = -Math.log(coupling);
        expect(isStableAt(method, [-0.9 * limit, 0])).to.equal(true);
        expect(isStableAt(method, [-1.1 * limit, 0])).to.equal(false);
      });
    }
  }

  it("of Euler's method is the disk of radius 1 around −1", () => {
    // 400 cells along a side of 4: the border has some thousand cells of 1e-4
    expect(stabilityArea(explicit(euler), { re: [-3, 1], im: [-2, 2] }, 400)).to.be.closeTo(Math.PI, 0.01);
  });

  it("of RK4 ends at −2.785 on the real and at 2.828i on the imaginary axis", () => {
    const method = explicit(rk4);
    expect(isStableAt(method, [-2.78, 0])).to.equal(true);
    expect(isStableAt(method, [-2.79, 0])).to.equal(false);
    expect(isStableAt(method, [0, 2.82])).to.equal(true);
    expect(isStableAt(method, [0, 2.84])).to.equal(false);
  });

  it("of effectively symmetric methods is as wide as that of explicit ones, and nearly neutral on the imaginary axis", () => {
    for (const y of [0.1, 0.7, 2]) {
      // |1 + iy − y²/2 − iy³/8|² = 1 + y⁶/64
      expect(spectralRadius(effectivelySymmetric(ees25).stepMatrix!, [0, y]) ** 2).to.be.closeTo(
        1 + y ** 6 / 64,
        1e-14,
      );
    }
    // where their polynomials, 1 + x + x²/2 + x³/8 and one more term, are −1 and 1
    for (const [tableau, end] of [
      [ees25, -3.087],
      [ees27, -3.917],
    ] as const) {
      const method = effectivelySymmetric(tableau);
      expect(isStableAt(method, [end + 0.02, 0]), tableau.name).to.equal(true);
      expect(isStableAt(method, [end - 0.02, 0]), tableau.name).to.equal(false);
    }
  });

  it("grows as λ falls, and is nothing for the methods that only oscillate", () => {
    const box = { re: [-3, 1], im: [-3, 3] } as const;
    const areas = [0.999, 0.99, 0.9, 0.5].map((coupling) =>
      stabilityArea(reversible(rk4, { coupling }), box, 300),
    );
    expect(areas).to.deep.equal([...areas].sort((a, b) => a - b));
    expect(areas[3]).to.be.above(0.1);
    for (const method of [alf(), reversibleHeun(), leapfrogMidpoint(), reversible(rk4, { coupling: 1 })]) {
      expect(stabilityArea(method, box, 100), method.name).to.equal(0);
    }
  });

  for (const method of [alf(), reversibleHeun(), leapfrogMidpoint()]) {
    it(`of ${method.name} is neutral on [−i, i] and nowhere else`, () => {
      // a double eigenvalue at ±i halves the digits
      for (const im of [-1, -0.5, 0, 0.7, 1]) {
        expect(spectralRadius(method.stepMatrix!, [0, im])).to.be.closeTo(1, 1e-7);
      }
      expect(spectralRadius(method.stepMatrix!, [0, 1.05])).to.be.above(1.3);
      expect(spectralRadius(method.stepMatrix!, [-0.1, 0])).to.be.above(1.1);
    });
  }

  it("has no meaning for a method of split systems", () => {
    expect(() => isStableAt(semiImplicitEuler(), [0, 0])).to.throw(StabilityError, "semi-implicit-euler");
  });
});
