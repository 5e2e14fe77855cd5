import { numbers, tensor } from "../core/tensor.js";
import { encodeField } from "../deploy/field-file.js";
import type { VectorField } from "../fields/field.js";
import { mlp as perceptron } from "../fields/mlp.js";
import { type NeuralOde, neuralOde } from "../integrate/neural-ode.js";
import { solve } from "../integrate/solve.js";
import { l1 } from "../learning/losses.js";
import { rk4 } from "../methods/tableaux.js";
import type { Dataset } from "../models/dataset.js";
import { defineModel } from "../models/model.js";
import { odeSolve } from "../models/ode-solve.js";
import { defineTask } from "../models/task.js";
import { filled, scaledNormal } from "../nn/initial.js";
import { mul } from "../ops/arithmetic.js";
import { transpose } from "../ops/reshape.js";
import type { Chart, Panel } from "../plot/chart.js";
import { methodOf } from "./protocol-solver.js";
import type { PreparedTask, TaskContext, TaskExperiment, TrainedTask } from "./task-experiment.js";

/** Points of the spiral from t = 0 to 25, and of a segment. */
const [points, end, segment] = [1000, 25, 10];
const interval = end / (points - 1);

/** A spiral of a cubic equation, learnt from short segments. */
export const spirals: TaskExperiment = {
  name: "spirals",
  about: "a spiral, y' = Aᵀ y³, learnt from segments of ten points (the demonstration of Chen et al. 2018)",
  data: null,
  protocol: {
    ...{ solver: "midpoint", coupling: 0.999, gradient: "reversible", stepSize: interval, dtype: "float32" },
    ...{ steps: 20_000, batchSize: 20, optimiser: "rmsprop", learningRate: 1e-3, weightDecay: 0 },
    ...{ schedule: "cosine", clip: null, validateEvery: null },
  },
  full: { steps: 2000, schedule: null },
  prepare,
};

/** f(y) = MLP(y³), 2 → 50 → 2 with tanh; weights from N(0, 0.1²), biases 0. */
export function spiralField(): VectorField {
  const inner = perceptron({ dim: 2, hidden: [50], time: false, name: "spiral-mlp" });
  const drawn = Object.entries(inner.parameters).map(([name, { shape }]) => [
    name,
    name.endsWith("weight") ? scaledNormal(shape, 0.1) : filled(shape, 0),
  ]);
  return {
    ...inner,
    parameters: Object.fromEntries(drawn),
    apply: (b, theta, t, y) => inner.apply(b, theta, t, mul(b, y, mul(b, y, y))),
  };
}

/** The spiral from (2, 0) at a thousand times, by Runge and Kutta's method with ten steps from one to the next. */
export function spiralPath(): readonly (readonly [x: number, y: number])[] {
  type Point = readonly [number, number];
  // Aᵀ y³, A = [[−0.1, 2], [−2, −0.1]]
  const slope = ([x, y]: Point): Point => [-0.1 * x ** 3 - 2 * y ** 3, 2 * x ** 3 - 0.1 * y ** 3];
  const moved = ([x, y]: Point, h: number, [u, v]: Point): Point => [x + h * u, y + h * v];
  const stepped = (start: Point, h: number): Point => {
    const k1 = slope(start);
    const k2 = slope(moved(start, h / 2, k1));
    const k3 = slope(moved(start, h / 2, k2));
    const k4 = slope(moved(start, h, k3));
    return moved(start, h / 6, [k1[0] + 2 * (k2[0] + k3[0]) + k4[0], k1[1] + 2 * (k2[1] + k3[1]) + k4[1]]);
  };
  const path: Point[] = [[2, 0]];
  while (path.length < points) {
    let point = path.at(-1)!;
    for (let k = 0; k < 10; k++) point = stepped(point, interval / 10);
    path.push(point);
  }
  return path;
}

/** Every segment of the spiral: where it starts, and its ten points. */
function segmentsOf(path: ReturnType<typeof spiralPath>, dtype: TaskContext["protocol"]["dtype"]): Dataset {
  const starts = path.slice(0, points - segment);
  return {
    start: tensor(dtype, [starts.length, 2], starts.flat()),
    path: tensor(
      dtype,
      [starts.length, segment, 2],
      starts.flatMap((_, i) => path.slice(i, i + segment).flat()),
    ),
  };
}

function prepare({ protocol }: TaskContext): PreparedTask {
  const { dtype, stepSize, gradient } = protocol;
  const method = methodOf(protocol);
  const ode = neuralOde({ field: spiralField(), method, stepSize, dtype });
  const times = Array.from({ length: segment }, (_, k) => k * interval);
  const model = defineModel({
    name: "spirals",
    parameters: ode.field.parameters,
    inputs: { start: { shape: [2] } },
    apply(b, theta, { start }, training) {
      const ys = odeSolve(b, ode, { theta, y0: start, t0: 0, times, gradient, training });
      return { path_: transpose(b, ys, [1, 0, 2]) };
    },
  });
  const path = spiralPath();
  return {
    task: defineTask({
      model,
      targets: { path: { shape: [segment, 2] } },
      loss: (b, { outputs, targets }) => l1().apply(b, outputs.path_, targets.path, null),
    }),
    training: segmentsOf(path, dtype),
    ...{ validation: null, test: null },
    files: ({ parameters }) => ({ "field.onnx": encodeField(ode, parameters) }),
    async findings(trained) {
      const whole = await wholePath(ode, trained);
      const errors = whole.flatMap((point, i) => point.map((x, k) => Math.abs(x - path[i]![k]!)));
      return { wholePathError: errors.reduce((sum, x) => sum + x, 0) / errors.length };
    },
    charts: async (trained) => ({ spiral: drawn(path, await wholePath(ode, trained)) }),
  };
}

/**
 * The learnt equation, solved from the start of the spiral to its end: by rk4, as a coupled method is not stable over so many
 * steps of an equation that damps.
 */
async function wholePath(
  ode: NeuralOde,
  { runtime, parameters, dtype }: TrainedTask,
): Promise<readonly (readonly number[])[]> {
  const saveAt = Array.from({ length: points }, (_, k) => k * interval);
  const y0 = tensor(dtype, [1, 2], [2, 0]);
  const { field, stepSize } = ode;
  const plain = neuralOde({ field, method: rk4, stepSize, dtype });
  const { ys } = await solve(plain, { runtime, parameters, y0, t0: 0, saveAt });
  const all = numbers(ys);
  return saveAt.map((_, k) => all.slice(2 * k, 2 * k + 2));
}

type Path = readonly (readonly number[])[];

/** The spiral and the learnt one, in the plane and over time. */
function drawn(truth: Path, learnt: Path): Chart {
  const times = truth.map((_, k) => k * interval);
  const column = (path: Path, k: number) => path.map((point) => point[k]!);
  const looks = [
    { path: truth, look: { name: "spiral", color: "black", dashed: true } },
    { path: learnt, look: { name: "learnt", color: "vermillion" } },
  ] as const;
  const panel = (
    titles: readonly [string, string],
    at: (path: Path) => { x: number[]; y: number[] },
  ): Panel => ({
    ...{ x: { title: titles[0] }, y: { title: titles[1] }, width: 260, height: 220 },
    layers: looks.map(({ path, look }) => ({ kind: "line", ...look, ...at(path) })),
  });
  return {
    title: "A spiral, learnt from segments of ten points",
    panels: [
      panel(["x", "y"], (path) => ({ x: column(path, 0), y: column(path, 1) })),
      panel(["t", "x"], (path) => ({ x: times, y: column(path, 0) })),
    ],
  };
}
