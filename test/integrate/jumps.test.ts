import { expect } from "chai";
import { pid } from "../../src/control/control.js";
import { numbers, tensor } from "../../src/core/tensor.js";
import { sumOf } from "../../src/fields/combine.js";
import type { VectorField } from "../../src/fields/field.js";
import { rescaled } from "../../src/fields/rescaled.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { solve } from "../../src/integrate/solve.js";
import { methodNamed } from "../../src/methods/named.js";
import { mul } from "../../src/ops/arithmetic.js";
import { less, where } from "../../src/ops/logic.js";
import { jit } from "../../src/runtimes/jit/jit.js";

/** y' = a y before t = 1 and −2 a y from there on: y(2) = y0 e^(−a). */
const switched: VectorField = {
  ...{ name: "switched", state: ["batch", 1], parameters: { a: { shape: [], initial: () => [0.7] } } },
  jumps: true,
  apply: (b, { a }, t, y, inside) =>
    mul(b, mul(b, y, a!), where(b, less(b, inside ?? t, 1), b.scalar("float64", 1), b.scalar("float64", -2))),
};
const exact = (a: number, t: number) => Math.exp(t < 1 ? a * t : a - 2 * a * (t - 1));
const parameters = { a: tensor("float64", [], [0.7]) };

describe("a field that jumps in time", () => {
  for (const [name, order] of [
    ["heun", 2],
    ["rk4", 4],
    ["midpoint", 2],
  ] as const) {
    it(`is solved with the order of the method where steps end at the jump: ${name}`, async () => {
      const errorOf = async (stepSize: number) => {
        const ode = neuralOde({ field: switched, method: methodNamed(name), stepSize });
        const { ys } = await solve(ode, {
          y0: tensor("float64", [1, 1], [1]),
          t0: 0,
          saveAt: [2],
          parameters,
          runtime: jit(),
        });
        return Math.abs(numbers(ys)[0]! - exact(0.7, 2));
      };
      expect(Math.log2((await errorOf(0.1)) / (await errorOf(0.05)))).to.be.within(order - 0.3, order + 0.5);
    });
  }

  it("keeps its order inside of other fields", async () => {
    // time runs twice as fast, from 1 on, so that the jump is at 1.5; the state is 3 + 2 x
    const inner = rescaled(switched, { shift: [3], scale: [2], start: 1, rate: 2, timescale: 0.5 });
    const outer = sumOf({ one: inner, nothing: { ...switched, apply: (b, _, __, y) => mul(b, y, 0) } });
    const all = { "one.a": parameters.a, "nothing.a": parameters.a };
    const errorOf = async (stepSize: number) => {
      const ode = neuralOde({ field: outer, method: methodNamed("heun"), stepSize });
      const y0 = tensor("float64", [1, 1], [3 + 2 * 1]);
      const { ys } = await solve(ode, { y0, t0: 1, saveAt: [2], parameters: all, runtime: jit() });
      return Math.abs((numbers(ys)[0]! - 3) / 2 - exact(0.7, 2));
    };
    expect(Math.log2((await errorOf(0.05)) / (await errorOf(0.025)))).to.be.within(1.7, 2.5);
  });

  it("is solved by steps that are chosen, with what is between them", async () => {
    const times = [0.5, 0.99, 1, 1.01, 1.7, 2];
    const ode = neuralOde({ field: switched, method: methodNamed("tsit5") });
    const request = { y0: tensor("float64", [1, 1], [1]), t0: 0, saveAt: times, parameters, runtime: jit() };
    const { ys } = await solve(ode, { ...request, control: pid({ rtol: 1e-10, atol: 1e-10 }) });
    for (const [k, t] of times.entries()) expect(numbers(ys)[k]).to.be.closeTo(exact(0.7, t), 1e-7);
  });
});
