import { Random } from "../core/random.js";
import { type FloatDType, numbers, tensor } from "../core/tensor.js";
import { encodeField } from "../deploy/field-file.js";
import { encodePrediction } from "../deploy/model-file.js";
import { initialParameters, type Tensors, type Values, type VectorField } from "../fields/field.js";
import { grayScott as equation } from "../fields/partial-differential.js";
import { neuralOde } from "../integrate/neural-ode.js";
import { mul } from "../ops/arithmetic.js";
import { exp } from "../ops/elementwise.js";
import type { Chart, Panel } from "../plot/chart.js";
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

/** Pearson's diffusions, on a square whose side is 24 of the 256 parts of his. */
const [diffusion, feed, kill] = [[2e-5, 1e-5] as const, 0.04, 0.06];
const [points, spacing] = [24, 2.5 / 256];
const [interval, window] = [10, 2];
/** snapshots after the first */
const [trained, tested] = [40, 80];
const counts = { training: 4, validation: 1, test: 2 };

/** Two substances that diffuse and react in the plane: how fast they do, learnt from snapshots. */
export const grayScott: TaskExperiment = {
  name: "gray-scott",
  about: "Gray and Scott's reaction and diffusion in the plane, its numbers learnt from snapshots",
  data: null,
  protocol: {
    ...{ solver: "ees25", coupling: null, gradient: "reversible:10", stepSize: 0.5, dtype: "float32" },
    ...{ steps: 150, batchSize: 4, optimiser: "adam", learningRate: 3e-2, weightDecay: 0 },
    ...{ clip: 1, validateEvery: 20 },
  },
  full: { stepSize: 0.25, steps: 600, batchSize: 16, learningRate: 1e-2 },
  prepare,
};

/** The equation in plain numbers: all of u, then all of v, on a square of so many points. */
export function plainGrayScott(side: number, distance: number): PlainField {
  const count = side * side;
  const at = (row: number, column: number) => ((row + side) % side) * side + ((column + side) % side);
  const around = Array.from({ length: count }, (_, i) => {
    const [row, column] = [Math.floor(i / side), i % side];
    return [at(row - 1, column), at(row + 1, column), at(row, column - 1), at(row, column + 1)];
  });
  return (_t, y) => {
    const slope = new Array<number>(2 * count);
    for (let i = 0; i < count; i++) {
      const [u, v] = [y[i]!, y[count + i]!];
      let [du, dv] = [-4 * u, -4 * v];
      for (const j of around[i]!) {
        du += y[j]!;
        dv += y[count + j]!;
      }
      const meetings = u * v * v;
      slope[i] = (diffusion[0] * du) / distance ** 2 - meetings + feed * (1 - u);
      slope[count + i] = (diffusion[1] * dv) / distance ** 2 + meetings - (feed + kill) * v;
    }
    return slope;
  };
}

/** u = 1 and v = 0 with two round spots, of u = 1/2 and v = 1/4, at random places; on a finer grid the same functions. */
function start(seed: number, side: number): number[] {
  const random = Random.seeded(seed);
  const spots = [0, 1].map(() => [random.uniform(0, 1), random.uniform(0, 1)] as const);
  const between = (a: number, b: number) => Math.min(Math.abs(a - b), 1 - Math.abs(a - b));
  const share = Array.from({ length: side * side }, (_, i) => {
    const [x, y] = [(i % side) / side, Math.floor(i / side) / side];
    return Math.min(
      1,
      spots.reduce(
        (sum, [p, q]) => sum + Math.exp(-((between(x, p) ** 2 + between(y, q) ** 2) / 0.15 ** 2)),
        0,
      ),
    );
  });
  return [...share.map((s) => 1 - 0.5 * s), ...share.map((s) => 0.25 * s)];
}

/** Solutions on a grid that is so many times as fine. */
export function grayScottSolutions(count: number, snapshots: number, seed: number, finer = 1): Snapshots {
  const side = finer * points;
  const field = plainGrayScott(side, spacing / finer);
  // the classic method is stable while 8 Dᵤ h / d² is below 2.78
  const options = { interval, count: snapshots, stepSize: 1 / finer ** 2 };
  return Array.from({ length: count }, (_, i) => plainSolve(field, start(100 * seed + i, side), options));
}

/** From where the numbers of the equation are learnt: each is e^p times its guess, with a p that is trained. */
const guesses: Readonly<Record<string, readonly number[]>> = {
  ...{ diffusion: [1.5e-5, 1.5e-5], feed: [0.03], kill: [0.05] },
};

