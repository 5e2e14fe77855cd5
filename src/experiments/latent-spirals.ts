import { numbers, type Tensor, tensor } from "../core/tensor.js";
import { encodePrediction } from "../deploy/model-file.js";
import type { Values } from "../fields/field.js";
import { mlp as perceptron } from "../fields/mlp.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { neuralOde } from "../integrate/neural-ode.js";
import { evidence } from "../learning/evidence.js";
import { takeSamples } from "../models/dataset.js";
import { reparametrised } from "../models/latent.js";
import { predict } from "../models/measuring.js";
import { defineModel } from "../models/model.js";
import { defineTask } from "../models/task.js";
import { gapCell } from "../nn/gap-cells.js";
import { parametersOf, partOf } from "../nn/layer.js";
import { mlp } from "../nn/linear.js";
import { alongObservations, type ObservedCell } from "../nn/observed-cell.js";
import { add, mul, sub } from "../ops/arithmetic.js";
import { sqrt } from "../ops/elementwise.js";
import { zerosLike } from "../ops/generate.js";
import { zeros } from "../ops/linalg.js";
import { reduceMean } from "../ops/reduce.js";
import { slice } from "../ops/slice.js";
import type { Chart, Layer, Panel } from "../plot/chart.js";
import { latentOde } from "./latent-ode.js";
import { methodOf } from "./protocol-solver.js";
import { comparedPoints, comparedTimes, seenAngle, spiralNoise, spiralPieces } from "./spiral-paths.js";
import type {
  PreparedTask,
  TaskContext,
  TaskExperiment,
  TaskProtocol,
  TrainedTask,
} from "./task-experiment.js";

/** Of the published table, which has 30, 50 and 100 points. */
const observed = 30;
const [latent, hidden] = [4, 25];
const sizes = { training: 1000, test: 100 };

/** Spirals seen at a few irregular times, continued by a latent ODE and by a recurrent network. */
export const latentSpirals: TaskExperiment = {
  name: "latent-spirals",
  about:
    "spirals seen at irregular times and continued: a latent ODE beside a recurrent network (Chen et al. 2018)",
  data: null,
  protocol: {
    ...{ solver: "midpoint", coupling: null, gradient: "direct", stepSize: 1, dtype: "float32" },
    ...{ steps: 20_000, batchSize: 64, optimiser: "adam", learningRate: 1e-2, weightDecay: 0 },
    ...{ schedule: "cosine", clip: null, validateEvery: null },
  },
  full: { stepSize: 0.5, steps: 2000, batchSize: null, schedule: null },
  prepare,
};

/** The latent ODE and the recurrent network. Neither knows of the other, so each is trained as it would be by itself. */
function partsOf(protocol: TaskProtocol) {
  const { stepSize, gradient, dtype } = protocol;
  const method = methodOf(protocol);
  const field = perceptron({ dim: latent, hidden: [20, 20], activation: "elu", time: false });
  const ode = latentOde({
    encoder: gapCell(2, hidden) as unknown as ObservedCell,
    ode: neuralOde({ field, method, stepSize, dtype }),
    decoder: mlp([latent, 20, 2], { activation: "relu" }),
    gradient,
  });
  const cell = gapCell(2, hidden);
  const rnn = { cell, readout: mlp([cell.readWidth, 20, 2], { activation: "relu" }) };
  return { ode, rnn };
}

type Rnn = ReturnType<typeof partsOf>["rnn"];

/** A cell that takes what it expects itself for an observation, wherever it is to go on. */
function selfFed({ cell, readout }: Rnn): Rnn["cell"] {
  return {
    ...cell,
    ...parametersOf({ cell, readout }),
    evolve: (b, theta, gap, state) => cell.evolve(b, partOf(theta, "cell"), gap, state),
    read: (b, theta, state) => cell.read(b, partOf(theta, "cell"), state),
    update(b, theta, { mask }, state) {
      const expected = readout.apply(b, partOf(theta, "readout"), cell.read(b, partOf(theta, "cell"), state));
      return cell.update(b, partOf(theta, "cell"), { values: expected, mask }, state);
    },
  };
}

