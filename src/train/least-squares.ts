import { choleskyOf, solveWithCholesky } from "../learning/linear-systems.js";

/** Residuals r at a point, and their derivatives: `jacobian[j][i]` is ∂rᵢ / ∂xⱼ. */
export interface Residuals {
  readonly residuals: readonly number[];
  readonly jacobian: readonly (readonly number[])[];
}

export interface LeastSquaresOptions {
  readonly low?: readonly number[];
  readonly high?: readonly number[];
  /** 50 by default */
  readonly maxIterations?: number;
}

export interface LeastSquaresResult extends Residuals {
  readonly x: readonly number[];
  /** ‖r‖² */
  readonly cost: number;
  readonly iterations: number;
  /** whether it ended because nothing was to be gained any more */
  readonly converged: boolean;
}

/** A gain of ‖r‖², relative to it, that is none. */
const negligibleGain = 1e-10;
/** Damping past which steps are too short to gain anything. */
const largestDamping = 1e12;

/**
 * Least squares within bounds by Levenberg–Marquardt: min ‖r(x)‖², with steps
 *
 *   (JᵀJ + μ diag JᵀJ) δ = −Jᵀr
 *
 * in the components that no bound holds back; μ falls by 3 where a step lowers ‖r‖² and rises by 4 where it does not.
 *
 * @param at  residuals and Jacobian at a point; `null` where there are none, which counts as a step too far
 * @returns `null` if there are none at the start
 * @see Marquardt 1963, SIAM J. Appl. Math. 11, 431
 */
export async function leastSquares(
  at: (x: readonly number[]) => Promise<Residuals | null> | Residuals | null,
  start: readonly number[],
  {
    low = start.map(() => -Infinity),
    high = start.map(() => Infinity),
    maxIterations = 50,
  }: LeastSquaresOptions = {},
): Promise<LeastSquaresResult | null> {
  const within = (x: readonly number[]) => x.map((value, j) => Math.min(high[j]!, Math.max(low[j]!, value)));
  let x = within(start);
  let found = finite(await at(x));
  if (found === null) return null;
  let cost = squares(found.residuals);
  let damping = 1e-3;
  let iterations = 0;
  let converged = false;
  while (!converged && iterations < maxIterations && damping < largestDamping) {
    iterations++;
    const step = dampedStep(found, damping, (j, slope) => (slope > 0 ? x[j]! > low[j]! : x[j]! < high[j]!));
    const next = within(x.map((value, j) => value + (step?.[j] ?? 0)));
    const tried = step === null ? null : finite(await at(next));
    const gain = tried === null ? -1 : cost - squares(tried.residuals);
    if (gain >= 0 && tried !== null) {
      converged = gain <= negligibleGain * cost;
      [x, found, cost] = [next, tried, cost - gain];
      damping /= 3;
    } else damping *= 4;
  }
  return { x, ...found, cost, iterations, converged: converged || damping >= largestDamping };
}

/** The step in the components that may go on: `goesOn(j, slope)`, where ‖r‖² rises with xⱼ by `slope`. */
function dampedStep(
  { residuals, jacobian }: Residuals,
  damping: number,
  goesOn: (j: number, slope: number) => boolean,
): number[] | null {
  const slopes = jacobian.map((column) => dot(column, residuals));
  const free = slopes.flatMap((slope, j) => (slope !== 0 && goesOn(j, slope) ? [j] : []));
  const a = free.map((i) => free.map((j) => dot(jacobian[i]!, jacobian[j]!) * (i === j ? 1 + damping : 1)));
  const l = choleskyOf(a);
  if (l === null) return null;
  const moved = solveWithCholesky(
    l,
    free.map((j) => -slopes[j]!),
  );
  return jacobian.map((_, j) => moved[free.indexOf(j)] ?? 0);
}

function finite(found: Residuals | null): Residuals | null {
  const isFine =
    found?.residuals.every(Number.isFinite) &&
    found.jacobian.every((column) => column.every(Number.isFinite));
  return isFine ? found : null;
}

/** Jᵀ J of a Jacobian. */
export function normalMatrix({ jacobian }: Pick<Residuals, "jacobian">): number[][] {
  return jacobian.map((one) => jacobian.map((other) => dot(one, other)));
}

function squares(values: readonly number[]): number {
  return dot(values, values);
}

function dot(a: readonly number[], b: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
