import { expect } from "chai";
import { type FloatDType, numbers, scalar, tensor } from "../../src/core/tensor.js";
import type { VectorField } from "../../src/fields/field.js";
import { type Gradients, gradientOf } from "../../src/gradients/evaluate.js";
import type { GradientSpec } from "../../src/gradients/method.js";
import {
  guardedGradient,
  ReconstructionError,
  refreshedCloser,
  roundingAfter,
} from "../../src/gradients/reconstruction-limit.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { mse } from "../../src/learning/losses.js";
import { alf } from "../../src/methods/alf.js";
import { effectivelySymmetric } from "../../src/methods/effectively-symmetric.js";
import { explicit } from "../../src/methods/explicit.js";
import { leapfrogMidpoint } from "../../src/methods/leapfrog-midpoint.js";
import type { Method } from "../../src/methods/method.js";
import { reversible } from "../../src/methods/reversible.js";
import { reversibleHeun } from "../../src/methods/reversible-heun.js";
import { semiImplicitEuler } from "../../src/methods/semi-implicit-euler.js";
import { undoGrowth } from "../../src/methods/stability.js";
import { ees25, midpoint, rk4 } from "../../src/methods/tableaux.js";
import { mul, sub } from "../../src/ops/arithmetic.js";
import { gridThrough } from "../../src/programs/grid.js";
import { jit } from "../../src/runtimes/jit/jit.js";

const runtime = jit();

/** y' = a (y − 1), whose solution from 2 is 1 + e^(a t). */
const relaxing: VectorField = {
  name: "relaxing",
  state: ["batch", 1],
  parameters: { a: { shape: [], initial: () => [-1] } },
  apply: (b, theta, _t, y) => mul(b, theta.a!, sub(b, y, 1)),
};

interface Case {
  readonly method: Method;
  readonly gradient: GradientSpec;
  readonly stepSize: number;
  readonly T: number;
  readonly a: number;
  readonly dtype?: FloatDType;
  readonly guarded?: boolean;
}

/** Of (y(T) − 0)² by a: dL/da = 2 y T e^(a T). */
async function slope({ method, gradient, stepSize, T, a, dtype = "float64", guarded = true }: Case) {
  const found: Gradients = await gradientOf(neuralOde({ field: relaxing, method, stepSize, dtype }), {
    ...{ runtime, loss: mse(), gradient, guarded },
    fit: {
      grid: gridThrough(0, [T], stepSize),
      y0: tensor(dtype, [1, 1], [2]),
      target: tensor(dtype, [1, 1, 1], [0]),
      weight: null,
    },
    parameters: { a: scalar(dtype, a) },
  });
  const exact = 2 * (1 + Math.exp(a * T)) * T * Math.exp(a * T);
  return { ...found, error: Math.abs(numbers(found.parameters.a!)[0]! / exact - 1) };
}