/** The equation with numbers that are not known. */
function unknownField(): VectorField {
  const { name, parameters, apply, ...rest } = equation({
    rows: points,
    columns: points,
    spacing,
    boundary: "periodic",
  });
  return {
    ...rest,
    name: `${name}, its numbers unknown`,
    parameters: Object.fromEntries(
      Object.entries(parameters).map(([key, { shape }]) => [
        key,
        { shape, initial: () => guesses[key]!.map(() => 0) },
      ]),
    ),
    apply(b, theta, t, y) {
      const scaled = Object.entries(theta).map(([key, p]) => [
        key,
        mul(b, exp(b, p), b.constant(tensor(y.dtype as FloatDType, parameters[key]!.shape, guesses[key]!))),
      ]);
      return apply(b, Object.fromEntries(scaled) as Values, t, y);
    },
  };
}

/** The numbers that were learnt, in the units of the equation. */
const learntNumbers = (parameters: Tensors) =>
  Object.fromEntries(
    Object.entries(guesses).map(([key, guess]) => [
      key,
      numbers(parameters[key]!).map((p, i) => Math.exp(p) * guess[i]!),
    ]),
  );

function prepare({ protocol }: TaskContext): PreparedTask {
  const method = methodOf(protocol);
  const { stepSize, dtype, gradient } = protocol;
  const learnt = unknownField();
  const ode = neuralOde({ field: learnt, method, stepSize, dtype });
  const of = (count: number, seed: number) =>
    snapshotData(grayScottSolutions(count, trained, seed), { field: learnt, window, dtype });
  const training = of(counts.training, 1);
  const task = snapshotTask({ ode, interval, window, gradient, change: meanChange(training) });
  const exact = grayScottSolutions(counts.test, tested, 3);
  const times = exact[0]!.map((_, k) => k * interval);
  const starts = exact.map(([first]) => first!);
  const field = equation({
    rows: points,
    columns: points,
    spacing,
    boundary: "periodic",
    diffusion,
    feed,
    kill,
  });
  const known = neuralOde({ field, method, stepSize, dtype });

  const rolled = oncePerModel(({ runtime, parameters }) =>
    rolledOut(ode, { runtime, parameters }, starts, times),
  );
  const byEquation = ({ runtime }: TrainedTask) =>
    rolledOut(
      known,
      { runtime, parameters: initialParameters(field, Random.seeded(0), dtype) },
      starts,
      times,
    );
  return {
    task,
    training,
    validation: of(counts.validation, 2),
    test: of(counts.test, 3),
    files: ({ parameters }) => ({
      "field.onnx": encodeField(ode, parameters, { trainedOn: "gray-scott" }),
      "predict.onnx": encodePrediction(task.model, { parameters, dtype }),
    }),
    findings: async (found) => ({
      finerGrid: finerGrid(exact[0]!),
      learnt: learntNumbers(found.parameters),
      errors: {
        times,
        learnt: relativeErrors(await rolled(found), exact),
        equation: relativeErrors(await byEquation(found), exact),
      },
    }),
    charts: async (found) => ({ patterns: chartOf(times, exact[0]!, (await rolled(found))[0]!) }),
  };
}

type Solution = Snapshots[number];

/** How far a solution at t = 100 is from that on a grid twice as fine, at the points that both have: what the grid costs. */
function finerGrid(coarse: Solution): number {
  const at = 100 / interval;
  const fine = grayScottSolutions(1, at, 3, 2)[0]![at]!;
  const count = points * points;
  const common = Array.from({ length: 2 * count }, (_, k) => {
    const [row, column] = [Math.floor((k % count) / points), k % points];
    return fine[(k < count ? 0 : 4 * count) + 2 * row * 2 * points + 2 * column]!;
  });
  return relativeErrors([[coarse[at]!]], [[common]])[0]!;
}

/** v in the plane, of a solution and, below it, of what the learnt field makes of its start. */
function chartOf(times: readonly number[], exact: Solution, learnt: Solution): Chart {
  const edges = Array.from({ length: points + 1 }, (_, i) => (i - 0.5) * spacing);
  const shown = [0, 10, 20, 80];
  const panelsOf = (title: string, solution: Solution) =>
    shown.map(
      (k): Panel => ({
        ...{
          title: `${title}, t = ${times[k]}`,
          x: { title: "x" },
          y: { title: "y" },
          width: 150,
          height: 150,
        },
        layers: [
          {
            kind: "cells",
            name: "v",
            x: edges,
            y: edges,
            values: solution[k]!.slice(points * points),
          },
        ],
      }),
    );
  return {
    title: "Gray and Scott's equation, and what was learnt of it",
    columns: shown.length,
    panels: [...panelsOf("equation", exact), ...panelsOf("learnt", learnt)],
  };
}
