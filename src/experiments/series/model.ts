import type { AdjointSpec } from "../../chains/adjoints.js";
import { type FloatDType, tensor } from "../../core/tensor.js";
import type { Parameter, VectorField } from "../../fields/field.js";
import type { Builder } from "../../graph/builder.js";
import type { Value } from "../../graph/graph.js";
import { type Loss, scaledLoss } from "../../learning/losses.js";
import type { Method } from "../../methods/method.js";
import { defineModel, type Model, type SampleTypes } from "../../models/model.js";
import { type OwnSteps, odeOnOwnSteps } from "../../models/own-steps.js";
import { type AnyTask, defineTask } from "../../models/task.js";
import type { SolvesInTraining } from "../../nn/layer.js";
import { add, div, mul, sub } from "../../ops/arithmetic.js";
import { expandTo, reduceSum } from "../../ops/broadcast.js";
import { transpose, unsqueeze } from "../../ops/reshape.js";
import { slice } from "../../ops/slice.js";
import { concat, gather } from "../../ops/slicing.js";
import { perTrajectory } from "../../programs/per-trajectory.js";
import type { Scale } from "./series-set.js";

/** Between which values a number stays; `null` where there is no end. */
interface Bounds {
  readonly low: number | null;
  readonly high: number | null;
}

/** What trajectories are fitted by. */
export interface SeriesModel {
  readonly name: string;
  readonly field: VectorField;
  readonly method: Method;
  readonly adjoint: AdjointSpec;
  readonly dtype: FloatDType;
  readonly loss: Loss;
  /** of each observed component, which come first in a state */
  readonly scales: readonly Scale[];
  /** components that were not observed */
  readonly hidden: number;
  /**
   * Typical sizes of hidden components where their initial values are each trajectory's own, as with equations; missing
   * where they start alike in all, in units of order one.
   */
  readonly ownHidden?: readonly number[];
  /** of hidden components by their names: the bounds that their initial values stay within */
  readonly hiddenStarts?: Readonly<Record<string, Bounds>>;
  /** whether first observations are exact, so that of initial states hidden components alone are trained */
  readonly exactFirst?: boolean;
  readonly inputs: number;
  /** trajectories whose initial states are trained, by what is added to their first observations; 0 for none */
  readonly starts: number;
  /** what is added before training, in deviations, [starts · components]; 0 by default */
  readonly startChange?: readonly number[];
}

/** What is trained beside the field. */
export const startNames = {
  hidden: "start.hidden",
  change: "start.change",
  windows: "start.windows",
} as const;

const zeros = (shape: readonly number[]): Parameter => ({
  shape,
  initial: () => new Float64Array(shape.reduce((p, d) => p * d, 1)),
});

/** Samples of a model that solves so many steps. */
export function sampleTypes({ scales, inputs }: Pick<SeriesModel, "scales" | "inputs">, steps: number) {
  const drive = { drive: { shape: [steps, inputs] }, drift: { shape: [steps, inputs] } };
  const given: SampleTypes = {
    ...{ t0: { shape: [steps] }, h: { shape: [steps] } },
    ...(inputs === 0 ? {} : drive),
  };
  const observed = { shape: [steps, scales.length] };
  return { given, targets: { target: observed, weight: observed } satisfies SampleTypes };
}

/**
 * Trajectories from their first observations on: y0 is what was observed there, with hidden components that are the same for
 * all or each trajectory's own, and, where initial states are trained, a change of each trajectory's own in standard deviations. States come out after
 * each step, [batch, steps, components].
 */
export function trajectoryModel(setting: SeriesModel, steps: number): Model {
  const { name, field, scales, hidden, ownHidden, starts, dtype } = setting;
  const dim = scales.length + hidden;
  return defineModel({
    name,
    parameters: {
      ...field.parameters,
      ...(hidden === 0 || ownHidden ? {} : { [startNames.hidden]: zeros([hidden]) }),
      ...(starts === 0
        ? {}
        : {
            [startNames.change]: {
              shape: [starts, dim],
              initial: () => setting.startChange ?? new Float64Array(starts * dim),
            },
          }),
    },
    inputs: {
      ...sampleTypes(setting, steps).given,
      first: { shape: [scales.length] },
      trajectory: { shape: [], type: "int64" },
    } as SampleTypes,
    apply(b, theta, inputs, training) {
      const { first, trajectory } = inputs as Record<string, Value>;
      const common = () =>
        theta[startNames.hidden] ?? b.constant(tensor(dtype, [hidden], Array(hidden).fill(0)));
      const known = hidden === 0 ? first! : withHidden(b, first!, common());
      const change = starts === 0 ? null : gather(b, theta[startNames.change]!, trajectory!);
      const units = b.constant(tensor(dtype, [dim], changeUnits(setting)));
      const y0 = change === null ? known : add(b, known, mul(b, change, units));
      return { states: statesOf(b, setting, theta, y0, inputs as Record<string, Value>, training) };
    },
  }) as unknown as Model;
}

/** The loss of trajectories: of observed components, in standard deviations of each. */
export function trajectoryTask(setting: SeriesModel, steps: number): AnyTask {
  const { targets } = sampleTypes(setting, steps);
  return defineTask({
    model: trajectoryModel(setting, steps),
    targets,
    loss: (b, { outputs, targets: { target, weight } }) =>
      scaled(setting).apply(b, observedOf(b, outputs.states!, setting), target, weight),
    weigh: (b, data) => reduceSum(b, (data as Record<string, Value>).weight!),
  }) as AnyTask;
}

