import { Random } from "../core/random.js";
import { type FloatDType, tensor } from "../core/tensor.js";
import { encodePrediction } from "../deploy/model-file.js";
import type { Parameter, Values, VectorField } from "../fields/field.js";
import { neuralOde } from "../integrate/neural-ode.js";
import type { Dataset } from "../models/dataset.js";
import { type Flow, normalisingFlow } from "../models/flow.js";
import { defineModel } from "../models/model.js";
import { defineTask } from "../models/task.js";
import { concatSquash } from "../nn/linear.js";
import { add, div, mul, neg, sub } from "../ops/arithmetic.js";
import { reduceMean } from "../ops/reduce.js";
import { tanh } from "../ops/trigonometry.js";
import { DataError } from "../storage/data-error.js";
import { sentinelsIn } from "../storage/missing-values.js";
import { parseTable, type Table } from "../storage/table.js";
import { drawDensity, drawSamples, type Points, type Scale } from "./flow-charts.js";
import { methodOf } from "./protocol-solver.js";
import type { DataFile, PreparedTask, TaskContext, TaskExperiment } from "./task-experiment.js";

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

/** @throws {DataError} for points that are all one */
function scaleOf(points: Points, source: string): Scale {
  const all = points.flat();
  const mean = all.reduce((sum, x) => sum + x, 0) / all.length;
  const deviation = Math.sqrt(all.reduce((sum, x) => sum + (x - mean) ** 2, 0) / all.length);
  if (deviation > 0) return { mean, deviation };
  throw new DataError({ source }, "all its numbers are the same, so there is no density to learn");
}

function dataOf(points: Points, { mean, deviation }: Scale, dtype: FloatDType): Dataset {
  const standardised = points.flat().map((x) => (x - mean) / deviation);
  return { x: tensor(dtype, [points.length, 2], standardised) };
}

/** The density of points in the plane, learnt by a continuous normalising flow. */
export const twoMoons: TaskExperiment = {
  name: "two-moons",
  about:
    "the density of two interleaved half circles, by a continuous normalising flow with an exact trace (FFJORD's layers)",
  data: {
    what: "points as a CSV file: a header, then x and y of one point in each line, in units of one size, as both are scaled alike",
    ...{ files: 1, needed: false },
  },
  protocol: {
    ...{ solver: "midpoint", coupling: 0.999, gradient: "reversible", stepSize: 0.05, dtype: "float32" },
    ...{ steps: 1200, batchSize: 256, optimiser: "adamw", learningRate: 1e-2, weightDecay: 1e-4 },
    ...{ schedule: "cosine", clip: null, validateEvery: null },
  },
  full: { stepSize: 0.01, steps: 5000, batchSize: null, learningRate: 1e-3, schedule: null },
  published: {
    "training loss": { value: 0.888, source: "McCallum & Foster 2024, midpoint, after 5000 updates" },
  },
  prepare,
};

function prepare({ protocol, files: [file] }: TaskContext): PreparedTask {
  const method = methodOf(protocol);
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
  const { names, rows: points } =
    file === undefined ? { names: ["x", "y"], rows: moons(1000, 0.05, Random.seeded(0)) } : pointsIn(file);
  const scale = scaleOf(points, file?.name ?? "two-moons");
  return {
    task,
    warnings: sentinelsIn(
      names,
      (j) => points.map((point) => point[j]!),
      () => "remove these points",
    ),
    training: dataOf(points, scale, dtype),
    validation: null,
    test: file === undefined ? dataOf(moons(1000, 0.05, Random.seeded(1)), scale, dtype) : null,
    files: ({ parameters }) => ({
      "logprob.onnx": encodePrediction(densityOf(flow, scale), { parameters, dtype }),
      "sample.onnx": encodePrediction(samplerOf(flow, scale), { parameters, dtype }),
    }),
    newData: (given) => dataOf(pointsIn(given).rows, scale, dtype),
    // the loss is that of points in units of these
    findings: async () => ({ scale }),
    charts: async (trained) => ({
      density: await drawDensity(flow, points, scale, trained),
      samples: await drawSamples(flow, points, scale, trained),
    }),
  };
}

/** The model that says the log-density of points as they are in the data, in their units. */
function densityOf(flow: Flow, { mean, deviation }: Scale) {
  return defineModel({
    name: "two-moons density",
    parameters: flow.ode.field.parameters,
    inputs: { x: { shape: [2] } },
    apply(b, theta, { x }) {
      const found = flow.logDensity(b, { theta, x: div(b, sub(b, x, mean), deviation) });
      // p(x) dx = p(s) ds, s = (x − mean) / deviation in both coordinates
      return { logDensity: sub(b, found.logDensity, 2 * Math.log(deviation)), base: found.base };
    },
  });
}

/** The model that maps points of the base distribution to points as they are in the data. */
function samplerOf(flow: Flow, { mean, deviation }: Scale) {
  return defineModel({
    name: "two-moons sampler",
    parameters: flow.ode.field.parameters,
    inputs: { base: { shape: [2] } },
    apply: (b, theta, { base }) => ({
      x: add(b, mul(b, flow.sample(b, { theta, base }), deviation), mean),
    }),
  });
}

function pointsIn({ name, bytes }: DataFile): Table {
  return parseTable(new TextDecoder().decode(bytes), { source: name, columns: 2 });
}
