import type { FloatDType } from "../core/tensor.js";
import { type BootstrapOptions, bootstrapIntervals, minimumOf } from "./bootstrap.js";
import { type Intervals, intervalsOf } from "./intervals.js";
import { leastSquares, type Residuals } from "./least-squares.js";

/** Least squares that named numbers are found by. */
export interface LeastSquaresProblem {
  /** the named numbers first, and what is estimated with them */
  readonly start: readonly number[];
  /** residuals and their Jacobian; `null` where there are none */
  readonly residuals: (x: readonly number[]) => Promise<Residuals | null>;
  /** of each residual, which of the `dim` components of the state it is of */
  readonly components: readonly number[];
  readonly dim: number;
  /** residuals that rounding alone leaves, as a root of their mean square ({@link roundingOf}) */
  readonly rounding: number;
}

/** Roundings that a solve and a residual are a few of. */
const roundings = 16;

/** What rounding leaves of residuals (y − value) / s where y is value to a few roundings. */
export function roundingOf(
  observed: readonly { readonly value: number; readonly s: number }[],
  dtype: FloatDType,
) {
  const epsilon = dtype === "float64" ? 2 ** -52 : 2 ** -23;
  const sum = observed.reduce((squares, { value, s }) => squares + (value / s) ** 2 / observed.length, 0);
  return roundings * epsilon * Math.sqrt(sum);
}

export interface EstimationOptions {
  /** of the first numbers */
  readonly names: readonly string[];
  readonly bounds?: Readonly<Record<string, { readonly low: number; readonly high: number }>>;
  /** what the residuals of each component are divided by; 1 by default */
  readonly scale?: readonly number[];
  /** whether to go to the minimum first, by Levenberg–Marquardt; otherwise the numbers are taken as they are */
  readonly refine: boolean;
  /** of the intervals; 0.95 by default */
  readonly level?: number;
  /** intervals by a bootstrap of the residuals; by the Gauss–Newton matrix without it */
  readonly bootstrap?: BootstrapOptions;
}

/** Numbers at the minimum of least squares, and what is known of the named ones. */
export interface Estimation extends Intervals {
  readonly x: readonly number[];
  /** mean square residual before and after the refinement */
  readonly before: number;
  readonly after: number;
  readonly iterations: number;
}

/** Goes to the minimum where that is wanted, and says how well the data determine the named numbers there. */
export async function estimation(
  { start, residuals, components, dim, rounding }: LeastSquaresProblem,
  { names, bounds, refine, bootstrap, ...given }: EstimationOptions,
): Promise<Estimation | null> {
  const own = names.map((name) => bounds?.[name] ?? { low: -Infinity, high: Infinity });
  const others = (value: number) => new Array<number>(start.length - names.length).fill(value);
  const low = [...own.map((bound) => bound.low), ...others(-Infinity)];
  const high = [...own.map((bound) => bound.high), ...others(Infinity)];
  const first = await residuals(start);
  if (first === null) return null;
  const minimum = await leastSquares(residuals, start, { low, high, maxIterations: refine ? 50 : 0 });
  if (minimum === null) return null;
  const { kept = null, seed = 0 } = bootstrap ?? {};
  const before = kept === null ? null : await minimumOf(kept, residuals, minimum, { names, seed });
  const found = before ?? minimum;
  const request = { ...given, names, low, high, components, dim };
  const count = found.residuals.length;
  const after = found.cost / count;
  const about = {
    ...{ x: found.x, after, iterations: found.iterations },
    before: first.residuals.reduce((sum, r) => sum + r * r, 0) / count,
  };
  if (Math.sqrt(after) <= rounding) return { ...withoutNoise(intervalsOf(found, request)), ...about };
  const intervals =
    bootstrap === undefined
      ? intervalsOf(found, request)
      : await bootstrapIntervals(residuals, found, request, { ...bootstrap, kept: before && kept });
  return { ...intervals, ...about };
}

/** What is known where nothing but rounding is left of the residuals; that the data determine the numbers is known all the same. */
function withoutNoise({ named, problem, remaining, ...rest }: Intervals): Intervals {
  // there are no intervals for another reason
  if (remaining === null) return { named, problem, remaining, ...rest };
  const bare = Object.entries(named).map(([name, { value }]) => [
    name,
    { value, standardError: null, interval: null },
  ]);
  return {
    ...rest,
    named: Object.fromEntries(bare),
    remaining: null,
    problem:
      "The equations fit the data to rounding: there is no noise that the width of intervals could be taken from. " +
      "The parameters are as good as the steps of the solver.",
  };
}