describe("the limit of what undoing steps gives back", () => {
  it("knows by how much undoing a step magnifies rounding", () => {
    for (const coupling of [1, 0.999, 0.5]) {
      expect(undoGrowth(reversible(rk4, { coupling }))).to.be.closeTo(1 / coupling, 1e-12);
    }
    // v0 = (v1 − 2 η u) / (1 − 2 η)
    expect(undoGrowth(alf({ damping: 0.8 }))).to.be.closeTo(1 / 0.6, 1e-12);
    for (const method of [
      alf(),
      reversibleHeun(),
      leapfrogMidpoint(),
      semiImplicitEuler(),
      effectivelySymmetric(ees25),
      explicit(rk4),
    ]) {
      expect(undoGrowth(method), method.name).to.be.closeTo(1, 1e-12);
    }
  });

  it("leaves the published protocol as it is: λ = 0.999 over 1000 steps is harmless, in float32 too", () => {
    for (const dtype of ["float64", "float32"] as const) {
      const { gradient, note } = guardedGradient({ kind: "reversible" }, reversible(midpoint), dtype, 1000);
      expect(gradient).to.deep.equal({ kind: "reversible" });
      expect(note).to.equal(null);
    }
  });

  it("stores states where λ and the number of steps must lose the reconstruction, and says why", () => {
    const method = reversible(midpoint, { coupling: 0.97 });
    const { gradient, note } = guardedGradient({ kind: "reversible" }, method, "float64", 1000);
    const every = (gradient as { refresh: number }).refresh;
    // ε λ⁻ᵏ is a hundredth of the limit of 1e−6
    expect(roundingAfter(method, "float64", every)).to.be.within(0.9e-8, 1e-8);
    expect(note).to.include("1000 steps").and.include("1/λ = 1.03").and.include(`reversible:${every}`);
    const wide = guardedGradient({ kind: "reversible", refresh: 900 }, method, "float64", 1000);
    expect(wide.gradient).to.deep.equal(gradient);
    const narrow = guardedGradient({ kind: "reversible", refresh: 100 }, method, "float64", 1000);
    expect(narrow.gradient).to.deep.equal({ kind: "reversible", refresh: 100 });
  });

  it("stores them closer in float32", () => {
    const every = (dtype: FloatDType) =>
      guardedGradient({ kind: "reversible" }, reversible(midpoint, { coupling: 0.9 }), dtype, 1000).gradient;
    expect(every("float64")).to.deep.equal({ kind: "reversible", refresh: 167 });
    expect(every("float32")).to.deep.equal({ kind: "reversible", refresh: 42 });
  });

  describe("of y' = −(y − 1) at λ = 0.9 over 1000 steps", () => {
    const of = { method: reversible(rk4, { coupling: 0.9 }), stepSize: 0.01, T: 10, a: -1 };

    it("gives the gradient of the closed form, from stored states", async () => {
      const found = await slope({ ...of, gradient: "reversible" });
      // the error of rk4 with steps of 0.01, C h⁴ T
      expect(found.error).to.be.below(1e-8);
      expect(found.gradient).to.deep.equal({ kind: "reversible", refresh: 167 });
      expect(found.notes).to.have.length(1);
      expect(found.cost.storedStates).to.equal(6);
    });

    it("gives it in float32", async () => {
      // of 2 y T e^(a T) with T = 10, that 1e−4 is left of 1 by 24 bits is 1e−3 of e^(−10)
      expect((await slope({ ...of, T: 5, gradient: "reversible", dtype: "float32" })).error).to.be.below(
        1e-3,
      );
    });

    it("loses it where it is not guarded", async () => {
      const found = await slope({ ...of, gradient: "reversible", guarded: false });
      expect(found.error).to.be.above(1);
      expect(found.reconstructionError).to.be.above(1);
    });
  });

  it("is measured where the field itself magnifies rounding, and states are stored by what was measured", async () => {
    // e^30 times a rounding of 1e−16 is beyond 1e−6, while 0.99⁻⁷⁵⁰ = 1900 promises 4e−13
    const of = { method: reversible(rk4, { coupling: 0.99 }), stepSize: 0.04, T: 30, a: -1 };
    const lost = await slope({ ...of, gradient: "reversible", guarded: false });
    expect(lost.reconstructionError).to.be.above(1e-6);
    const found = await slope({ ...of, gradient: "reversible" });
    const stored = await slope({ ...of, gradient: "direct" });
    expect(found.reconstructionError).to.be.below(1e-6);
    expect(found.gradient).to.have.property("refresh").that.is.at.most(375);
    expect(found.notes.join()).to.include("gave states back with a relative error of");
    const [own, exact] = [found, stored].map(({ parameters }) => numbers(parameters.a!)[0]!);
    expect(Math.abs(own! / exact! - 1)).to.be.below(1e-6);
  });

  it("names what is lost where not even one step can be undone", () => {
    const method = reversible(midpoint, { coupling: 1e-9 });
    const at = { gradient: { kind: "reversible", refresh: 1 } as const, method, dtype: "float64" as const };
    expect(() => refreshedCloser(at, 100, 0.5))
      .to.throw(ReconstructionError, "lost within a single step")
      .with.property("message")
      .that.includes("λ nearer to 1 (now 1e-9)");
    // and halves before that, whatever was measured
    for (const error of [Number.NaN, Number.POSITIVE_INFINITY, 2e-6]) {
      const { refresh } = refreshedCloser({ ...at, gradient: { kind: "reversible" } }, 100, error) as {
        refresh: number;
      };
      expect(refresh).to.be.within(1, 50);
    }
  });

  it("is that of the size of the solution, which may start at 0", async () => {
    const found = await gradientOf(neuralOde({ field: relaxing, method: reversible(rk4), stepSize: 0.1 }), {
      ...{ runtime, loss: mse(), gradient: "reversible" },
      fit: {
        grid: gridThrough(0, [1], 0.1),
        y0: tensor("float64", [1, 1], [0]),
        target: tensor("float64", [1, 1, 1], [0]),
        weight: null,
      },
      parameters: { a: scalar("float64", -1) },
    });
    expect(found.reconstructionError).to.be.below(1e-13);
    expect(found.notes).to.deep.equal([]);
  });
});
