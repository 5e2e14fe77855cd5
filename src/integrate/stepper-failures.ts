import { epsilon, spacingAt } from "../core/spacing.js";
import { type FloatDType, tensor } from "../core/tensor.js";
import type { Event } from "../events/event.js";
import { dependsOnTime } from "../fields/time-dependence.js";
import type { Method } from "../methods/method.js";
import { type AdaptiveSetting, timeShape } from "../programs/adaptive-setting.js";
import type { DeviceTensors, Runtime } from "../runtime/runtime.js";
import type { Row } from "./dense-solution.js";
import {
  DivergenceError,
  DriftError,
  EventBracketError,
  NonFiniteFieldError,
  type SolvePosition,
  StepUnderflowError,
} from "./failures.js";
import { firstNonFinite } from "./field-value.js";
import { tightness } from "./tightness.js";

/** A track whose last attempt was rejected for good. */
export interface Failed {
  readonly track: number;
  readonly position: SolvePosition;
  /** of the time where it stands */
  readonly count: number;
  /** the time that it was going to */
  readonly target: number;
  /** the step that was to be tried next, signed */
  readonly h: number;
  /** the scaled norm of the error; `null` where none is estimated */
  readonly norm: number | null;
  /** where all tracks stand */
  readonly times: readonly number[];
  readonly y: Row;
  readonly parameters: DeviceTensors;
}

/** Why it was. */
export async function failureOf(
  runtime: Runtime,
  setting: AdaptiveSetting,
  { track, position, count, target, h, norm, times, y, parameters }: Failed,
): Promise<Error> {
  const { field, method, dtype, state, control } = setting;
  const left = Math.abs(target - position.time);
  // the norm is infinite where an error is finite, and held against next to nothing
  if (norm === null || Number.isNaN(norm)) {
    const t = tensor(dtype, timeShape(setting), times);
    const component = await firstNonFinite(runtime, field, dtype, { t, y, state, parameters, track });
    if (norm !== null || (component !== null && position.accepted === 0)) {
      return new NonFiniteFieldError(position, component);
    }
    const time = Math.abs(h) < left ? position.time + h : target;
    return new DivergenceError({ ...position, time }, method.coupling);
  }
  const tight = tightness(control, dtype, position.yNorm ?? 0);
  if (norm < 1)
    return partingError(method, position, tight ?? lostInRounding(method, dtype, control, position));
  const heeded = dependsOnTime(field, dtype, state, timeShape(setting));
  return new StepUnderflowError(
    { ...position, stepSize: Math.min(position.stepSize, left) },
    {
      dtype,
      spacing: Math.max(spacingAt(dtype, count), heeded ? spacingAt(dtype, position.time) : 0),
      dtmin: control.kind === "pid" ? control.dtmin : 0,
      tight,
    },
  );
}

/** An event that is there, but not to be found. */
export function bracketError(
  position: SolvePosition,
  { name = "event" }: Event,
  width: number,
  tolerance: number,
) {
  return new EventBracketError(
    `The ${name} after t = ${position.time} could be bracketed only within ${width}, not ${tolerance}: its signal is ` +
      "not finite there, or jumps back and forth. Give a signal that is continuous in t and y, or allow a larger " +
      "eventTolerance.",
    position,
  );
}

/**
 * What is said where rounding hides how the two solutions come nearer: near the limit of drift D, each step has to bring
 * them nearer by (1 − λ) / 2 · D (rtol |y| + atol), which must not be less than ε |y|. `null` if it is not.
 */
function lostInRounding(
  { coupling }: Method,
  dtype: FloatDType,
  control: AdaptiveSetting["control"],
  { yNorm }: SolvePosition,
): string | null {
  if (control.kind !== "pid" || coupling === null || typeof yNorm !== "number") return null;
  const { rtol, atol, driftTolerance } = control;
  const nearer = ((1 - coupling) / 2) * driftTolerance * (rtol * yNorm + atol);
  if (!(nearer < epsilon[dtype] * yNorm)) return null;
  return (
    `What λ = ${coupling} brings them nearer in a step is below the rounding of ${dtype} at these tolerances: loosen them, ` +
    `${dtype === "float32" ? "solve in float64, " : ""}take a smaller λ (coupling "auto" chooses one), or the plain method.`
  );
}

/** The error estimate is content, but the two solutions part however small the step. */
function partingError(method: Method, position: SolvePosition, tight: string | null): DriftError {
  return new DriftError(
    `The two solutions of the method "${method.name}" drift apart at t = ${position.time}, however small the step ` +
      `(${position.accepted} steps accepted, ${position.rejected} rejected). ${tight ?? adviceAgainstDrift(method)}`,
    position,
  );
}

/** What to do where the two solutions of a method part. */
export function adviceAgainstDrift({ coupling }: Method): string {
  return coupling === null || coupling === 1
    ? "The method does not damp, and the problem is dissipative: take a coupled method with λ below 1, or a plain one."
    : `A coupled method with λ = ${coupling} follows a part of the solution that decays as e^(−a t) only with steps ` +
        `below −ln λ / a = ${Number((-Math.log(coupling)).toPrecision(3))} / a: take a smaller λ (coupling "auto" chooses ` +
        "one), allow more steps with maxSteps, or take the plain method with another gradient.";
}
