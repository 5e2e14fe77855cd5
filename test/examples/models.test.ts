import { expect } from "chai";
import {
  adam,
  adamw,
  type Dataset,
  encodeFitSteps,
  encodePrediction,
  evaluate,
  fitStart,
  jit,
  numbers,
  predict,
  type SampleTypes,
  sgd,
  splitDataset,
  type Task,
  type Tensor,
  tensor,
  fit as trained,
  type Value,
} from "revort";
import { digitsTask, readDigits } from "../../examples/digits.js";
import { series, seriesTask, unending } from "../../examples/irregular-series.js";
import { spirals, spiralsTask } from "../../examples/latent-spirals.js";
import { waves, wavesTask } from "../../examples/sequences.js";
import { bareSession } from "../deploy/bare.js";

const runtime = jit();
type Tensors = Readonly<Record<string, Tensor>>;

/** The largest difference of two tensors. */
function distance(a: Tensor, b: Tensor): number {
  const other = numbers(b);
  expect(a.shape).to.deep.equal(b.shape);
  return numbers(a).reduce((most, value, i) => Math.max(most, Math.abs(value - other[i]!)), 0);
}

/** The gradient of the loss of all samples, out of one update by plain gradient descent. */
async function gradientOf<
  I extends SampleTypes,
  T extends SampleTypes,
  O extends Readonly<Record<string, Value>>,
>(task: Task<I, T, O>, data: Dataset, parameters: Tensors): Promise<Tensors> {
  const batchSize = Object.values(data)[0]!.shape[0]!;
  const options = { runtime, steps: 1, batchSize, optimiser: sgd({ learningRate: 1 }), parameters };
  const { parameters: after } = await trained(task, data, options);
  return Object.fromEntries(
    Object.entries(after).map(([name, value]) => {
      const before = numbers(parameters[name]!);
      return [
        name,
        tensor(
          "float64",
          value.shape,
          numbers(value).map((x, i) => before[i]! - x),
        ),
      ];
    }),
  );
}

const few = (data: Dataset, share = 0.05) => splitDataset(data, [share])[0]!;
const digits = readDigits("examples/data/digits.csv");

describe("examples/digits.ts", () => {
  it("learns to tell digits by an encoder, a neural ODE and a readout", async () => {
    const [training, test] = splitDataset(digits, [0.8, 0.2]) as [Dataset, Dataset];
    const task = digitsTask(16);
    const { parameters } = await trained(task, training, {
      ...{ runtime, steps: 150, batchSize: 32, clip: 1 },
      optimiser: adamw({ learningRate: 1e-2 }),
    });
    const { metrics } = await evaluate(task, test, { runtime, parameters });
    // 60 digits of ten kinds: by chance it would be 0.1
    expect(metrics.accuracy).to.be.above(0.7);
  });

  it("has one gradient, whatever way goes back through its solve, and central differences have it too", async () => {
    const data = few(digits);
    const { parameters } = await trained(digitsTask(8), data, { runtime, steps: 0 });
    const [reversible, direct, checkpoint] = await Promise.all(
      (["reversible", "direct", "checkpoint"] as const).map((way) =>
        gradientOf(digitsTask(8, way), data, parameters),
      ),
    );
    for (const name in direct!) {
      // numbers of order one, less gradients: ten steps at λ = 0.99 are undone to 1e-15
      expect(distance(reversible![name]!, direct![name]!), name).to.be.below(1e-13);
      expect(distance(checkpoint![name]!, direct![name]!), name).to.be.below(1e-13);
    }
    const moved = (by: number) =>
      Object.fromEntries(
        Object.entries(parameters).map(([name, value]) => {
          const along = numbers(direct![name]!);
          return [
            name,
            tensor(
              "float64",
              value.shape,
              numbers(value).map((x, i) => x + by * along[i]!),
            ),
          ];
        }),
      );
    const h = 2 ** -12;
    const task = digitsTask(8);
    const [after, before] = await Promise.all(
      [h, -h].map((by) => evaluate(task, data, { runtime, parameters: moved(by) })),
    );
    const squared = Object.values(direct!).reduce(
      (sum, g) => sum + numbers(g).reduce((part, x) => part + x * x, 0),
      0,
    );
    // along the gradient the loss rises by its square; h² f‴ ≈ 1e-7
    expect((after!.loss - before!.loss) / (2 * h)).to.be.closeTo(squared, 1e-6 * Math.max(1, squared));
  });
});

