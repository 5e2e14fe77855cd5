import { expect } from "chai";
import { Random } from "../../../src/core/random.js";
import { numbers, type Tensor, tensor } from "../../../src/core/tensor.js";
import { perceptron } from "../../../src/experiments/series/field.js";
import { type SeriesModel, trajectoryTask, windowTask } from "../../../src/experiments/series/model.js";
import { mostSteps, type Stretch, samplesOf } from "../../../src/experiments/series/samples.js";
import type { Series } from "../../../src/experiments/series/series-set.js";
import { statesAt } from "../../../src/experiments/series/states.js";
import { timescaleOf } from "../../../src/experiments/series/timescale.js";
import { guessedStarts, windowSamples, windowsOf } from "../../../src/experiments/series/windows.js";
import { mse } from "../../../src/learning/losses.js";
import { sgd } from "../../../src/learning/optimisers.js";
import { methodNamed } from "../../../src/methods/named.js";
import type { Dataset } from "../../../src/models/dataset.js";
import { fit as fitted } from "../../../src/models/fit.js";
import { evaluate } from "../../../src/models/measuring.js";
import type { AnyTask } from "../../../src/models/task.js";
import { initialValues } from "../../../src/models/values.js";
import { jit } from "../../../src/runtimes/jit/jit.js";

const runtime = jit();
const random = Random.seeded(5);

/** Trajectories of other lengths, at irregular times, with gaps, driven by an input, with errors. */
function someSeries(count: number, inputs: number): Series[] {
  return Array.from({ length: count }, (_, i) => {
    const n = 4 + 2 * i;
    let t = random.uniform(-1, 1);
    const times = Array.from({ length: n }, () => (t += random.uniform(0.1, 0.7)));
    return {
      ...{ id: String(i), times },
      values: times.map((_, k) => [random.normal(), k % 3 === 1 ? Number.NaN : random.normal()]),
      errors: times.map(() => [random.uniform(0.5, 2), random.uniform(0.5, 2)]),
      inputs: times.map(() => Array.from({ length: inputs }, () => random.normal())),
    };
  });
}

const scales = [
  { mean: 0.3, deviation: 1.2 },
  { mean: -0.1, deviation: 0.7 },
];

function settingOf(change: Partial<SeriesModel> & { readonly time?: boolean } = {}): SeriesModel {
  const { hidden = 1, inputs = 1, time = true } = change;
  const field = perceptron({
    components: ["x", "y", ...Array(hidden).fill("h")],
    ...{ hidden: [5], activation: "tanh", time },
    scales: [...scales, ...Array(hidden).fill({ mean: 0, deviation: 1 })],
    inputs: Array(inputs).fill({ mean: 0.2, deviation: 1.1 }),
    ...{ span: [-1, 9], timescale: 0.8 },
  });
  return {
    ...{ name: "test", field, method: methodNamed("midpoint", {}), adjoint: "direct", dtype: "float64" },
    ...{ loss: mse(), scales, hidden, inputs, starts: 3 },
    ...change,
  };
}

const shapeOf = (inputs: number) => ({
  ...{ stepSize: 0.2, observed: 2, inputs, dtype: "float64" as const },
  deviations: scales.map(({ deviation }) => deviation),
});

const whole = (list: readonly Series[]): Stretch[] =>
  list.map((series, trajectory) => ({
    series,
    trajectory,
    from: 0,
    measured: series.times.map((_, k) => k),
  }));

/** The gradient of a loss over a batch: one step of plain descent goes along it. */
async function gradientOf(task: AnyTask, data: Dataset, parameters: Readonly<Record<string, Tensor>>) {
  const batchSize = Object.values(data)[0]!.shape[0]!;
  const optimiser = sgd({ learningRate: 1 });
  const { parameters: after } = await fitted(task, data, {
    runtime,
    steps: 1,
    batchSize,
    optimiser,
    parameters,
  });
  return Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => {
      const next = numbers(after[name]!);
      return [name, numbers(value).map((before, i) => before - next[i]!)];
    }),
  );
}

