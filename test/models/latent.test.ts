import { readFileSync } from "node:fs";
import { expect } from "chai";
import { pullback } from "../../src/autodiff/vjp.js";
import { RevortError } from "../../src/core/errors.js";
import { OptionError } from "../../src/core/options.js";
import { numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import type { Values } from "../../src/fields/field.js";
import { mlp } from "../../src/fields/mlp.js";
import { Builder } from "../../src/graph/builder.js";
import type { Value } from "../../src/graph/graph.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { evidence } from "../../src/learning/evidence.js";
import { reversible } from "../../src/methods/reversible.js";
import { midpoint, rk4 } from "../../src/methods/tableaux.js";
import { normalFrom, reparametrised } from "../../src/models/latent.js";
import { ModelDefinitionError } from "../../src/models/model.js";
import { odeRnnCell } from "../../src/models/ode-rnn.js";
import { odeAtOwnTimes, odeOver } from "../../src/models/own-times.js";
import { klAnnealing } from "../../src/nn/annealing.js";
import { gapCell, gruDCell } from "../../src/nn/gap-cells.js";
import { LayerError, type Training } from "../../src/nn/layer.js";
import { alongObservations, type ObservedCell } from "../../src/nn/observed-cell.js";
import { add, mul } from "../../src/ops/arithmetic.js";
import { reduceSum } from "../../src/ops/broadcast.js";
import { zerosLike } from "../../src/ops/generate.js";
import { concat } from "../../src/ops/slicing.js";
import { TimeError } from "../../src/programs/grid.js";
import { valuesOf } from "../support/evaluate.js";

interface Stored {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}
type Record_<T> = Readonly<Record<string, T>>;

interface Fixture {
  readonly torch: string;
  readonly t0: number;
  readonly series: Record_<Stored>;
  readonly walks: Record_<{
    readonly parameters: Record_<Stored>;
    readonly outputs: readonly Stored[];
    readonly weights: readonly Stored[];
    readonly gradients: Record_<Stored>;
  }>;
  readonly evidence: {
    readonly deviation: number;
    readonly weight: number;
    readonly inputs: Record_<Stored>;
    readonly outputs: Record_<number>;
    readonly gradients: Record_<Stored>;
  };
}

const known = JSON.parse(readFileSync(new URL("latent.json", import.meta.url), "utf8")) as Fixture;
const float64 = ({ shape, data }: Stored): Tensor => tensor("float64", shape, data);
const all = (stored: Record_<Stored>) =>
  Object.fromEntries(Object.entries(stored).map(([name, value]) => [name, float64(value)]));
/** Declares tensors as inputs. */
const inputsIn = (b: Builder, tensors: Record_<Tensor>): Record<string, Value> =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, { dtype, shape }]) => [name, b.input(name, dtype, shape)]),
  );
/** Sums of some dozen numbers of order one, stored in 15 digits. */
const tolerance = 1e-12;
const expectClose = (
  actual: readonly number[],
  expected: readonly number[],
  what: string,
  within = tolerance,
) => {
  expect(actual.length, what).to.equal(expected.length);
  for (const [i, value] of expected.entries()) {
    expect(actual[i], `${what}[${i}]`).to.be.closeTo(value, within * Math.max(1, Math.abs(value)));
  }
};

const [batch, channels, hidden] = [3, 2, 4];
const field = mlp({ dim: hidden, hidden: [3], time: false });
// two steps from one observation to the next
const ode = neuralOde({ field, method: midpoint, stepSize: 0.5 });
const cells: Record_<ObservedCell> = {
  gap: gapCell(channels, hidden) as unknown as ObservedCell,
  "gru-d": gruDCell(channels, hidden) as unknown as ObservedCell,
  "ode-rnn": odeRnnCell(ode, channels) as unknown as ObservedCell,
};

