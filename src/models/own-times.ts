import type { AdjointSpec } from "../chains/adjoints.js";
import { runChain } from "../chains/run-chain.js";
import { checkOptions } from "../core/options.js";
import type { Values, VectorField } from "../fields/field.js";
import { argumentName, isRecordField } from "../fields/record-field.js";
import type { GradientRequest } from "../gradients/method.js";
import type { Builder } from "../graph/builder.js";
import { showType, type Value } from "../graph/graph.js";
import { type NeuralOde, neuralOde } from "../integrate/neural-ode.js";
import type { SolvesInTraining } from "../nn/layer.js";
import { add, mul, sub } from "../ops/arithmetic.js";
import { transpose, unsqueeze } from "../ops/reshape.js";
import { slice } from "../ops/slice.js";
import { concat, gather } from "../ops/slicing.js";
import { TimeError } from "../programs/grid.js";
import { perTrajectory } from "../programs/per-trajectory.js";
import { odeSolve } from "./ode-solve.js";

const [durationName, startName] = ["duration", "start"].map(argumentName) as [string, string];

export interface OdeOverOptions {
  /** θ of the field by name */
  readonly theta: Values;
  /** state at the start, [batch, dim] */
  readonly y0: Value;
  /** Δ, how far each sample is solved, [batch, 1]; negative for backwards */
  readonly duration: Value;
  /** where each sample starts, [batch, 1]; 0 by default */
  readonly start?: Value;
  readonly gradient?: GradientRequest;
  /** as in {@link odeSolve} */
  readonly training?: SolvesInTraining | null;
}

const overNames = {
  ...{ theta: true, y0: true, duration: true, start: true, gradient: true, training: true },
} satisfies Record<keyof OdeOverOptions, true>;

const elsewhere = {
  ...{ t1: "say duration", saveAt: "say times", stepSize: "it belongs to neuralOde" },
};

/**
 * A solve of dy/dt = f(t, y; θ) over a time of each sample's own, as a part of a model: y(start + Δ) from y(start),
 * [batch, dim]. It is solved in s from 0 to 1, with t = start + s Δ:
 *
 *   dy/ds = Δ f(start + s Δ, y; θ)
 *
 * so the step size of the equation is **a share of the time of each sample**: 0.25 is four steps, however long they are.
 * The durations and starts are differentiated, too.
 *
 * @throws {TimeError} for durations or starts that are not [batch, 1]
 * @throws {OptionError} for an option that there is not
 * @throws as odeSolve does
 */
export function odeOver(b: Builder, ode: NeuralOde, options: OdeOverOptions): Value {
  checkOptions("odeOver", options, overNames, elsewhere);
  const { theta, y0, duration, start, gradient = "auto", training = null } = options;
  for (const [name, value] of Object.entries({ duration, start })) {
    if (value === undefined || (value.shape.length === 2 && value.shape[1] === 1)) continue;
    throw new TimeError(
      `The ${name} of each sample of "${ode.field.name}" must be [batch, 1], but ${showType(value)} was given.`,
    );
  }
  const from = start === undefined ? {} : { [startName]: start };
  const inUnits = neuralOde({
    field: overDurations(ode, y0.shape as readonly number[]),
    ...{ method: ode.method, stepSize: ode.stepSize, dtype: ode.dtype },
  });
  const values = { ...theta, ...from, [durationName]: duration };
  const own = { theta: values, y0, t0: 0, times: [1], gradient, training };
  return gather(b, odeSolve(b, inUnits, own), 0);
}

/** Δ f(start + s Δ, y; θ), which reads durations and starts beside its parameters. */
function overDurations({ field, dtype }: NeuralOde, state: readonly number[]): VectorField {
  if (isRecordField(field)) {
    throw new TimeError(
      `The field "${field.name}" has a record of arrays, but times of each sample's own are for fields on [batch, dim].`,
    );
  }
  return {
    name: `${field.name} over times of each sample`,
    state: field.state,
    parameters: field.parameters,
    apply(b, theta, s, y) {
      const { [durationName]: duration, [startName]: start, ...own } = theta;
      const along = mul(b, s, duration!);
      const t = start === undefined ? along : add(b, start, along);
      // of a batch whose size is open nothing else is known than that fields take times of rows
      const each = typeof state[0] === "number" ? perTrajectory(field, dtype, state) : field;
      return mul(b, duration!, each.apply(b, own, t, y));
    },
  };
}

export interface OdeAtOwnTimesOptions {
  readonly theta: Values;
  /** state at t0, [batch, dim] */
  readonly y0: Value;
  /** 0 by default */
  readonly t0?: number;
  /** of the states that come out: [batch, times], ascending in each sample */
  readonly times: Value;
  /** of the solve from one time to the next */
  readonly gradient?: GradientRequest;
  /** of the states at the times: "direct" by default, which stores them */
  readonly adjoint?: AdjointSpec;
  /** as in {@link odeSolve}, for the solves from one time to the next */
  readonly training?: SolvesInTraining | null;
}

const atNames = {
  ...{ theta: true, y0: true, t0: true, times: true, gradient: true, adjoint: true, training: true },
} satisfies Record<keyof OdeAtOwnTimesOptions, true>;

/**
 * A solve of dy/dt = f(t, y; θ) with times of each sample's own, as a part of a model: states [batch, times, dim]. It goes
 * from one time to the next by {@link odeOver}, so the step size of the equation is a share of each of these.
 *
 * @throws {TimeError} for times that are not [batch, times]
 * @throws {OptionError} for an option that there is not
 * @throws as odeSolve does
 */
export function odeAtOwnTimes(b: Builder, ode: NeuralOde, options: OdeAtOwnTimesOptions): Value {
  checkOptions("odeAtOwnTimes", options, atNames, elsewhere);
  const { theta, y0, t0 = 0, times, gradient = "auto", adjoint = "direct", training = null } = options;
  const count = times.shape[1];
  if (times.shape.length !== 2 || typeof count !== "number") {
    throw new TimeError(
      `The times of "${ode.field.name}" must be [batch, times], but ${showType(times)} were given.`,
    );
  }
  const first = slice(b, times, 1, 0, 1);
  const starts = concat(b, [add(b, sub(b, first, first), t0), slice(b, times, 1, 0, count - 1)], 1);
  const byTime = (x: Value) => unsqueeze(b, transpose(b, x, [1, 0]), [2]);
  const { saved } = runChain(
    b,
    {
      name: `${ode.field.name} at times of each sample`,
      step: (inner, link: { shared: Values; row: { start: Value; duration: Value } }, y: Value) =>
        odeOver(inner, ode, { theta: link.shared, y0: y, ...link.row, gradient, training }),
    },
    {
      start: y0,
      shared: theta,
      rows: { start: byTime(starts), duration: byTime(sub(b, times, starts)) },
      steps: count,
    },
    { adjoint, save: "every" },
  );
  return transpose(b, saved[0]!, [1, 0, 2]);
}
