import { Random } from "../core/random.js";
import { type FloatDType, numbers, type Tensor, tensor } from "../core/tensor.js";
import { encodePrediction } from "../deploy/model-file.js";
import type { Parameter, Values, VectorField } from "../fields/field.js";
import { neuralOde } from "../integrate/neural-ode.js";
import { solve } from "../integrate/solve.js";
import type { Dataset } from "../models/dataset.js";
import { type Flow, normalisingFlow } from "../models/flow.js";
import { defineModel } from "../models/model.js";
import { defineTask } from "../models/task.js";
import { concatSquash } from "../nn/linear.js";
import { neg } from "../ops/arithmetic.js";
import { reduceMean } from "../ops/reduce.js";
import { tanh } from "../ops/trigonometry.js";
import type { Chart, Panel } from "../plot/chart.js";
import { parseTable } from "../storage/table.js";
import type { DataFile, PreparedTask, TaskContext, TaskExperiment, TrainedTask } from "./task-experiment.js";

const widths = [2, 128, 128, 128, 2];

/** How the layers of the published field are named, by the names that they have in FFJORD's code. */
const layerNames: Readonly<Record<string, string>> = {
  "_layer.weight": "weight",
  "_layer.bias": "bias",
  "_hyper_gate.weight": "gate.weight",
  "_hyper_gate.bias": "gate.bias",
  "_hyper_bias.weight": "shift.weight",
};

/** y ← (W y + b) σ(g t + c) + s t in each layer, tanh between them. */
export function squashField(dims: readonly number[] = widths): VectorField {
  const layers = dims.slice(1).map((width, k) => concatSquash(dims[k]!, width));
  const named = <T>(k: number, own: Readonly<Record<string, T>>) =>
    Object.entries(own).map(([name, value]) => [`layers.${k}.${layerNames[name]}`, value] as const);
  const parameters: Readonly<Record<string, Parameter>> = Object.fromEntries(
    layers.flatMap((layer, k) => named(k, layer.parameters)),
  );
  return {
    name: `ConcatSquash(${dims.join("-")}, tanh)`,
    state: ["batch", dims[0]!],
    parameters,
    apply(b, theta, t, y) {
      const own = (k: number): Values =>
        Object.fromEntries(
          Object.entries(layerNames).map(([name, short]) => [name, theta[`layers.${k}.${short}`]!]),
        );
      return layers.reduce((x, layer, k) => layer.apply(b, own(k), k === 0 ? x : tanh(b, x), t), y);
    },
  };
}

/** Two interleaved half circles with noise, as scikit-learn's make_moons has them. */
function moons(count: number, noise: number, random: Random): number[][] {
  const half = Math.floor(count / 2);
  const at = (i: number, of: number) => (Math.PI * i) / Math.max(1, of - 1);
  const points = Array.from({ length: count }, (_, i) => {
    const angle = i < half ? at(i, half) : at(i - half, count - half);
    const [c, s] = [Math.cos(angle), Math.sin(angle)];
    return i < half ? [c, s] : [1 - c, 0.5 - s];
  });
  return points.map((point) => point.map((x) => x + noise * random.normal()));
}

/** Points less the mean of all numbers, over their standard deviation: one of each for both coordinates. */
function standardised(points: readonly (readonly number[])[]): number[][] {
  const all = points.flat();
  const mean = all.reduce((sum, x) => sum + x, 0) / all.length;
  const deviation = Math.sqrt(all.reduce((sum, x) => sum + (x - mean) ** 2, 0) / all.length);
  return points.map((point) => point.map((x) => (x - mean) / deviation));
}

function dataOf(points: readonly (readonly number[])[], dtype: FloatDType): Dataset {
  return { x: tensor(dtype, [points.length, 2], standardised(points).flat()) };
}

