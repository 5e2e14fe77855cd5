import { expect } from "chai";
import { tensor } from "../../src/core/tensor.js";
import type { VectorField } from "../../src/fields/field.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { mse } from "../../src/learning/losses.js";
import { sgd } from "../../src/learning/optimisers.js";
import { reversible } from "../../src/methods/reversible.js";
import { euler, midpoint, rk4, type Tableau } from "../../src/methods/tableaux.js";
import { mul, neg } from "../../src/ops/arithmetic.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import type { Trajectories } from "../../src/train/data.js";
import { checkFit } from "../../src/train/fit-check.js";
import { type TrainOptions, train } from "../../src/train/train.js";
import { squaring } from "../support/fields.js";

/** y' = −k y, each component by its own rate. */
function decay(rates: readonly number[]): VectorField {
  return {
    name: "decay",
    state: ["batch", rates.length],
    parameters: { k: { shape: [rates.length], initial: () => rates } },
    apply: (b, theta, _t, y) => neg(b, mul(b, y, theta.k!)),
  };
}

const times = [0.5, 1, 1.5, 2];

/** Trajectories from (1, …, 1) as functions of time say. */
function observed(...components: ((t: number) => number)[]): Trajectories {
  const width = components.length;
  return {
    t0: 0,
    times,
    y0: tensor("float64", [1, width], new Array(width).fill(1)),
    observations: tensor(
      "float64",
      [times.length, 1, width],
      times.flatMap((t) => components.map((component) => component(t))),
    ),
  };
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const deviation = (values: readonly number[]) => Math.sqrt(mean(values.map((v) => (v - mean(values)) ** 2)));

describe("a fit held against its own field", () => {
  let runtime: Runtime;
  before(() => {
    runtime = jit();
  });
  const checked = (data: Trajectories, rates: readonly number[], method: Tableau = euler, stepSize = 0.5) => {
    const parameters = { k: tensor("float64", [rates.length], rates) };
    const ode = neuralOde({ field: decay(rates), method, stepSize });
    return checkFit(ode, data, { runtime, loss: mse(), parameters });
  };

  it("has the loss of the solver's steps, that of the field, and their distance in standard deviations", async () => {
    // Euler's steps of 1/2 fit (1/2)^n: the field of rate 1 that does so solves to e^(−t)
    const steps = times.map((t) => 0.5 ** (2 * t));
    const exact = times.map((t) => Math.exp(-t));
    const { loss, trainedLoss, distance, furthest, warning } = await checked(
      observed((t) => 0.5 ** (2 * t)),
      [1],
    );
    expect(trainedLoss).to.equal(0);
    // dopri8 at a tolerance of 1e-9
    expect(loss).to.be.closeTo(mean(exact.map((y, i) => (y - steps[i]!) ** 2)), 1e-9);
    const apart = exact.map((y, i) => (y - steps[i]!) / deviation(steps));
    expect(distance).to.be.closeTo(Math.max(...apart), 1e-8);
    expect(furthest).to.deep.equal({
      time: times[apart.indexOf(Math.max(...apart))],
      trajectory: 0,
      component: 0,
    });
    expect(warning).to.match(/loss is 0 with euler, but 0\.01 where the trained field is solved accurately/);
  });

  it("says nothing where the steps are fine enough", async () => {
    const found = await checked(
      observed((t) => Math.exp(-t) + 0.01 * Math.cos(9 * t)),
      [1],
      rk4,
      0.1,
    );
    expect(found.warning).to.equal(null);
    expect(found.distance).to.be.below(1e-5);
  });

  it("warns of solutions that are apart, though the loss is nearly the same", async () => {
    // a field that fits badly: 25 beside which the error of Euler's steps is nothing
    const found = await checked(
      observed((t) => Math.exp(-t) + 5),
      [1],
    );
    expect(Math.abs(found.loss! - found.trainedLoss!)).to.be.below(0.1 * found.trainedLoss!);
    expect(found.distance).to.be.above(0.05);
    expect(found.warning).to.match(/standard deviations apart/);
  });

  it("warns of a loss that is another, though the solutions look the same", async () => {
    const found = await checked(
      observed((t) => 0.99 ** (100 * t)),
      [1],
      euler,
      0.01,
    );
    expect(found.distance).to.be.below(0.05);
    expect(found.warning).to.match(/the loss is/);
  });

  it("solves as accurately as the component that varies least asks for", async () => {
    const small = 1e-6;
    const data = observed(
      (t) => Math.exp(-t),
      (t) => Math.exp(-small * t),
    );
    const { atol, rtol } = await checked(data, [1, small], rk4, 0.1);
    expect(rtol).to.equal(1e-9);
    const spread = deviation(times.map((t) => Math.exp(-small * t)));
    expect(atol / (1e-9 * spread)).to.be.closeTo(1, 1e-6);
  });

  it("does not mind a loss that is nothing but rounding", async () => {
    const found = await checked(
      observed((t) => Math.exp(-t)),
      [1],
      rk4,
      0.01,
    );
    // rk4's error of 1e-10 is all of the one loss, dopri8's all of the other
    expect(found.warning).to.equal(null);
  });

  it("takes a distance whose square is below the tolerance of the check for none, and no larger one", async () => {
    // rk4's own steps of y' = −y: a loss of nothing but rounding, whatever the size of its errors
    const growth = (h: number) => 1 - h + h ** 2 / 2 - h ** 3 / 6 + h ** 4 / 24;
    const by = (h: number) =>
      checked(
        observed((t) => growth(h) ** (t / h)),
        [1],
        rk4,
        h,
      );
    const fine = await by(0.125);
    expect(fine.trainedLoss).to.be.below(1e-30);
    expect(fine.distance).to.be.within(2e-6, 1e-5);
    expect(fine.warning).to.equal(null);
    const coarse = await by(0.5);
    expect(coarse.distance).to.be.within(1e-4, 0.01);
    expect(coarse.warning).to.match(/the loss is/);
  });

  it("finds what grows between the two solutions of a coupled method", async () => {
    // damping times step is 0.5, far past −ln 0.999, up to which the pair stays together
    const parameters = { k: tensor("float64", [1], [5]) };
    const ode = neuralOde({
      field: decay([5]),
      method: reversible(midpoint, { coupling: 0.999 }),
      stepSize: 0.1,
    });
    const data = observed((t) => Math.exp(-5 * t));
    const { warning } = await checkFit(ode, data, { runtime, loss: mse(), parameters });
    expect(warning).to.match(/midpoint, coupled with λ = 0\.999/);
    expect(warning).to.match(/gradient "direct"/);
  });

  it("starts where the training ended, where that moved the initial state", async () => {
    const ode = neuralOde({ field: decay([1]), method: rk4, stepSize: 0.1 });
    const parameters = { k: tensor("float64", [1], [1]) };
    const y0 = tensor("float64", [1, 1], [2]);
    const data = observed((t) => 2 * Math.exp(-t));
    const { loss, trainedLoss } = await checkFit(ode, data, { runtime, loss: mse(), parameters, y0 });
    // from the 1 of the data, both would be about 0.1
    expect(loss).to.be.below(1e-12);
    expect(trainedLoss).to.be.below(1e-10);
  });

  it("measures a component that was never observed by its own solution", async () => {
    // unobserved, rate 1, Euler: |e^(−t) − 2^(−2t)| over the deviation of e^(−t)
    const found = await checked(
      observed(
        () => 1,
        () => Number.NaN,
      ),
      [0, 1],
    );
    const exact = times.map((t) => Math.exp(-t));
    const apart = Math.max(...times.map((t) => Math.abs(Math.exp(-t) - 0.5 ** (2 * t))));
    expect(found.distance).to.be.closeTo(apart / deviation(exact), 1e-8);
    expect(found.furthest!.component).to.equal(1);
  });

  it("works in float64 for a field that was trained in float32", async () => {
    const ode = neuralOde({ field: decay([1]), method: rk4, stepSize: 0.1, dtype: "float32" });
    const parameters = { k: tensor("float32", [1], [1]) };
    const data = observed((t) => Math.exp(-t) + 0.1);
    const { dtype, loss } = await checkFit(ode, data, { runtime, loss: mse(), parameters });
    expect(dtype).to.equal("float64");
    // (0.1)², which float32 has to 7 digits
    expect(loss).to.be.closeTo(0.01, 1e-9);
  });

  it("says where the field itself has no solution to the end", async () => {
    // y' = y² from 1 leaves all bounds at t = 1, which Euler's steps of 1/2 pass unharmed
    const ode = neuralOde({ field: squaring, method: euler, stepSize: 0.5 });
    const parameters = { a: tensor("float64", [], [1]) };
    const data = observed((t) => 1 + t);
    const { loss, trainedLoss, failure, warning } = await checkFit(ode, data, {
      runtime,
      loss: mse(),
      parameters,
    });
    expect(loss).to.equal(null);
    expect(trainedLoss).to.be.finite;
    expect(failure).to.match(/t = (0\.99|1\b|1\.0)/);
    expect(warning).to.match(/could not be solved accurately/);
  });

  describe("at the end of training", () => {
    const trained = (options: Partial<TrainOptions> = {}, stepSize = 0.5) =>
      train(
        neuralOde({ field: decay([0.7]), method: euler, stepSize }),
        observed((t) => Math.exp(-t)),
        { runtime, steps: 200, optimiser: sgd({ learningRate: 0.5 }), gradient: "direct", ...options },
      );

    it("is made at the parameters that are returned", async () => {
      const { check, parameters } = await trained();
      const k = parameters.k!.data[0] as number;
      const steps = times.map((t) => (1 - k / 2) ** (2 * t) - Math.exp(-t));
      const exact = times.map((t) => Math.exp(-k * t) - Math.exp(-t));
      expect(check!.trainedLoss).to.be.closeTo(mean(steps.map((e) => e * e)), 1e-12);
      expect(check!.loss).to.be.closeTo(mean(exact.map((e) => e * e)), 1e-9);
      // Euler's steps fit e^(−t) with another rate than 1
      expect(check!.warning).to.match(/depends on the errors of the solver/);
    });

    it("is left out where it is not wanted, and where training was stopped", async () => {
      expect((await trained({ check: false })).check).to.equal(null);
      const stop = new AbortController();
      stop.abort();
      expect((await trained({ signal: stop.signal })).check).to.equal(null);
    });

    it("does not lose a run whose last update went too far", async () => {
      // one update of an absurd size: Euler's |1 − k h| > 1 then leaves all bounds
      const { check, losses } = await trained({ steps: 1, optimiser: sgd({ learningRate: 1e200 }) });
      expect(losses).to.have.length(1);
      expect(check!.trainedLoss).to.equal(null);
      expect(check!.warning).to.match(/The last update led to parameters/);
    });
  });
});