function modelOf(protocol: TaskProtocol) {
  const { ode, rnn } = partsOf(protocol);
  const { dtype } = protocol;
  const all = comparedTimes();
  const rowOf = (b: Builder, of: readonly number[], like: Value) =>
    add(b, zerosLike(b, slice(b, like, 1, 0, 1)), b.constant(tensor(dtype, [1, of.length], of)));
  /** the recurrent network: what it expects at each observation, and beyond by what it expects itself */
  const recurrent = (b: Builder, theta: Values, series: { values: Value; mask: Value; times: Value }) => {
    const readout = (x: Value) => rnn.readout.apply(b, partOf(theta, "readout"), x);
    const seen = alongObservations(b, rnn.cell, partOf(theta, "cell"), series);
    // from the last observation to the end of what is seen
    const gap = sub(b, seenAngle, slice(b, series.times, 1, observed - 1, observed));
    const start = rnn.cell.evolve(b, partOf(theta, "cell"), gap, seen.end);
    const times = rowOf(b, all.slice(comparedPoints), series.times);
    const none = zerosLike(b, slice(b, series.values, 1, 0, 1));
    const blank = add(b, none, zeros(b, dtype, [1, comparedPoints, 2]));
    const ahead = { values: blank, mask: add(b, blank, 1), times };
    const beyond = alongObservations(b, selfFed(rnn), theta, ahead, { start, t0: seenAngle }).before;
    return { expected: readout(seen.before), beyond: readout(beyond) };
  };
  const model = defineModel({
    name: "latent-spirals",
    ...parametersOf({ ode, rnn: parametersOf(rnn) }),
    inputs: { values: { shape: [observed, 2] }, times: { shape: [observed] } },
    apply(b, theta, { values, times }, training) {
      const series = { values, times, mask: add(b, zerosLike(b, values), 1) };
      const own = partOf(theta, "ode");
      const { mean, logVariance } = ode.posterior(b, own, series, training);
      const z0 = reparametrised(b, { mean, logVariance }, training);
      const found = recurrent(b, partOf(theta, "rnn"), series);
      return {
        ...{ mean, logVariance, decoded: ode.decoded(b, own, z0, times, training) },
        ode: ode.decoded(b, own, z0, rowOf(b, all, times), training),
        ...{ rnnExpected: found.expected, rnnBeyond: found.beyond },
      };
    },
  });
  return model;
}

type SpiralModel = ReturnType<typeof modelOf>;

function taskOf(model: SpiralModel) {
  const rootMeanSquare = (b: Builder, x: Value, y: Value) => {
    const distance = sub(b, x, y);
    return sqrt(b, reduceMean(b, mul(b, distance, distance)));
  };
  const pieces = (b: Builder, x: Value, from: number) => slice(b, x, 1, from, from + comparedPoints);
  type Found = ReturnType<SpiralModel["apply"]>;
  const boundOf = (b: Builder, outputs: Found, x: Value) =>
    evidence(b, { x, decoded: outputs.decoded, deviation: spiralNoise, posterior: outputs });
  const rnnLoss = (b: Builder, { rnnExpected, mean, logVariance }: Found, x: Value) =>
    sub(
      b,
      0,
      evidence(b, {
        ...{ x, decoded: rnnExpected, deviation: spiralNoise, posterior: { mean, logVariance } },
      }).logLikelihood,
    );
  return defineTask({
    model,
    targets: { truth: { shape: [2 * comparedPoints, 2] } },
    loss: (b, { outputs, inputs: { values } }) =>
      add(b, boundOf(b, outputs, values).loss, rnnLoss(b, outputs, values)),
    metrics: {
      odeBound: (b, { outputs, inputs }) => sub(b, 0, boundOf(b, outputs, inputs.values).loss),
      rnnLogLikelihood: (b, { outputs, inputs }) => sub(b, 0, rnnLoss(b, outputs, inputs.values)),
      odeErrorWithin: (b, { outputs, targets }) =>
        rootMeanSquare(b, pieces(b, outputs.ode, 0), pieces(b, targets.truth, 0)),
      odeErrorBeyond: (b, { outputs, targets }) =>
        rootMeanSquare(b, pieces(b, outputs.ode, comparedPoints), pieces(b, targets.truth, comparedPoints)),
      rnnErrorBeyond: (b, { outputs, targets }) =>
        rootMeanSquare(b, outputs.rnnBeyond, pieces(b, targets.truth, comparedPoints)),
    },
  });
}