describe("examples/sequences.ts", () => {
  it("learns to count the periods of waves by a GRU", async () => {
    const { losses } = await trained(wavesTask, waves(120), {
      ...{ runtime, steps: 120, batchSize: 40, clip: 1 },
      optimiser: adamw({ learningRate: 2e-2 }),
    });
    // at first it knows nothing of four classes
    expect(losses[0]).to.be.within(1.2, 1.6);
    expect(losses.at(-1)).to.be.below(0.7);
  });
});

describe("examples/irregular-series.ts", () => {
  it("learns from a stream of series at times of their own, whatever stands where nothing was observed", async () => {
    const options = { runtime, steps: 40, batchSize: 16, parts: 2, optimiser: adamw({ learningRate: 3e-2 }) };
    const found = await trained(seriesTask, unending, options);
    expect(found.losses.at(-1)).to.be.below(found.losses[0]! / 2);
    const data = series(20, 3);
    const [values, mask] = [numbers(data.values!), numbers(data.mask!)];
    const other = values.map((value, i) => (mask[i] === 0 ? 1e3 * i : value));
    const masked = { ...data, values: tensor("float64", data.values!.shape, other) };
    const { parameters } = found;
    expect((await evaluate(seriesTask, masked, { runtime, parameters })).loss).to.equal(
      (await evaluate(seriesTask, data, { runtime, parameters })).loss,
    );
  });
});

describe("examples/latent-spirals.ts", () => {
  it("lowers the negative evidence lower bound of spirals", async () => {
    const { losses } = await trained(spiralsTask, spirals(60), {
      ...{ runtime, steps: 120, batchSize: 20, clip: 10 },
      optimiser: adam({ learningRate: 1e-2 }),
    });
    expect(losses.at(-1)).to.be.below(losses[0]! / 2);
  });
});

describe("models as files", () => {
  const check = async <
    I extends SampleTypes,
    T extends SampleTypes,
    O extends Readonly<Record<string, Value>>,
  >(
    task: Task<I, T, O>,
    data: Dataset,
    inputs: Dataset,
    batchSize?: number,
  ) => {
    const options = { runtime, steps: 3, batchSize: 4, updatesPerRun: 3 };
    const { parameters, losses } = await trained(task, data, options);
    const own = await predict(task.model, inputs, { runtime, parameters });
    const bytes = encodePrediction(task.model, {
      parameters,
      ...(batchSize === undefined ? {} : { batchSize }),
    });
    const results = await (await bareSession(bytes)).run(inputs);
    for (const name in own)
      expect(distance(results[name]!, own[name as keyof typeof own]), name).to.be.below(1e-12);

    const steps = await bareSession(encodeFitSteps(task, data, { batchSize: 4, updates: 3 }));
    const start = fitStart(task, data, { batchSize: 4, updates: 3 });
    const after = await steps.run(Object.fromEntries(steps.inputs.map((name) => [name, start[name]!])));
    for (const [i, loss] of losses.entries())
      expect(numbers(after.losses!)[i]).to.be.closeTo(loss, 1e-11 * Math.max(1, Math.abs(loss)));
    for (const [name, value] of Object.entries(parameters))
      expect(distance(after[`next/parameters/${name}`]!, value), name).to.be.below(1e-10);
  };

  it("predict and train in bare ONNX Runtime as here: a neural ODE classifier, for any number of samples", () =>
    check(digitsTask(8), few(digits), { image: few(digits, 0.03).image! }));

  it("predict and train in bare ONNX Runtime as here: a GRU", () =>
    check(wavesTask, waves(12), { series: waves(5, 1).series! }, 5));

  it("predict and train in bare ONNX Runtime as here: a latent ODE", () =>
    check(spiralsTask, spirals(8), { path: spirals(3, 1).path! }, 3));
});