/** The density of points in the plane, learnt by a continuous normalising flow. */
export const twoMoons: TaskExperiment = {
  name: "two-moons",
  about:
    "the density of two interleaved half circles, by a continuous normalising flow with an exact trace (FFJORD's layers)",
  data: {
    what: "points as a CSV file: a header, then x and y of one point in each line",
    ...{ files: 1, needed: false },
  },
  protocol: {
    ...{ solver: "midpoint", coupling: 0.999, gradient: "reversible", stepSize: 0.05, dtype: "float32" },
    ...{ steps: 200, batchSize: 256, optimiser: "adamw", learningRate: 3e-3, weightDecay: 1e-4 },
    ...{ clip: null, validateEvery: 50 },
  },
  full: { stepSize: 0.01, steps: 5000, batchSize: null, learningRate: 1e-3, validateEvery: 500 },
  published: {
    "training loss": { value: 0.888, source: "McCallum & Foster 2024, midpoint, after 5000 updates" },
  },
  prepare,
};

function prepare({ method, protocol, files: [file] }: TaskContext): PreparedTask {
  const { dtype, stepSize, gradient } = protocol;
  const flow = normalisingFlow({ ode: neuralOde({ field: squashField(), method, stepSize, dtype }) });
  const model = defineModel({
    name: "two-moons",
    parameters: flow.ode.field.parameters,
    inputs: { x: { shape: [2] } },
    apply(b, theta, { x }, training) {
      const { logDensity, base } = flow.logDensity(b, { theta, x, gradient, training });
      return { logDensity, base };
    },
  });
  const task = defineTask({
    model,
    targets: {},
    loss: (b, { outputs }) => neg(b, reduceMean(b, outputs.logDensity)),
  });
  const points = file === undefined ? moons(1000, 0.05, Random.seeded(0)) : pointsIn(file);
  return {
    task,
    training: dataOf(points, dtype),
    validation: null,
    test: file === undefined ? dataOf(moons(1000, 0.05, Random.seeded(1)), dtype) : null,
    files: ({ parameters }) => ({
      "logprob.onnx": encodePrediction(model, { parameters, dtype }),
      "sample.onnx": encodePrediction(samplerOf(flow), { parameters, dtype }),
    }),
    charts: async (trained) => ({ samples: await drawSamples(flow, points, trained) }),
  };
}

/** The model that maps points of the base distribution to those of the data. */
function samplerOf(flow: Flow) {
  return defineModel({
    name: "two-moons sampler",
    parameters: flow.ode.field.parameters,
    inputs: { base: { shape: [2] } },
    apply: (b, theta, { base }) => ({ x: flow.sample(b, { theta, base }) }),
  });
}

function pointsIn({ name, bytes }: DataFile): readonly (readonly number[])[] {
  return parseTable(new TextDecoder().decode(bytes), { source: name, columns: 2 }).rows;
}

/** Points of the base distribution on their way to the data, beside those. */
async function drawSamples(
  { ode }: Flow,
  data: readonly (readonly number[])[],
  { runtime, dtype, parameters }: TrainedTask,
): Promise<Chart> {
  const count = 1000;
  const random = Random.seeded(0);
  const y0 = tensor(
    dtype,
    [count, 2],
    Array.from({ length: 2 * count }, () => random.normal()),
  );
  const times = [0, 0.25, 0.5, 0.75, 1];
  const { ys } = await solve(ode, { runtime, parameters, y0, t0: 0, saveAt: times });
  const cloud = (
    title: string,
    xs: readonly number[],
    ys: readonly number[],
    color: "blue" | "vermillion",
  ): Panel => ({
    title,
    ...{ x: { title: "x", domain: [-3, 3] }, y: { title: "y", domain: [-3, 3] } },
    ...{ width: 220, height: 220 },
    layers: [{ kind: "points", color, x: xs, y: ys }],
  });
  const panels = times.map((t, k) => {
    const own = rowsAt(ys, k, count);
    return cloud(
      `t = ${t}`,
      own.map(([x]) => x!),
      own.map(([, y]) => y!),
      "blue",
    );
  });
  const shown = standardised(data);
  return {
    title: "Two moons: samples of the base distribution on their way, and the data",
    columns: 3,
    panels: [
      ...panels,
      cloud(
        "data",
        shown.map(([x]) => x!),
        shown.map(([, y]) => y!),
        "vermillion",
      ),
    ],
  };
}

function rowsAt(ys: Tensor, k: number, count: number): number[][] {
  const all = numbers(ys).slice(2 * k * count, 2 * (k + 1) * count);
  return Array.from({ length: count }, (_, i) => [all[2 * i]!, all[2 * i + 1]!]);
}
