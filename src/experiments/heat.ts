import { Random } from "../core/random.js";
import { numbers, tensor } from "../core/tensor.js";
import { encodeField } from "../deploy/field-file.js";
import { encodePrediction } from "../deploy/model-file.js";
import type { Values, VectorField } from "../fields/field.js";
import { laplacian } from "../fields/grid.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { neuralOde } from "../integrate/neural-ode.js";
import { predict } from "../models/measuring.js";
import { defineModel } from "../models/model.js";
import { fanIn } from "../nn/initial.js";
import { softplus } from "../ops/activation.js";
import { add, mul, sub } from "../ops/arithmetic.js";
import { reduceSum } from "../ops/broadcast.js";
import { unsqueeze } from "../ops/reshape.js";
import { tanh } from "../ops/trigonometry.js";
import type { Chart, Layer } from "../plot/chart.js";
import { oncePerModel } from "./once-per-model.js";
import { type PlainField, plainSolve } from "./plain-solve.js";
import { methodOf } from "./protocol-solver.js";
import {
  meanChange,
  relativeErrors,
  rolledOut,
  type Snapshots,
  snapshotData,
  snapshotTask,
} from "./snapshots.js";
import type { PreparedTask, TaskContext, TaskExperiment, TrainedTask } from "./task-experiment.js";

const [interval, window, hidden] = [0.05, 2, 16];
const counts = { training: 12, validation: 2, test: 4 };
/** snapshots after the first */
const length = 10;

/** The law of a heat equation whose conductivity depends on y, y_t = k(y) y_xx on [−1, 1] with the ends held. */
type Conductivity = (b: Builder, theta: Values, y: Value) => Value;

function fieldOf(
  name: string,
  points: number,
  parameters: VectorField["parameters"],
  conductivity: Conductivity,
): VectorField {
  const inside = Array.from({ length: points }, (_, i) => (i > 0 && i < points - 1 ? 1 : 0));
  return {
    ...{ name, state: ["batch", points], parameters },
    apply(b, theta, _t, y) {
      // what is beyond the ends is of no matter, since nothing moves there
      const curved = laplacian(b, y, { spacing: 2 / (points - 1), boundary: "reflecting" });
      const held = b.constant(tensor(y.dtype, [points], inside));
      return mul(b, mul(b, conductivity(b, theta, y), curved), held);
    },
  };
}

/** The authors' dissipative equation, y_t = (1 − y) y_xx. */
export const dissipative = (points: number): VectorField =>
  fieldOf("dissipative heat", points, {}, (b, _theta, y) => sub(b, 1, y));

/** k(y) by a perceptron with one hidden layer at each point by itself; positive, for heat does not gather by itself. */
const learntField = (points: number): VectorField =>
  fieldOf(
    "conductivity of y, learnt",
    points,
    {
      ...{ "0.weight": fanIn([hidden], 1), "0.bias": fanIn([hidden], 1) },
      ...{ "1.weight": fanIn([hidden], hidden), "1.bias": fanIn([], hidden) },
    },
    conductivityAt,
  );

function conductivityAt(b: Builder, theta: Values, y: Value): Value {
  const inner = tanh(
    b,
    add(b, mul(b, unsqueeze(b, y, [y.shape.length]), theta["0.weight"]!), theta["0.bias"]!),
  );
  const out = reduceSum(b, mul(b, inner, theta["1.weight"]!), [y.shape.length]);
  return softplus(b, add(b, out, theta["1.bias"]!));
}

/**
 * The authors' example for λ and refreshed states, whose right-hand side is learnt from snapshots: it damps so fast that a
 * coupled solver needs a λ far below 1, and undoing its steps the states that are stored on the way.
 */
export const heat: TaskExperiment = {
  name: "heat",
  about:
    "a heat equation that damps, y_t = (1 − y) y_xx, its conductivity learnt from snapshots, with λ = 0.5",
  data: null,
  protocol: {
    ...{ solver: "tsit5", coupling: 0.5, gradient: "reversible:20", stepSize: 5e-4, dtype: "float64" },
    ...{ steps: 120, batchSize: 16, optimiser: "adam", learningRate: 3e-2, weightDecay: 0 },
    ...{ clip: 1, validateEvery: 20 },
  },
  full: { stepSize: 1e-4, steps: 1000, learningRate: 1e-2 },
  prepare,
};

/** 26 points for the quick protocol, and the published 50 for steps as short as the published ones. */
const pointsFor = (stepSize: number) => (stepSize <= 1e-4 ? 50 : 26);

/** x² and some waves that are 0 at the ends, small enough for y < 1 between them. */
function starts(count: number, points: number, seed: number): number[][] {
  const random = Random.seeded(seed);
  return Array.from({ length: count }, () => {
    const waves = [1, 2, 3].map((k) => random.uniform(-0.2, 0.2) / k);
    return Array.from({ length: points }, (_, i) => {
      const x = -1 + (2 * i) / (points - 1);
      return waves.reduce((y, a, k) => y + a * Math.sin(((k + 1) * Math.PI * (x + 1)) / 2), x * x);
    });
  });
}