function prepare({ protocol }: TaskContext): PreparedTask {
  const { dtype } = protocol;
  const model = modelOf(protocol);
  const test = spiralPieces(sizes.test, { observed, seed: 1, dtype });
  return {
    task: taskOf(model),
    training: spiralPieces(sizes.training, { observed, seed: 0, dtype }),
    ...{ validation: null, test },
    files: ({ parameters }) => ({ "predict.onnx": encodePrediction(model, { parameters, dtype }) }),
    charts: async (trained) => ({ spirals: await drawn(model, takeSamples(test, [0, 1, 2, 3]), trained) }),
  };
}

/** Some spirals that were not trained on: where they are, what was seen, and what either model makes of that. */
async function drawn(
  model: SpiralModel,
  { truth, ...inputs }: Readonly<Record<string, Tensor>>,
  { runtime, parameters, dtype }: TrainedTask,
): Promise<Chart> {
  const found = await predict(model, inputs, { runtime, parameters, dtype });
  const count = truth!.shape[0]!;
  /** points of a spiral, as columns */
  const points = (of: Tensor, spiral: number, from = 0, to = of.shape[1]!) => {
    const [all, width] = [numbers(of), of.shape[1]!];
    const column = (k: number) =>
      Array.from({ length: to - from }, (_, i) => all[(spiral * width + from + i) * 2 + k]!);
    return { x: column(0), y: column(1) };
  };
  /** both models of a spiral on the same axes, which hold all of either */
  const axis = (spiral: number, k: "x" | "y") => {
    const lines = [truth!, inputs.values!, found.ode, found.rnnExpected, found.rnnBeyond].flatMap(
      (of) => points(of, spiral)[k],
    );
    const [least, most] = [Math.min(...lines), Math.max(...lines)];
    // nothing ends at the edge
    const room = 0.04 * (most - least);
    return { title: k, domain: [least - room, most + room] as const };
  };
  const panel = (spiral: number, title: string, layers: readonly Layer[]): Panel => ({
    ...(spiral === 0 ? { title } : {}),
    ...{ x: axis(spiral, "x"), y: axis(spiral, "y"), width: 230, height: 170 },
    layers: [
      { kind: "line", name: "spiral", color: "black", dashed: true, ...points(truth!, spiral) },
      { kind: "points", name: "observed", color: "sky", ...points(inputs.values!, spiral) },
      ...layers,
    ],
  });
  const seen = (of: Tensor, spiral: number, from: number, to?: number): Layer => ({
    ...{ kind: "line", name: "within what was seen", color: "blue", ...points(of, spiral, from, to) },
  });
  const beyond = (of: Tensor, spiral: number, from?: number): Layer => ({
    ...{ kind: "line", name: "beyond", color: "vermillion", ...points(of, spiral, from) },
  });
  const panels = Array.from({ length: count }, (_, spiral) => [
    // of the first point, the recurrent network knows nothing beforehand
    panel(spiral, "recurrent network", [seen(found.rnnExpected, spiral, 1), beyond(found.rnnBeyond, spiral)]),
    panel(spiral, "latent ODE", [
      seen(found.ode, spiral, 0, comparedPoints),
      beyond(found.ode, spiral, comparedPoints),
    ]),
  ]);
  return { title: "Spirals at irregular times, continued", columns: 2, panels: panels.flat() };
}
