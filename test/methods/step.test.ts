import { expect } from "chai";
import { numbers } from "../../src/core/tensor.js";
import { explicit } from "../../src/methods/explicit.js";
import type { Method, State } from "../../src/methods/method.js";
import { reversible } from "../../src/methods/reversible.js";
import { symmetricTableaux, tableaux } from "../../src/methods/tableaux.js";
import { systemIn } from "../../src/programs/inputs.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { distance } from "../support/distance.js";
import { evaluate, rows } from "../support/evaluate.js";
import { wavering } from "../support/fields.js";
import { type PlainField, plainIncrement } from "../support/plain-runge-kutta.js";

const w = [0.7, -1.3];
const plainWavering: PlainField = (t, y) => y.map((value, i) => Math.tanh(w[i]! * value + t));

describe("one step", () => {
  let runtime: Runtime;
  before(async () => {
    runtime = await ortNode();
  });

  async function step(
    method: Method,
    t0: number,
    h: number,
    state: readonly number[][],
  ): Promise<number[][]> {
    const given = { t0: rows(t0), t1: rows(t0 + h), h: rows(h), w: rows(w, 2) };
    const arrays = Object.fromEntries(state.map((values, i) => [`s${i}`, rows(values, 2)]));
    const results = await evaluate(runtime, { ...given, ...arrays }, (b, values) => {
      const system = systemIn(b, wavering(2), { w: values.w! });
      const interval = { t0: values.t0!, t1: values.t1!, h: values.h! };
      const before = state.map((_, i) => values[`s${i}`]!) as unknown as State;
      return Object.fromEntries(method.step(system, interval, before).map((value, i) => [`s${i}`, value]));
    });
    return state.map((_, i) => numbers(results[`s${i}`]!));
  }

  const y0 = [0.6, -0.9];
  const z0 = [0.55, -0.85];
  const plus = (x: readonly number[], y: readonly number[], factor = 1) =>
    x.map((value, i) => value + factor * y[i]!);

  // sums of a dozen terms, associated otherwise, and a tanh of another library
  const tolerance = 1e-14;

  for (const tableau of [...tableaux, ...symmetricTableaux]) {
    it(`of ${tableau.name} is what the textbook's formula gives, forward and backward in time`, async () => {
      for (const h of [0.3, -0.3]) {
        const [y1] = await step(explicit(tableau), 0.4, h, [y0]);
        expect(distance(y1!, plus(y0, plainIncrement(tableau, plainWavering, h, 0.4, y0)))).to.be.below(
          tolerance,
        );
      }
    });

    it(`of ${tableau.name}, coupled, is what the paper's formula gives, forward and backward in time`, async () => {
      const lambda = 0.9;
      for (const h of [0.3, -0.3]) {
        const [y1, z1] = await step(reversible(tableau, { coupling: lambda }), 0.4, h, [y0, z0]);
        const mixed = plus(
          y0.map((value) => lambda * value),
          z0,
          1 - lambda,
        );
        const y = plus(mixed, plainIncrement(tableau, plainWavering, h, 0.4, z0));
        const z = plus(z0, plainIncrement(tableau, plainWavering, -h, 0.4 + h, y), -1);
        expect(distance(y1!, y)).to.be.below(tolerance);
        expect(distance(z1!, z)).to.be.below(tolerance);
      }
    });
  }
});