describe(`series at times of their own, held against PyTorch ${known.torch}`, () => {
  for (const [name, walk] of Object.entries(known.walks)) {
    it(`have its states and gradients, of parameters, values and times: ${name}`, async () => {
      const [cell, direction] = name.split(", ") as [string, "forward" | "backward"];
      const { parameters } = cells[cell]!;
      expect(
        Object.fromEntries(Object.entries(parameters).map(([key, { shape }]) => [key, shape])),
      ).to.deep.equal(
        Object.fromEntries(Object.entries(walk.parameters).map(([key, { shape }]) => [key, shape])),
      );
      const found = await valuesOf(
        (b) => {
          const theta = inputsIn(b, all(walk.parameters));
          const series = inputsIn(b, all(known.series)) as Record<"values" | "mask" | "times", Value>;
          const options = { direction, t0: known.t0 };
          const { before, after, end } = alongObservations(b, cells[cell]!, theta, series, options);
          const outputs = [before, after, concat(b, end, 1)];
          const wrt = { ...theta, values: series.values, times: series.times };
          const pulled = pullback(
            b,
            outputs,
            walk.weights.map((weight) => b.constant(float64(weight))),
            Object.values(wrt),
          );
          return Object.fromEntries([
            ...outputs.map((output, i) => [`output${i}`, output]),
            ...Object.entries(wrt).map(([key, value], i) => [`d ${key}`, pulled[i] ?? zerosLike(b, value)]),
          ]);
        },
        { ...all(walk.parameters), ...all(known.series) },
      );
      for (const [i, { data }] of walk.outputs.entries())
        expectClose(found[`output${i}`]!, data, `output ${i}`);
      for (const [key, { data }] of Object.entries(walk.gradients))
        expectClose(found[`d ${key}`]!, data, key);
    });
  }

  it("have its evidence lower bound, and the gradients of that", async () => {
    const { inputs, outputs, gradients, deviation, weight } = known.evidence;
    const { values, mask } = all(known.series);
    const found = await valuesOf((b) => {
      const v = inputsIn(b, all(inputs)) as Record<"decoded" | "mean" | "logVariance", Value>;
      const parts = evidence(b, {
        ...{ x: b.constant(values!), decoded: v.decoded, mask: b.constant(mask!), deviation, weight },
        posterior: v,
      });
      const pulled = pullback(b, [parts.loss], [b.scalar("float64", 1)], Object.values(v));
      const named = Object.keys(v).map((key, i) => [`d ${key}`, pulled[i]!]);
      return { ...parts, ...Object.fromEntries(named) };
    }, all(inputs));
    for (const [key, value] of Object.entries(outputs)) expectClose(found[key]!, [value], key);
    for (const [key, { data }] of Object.entries(gradients)) expectClose(found[`d ${key}`]!, data, key);
  });
});

/** The gradients of Σ y² with respect to inputs, and the loss. */
async function differentiated(
  given: Record_<Tensor>,
  build: (b: Builder, v: Record<string, Value>) => Value,
): Promise<Record<string, number[]>> {
  return valuesOf((b) => {
    const v = inputsIn(b, given);
    const y = build(b, v);
    const loss = reduceSum(b, mul(b, y, y));
    const pulled = pullback(b, [loss], [b.scalar("float64", 1)], Object.values(v));
    return {
      loss,
      ...Object.fromEntries(Object.keys(v).map((key, i) => [`d ${key}`, pulled[i] ?? zerosLike(b, v[key]!)])),
    };
  }, given);
}

/** Central differences of the loss for each number of an input. */
async function differences(
  given: Record_<Tensor>,
  name: string,
  build: (b: Builder, v: Record<string, Value>) => Value,
): Promise<number[]> {
  const [values, h] = [numbers(given[name]!), 1e-5];
  const at = async (i: number, by: number) => {
    const moved = values.map((x, k) => (k === i ? x + by : x));
    const found = await valuesOf(
      (b) => {
        const y = build(b, inputsIn(b, given));
        return { loss: reduceSum(b, mul(b, y, y)) };
      },
      { ...given, [name]: tensor("float64", given[name]!.shape, moved) },
    );
    return found.loss![0]!;
  };
  return Promise.all(values.map(async (_, i) => ((await at(i, h)) - (await at(i, -h))) / (2 * h)));
}

