import { RevortError } from "../core/errors.js";
import type { FloatDType } from "../core/tensor.js";

/** Where a solve stood when it failed. */
export interface SolvePosition {
  /** time up to which it got */
  readonly time: number;
  /** number of the step that failed, from 1 */
  readonly step: number;
  /** size of the step that failed, or the largest there is */
  readonly stepSize: number;
  /** root mean square of the last finite state, where it is known */
  readonly yNorm?: number | null;
  /** attempted steps that were accepted and rejected, where they were counted */
  readonly accepted?: number;
  readonly rejected?: number;
  /** which trajectory of the batch, where each has its own steps */
  readonly sample?: number | null;
}

/** A solve that did not get to its end. */
export abstract class SolveError extends RevortError {
  readonly time: number;
  readonly step: number;
  readonly stepSize: number;
  readonly yNorm: number | null;
  readonly accepted: number;
  readonly rejected: number;
  readonly sample: number | null;

  constructor(message: string, position: SolvePosition) {
    const { time, step, stepSize, yNorm = null, accepted = step - 1, rejected = 0, sample = null } = position;
    const of = sample === null ? "" : ` (trajectory ${sample} of the batch)`;
    super(`${message}${of}`);
    this.time = time;
    this.step = step;
    this.stepSize = stepSize;
    this.yNorm = yNorm;
    this.accepted = accepted;
    this.rejected = rejected;
    this.sample = sample;
  }
}

/** A solve that left the finite numbers. */
export class DivergenceError extends SolveError {
  constructor(position: SolvePosition, coupling: number | null = null) {
    super(
      `The solution is not finite after step ${position.step}, at t = ${position.time}. ` +
        `Reduce the step size (now ${position.stepSize}), check the initial state and the parameters` +
        (coupling === null
          ? "."
          : `, or, on a decaying problem, choose another coupling λ (now ${coupling}).`),
      position,
    );
  }
}

/** A field that is not finite at the initial state, or however small the step. */
export class NonFiniteFieldError extends SolveError {
  /** @param component  the first component of dy/dt that is not finite where the solve stands; `null` if all are */
  constructor(position: SolvePosition, component: number | null = null) {
    const { time, step } = position;
    const initial = step === 1;
    super(
      component === null
        ? `The field is not finite near t = ${time}, ${size(position)}, however small the step ` +
            `(${position.accepted} steps were taken, ${position.rejected} rejected). The solution may end there, or the ` +
            "state has left where the field is defined: check the initial state, the parameters, and the time span."
        : `The field is not finite at ${initial ? "the initial time " : ""}t${initial ? "0" : ""} = ${time}, ` +
            `${size(position)}: component ${component} of dy/dt is not a finite number there. Check the ` +
            `${initial ? "initial state, the initial time" : "time span"} and the parameters.`,
      position,
    );
  }
}

/** What keeps a step from being smaller. */
export interface StepLimit {
  readonly dtype: FloatDType;
  /** the distance of float numbers at the time where the step starts */
  readonly spacing: number;
  /** what the control allows */
  readonly dtmin: number;
  /** what is wrong with the tolerances, if they ask for too much */
  readonly tight: string | null;
}

/** A step that is rejected and cannot be made smaller. */
export class StepUnderflowError extends SolveError {
  constructor(position: SolvePosition, { dtype, spacing, dtmin, tight }: StepLimit) {
    const { time, step, accepted, rejected } = position;
    const asked = dtmin > spacing;
    const limit = asked
      ? `dtmin = ${dtmin} allows none that is smaller`
      : `one that is smaller would be lost in the spacing of ${dtype} times there, ${Number(spacing.toPrecision(3))}`;
    const larger = dtype === "float32" ? "use float64, " : "";
    super(
      `Step ${step} at t = ${time} is rejected at a size of ${Number(position.stepSize.toPrecision(3))}, and ${limit}; ` +
        `${size(position)}, ${accepted} steps accepted, ${rejected} rejected. The solution may be singular there; ` +
        `otherwise loosen rtol and atol, ${asked ? "lower dtmin, " : `${larger}count time from nearer to 0, `}` +
        `or list the times at which the field jumps.${tight === null ? "" : ` ${tight}`}`,
      position,
    );
  }
}

/** A solve that needs more steps than it may take. @param needed  how many, where that is known before the first */
export class MaxStepsError extends SolveError {
  constructor(position: SolvePosition, limit: number, end: number, why: string | null, needed?: number) {
    super(
      needed === undefined
        ? MaxStepsError.#after(position, limit, end, why)
        : MaxStepsError.#before(position, limit, end, needed),
      position,
    );
  }

  static #before({ time, stepSize }: SolvePosition, limit: number, end: number, needed: number): string {
    return (
      `From t = ${time} to ${end} there are ${needed} steps of ${stepSize}, but maxSteps allows ${limit}. Allow more, or take ` +
      "larger steps."
    );
  }

  static #after(position: SolvePosition, limit: number, end: number, why: string | null): string {
    return (
      `After ${limit} steps (${position.accepted} accepted, ${position.rejected} rejected) the solution is at ` +
      `t = ${position.time} of ${end}, with steps of ${position.stepSize} and ${size(position)}. ` +
      (why ??
        "Allow more with maxSteps, or loosen rtol and atol. If steps stay small where the solution is smooth, the problem " +
          "may be stiff, and no explicit method suits it.")
    );
  }
}

/** Two solutions of a coupled method that have drifted apart, where that was asked to be an error. */
export class DriftError extends SolveError {}

/** An event whose time cannot be found between the ends of the step in which it happens. */
export class EventBracketError extends SolveError {}

/** A solve that was told to stop. */
export class SolveAbortedError extends RevortError {
  constructor(time: number, end: number, cause: unknown) {
    super(`The solve was aborted at t = ${time} of ${end}.`, { cause });
  }
}

function size({ yNorm }: SolvePosition): string {
  return yNorm === undefined || yNorm === null
    ? "y of unknown size"
    : `‖y‖ = ${Number(yNorm.toPrecision(4))}`;
}
