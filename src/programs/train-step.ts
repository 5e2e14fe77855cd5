import type { Values } from "../fields/field.js";
import { Builder } from "../graph/builder.js";
import type { Graph, Shape, Value } from "../graph/graph.js";
import { add } from "../ops/arithmetic.js";
import { loop } from "../ops/control.js";
import { zeros } from "../ops/linalg.js";
import { less, where } from "../ops/logic.js";
import { cast, shapeOf, unsqueeze } from "../ops/reshape.js";
import { scatterND } from "../ops/scatter.js";
import { gather } from "../ops/slicing.js";
import type { GraphGradient } from "./gradient.js";
import { type GridValues, gridInputs } from "./inputs.js";
import {
  batchesName,
  bestLossName,
  bestName,
  dataName,
  gradientNormName,
  learningRateName,
  lossName,
  nextName,
  parameterName,
  perUpdateNames,
  updateCountName,
  updatesName,
  y0Name,
} from "./names.js";
import { type ScheduleValues, scheduleInputs } from "./schedule.js";
import { type LossData, type LossSetting, type LossWatch, lossGradient, watchOutputs } from "./training.js";
import {
  memoryInputs,
  nextOutputs,
  type Trained,
  trainedInputs,
  type UpdateSetting,
  update,
} from "./update.js";

/** What a training step is made for: a solve, a loss, the way back, and an optimiser. */
export interface TrainStepSetting extends LossSetting, UpdateSetting {
  readonly gradient: GraphGradient;
  /** whether the initial states are trained as well */
  readonly trainY0: boolean;
  /** how many trajectories there are, where an update takes `state[0]` of them, named by their indices */
  readonly trajectories: number | null;
}

/** What a training step is held against: where trajectories start, where the solve steps, what was observed. */
interface StepData extends LossData {
  readonly grid: GridValues;
  readonly schedule: ScheduleValues | null;
  /** unless initial states are trained */
  readonly y0: Value | null;
}

/** Shapes of what is trained, by program names. */
export function trainedShapes({
  field,
  state,
  trainY0,
}: Pick<TrainStepSetting, "field" | "state" | "trainY0">) {
  const parameters = Object.entries(field.parameters).map(
    ([name, { shape }]) => [parameterName(name), shape as Shape] as const,
  );
  return Object.fromEntries([...parameters, ...(trainY0 ? [[y0Name, state as Shape] as const] : [])]);
}

/**
 * The graph of one whole training step: solve, loss, the way back, update. Everything trained, the optimiser's memory,
 * the learning rate, the number of the update (from 1), the data and the time grid go in; what is trained and the
 * memory and the number come out new, with the loss before the update and the norm of its gradient.
 *
 * @throws {GradientMethodError} if the method of the setting cannot be differentiated this way
 */
export function trainStepProgram(setting: TrainStepSetting): Graph {
  const b = new Builder();
  const before = trainingInputs(b, setting);
  const learningRate = b.input(learningRateName, setting.dtype, []);
  const count = b.input(updateCountName, setting.dtype, []);
  const data = dataInputs(b, setting);
  const which = setting.trajectories === null ? null : b.input(batchesName, "int64", [setting.state[0]!]);
  const { loss, norm, ...next } = trainStep(b, setting, before, taken(b, data, which), learningRate, count);
  return b.graph(
    {
      ...{ [lossName]: loss, [gradientNormName]: norm },
      ...watchOutputs(next),
      ...nextOutputs(next),
      [nextName(updateCountName)]: add(b, count, 1),
    },
    "trainStep",
  );
}

/**
 * The graph of as many training steps as there are learning rates, in a loop: the same as {@link trainStepProgram},
 * with a learning rate and a row of trajectories for each update, and a loss and a gradient norm of each.
 */