/** The equation itself, in plain numbers. */
export function plainHeat(points: number): PlainField {
  const perSquare = ((points - 1) / 2) ** 2;
  return (_t, y) =>
    y.map((value, i) =>
      i === 0 || i === points - 1 ? 0 : (1 - value) * (y[i - 1]! - 2 * value + y[i + 1]!) * perSquare,
    );
}

/**
 * The solution from y0 = x², the published start: w = 1 − y follows w_t = w w_xx, of which (1 − x²) / (1 + 2 t) is a solution;
 * central differences are exact on it.
 */
export function exactHeat(points: number, t: number): number[] {
  return Array.from({ length: points }, (_, i) => {
    const x = -1 + (2 * i) / (points - 1);
    return 1 - (1 - x * x) / (1 + 2 * t);
  });
}

function solutions(count: number, points: number, seed: number): Snapshots {
  // the classic method is stable while 4 h / d² is below 2.78
  const stepSize = 0.5 / (points - 1) ** 2;
  return starts(count, points, seed).map((start) =>
    plainSolve(plainHeat(points), start, { interval, count: length, stepSize }),
  );
}

function prepare({ protocol, shortened = 1 }: TaskContext): PreparedTask {
  const method = methodOf(protocol);
  const { stepSize, dtype, gradient } = protocol;
  const points = pointsFor(stepSize * shortened);
  const ode = neuralOde({ field: learntField(points), method, stepSize, dtype });
  const of = (count: number, seed: number) =>
    snapshotData(solutions(count, points, seed), { field: ode.field, window, dtype });
  const training = of(counts.training, 1);
  const task = snapshotTask({ ode, interval, window, gradient, change: meanChange(training) });
  const times = Array.from({ length: 21 }, (_, k) => k * interval);
  const exact = times.map((t) => exactHeat(points, t));
  const known = neuralOde({ field: dissipative(points), method, stepSize, dtype });

  /** From the published start to t = 1, twice as far as the training data go. */
  const made = oncePerModel(async (trained) => ({
    learnt: (await rolledOut(ode, trained, [exact[0]!], times))[0]!,
    equation: (await rolledOut(known, { ...trained, parameters: {} }, [exact[0]!], times))[0]!,
    conductivity: await conductivityOf(trained),
  }));
  return {
    task,
    training,
    validation: of(counts.validation, 2),
    test: of(counts.test, 3),
    files: ({ parameters }) => ({
      "field.onnx": encodeField(ode, parameters, { trainedOn: "heat" }),
      "predict.onnx": encodePrediction(task.model, { parameters, dtype }),
    }),
    async findings(trained) {
      const found = await made(trained);
      const errors = (states: number[][]) => relativeErrors([states], [exact]);
      return {
        errors: { times, learnt: errors(found.learnt), equation: errors(found.equation) },
        conductivity: found.conductivity,
      };
    },
    async charts(trained) {
      const { conductivity, ...solutions } = await made(trained);
      return { solutions: chartOf({ times, exact, ...solutions }, conductivity) };
    },
  };
}

/** k(y) of the learnt law, where the data are. It is 1 − y in the equation. */
async function conductivityOf({ runtime, parameters, dtype }: TrainedTask) {
  const y = Array.from({ length: 21 }, (_, i) => i / 20);
  const model = defineModel({
    ...{ name: "conductivity", parameters: learntField(2).parameters, inputs: { y: { shape: [] } } },
    apply: (b, theta, { y: at }) => ({ k: conductivityAt(b, theta, at) }),
  });
  const { k } = await predict(model, { y: tensor(dtype, [y.length], y) }, { runtime, parameters, dtype });
  return { y, k: numbers(k) };
}

interface Rolled {
  readonly times: readonly number[];
  readonly exact: readonly (readonly number[])[];
  readonly learnt: readonly (readonly number[])[];
}

function chartOf(
  { times, exact, learnt }: Rolled,
  law: { readonly y: number[]; readonly k: number[] },
): Chart {
  const x = exact[0]!.map((_, i) => -1 + (2 * i) / (exact[0]!.length - 1));
  const shown = [0, 2, 5, 10, 20];
  return {
    title: "A heat equation that damps, and the law that was learnt of it",
    columns: 2,
    panels: [
      {
        title: `y at t = ${shown.map((k) => Number(times[k]!.toFixed(2))).join(", ")}`,
        ...{ x: { title: "x" }, y: { title: "y" } },
        layers: shown.flatMap((k): Layer[] => [
          { kind: "line", name: "exact, y0 = x²", color: "black", x, y: exact[k]! },
          { kind: "points", name: "learnt", color: "blue", x, y: learnt[k]! },
        ]),
      },
      {
        ...{ title: "conductivity", x: { title: "y" }, y: { title: "k(y)" } },
        layers: [
          {
            kind: "line",
            name: "1 − y",
            color: "vermillion",
            dashed: true,
            x: law.y,
            y: law.y.map((y) => 1 - y),
          },
          { kind: "line", name: "learnt law", color: "blue", x: law.y, y: law.k },
        ],
      },
    ],
  };
}
