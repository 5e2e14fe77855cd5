import { expect } from "chai";
import { ControlError, pid } from "../../src/control/control.js";
import { numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import type { VectorField } from "../../src/fields/field.js";
import { dampingAlong } from "../../src/integrate/coupling.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { solve } from "../../src/integrate/solve.js";
import { methodNamed } from "../../src/methods/named.js";
import { reversible } from "../../src/methods/reversible.js";
import { bosh3, midpoint, rk4 } from "../../src/methods/tableaux.js";
import { matmul } from "../../src/ops/linalg.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { failure } from "../support/failure.js";
import { detest } from "./detest.js";
import { decay, spinning } from "./fields.js";

/** y' = A y. */
function linear(a: readonly (readonly number[])[]): VectorField {
  const n = a.length;
  const transposed = a.flatMap((_, j) => a.map((row) => row[j]!));
  return {
    name: "linear",
    state: ["batch", n],
    parameters: {},
    apply: (b, _theta, _t, y) => matmul(b, y, b.constant(tensor("float64", [n, n], transposed))),
  };
}

describe("the coupling λ", () => {
  let runtime: Runtime;
  before(async () => {
    runtime = await ortNode();
  });

  const dampingOf = async (field: VectorField, y: Tensor) =>
    (await dampingAlong(neuralOde({ field, method: midpoint }), runtime, {}, [0], [y]))[0]!;

  it("is chosen by the damping of the field, which is estimated: −min Re of the eigenvalues of its Jacobian", async () => {
    const row = (...values: number[]) => tensor("float64", [1, values.length], values);
    // 20 iterations leave an error of about e^−20 of the gap between the first two eigenvalues
    const cases: [number[][], number][] = [
      [[[-3]], 3],
      [[[2]], -2],
      [
        [
          [-1, 0],
          [0, -10],
        ],
        10,
      ],
      // −0.5 ± 2 i
      [
        [
          [-0.5, 2],
          [-2, -0.5],
        ],
        0.5,
      ],
      // ± i
      [
        [
          [0, 1],
          [-1, 0],
        ],
        0,
      ],
      [
        [
          [5, 1],
          [0, -2],
        ],
        2,
      ],
      [
        [
          [0, 0],
          [0, 0],
        ],
        0,
      ],
    ];
    for (const [a, expected] of cases) {
      const found = await dampingOf(linear(a), row(...a.map(() => 1)));
      expect(found, JSON.stringify(a)).to.be.closeTo(expected, 0.1 * Math.max(1, Math.abs(expected)));
    }
    // the heat equation: 2 (1 + cos(π / 52))
    const heat = detest.find(({ name }) => name === "C4")!;
    expect(await dampingOf(heat.field, row(...heat.y0))).to.be.closeTo(2 * (1 + Math.cos(Math.PI / 52)), 0.2);
    // the trajectory of a batch that damps most: y' = −y³ / 2 damps at 3 y² / 2
    const cubic = detest.find(({ name }) => name === "A2")!;
    expect(await dampingOf(cubic.field, tensor("float64", [3, 1], [0.1, 2, 1]))).to.be.closeTo(6, 0.01);
  });

  it("is small enough for a problem that damps, and says why", async () => {
    const request = {
      runtime,
      y0: tensor("float64", [1, 1], [1]),
      t0: 0,
      saveAt: [20],
      checkStability: true,
    };
    const ode = neuralOde({ field: decay, method: reversible(rk4), stepSize: 0.1 });
    const fixed = await solve(ode, { ...request, coupling: "auto" });
    expect(fixed.coupling!.coupling).to.be.closeTo(Math.exp(-0.2), 0.01);
    expect(fixed.coupling!.message).to.include("0.8187").and.include("0.1").and.include("damping");
    expect(fixed.warnings).to.deep.equal([]);
    expect(Math.abs(numbers(fixed.ys)[0]! - Math.exp(-20))).to.be.below(1e-8);

    const usual = await solve(ode, request);
    expect(usual.coupling).to.equal(null);
    expect(usual.stats.stability!.dampingTimesStep).to.be.closeTo(0.1, 1e-3);
    expect(usual.stats.stability!.limit).to.be.closeTo(0.001, 1e-5);
    expect(usual.warnings.map(({ code }) => code)).to.include("stability");
  });

  it("saves an adaptive solve most of its steps", async () => {
    const request = {
      runtime,
      y0: tensor("float64", [1, 1], [1]),
      t0: 0,
      t1: 20,
      control: pid({ rtol: 1e-6, atol: 1e-6 }),
    };
    const ode = neuralOde({ field: decay, method: reversible(bosh3) });
    const { coupling, stats, ys } = await solve(ode, { ...request, coupling: "auto" });
    expect(coupling!.coupling).to.be.below(0.8);
    // 19 000 with λ = 0.999, and 90 by the plain method
    expect(stats.accepted).to.be.below(500);
    expect(Math.abs(numbers(ys)[0]! - Math.exp(-20))).to.be.below(1e-5);
  });

  it("is the usual one for a problem that does not damp", async () => {
    const { coupling } = await solve(
      neuralOde({ field: spinning, method: reversible(midpoint), stepSize: 0.001 }),
      {
        ...{ runtime, y0: tensor("float64", [1, 2], [0, 1]), t0: 0, t1: 0.2, coupling: "auto" },
      },
    );
    expect(coupling!.coupling).to.be.within(0.99, 0.999);
  });

  it("cannot be chosen for a method that has none", async () => {
    const error = await failure(
      solve(neuralOde({ field: decay, method: methodNamed("alf"), stepSize: 0.1 }), {
        ...{ runtime, y0: tensor("float64", [1, 1], [1]), t0: 0, t1: 1, coupling: "auto" },
      }),
      ControlError,
    );
    expect(error.message).to.include("alf");
  });
});