/** Central differences of some entries of every parameter, the loss itself measured without any gradient. */
async function checkGradient(task: AnyTask, data: Dataset): Promise<void> {
  const start = initialValues(task.model, { dtype: "float64", seed: 1 }).parameters;
  // initial states are 0 before the first update: somewhere else, so that nothing is so by chance
  const parameters = Object.fromEntries(
    Object.entries(start).map(([name, value]) => [
      name,
      name.startsWith("start.")
        ? tensor(
            "float64",
            value.shape,
            numbers(value).map((x, i) => x + 0.1 * Math.sin(i + 1)),
          )
        : value,
    ]),
  );
  const gradient = await gradientOf(task, data, parameters);
  const h = 1e-5;
  for (const [name, value] of Object.entries(parameters)) {
    const all = numbers(value);
    for (const i of new Set([0, Math.floor(all.length / 2), all.length - 1])) {
      const at = async (by: number) => {
        const moved = tensor(
          "float64",
          value.shape,
          all.map((x, k) => (k === i ? x + by : x)),
        );
        return (await evaluate(task, data, { runtime, parameters: { ...parameters, [name]: moved } })).loss;
      };
      const difference = ((await at(h)) - (await at(-h))) / (2 * h);
      // differences err by h² and by rounding over h, both about 1e-10
      expect(gradient[name]![i], `${name}[${i}]`).to.be.closeTo(
        difference,
        1e-8 * (1 + Math.abs(difference)),
      );
    }
  }
}

describe("a fit to trajectories with times of their own", () => {
  const series = someSeries(3, 1);
  const shape = shapeOf(1);
  const steps = mostSteps(whole(series), shape.stepSize);

  it("has the gradient that differences have: of field, hidden and initial states, over gaps, weights and inputs", async () => {
    await checkGradient(trajectoryTask(settingOf(), steps), samplesOf(whole(series), { ...shape, steps }));
  });

  it("has the same gradient by stored steps, by checkpoints and by undone steps of a reversible method", async () => {
    const data = samplesOf(whole(series), { ...shape, steps });
    const method = methodNamed("midpoint", { coupling: 0.99 });
    const of = async (adjoint: SeriesModel["adjoint"]) => {
      const task = trajectoryTask(settingOf({ method, adjoint }), steps);
      return gradientOf(task, data, initialValues(task.model, { dtype: "float64", seed: 1 }).parameters);
    };
    const [direct, ...others] = await Promise.all([of("direct"), of("checkpoint:3"), of("reversible")]);
    for (const other of others) {
      for (const [name, values] of Object.entries(direct!)) {
        // undoing n = 20 steps turns rounding into 1e-16 / 0.99^20
        for (const [i, x] of values.entries())
          expect(other[name]![i], name).to.be.closeTo(x, 1e-12 * (1 + Math.abs(x)));
      }
    }
  });

  it("has the gradient that differences have for windows whose initial states are trained", async () => {
    const windows = windowsOf(whole(series), 2);
    const setting = settingOf({ starts: 0 });
    const most = mostSteps(windows, shape.stepSize);
    const initial = guessedStarts(windows, scales, 1);
    const task = windowTask(setting, { steps: most, windows: windows.length, continuity: 0.7, initial });
    await checkGradient(task, windowSamples(windows, { ...shape, steps: most }));
  });

  it("gives each trajectory the states that it has alone, whatever else is in its batch", async () => {
    const setting = settingOf({ starts: 0 });
    const { parameters } = initialValues(trajectoryTask(setting, steps).model, { dtype: "float64", seed: 2 });
    const trained = { runtime, dtype: "float64" as const, parameters };
    const together = await statesAt(setting, whole(series), shape, trained);
    for (const [i, one] of whole(series).entries()) {
      const [alone] = await statesAt(setting, [one], shape, trained);
      // the same sums, perhaps in another order: a matrix product of one row and of three
      for (const [k, state] of alone!.entries()) {
        for (const [j, x] of state.entries()) expect(together[i]![k]![j]).to.be.closeTo(x, 1e-14);
      }
    }
  });

  it("solves a driven equation as its solution is known: x' = −x + u, u linear between irregular times", async () => {
    // between knots u = a + b s, so x = (x0 − a + b) e^(−s) + a + b (s − 1)
    const times = [0, 0.3, 1.1, 1.2, 2.5];
    const inputs = [0.5, -1, 2, 2, 0];
    const field = perceptron({
      components: ["x"],
      ...{ hidden: [], activation: "tanh", time: false, span: [0, 1], timescale: 1 },
      scales: [{ mean: 0, deviation: 1 }],
      inputs: [{ mean: 0, deviation: 1 }],
    });
    const setting = {
      ...settingOf(),
      field,
      method: methodNamed("rk4", {}),
      hidden: 0,
      starts: 0,
      scales: [{ mean: 0, deviation: 1 }],
    };
    const parameters = {
      "layers.0.weight": tensor("float64", [1, 2], [-1, 1]),
      "layers.0.bias": tensor("float64", [1], [0]),
    };
    const one: Series = {
      id: "a",
      times,
      values: times.map((_, k) => [k === 0 ? 2 : 0]),
      errors: null,
      inputs: inputs.map((u) => [u]),
    };
    const own = { ...shape, observed: 1, stepSize: 0.02, deviations: [1] };
    const [states] = await statesAt(setting, whole([one]), own, { runtime, dtype: "float64", parameters });
    let x = 2;
    for (let k = 1; k < times.length; k++) {
      const s = times[k]! - times[k - 1]!;
      const b = (inputs[k]! - inputs[k - 1]!) / s;
      x = (x - inputs[k - 1]! + b) * Math.exp(-s) + inputs[k - 1]! + b * (s - 1);
      // rk4 with h = 0.02: h⁴/120 is 1e-9, times the rates of the input
      expect(states![k]![0]).to.be.closeTo(x, 1e-8);
    }
  });
});

