import { expect } from "chai";
import fc from "fast-check";
import { controllers, type Pid, pid } from "../../src/control/control.js";
import { decide, driftTerm } from "../../src/control/controller.js";
import { rootMeanSquare, scaledNorm, toleranceOf } from "../../src/control/norm.js";
import { type FloatDType, numbers, tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import type { Value } from "../../src/graph/graph.js";

// Graphs of constants are computed as they are built, so that nothing has to run.

const known = (value: Value) => numbers(value.constant!)[0]!;

/** What the controller makes of the scaled errors of steps, one after the other. */
function follow(
  control: Pid,
  order: number,
  norms: readonly number[],
  cut = false,
  dtype: FloatDType = "float64",
) {
  const b = new Builder();
  const float = (x: number) => b.scalar(dtype, x);
  let memory = { last: float(1), beforeLast: float(1), rejected: b.scalar("bool", false) };
  return norms.map((norm) => {
    const decision = decide(
      b,
      control,
      order,
      { square: float(norm ** 2), cut: b.scalar("bool", cut) },
      memory,
    );
    memory = decision.memory as typeof memory;
    return { accept: known(decision.accept) === 1, factor: known(decision.factor) };
  });
}

const someNorm = fc.double({ min: 1e-12, max: 1e12, noNaN: true });

describe("a step-size controller", () => {
  it("accepts errors below one, and lengthens steps by the textbook's formula", () => {
    for (const order of [2, 3, 5]) {
      for (const norm of [0.01, 0.5, 0.99, 1, 2, 30]) {
        const [{ accept, factor }] = follow(pid(), order, [norm]) as [ReturnType<typeof follow>[0]];
        expect(accept).to.equal(norm < 1);
        const free = 0.9 * norm ** (-1 / order);
        expect(factor).to.be.closeTo(
          Math.max(0.2, norm < 1 ? Math.min(10, free) : Math.min(0.9, free)),
          1e-14,
        );
      }
    }
  });

  it("looks back at two accepted steps: 0.9 e₂^−β₁ e₁^−β₂ e₀^−β₃", () => {
    const [e0, e1, e2] = [0.3, 0.8, 0.5];
    for (const [name, [b1, b2, b3]] of Object.entries({
      i: [1, 0, 0],
      pi: [0.7, -0.4, 0],
      pid: [0.64, -0.31, 0.04],
    }) as [keyof typeof controllers, [number, number, number]][]) {
      const k = 4;
      const steps = follow(pid(controllers[name]), k, [e0, e1, e2]);
      expect(steps[2]!.factor, name).to.be.closeTo(
        0.9 * e2 ** (-b1 / k) * e1 ** (-b2 / k) * e0 ** (-b3 / k),
        1e-14,
      );
    }
  });

  it("never grows at a rejection, nor right after one, and stays within its limits", () => {
    fc.assert(
      fc.property(
        fc.array(someNorm, { minLength: 2, maxLength: 8 }),
        fc.constantFrom(...Object.values(controllers)),
        (norms, coefficients) => {
          const steps = follow(pid({ ...coefficients, factorMin: 0.3, factorMax: 4 }), 3, norms);
          for (const [i, { accept, factor }] of steps.entries()) {
            expect(factor).to.be.within(0.3, 4);
            if (!accept) expect(factor).to.be.at.most(0.9);
            if (i > 0 && !steps[i - 1]!.accept) expect(factor).to.be.at.most(1);
          }
        },
      ),
      { seed: 1 },
    );
  });

  it("shortens by the most it may where the error is no number", () => {
    for (const norm of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const [bad, next] = follow(pid(controllers.pi), 3, [norm, 0.5]);
      expect(bad).to.deep.equal({ accept: false, factor: 0.2 });
      expect(next!.accept).to.equal(true);
    }
  });

  it("goes on from an error of zero where its square is below what float32 can tell from zero", () => {
    // the least square that counts is (0.1 / 1000)^16 = 1e-64
    const control = pid({ ...controllers.pi, safety: 0.1, factorMax: 1000, factorMin: 1e-3 });
    const [first, second] = follow(control, 8, [0, 0.5], false, "float32");
    // e₁ counts as 2^−63, the least that float32 has a square of
    expect(first!.factor).to.be.closeTo(0.1 * 2 ** ((63 * 0.7) / 8), 1e-5);
    expect(second!.factor).to.be.closeTo(0.1 * 0.5 ** (-0.7 / 8) * 2 ** ((-63 * 0.4) / 8), 1e-6);
  });

  it("does not take an error of zero for more than the largest growth", () => {
    const [first, second] = follow(pid(controllers.pi), 3, [0, 0.5]);
    expect(first!.factor).to.be.within(1, 10);
    expect(second!.factor).to.be.above(0.2);
  });

  it("does not remember steps that were cut short", () => {
    const cut = follow(pid(controllers.pid), 3, [1e-9, 0.5], true);
    const fresh = follow(pid(controllers.pid), 3, [0.5]);
    expect(cut[1]!.factor).to.equal(fresh[0]!.factor);
  });

  it("rejects steps that part two solutions beyond the tolerance, and no others", () => {
    const b = new Builder();
    const control = pid({ driftTolerance: 10 });
    const term = (before: number, after: number, coupling = 0.9) =>
      known(
        driftTerm(b, control, 3, coupling, {
          before: b.scalar("float64", before),
          after: b.scalar("float64", after),
        }),
      );
    expect(term(9, 20)).to.equal(2);
    expect(term(0, 9.9)).to.be.below(1);
    // beyond, but nearer by more than half of what λ damps in a short step
    expect(term(20, 0.949 * 20)).to.be.below(1);
    expect(term(20, 0.951 * 20)).to.be.above(1);
    // such a step is followed by one that is as long
    const held = follow(pid(), 3, [term(20, 18)]);
    expect(held[0]!.accept).to.equal(true);
    expect(held[0]!.factor).to.be.closeTo(1, 1e-14);
    expect(term(0, 0)).to.equal(0);
  });
});

describe("norms of errors", () => {
  it("are root mean squares in units of the tolerance, over a batch or for each trajectory", () => {
    const b = new Builder();
    const value = (...values: number[]) => b.constant(tensor("float64", [2, 2], values));
    const [y0, y1] = [value(1, -2, 0, 10), value(-3, 1, 0, 4)];
    const tolerance = toleranceOf(b, y0, y1, pid({ rtol: 0.1, atol: 0.5 }));
    expect(numbers(tolerance.constant!)).to.deep.equal([0.8, 0.7, 0.5, 1.5]);
    const error = value(0.8, 1.4, -1, 0);
    expect(known(scaledNorm(b, error, tolerance, "batch"))).to.be.closeTo(
      Math.sqrt((1 + 4 + 4 + 0) / 4),
      1e-15,
    );
    const each = scaledNorm(b, error, tolerance, "sample");
    expect(each.shape).to.deep.equal([2, 1]);
    expect(numbers(each.constant!)[1]).to.be.closeTo(Math.sqrt(2), 1e-15);
    expect(known(rootMeanSquare(b, value(1, 1, 1, 1), "batch"))).to.equal(1);
  });
});