export function trainStepsProgram(setting: TrainStepSetting): Graph {
  const b = new Builder();
  const before = trainingInputs(b, setting);
  const rates = b.input(perUpdateNames.learningRates, setting.dtype, ["updates"]);
  const count = b.input(updateCountName, setting.dtype, []);
  const data = dataInputs(b, setting);
  const batches = batchesInput(b, setting, "updates");
  const trips = gather(b, shapeOf(b, rates), 0);
  const layout = layoutOf(before);
  const names = reportNames(setting);
  const { carried, scans } = loop(
    b,
    { trips, carried: layout.pack(before), length: "updates" },
    (inner, i, values) => {
      const which = batches && gather(inner, batches, i);
      const done = trainStep(
        inner,
        setting,
        layout.unpack(values),
        taken(inner, data, which),
        gather(inner, rates, i),
        add(inner, count, cast(inner, i, setting.dtype)),
      );
      const reports = reportsOf(done);
      return { carried: layout.pack(done), scans: names.map((name) => reports[name]!) };
    },
  );
  return b.graph(
    {
      ...Object.fromEntries(names.map((name, k) => [name, scans[k]!])),
      ...nextOutputs(layout.unpack(carried)),
      [nextName(updateCountName)]: add(b, count, cast(b, trips, setting.dtype)),
    },
    "trainSteps",
  );
}

/**
 * The same for a fit loop. How many updates to do, of `capacity` at most, is an input, so that a graph compiled once
 * serves any number; and what was trained when the loss was lowest is kept along with it.
 */
export function updatesProgram(setting: TrainStepSetting, capacity: number): Graph {
  const { dtype } = setting;
  const b = new Builder();
  const before = trainingInputs(b, setting);
  const best = trainedInputs(b, trainedShapes(setting), dtype, bestName);
  const bestLoss = b.input(bestLossName, dtype, []);
  const trips = b.input(updatesName, "int64", []);
  const rates = b.input(perUpdateNames.learningRates, dtype, [capacity]);
  const count = b.input(updateCountName, dtype, []);
  const data = dataInputs(b, setting);
  const batches = batchesInput(b, setting, capacity);
  const layout = layoutOf(before);
  const width = layout.pack(before).length;
  const reported = reportNames(setting);
  const nothing = zeros(b, dtype, [capacity]);
  const { carried } = loop(
    b,
    {
      trips,
      carried: [...layout.pack(before), ...Object.values(best), bestLoss, ...reported.map(() => nothing)],
      length: "updates",
    },
    (inner, i, values) => {
      const own = layout.unpack(values.slice(0, width));
      const [lowest, ...lists] = values.slice(-1 - reported.length) as [Value, ...Value[]];
      const which = batches && gather(inner, batches, i);
      const done = trainStep(
        inner,
        setting,
        own,
        taken(inner, data, which),
        gather(inner, rates, i),
        add(inner, count, cast(inner, i, dtype)),
      );
      const { loss } = done;
      const reports = reportsOf(done);
      const lower = less(inner, loss, lowest);
      const put = (list: Value, value: Value) =>
        scatterND(inner, list, unsqueeze(inner, i, [0, 1]), unsqueeze(inner, value, [0]));
      return {
        carried: [
          ...layout.pack(done),
          ...Object.values(own.trained).map((value, k) => where(inner, lower, value, values[width + k]!)),
          where(inner, lower, loss, lowest),
          ...lists.map((list, k) => put(list, reports[reported[k]!]!)),
        ],
      };
    },
  );
  const [lowest, ...lists] = carried.slice(-1 - reported.length);
  return b.graph(
    {
      ...Object.fromEntries(reported.map((name, k) => [name, lists[k]!])),
      ...nextOutputs(layout.unpack(carried.slice(0, width))),
      ...Object.fromEntries(
        Object.keys(best).map((name, k) => [nextName(bestName(name)), carried[width + k]!]),
      ),
      [nextName(bestLossName)]: lowest!,
    },
    "updates",
  );
}