describe("windows of trajectories", () => {
  it("follow on each other, and what is left over overlaps the last", () => {
    const series = {
      ...someSeries(1, 0)[0]!,
      id: "a",
      times: Array.from({ length: 10 }, (_, k) => k),
      values: Array.from({ length: 10 }, () => [1, 1]),
      errors: null,
    };
    const windows = windowsOf(whole([series]), 4);
    expect(windows.map(({ from, measured, next }) => [from, measured.at(-1), next])).to.deep.equal([
      [0, 4, 1],
      [4, 8, 1],
      [5, 9, 2],
    ]);
  });
});

describe("windows that end in a gap", () => {
  it("reach the state that the next one begins with", () => {
    const none = [Number.NaN, Number.NaN];
    const series: Series = {
      ...{ id: "a", times: [0, 1, 2, 3, 4], errors: null, inputs: Array(5).fill([]) },
      values: [[1, 1], [1, 1], none, [1, 1], [1, 1]],
    };
    const measured = [0, 1, 3, 4];
    const windows = windowsOf([{ series, trajectory: 0, from: 0, measured }], 2);
    expect(windows.map((one) => one.measured)).to.deep.equal([
      [0, 1, 2],
      [3, 4],
    ]);
    const steps = mostSteps(windows, 1);
    const { weight, linked } = windowSamples(windows, { ...shapeOf(0), stepSize: 1, steps });
    expect(numbers(linked!)).to.deep.equal([1, 0]);
    // three rows of two columns each, for a start and two steps: what was not observed does not count
    expect(numbers(weight!)).to.deep.equal([1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1]);
  });
});

describe("the time in which states change", () => {
  it("is a sixth of the period of an oscillation, under noise as well", () => {
    // mean |sin(t + τ) − sin t|² = 1 − cos τ is the variance, ½, at τ = π/3
    for (const noise of [0, 0.2]) {
      const times = Array.from({ length: 400 }, (_, k) => 0.1 * k + 0.02 * Math.sin(7 * k));
      const values = times.map((t) => [Math.sin(t) + noise * random.normal()]);
      const one: Series = { id: "a", times, values, errors: null, inputs: times.map(() => []) };
      const deviation = Math.sqrt(0.5 + noise ** 2);
      const found = timescaleOf([one], [{ mean: 0, deviation }], 0.1);
      // bins are 16 % wide, and noise adds to what is seen
      expect(found).to.be.within(0.75, 1.25);
    }
  });
});
