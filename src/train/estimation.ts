import { type BootstrapOptions, bootstrapIntervals } from "./bootstrap.js";
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
  { start, residuals, components, dim }: LeastSquaresProblem,
  { names, bounds, refine, bootstrap, ...given }: EstimationOptions,
): Promise<Estimation | null> {
  const own = names.map((name) => bounds?.[name] ?? { low: -Infinity, high: Infinity });
  const others = (value: number) => new Array<number>(start.length - names.length).fill(value);
  const low = [...own.map((bound) => bound.low), ...others(-Infinity)];
  const high = [...own.map((bound) => bound.high), ...others(Infinity)];
  const first = await residuals(start);
  if (first === null) return null;
  const found = await leastSquares(residuals, start, { low, high, maxIterations: refine ? 50 : 0 });
  if (found === null) return null;
  const request = { ...given, names, low, high, components, dim };
  const intervals =
    bootstrap === undefined
      ? intervalsOf(found, request)
      : await bootstrapIntervals(residuals, found, request, bootstrap);
  const count = found.residuals.length;
  return {
    ...intervals,
    x: found.x,
    before: first.residuals.reduce((sum, r) => sum + r * r, 0) / count,
    after: found.cost / count,
    iterations: found.iterations,
  };
}
