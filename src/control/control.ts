import { RevortError } from "../core/errors.js";
import { checkOptions } from "../core/options.js";
import { leastNormal } from "../core/spacing.js";
import type { FloatDType } from "../core/tensor.js";

// How steps are chosen, as plain data. What the data mean to a graph is in controller.ts.

/** A step-size control that makes no sense: a tolerance or a limit that is not positive, a method it does not fit. */
export class ControlError extends RevortError {}

/** Steps of one size; a step that would pass a time that must be hit is cut short. */
export interface ConstantStep {
  readonly kind: "constant";
  /** positive, in the units of t */
  readonly stepSize: number;
}

/** Steps between given times. */
export interface GivenTimes {
  readonly kind: "times";
  /** monotone, from the initial time (which may be left out) to the last */
  readonly times: readonly number[];
}

/**
 * Steps by the error that the method estimates. With eₙ the scaled norm of the estimate of step n, and k its order, a
 * step is accepted if eₙ < 1, and the next one is longer by the factor
 *
 *   safety · eₙ^(−(p + i + d) / k) · eₙ₋₁^((p + 2 d) / k) · eₙ₋₂^(−d / k)    in [factorMin, factorMax]
 *
 * where steps that were rejected, or cut short to hit a time, do not count as past ones. It never grows after a
 * rejection, nor for the first accepted step after one.
 *
 * @see Hairer, Nørsett & Wanner, Solving Ordinary Differential Equations I, II.4
 * @see Söderlind 2003, "Digital filters in adaptive time-stepping"
 */
export interface Pid {
  readonly kind: "pid";
  /** tolerance relative to the larger of |y| at both ends of a step, per component */
  readonly rtol: number;
  /** absolute tolerance, per component */
  readonly atol: number;
  readonly p: number;
  readonly i: number;
  readonly d: number;
  readonly safety: number;
  readonly factorMin: number;
  readonly factorMax: number;
  /** size of the first step; `null` chooses it from the field */
  readonly dt0: number | null;
  /**
   * smallest step: if it is rejected, that is a StepUnderflowError; only to hit a time is a step smaller. What is left of
   * a step by the spacing of float numbers near t is a limit as well
   */
  readonly dtmin: number;
  /** largest step */
  readonly dtmax: number;
  /**
   * how far the two solutions of a coupled method may be apart, as a multiple of the tolerance; a step that would
   * part them further is rejected. `Infinity` does not look.
   */
  readonly driftTolerance: number;
}

export type Control = ConstantStep | GivenTimes | Pid;

/** Coefficients by the names that users type. */
export const controllers = {
  /** the textbook's */
  i: { p: 0, i: 1, d: 0 },
  /** smoother; exponents 0.7 and −0.4 over k (Gustafsson 1991; Hairer & Wanner II, IV.2) */
  pi: { p: 0.4, i: 0.3, d: 0 },
  /** exponents 0.64, −0.31 and 0.04 over k (Ranocha et al. 2022, "Optimized Runge–Kutta methods …") */
  pid: { p: 0.23, i: 0.37, d: 0.04 },
} as const;
export type ControllerName = keyof typeof controllers;

export type PidOptions = Partial<Omit<Pid, "kind">>;

const pidNames = {
  ...{ rtol: true, atol: true, p: true, i: true, d: true, safety: true, factorMin: true, factorMax: true },
  ...{ dt0: true, dtmin: true, dtmax: true, driftTolerance: true },
  // so that another control can be made of one: pid({ ...control, rtol })
  kind: true,
} satisfies Record<keyof Pid, true>;

/** How far y and z may be apart unless told otherwise, in tolerances. */
export const usualDriftTolerance = 10;

/** @throws {ControlError} unless the step size is positive */
export function constantStep(stepSize: number): ConstantStep {
  if (!(stepSize > 0 && stepSize < Number.POSITIVE_INFINITY)) {
    throw new ControlError(`The step size must be a positive number, but ${stepSize} was given.`);
  }
  return { kind: "constant", stepSize };
}

/** Steps between given times. */
export function givenTimes(times: readonly number[]): GivenTimes {
  return { kind: "times", times: [...times] };
}

/**
 * Steps by the estimated error; an integral controller unless told otherwise (see {@link controllers}).
 *
 * @throws {ControlError} for a tolerance or limit that is not positive
 * @throws {OptionError} for an option that there is not
 */
export function pid(options: PidOptions = {}): Pid {
  checkOptions("pid", options, pidNames, { tol: "say rtol and atol", maxSteps: "maxSteps belongs to solve" });
  const control: Pid = {
    kind: "pid",
    rtol: 1e-6,
    atol: 1e-6,
    ...controllers.i,
    safety: 0.9,
    factorMin: 0.2,
    factorMax: 10,
    dt0: null,
    dtmin: 0,
    dtmax: Number.POSITIVE_INFINITY,
    driftTolerance: usualDriftTolerance,
    ...options,
  };
  const { rtol, atol, safety, factorMin, factorMax, dt0, dtmin, dtmax, driftTolerance } = control;
  check(rtol >= 0 && atol >= 0 && rtol + atol > 0 && rtol + atol < Number.POSITIVE_INFINITY, () => [
    "The tolerances rtol and atol must not be negative, and one of them positive",
    `rtol ${rtol}, atol ${atol}`,
  ]);
  check(safety > 0 && safety <= 1, () => ["The safety factor must lie in (0, 1]", safety]);
  check(factorMin > 0 && factorMin < 1 && factorMax >= 1, () => [
    "A step must be allowed to shrink and not forbidden to stay, 0 < factorMin < 1 ≤ factorMax",
    `[${factorMin}, ${factorMax}]`,
  ]);
  check(dt0 === null || (dt0 > 0 && dt0 < Number.POSITIVE_INFINITY), () => [
    "The first step dt0 must be a positive number",
    dt0,
  ]);
  check(dtmin >= 0 && dtmin < Number.POSITIVE_INFINITY && dtmax > 0 && dtmin <= dtmax, () => [
    "The smallest and the largest step must be 0 ≤ dtmin ≤ dtmax, and dtmax positive",
    `dtmin ${dtmin}, dtmax ${dtmax}`,
  ]);
  check(dt0 === null || (dt0 >= dtmin && dt0 <= dtmax), () => [
    "The first step must lie between the smallest and the largest, dtmin ≤ dt0 ≤ dtmax",
    `dt0 ${dt0}, dtmin ${dtmin}, dtmax ${dtmax}`,
  ]);
  check(driftTolerance > 0, () => ["The tolerance of drift must be positive", driftTolerance]);
  check(
    [control.p, control.i, control.d].every(Number.isFinite) && control.p + control.i + control.d > 0,
    () => [
      "The coefficients p, i and d must be finite, and their sum positive",
      `${control.p}, ${control.i}, ${control.d}`,
    ],
  );
  return control;
}

/** The least step of a control that a dtype can have: one with all its digits, however near to 0. */
export function leastOf(control: Control, dtype: FloatDType): number {
  return Math.max(control.kind === "pid" ? control.dtmin : 0, leastNormal[dtype]);
}

function check(holds: boolean, complaint: () => [rule: string, given: unknown]): void {
  if (holds) return;
  const [rule, given] = complaint();
  throw new ControlError(`${rule}, but ${given} was given.`);
}