/** What is reported of each update, where many are done in a run. */
function reportNames({ method, gradient }: TrainStepSetting): string[] {
  const undoes = gradient === "reversible" || gradient === "refresh";
  return [
    ...[perUpdateNames.losses, perUpdateNames.gradientNorms],
    ...(undoes ? [perUpdateNames.reconstructionErrors] : []),
    ...(method.companion === undefined ? [] : [perUpdateNames.drifts]),
  ];
}

function reportsOf({
  loss,
  norm,
  reconstructionError,
  drift,
}: DoneStep): Readonly<Record<string, Value | null>> {
  return {
    [perUpdateNames.losses]: loss,
    [perUpdateNames.gradientNorms]: norm,
    [perUpdateNames.reconstructionErrors]: reconstructionError,
    [perUpdateNames.drifts]: drift,
  };
}

interface DoneStep extends Trained, LossWatch {
  readonly loss: Value;
  readonly norm: Value;
}

/** One training step, inside a graph. */
function trainStep(
  b: Builder,
  setting: TrainStepSetting,
  { trained, memory }: Trained,
  { grid, schedule, y0, target, weight }: StepData,
  learningRate: Value,
  count: Value,
): DoneStep {
  const { field, gradient, trainY0 } = setting;
  const parameters = Object.fromEntries(
    Object.keys(field.parameters).map((name) => [name, trained[parameterName(name)]!]),
  );
  const inputs = { parameters, grid, y0: y0 ?? trained[y0Name]!, shares: null, schedule };
  const found = lossGradient(b, setting, gradient, inputs, { target, weight });
  const gradients: Values = {
    ...Object.fromEntries(
      Object.entries(found.parameters).map(([name, value]) => [parameterName(name), value]),
    ),
    ...(trainY0 ? { [y0Name]: found.y0 } : {}),
  };
  const next = update(b, setting, { trained, memory, gradients, learningRate, count });
  const { loss, drift, reconstructionError } = found;
  return { ...next, loss, drift, reconstructionError };
}

function trainingInputs(b: Builder, setting: TrainStepSetting): Trained {
  const shapes = trainedShapes(setting);
  return { trained: trainedInputs(b, shapes, setting.dtype), memory: memoryInputs(b, setting, shapes) };
}

/** Declares the data of all trajectories. */
function dataInputs(b: Builder, setting: TrainStepSetting): StepData {
  const { dtype, state, saves, weighted, gradient, trainY0, trajectories } = setting;
  const whole = trajectories === null ? state : [trajectories, ...state.slice(1)];
  return {
    y0: trainY0 ? null : b.input(y0Name, dtype, whole),
    grid: gridInputs(b, setting),
    schedule: scheduleInputs(b, setting, gradient, false),
    target: b.input(dataName("target"), dtype, [saves, ...whole]),
    weight: weighted ? b.input(dataName("weight"), dtype, [saves, ...whole]) : null,
  };
}

/** Declares which trajectories each update takes, where it does not take all of them. */
function batchesInput(
  b: Builder,
  { state, trajectories }: TrainStepSetting,
  updates: number | string,
): Value | null {
  return trajectories === null ? null : b.input(batchesName, "int64", [updates, state[0]!]);
}

/** The data of the trajectories that an update takes. */
function taken(b: Builder, data: StepData, which: Value | null): StepData {
  if (which === null) return data;
  return {
    ...data,
    y0: data.y0 && gather(b, data.y0, which),
    target: gather(b, data.target, which, 1),
    weight: data.weight && gather(b, data.weight, which, 1),
  };
}

function layoutOf({ trained, memory }: Trained) {
  const [names, parts] = [Object.keys(trained), Object.keys(memory)];
  return {
    pack: (values: Trained): Value[] => [
      ...names.map((name) => values.trained[name]!),
      ...parts.map((name) => values.memory[name]!),
    ],
    unpack: (values: readonly Value[]): Trained => ({
      trained: Object.fromEntries(names.map((name, i) => [name, values[i]!])),
      memory: Object.fromEntries(parts.map((name, i) => [name, values[names.length + i]!])),
    }),
  };
}