/**
 * Windows of trajectories from initial states of their own, all of which are trained (multiple shooting). Where one window
 * ends, the next begins: the loss has ρ times the mean square distance of the two.
 *
 * @see Bock & Plitt 1984, "A multiple shooting algorithm for direct solution of optimal control problems"
 */
export function windowTask(
  setting: SeriesModel,
  {
    steps,
    windows,
    continuity,
    initial,
  }: {
    readonly steps: number;
    readonly windows: number;
    readonly continuity: number;
    /** states at which windows start, in standard deviations from the mean, [windows · components] */
    readonly initial: readonly number[];
  },
): AnyTask {
  const { name, field, scales, hidden } = setting;
  const dim = scales.length + hidden;
  const { given, targets } = sampleTypes(setting, steps);
  const model = defineModel({
    name: `windows of ${name}`,
    parameters: {
      ...field.parameters,
      [startNames.windows]: { shape: [windows, dim], initial: () => initial },
    },
    inputs: {
      ...given,
      window: { shape: [], type: "int64" },
      next: { shape: [], type: "int64" },
      linked: { shape: [1] },
    } as SampleTypes,
    apply(b, theta, inputs, training) {
      const { window, next } = inputs as Record<string, Value>;
      const table = theta[startNames.windows]!;
      const unit = (value: Value) => add(b, mul(b, value, deviations(b, setting)), means(b, setting));
      const y0 = unit(gather(b, table, window!));
      return {
        states: statesOf(b, setting, theta, y0, inputs as Record<string, Value>, training),
        following: gather(b, table, next!),
      };
    },
  });
  return defineTask({
    model,
    targets,
    loss(b, { outputs, inputs, targets: { target, weight } }) {
      const { states, following } = outputs as Record<string, Value>;
      const data = scaled(setting).apply(b, observedOf(b, states!, setting), target, weight);
      const last = gather(b, states!, steps - 1, 1);
      const end = div(b, sub(b, last, means(b, setting)), deviations(b, setting));
      const gap = sub(b, end, following!);
      const { linked } = inputs as unknown as Record<string, Value>;
      const apart = reduceSum(b, mul(b, mul(b, gap, gap), linked!));
      const batch = (linked!.shape[0] as number) * dim;
      return add(b, data, mul(b, apart, continuity / batch));
    },
  }) as unknown as AnyTask;
}

/** States after each step from initial ones on, [batch, steps, components]. */
export function statesOf(
  b: Builder,
  { field, method, adjoint, dtype }: SeriesModel,
  theta: Readonly<Record<string, Value>>,
  y0: Value,
  inputs: Record<string, Value>,
  training: SolvesInTraining | null = null,
): Value {
  // a driven field reads more than its parameters, and takes times of rows
  const own = inputs.drive === undefined ? perTrajectory(field, dtype, y0.shape as readonly number[]) : field;
  const states = odeOnOwnSteps(
    b,
    { field: own, method },
    { theta: fieldsOwn(field, theta), y0, steps: stepsIn(b, inputs), adjoint, training },
  );
  return transpose(b, states, [1, 0, 2]);
}

const fieldsOwn = ({ parameters }: VectorField, theta: Readonly<Record<string, Value>>) =>
  Object.fromEntries(Object.keys(parameters).map((name) => [name, theta[name]!]));

function stepsIn(b: Builder, { t0, h, drive, drift }: Record<string, Value>): OwnSteps {
  const column = (value: Value) => unsqueeze(b, transpose(b, value, [1, 0]), [2]);
  const rows = (value: Value) => transpose(b, value, [1, 0, 2]);
  return {
    ...{ t0: column(t0!), h: column(h!) },
    drive: drive === undefined ? null : { start: rows(drive), slope: rows(drift!) },
  };
}

function withHidden(b: Builder, first: Value, hidden: Value): Value {
  const rows = expandTo(b, hidden, mul(b, slice(b, first, 1, 0, 1), hidden));
  return concat(b, [first, rows], 1);
}

function observedOf(b: Builder, states: Value, { scales }: SeriesModel): Value {
  return states.shape.at(-1) === scales.length ? states : slice(b, states, 2, 0, scales.length);
}

function scaled({ loss, scales }: SeriesModel): Loss {
  return scaledLoss(
    loss,
    scales.map(({ deviation }) => deviation),
  );
}

/** s of each component; hidden ones are of order one unless more is known. */
function deviations(b: Builder, setting: SeriesModel): Value {
  const { scales, hidden, dtype } = setting;
  return b.constant(tensor(dtype, [scales.length + hidden], unitsOf(setting)));
}

function unitsOf({ scales, hidden, ownHidden = Array<number>(hidden).fill(1) }: SeriesModel): number[] {
  return [...scales.map((s) => s.deviation), ...ownHidden];
}

/** In which units initial states are changed; 0 for components that are not. */
export function changeUnits(setting: SeriesModel): number[] {
  return unitsOf(setting).map((unit, j) => (setting.exactFirst && j < setting.scales.length ? 0 : unit));
}

function means(b: Builder, { scales, hidden, dtype }: SeriesModel): Value {
  return b.constant(
    tensor(dtype, [scales.length + hidden], [...scales.map((s) => s.mean), ...Array(hidden).fill(0)]),
  );
}