describe("solves over times of each sample's own", () => {
  const timed = mlp({ dim: 2, hidden: [3] });
  const of = (method: Parameters<typeof neuralOde>[0]["method"], stepSize = 0.25) =>
    neuralOde({ field: timed, method: method!, stepSize });
  const numbersOf = (count: number, seed: number) =>
    Array.from({ length: count }, (_, i) => Math.sin(7 * i + seed));
  const theta = Object.fromEntries(
    Object.entries(timed.parameters).map(([name, { shape }], k) => [
      name,
      tensor(
        "float64",
        shape,
        numbersOf(
          shape.reduce((p, d) => p * d, 1),
          k,
        ),
      ),
    ]),
  );
  const given = {
    ...theta,
    y0: tensor("float64", [batch, 2], numbersOf(6, 9)),
    times: tensor("float64", [batch, 3], [0.4, 0.9, 1.3, 0.2, 0.2, 2, 1, 1.5, 1.7]),
  };
  const split = ({ y0, times, ...rest }: Record<string, Value>) => ({ theta: rest, y0: y0!, times: times! });

  it("are solves to these times: y' = a y by rk4 gives exponentials", async () => {
    const growth = {
      ...{ name: "growth", state: ["batch", 1], parameters: {} },
      apply: (b: Builder, _: Values, _t: Value, y: Value) => mul(b, y, 0.5),
    };
    const equation = neuralOde({ field: growth, method: rk4, stepSize: 0.05 });
    const { ys } = await valuesOf(
      (b) => {
        const v = inputsIn(b, { times: given.times });
        const y0 = b.constant(tensor("float64", [batch, 1], [1, 2, 3]));
        return { ys: odeAtOwnTimes(b, equation, { theta: {}, y0, times: v.times!, t0: 0.1 }) };
      },
      { times: given.times },
    );
    const exact = numbers(given.times).map((t, i) => (1 + Math.floor(i / 3)) * Math.exp(0.5 * (t - 0.1)));
    // 20 steps of 0.09 and less a time, which are off by (a h)⁵ / 120 each
    expectClose(ys!, exact, "ys", 1e-7);
  });

  it("follow a field that reads time, from where each sample starts", async () => {
    // y' = t: y(start + Δ) − y(start) = start Δ + Δ²/2, which the midpoint rule has exactly
    const clock = {
      ...{ name: "clock", state: ["batch", 1], parameters: {} },
      apply: (b: Builder, _: Values, t: Value, y: Value) => add(b, mul(b, y, 0), t),
    };
    const equation = neuralOde({ field: clock, method: midpoint, stepSize: 0.5 });
    const { y } = await valuesOf((b) => {
      const column = (...of: number[]) => b.constant(tensor("float64", [2, 1], of));
      const options = { y0: column(0, 1), duration: column(2, -1), start: column(3, 4) };
      return { y: odeOver(b, equation, { theta: {}, ...options }) };
    });
    expectClose(y!, [8, 1 - 3.5], "y");
  });

  it("have one gradient, undone, stored or by checkpoints, which central differences have, too: of times as well", async () => {
    const coupled = of(reversible(midpoint, { coupling: 0.99 }));
    const build =
      (gradient: "reversible" | "direct" | "checkpoint:2", adjoint: "direct" | "checkpoint:2" = "direct") =>
      (b: Builder, v: Record<string, Value>) =>
        odeAtOwnTimes(b, coupled, { ...split(v), gradient, adjoint });
    const undone = await differentiated(given, build("reversible"));
    for (const other of [build("direct"), build("checkpoint:2"), build("reversible", "checkpoint:2")]) {
      const stored = await differentiated(given, other);
      // twelve steps at λ = 0.99 lose no more than a digit
      for (const name of Object.keys(undone)) expectClose(undone[name]!, stored[name]!, name, 1e-12);
    }
    for (const name of ["y0", "times", "layers.0.weight"] as const) {
      // h² f‴ of sums of squares
      expectClose(undone[`d ${name}`]!, await differences(given, name, build("reversible")), name, 1e-7);
    }
  });

  it("inside an ODE-RNN have one gradient, undone or stored", async () => {
    const equation = neuralOde({ field, method: reversible(midpoint, { coupling: 0.99 }), stepSize: 0.25 });
    const { parameters } = known.walks["ode-rnn, backward"]!;
    const inputs = { ...all(parameters), ...all(known.series) };
    const of = (gradient: "reversible" | "direct") =>
      differentiated(inputs, (b, { values, mask, times, ...theta }) => {
        const cell = odeRnnCell(equation, channels, { gradient });
        const series = { values: values!, mask: mask!, times: times! };
        return alongObservations(b, cell, theta, series, { direction: "backward", t0: -1 }).end[0];
      });
    const [undone, stored] = [await of("reversible"), await of("direct")];
    for (const name of Object.keys(undone)) expectClose(undone[name]!, stored[name]!, name, 1e-12);
  });

  it("refuse times and series of other shapes, naming what was given", () => {
    const b = new Builder();
    let count = 0;
    const input = (...shape: number[]) => b.input(`x${count++}`, "float64", shape);
    const y0 = input(batch, 2);
    const inGraph = inputsIn(b, theta);
    expect(() => odeAtOwnTimes(b, of(midpoint), { theta: inGraph, y0, times: input(batch) })).to.throw(
      TimeError,
      "must be [batch, times], but float64[3] were given",
    );
    expect(() => odeOver(b, of(midpoint), { theta: inGraph, y0, duration: input(batch, 4) })).to.throw(
      TimeError,
      "The duration of each sample",
    );
    const saved = { theta: inGraph, y0, times: input(batch, 4), saveAt: [1] };
    expect(() => odeAtOwnTimes(b, of(midpoint), saved)).to.throw(OptionError, "say times");
    const long = { theta: inGraph, y0, duration: input(batch, 1), t1: 1 };
    expect(() => odeOver(b, of(midpoint), long)).to.throw(OptionError, "say duration");
    const series = { values: input(batch, 5, 1), mask: input(batch, 5, 1), times: input(batch, 5) };
    expect(() => alongObservations(b, gruDCell(2, 3), {}, series)).to.throw(
      LayerError,
      "GRU-D takes series of values and mask [batch, places, 2]",
    );
  });
});

