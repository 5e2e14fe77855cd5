import { Random } from "../core/random.js";
import { encodeField } from "../deploy/field-file.js";
import { encodePrediction } from "../deploy/model-file.js";
import { convField } from "../fields/convolutional.js";
import { initialParameters, type VectorField } from "../fields/field.js";
import { beyondEnds } from "../fields/grid.js";
import { burgers as equation } from "../fields/partial-differential.js";
import { neuralOde } from "../integrate/neural-ode.js";
import { mul, sub } from "../ops/arithmetic.js";
import { slice } from "../ops/slice.js";
import type { Chart, Panel } from "../plot/chart.js";
import { coleHopf } from "./cole-hopf.js";
import { oncePerModel } from "./once-per-model.js";
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

const [viscosity, length, points] = [0.1, 2 * Math.PI, 32];
const [interval, window] = [0.1, 2];
/** snapshots after the first: to twice the time of a first shock, and beyond that for the test */
const [trained, tested] = [15, 30];
const counts = { training: 24, validation: 4, test: 8 };

/** A right-hand side on a coarse grid, learnt from exact solutions of Burgers' equation. */
export const burgers: TaskExperiment = {
  name: "burgers",
  about: "Burgers' equation on 32 points, its right-hand side learnt from exact solutions (Cole and Hopf)",
  data: null,
  protocol: {
    ...{ solver: "ees25", coupling: null, gradient: "reversible", stepSize: 0.025, dtype: "float32" },
    ...{ steps: 1000, batchSize: 32, optimiser: "adam", learningRate: 1e-2, weightDecay: 0 },
    ...{ clip: 1, validateEvery: 50 },
  },
  full: { stepSize: 0.0125, steps: 6000, batchSize: 64, learningRate: 3e-3 },
  prepare,
};

/** Solutions from random waves of lengths L, L/2 and L/3, at the times 0, 0.1, … */
export function burgersSolutions(count: number, snapshots: number, seed: number, on = points): Snapshots {
  const random = Random.seeded(seed);
  const times = Array.from({ length: snapshots + 1 }, (_, k) => k * interval);
  return Array.from({ length: count }, () => {
    const draw = () => [1, 2, 3].map((k) => (0.5 * random.normal()) / k);
    return coleHopf({ cosines: draw(), sines: draw() }, { viscosity, length }, times, on);
  });
}

/** u_t = −F_x with a flux F that convolutions make of u and its neighbours, so that the total of u is kept. */
function learntField(): VectorField {
  const flux = convField({
    ...{ channels: 1, grid: [points], hidden: [24, 24], kernel: 5, boundary: "periodic" },
  });
  return {
    ...flux,
    name: "burgers, learnt",
    apply(b, theta, t, u) {
      const out = flux.apply(b, theta, t, u);
      const wider = beyondEnds(b, out, { width: 1, boundary: "periodic", axes: [2] });
      return mul(b, sub(b, slice(b, wider, 2, 0, points), out), points / length);
    },
  };
}

function prepare({ protocol }: TaskContext): PreparedTask {
  const method = methodOf(protocol);
  const { stepSize, dtype, gradient } = protocol;
  const learnt = learntField();
  const ode = neuralOde({ field: learnt, method, stepSize, dtype });
  const of = (count: number, snapshots: number, seed: number) =>
    snapshotData(burgersSolutions(count, snapshots, seed), { field: learnt, window, dtype });
  const training = of(counts.training, trained, 1);
  const task = snapshotTask({ ode, interval, window, gradient, change: meanChange(training) });
  const exact = burgersSolutions(counts.test, tested, 3);
  /** By the trained field, and by the equation with central differences on the same points. */
  const rolled = oncePerModel(async ({ runtime, parameters }) => {
    const times = exact[0]!.map((_, k) => k * interval);
    const starts = exact.map(([first]) => first!);
    const field = equation({ points, spacing: length / points, boundary: "periodic", viscosity });
    const known = neuralOde({ field, method, stepSize, dtype });
    const theta = initialParameters(field, Random.seeded(0), dtype);
    return {
      learnt: await rolledOut(ode, { runtime, parameters }, starts, times),
      differences: await rolledOut(known, { runtime, parameters: theta }, starts, times),
    };
  });

  return {
    task,
    training,
    validation: of(counts.validation, trained, 2),
    test: of(counts.test, trained, 3),
    files: ({ parameters }) => ({
      "field.onnx": encodeField(ode, parameters, { trainedOn: "burgers" }),
      "predict.onnx": encodePrediction(task.model, { parameters, dtype }),
    }),
    findings: async (found) => ({ errors: await errorsOf(found) }),
    charts: async (found) => ({ solutions: await solutionChart(found) }),
  };

  async function errorsOf(found: TrainedTask) {
    const { learnt: own, differences } = await rolled(found);
    const [ofOwn, ofDifferences] = [relativeErrors(own, exact), relativeErrors(differences, exact)];
    return { times: ofOwn.map((_, k) => k * interval), learnt: ofOwn, differences: ofDifferences };
  }

  async function solutionChart(found: TrainedTask): Promise<Chart> {
    const { learnt: own, differences } = await rolled(found);
    const x = Array.from({ length: points }, (_, i) => (i * length) / points);
    const shown = [0, 10, 20, 30];
    const panels = [0, 1].flatMap((s) =>
      shown.map(
        (k): Panel => ({
          ...(s === 0 ? { title: `t = ${k * interval}` } : {}),
          ...{ x: { title: "x" }, y: { title: "u", domain: [-1.5, 1.5] }, width: 170, height: 130 },
          layers: [
            { kind: "line", name: "exact (Cole–Hopf)", color: "black", x, y: exact[s]![k]! },
            {
              kind: "line",
              name: "central differences",
              color: "vermillion",
              dashed: true,
              x,
              y: differences[s]![k]!,
            },
            { kind: "points", name: "learnt", color: "blue", x, y: own[s]![k]! },
          ],
        }),
      ),
    );
    return { title: "Burgers' equation on 32 points: two solutions of the test", columns: 4, panels };
  }
}
