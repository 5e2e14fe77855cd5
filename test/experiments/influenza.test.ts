import { expect } from "chai";
import { numbers } from "../../src/core/tensor.js";
import { influenza, population } from "../../src/experiments/influenza.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { reversible } from "../../src/methods/reversible.js";
import { midpoint, rk4, type Tableau } from "../../src/methods/tableaux.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { train } from "../../src/train/train.js";

/** SciPy's fit, of exact solutions; made by influenza-scipy.py. */
const scipy = { b: 1.6692261358, k: 0.4434501934, loss: 294.42439163 };

const { protocol } = influenza;

describe("influenza in a boarding school", () => {
  let runtime: Runtime;
  before(async () => {
    runtime = await ortNode();
  });

  async function fitted(tableau: Tableau, stepSize: number) {
    const ode = neuralOde({ field: influenza.field(), method: reversible(tableau), stepSize });
    const data = await influenza.data({ ode, runtime, file: null });
    const { parameters, losses } = await train(ode, data, {
      runtime,
      loss: protocol.loss(),
      optimiser: protocol.optimiser({}),
      schedule: protocol.schedule!(protocol.steps),
      steps: protocol.steps,
    });
    return { b: numbers(parameters.b!)[0]!, k: numbers(parameters.k!)[0]!, loss: Math.min(...losses) };
  }

  it("is fitted by RK4 as by SciPy, but for the error of its steps of 1/4 day", async () => {
    const found = await fitted(rk4, 0.25);
    // the solution of steps of a quarter of a day is of another b by 6e-5: a sixteenth of that with half the step
    expect(found.b).to.be.closeTo(scipy.b, 1e-4);
    expect(found.k).to.be.closeTo(scipy.k, 2e-5);
    expect(found.loss).to.be.closeTo(scipy.loss, 0.01);
  });

  it("is fitted by its protocol to what is published, and to SciPy's digits but for midpoint's error", async () => {
    const found = await fitted(midpoint, protocol.stepSize);
    expect(found.b).to.be.closeTo(scipy.b, 6e-4);
    expect(found.k).to.be.closeTo(scipy.k, 6e-5);
    expect(found.loss).to.be.closeTo(scipy.loss, 0.5);
    // Murray gives two decimals, of a fit by eye
    expect(found.b).to.be.closeTo(influenza.published!.b!.value, 0.02);
    expect(found.k).to.be.closeTo(influenza.published!.k!.value, 0.02);
  });

  it("starts with one boy infected the day before the first count, and observes nothing but the infected", async () => {
    const ode = neuralOde({ field: influenza.field(), stepSize: 1 });
    const { t0, times, y0, observations } = await influenza.data({ ode, runtime, file: null });
    expect([t0, times[0], times.at(-1)]).to.deep.equal([0, 1, 14]);
    expect(numbers(y0)).to.deep.equal([population - 1, 1, 0]);
    const seen = numbers(observations).map((value, i) => [i % 3, Number.isNaN(value)]);
    expect(seen.every(([component, missing]) => missing === (component !== 1))).to.equal(true);
    // the counts as published add up to 1559 boy-days in bed
    expect(numbers(observations).reduce((sum, value) => sum + (value || 0), 0)).to.equal(1559);
  });
});