describe("latent variables", () => {
  const row = tensor("float64", [1, 4], [1, -2, 0, Math.log(4)]);
  const drawing = (noise: readonly number[], kept: Record<string, Value> = {}): Training => ({
    uniform: () => expect.fail("no uniform numbers are asked for"),
    normal: (b) => b.constant(tensor("float64", [1, 2], noise)),
    keep(name, value) {
      kept[name] = value;
    },
  });

  it("are μ + σ ε in training, and μ afterwards", async () => {
    const { trained, afterwards } = await valuesOf((b) => {
      const normal = normalFrom(b, b.constant(row));
      return {
        trained: reparametrised(b, normal, drawing([0.5, -1])),
        afterwards: reparametrised(b, normal, null),
      };
    });
    // σ = 1 and 2
    expectClose(trained!, [1.5, -4], "trained");
    expect(afterwards).to.deep.equal([1, -2]);
  });

  it("have a divergence whose weight rises from 0 with the updates, which it counts itself", async () => {
    const annealing = klAnnealing({ rate: 0.9, wait: 2 });
    const at = async (updates: number) => {
      const kept: Record<string, Value> = {};
      const found = await valuesOf((b) => ({
        weight: annealing.weight(b, { updates: b.scalar("float64", updates) }, drawing([], kept)),
        ...kept,
      }));
      return [found.weight![0]!, found.updates![0]!];
    };
    const all = await Promise.all([0, 2, 3, 5].map(at));
    expectClose(all.flat(), [0, 1, 0, 3, 0.1, 4, 1 - 0.9 ** 3, 6], "weight and updates");
    const { weight } = await valuesOf((b) => ({
      weight: annealing.weight(b, { updates: b.scalar("float64", 1) }, null),
    }));
    expect(weight).to.deep.equal([1]);
  });

  it("refuse what makes no sense", () => {
    const b = new Builder();
    const x = b.input("x", "float64", [2, 3]);
    expect(() => normalFrom(b, x)).to.throw(ModelDefinitionError, "[batch, 2 latent]");
    expect(() => klAnnealing({ rate: 1 })).to.throw(LayerError, "rate in [0, 1)");
    const posterior = { mean: x, logVariance: x };
    expect(() => evidence(b, { x, decoded: x, deviation: 0, posterior })).to.throw(RevortError, "positive");
    const wide = neuralOde({
      field: { ...field, state: ["batch", 2, 2] },
      ...{ method: midpoint, stepSize: 1 },
    });
    expect(() => odeRnnCell(wide, 2)).to.throw(ModelDefinitionError, "[batch, hidden]");
  });
});
