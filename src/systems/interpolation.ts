import { RevortError } from "../core/errors.js";
import { showValue } from "../core/options.js";

/** A control path that cannot be made of what was given. */
export class PathError extends RevortError {}

/**
 * How a path goes through observations:
 *
 * - `hermite`: cubic, with the slope of the step before at each knot (backward differences); once continuously differentiable,
 *   and causal where no value is missing
 * - `natural`: the natural cubic spline; not causal, twice continuously differentiable
 * - `linear`
 * - `rectilinear`: along time first, then to the new values; causal, also where values are missing
 *
 * @see Morrill et al. 2021, "Neural controlled differential equations for online prediction tasks"
 */
export type Interpolation = "hermite" | "natural" | "linear" | "rectilinear";

const interpolations: readonly Interpolation[] = ["hermite", "natural", "linear", "rectilinear"];

/** @throws {PathError} for a kind that there is not */
export function checkInterpolation(kind: string): void {
  if ((interpolations as readonly string[]).includes(kind)) return;
  throw new PathError(
    `There is no interpolation ${showValue(kind)}; there are ${interpolations.join(", ")}.`,
  );
}

/** The polynomial on one interval, a + b τ + c τ² + d τ³ with τ from its left knot. */
export type Cubic = readonly [a: number, b: number, c: number, d: number];

/** The polynomials through values at knots, one for each interval. @param x  no value is missing */
export type Through = (knots: readonly number[], x: readonly number[]) => Cubic[];

const linear: Through = (t, x) =>
  x.slice(1).map((next, k) => [x[k]!, (next - x[k]!) / (t[k + 1]! - t[k]!), 0, 0]);

/** In each interval, from the slope before it to its own. */
const hermite: Through = (t, x) => {
  const steps = linear(t, x);
  return steps.map(([a, own], k) => {
    const before = k === 0 ? own : steps[k - 1]![1];
    const h = t[k + 1]! - t[k]!;
    // X(t_k) = a, X(t_k+1) = x_k+1, X'(t_k) = before, X'(t_k+1) = own
    return [a, before, (2 * (own - before)) / h, (before - own) / h ** 2];
  });
};

/** The spline whose second derivative is continuous, and 0 at both ends. */
const natural: Through = (t, x) => {
  const slopes = linear(t, x).map(([, slope]) => slope);
  const h = slopes.map((_, k) => t[k + 1]! - t[k]!);
  const bends = tridiagonal(
    slopes.slice(1).map((_, k) => [h[k]!, 2 * (h[k]! + h[k + 1]!), h[k + 1]!] as const),
    slopes.slice(1).map((slope, k) => 6 * (slope - slopes[k]!)),
  );
  // second derivatives at the knots
  const m = [0, ...bends, 0];
  return slopes.map((slope, k) => [
    x[k]!,
    slope - (h[k]! * (2 * m[k]! + m[k + 1]!)) / 6,
    m[k]! / 2,
    (m[k + 1]! - m[k]!) / (6 * h[k]!),
  ]);
};

/** Solves a tridiagonal system by elimination, which needs no pivots where the diagonal dominates. */
function tridiagonal(
  rows: readonly (readonly [below: number, diagonal: number, above: number])[],
  right: readonly number[],
): number[] {
  const [above, value]: [number[], number[]] = [[], []];
  for (const [k, [below, diagonal, next]] of rows.entries()) {
    const pivot = k === 0 ? diagonal : diagonal - below * above[k - 1]!;
    above.push(next / pivot);
    value.push((right[k]! - (k === 0 ? 0 : below * value[k - 1]!)) / pivot);
  }
  for (let k = rows.length - 2; k >= 0; k--) value[k] = value[k]! - above[k]! * value[k + 1]!;
  return value;
}

/** The polynomials of each kind but `rectilinear`, which is linear between more knots. */
export const through = { hermite, natural, linear } as const;

/** Knots between which a path is cubic, and what it is made of. */
export interface KnotValues {
  readonly knots: readonly number[];
  /** one row of values for each channel */
  readonly channels: readonly (readonly number[])[];
}

/**
 * Missing values (NaN) filled in, channel by channel: `rectilinear` goes on with the last value, which nothing later can
 * change; the others interpolate, linearly or by their own spline, and go on with the first and the last one outside.
 *
 * @throws {PathError} for a channel without any value, or, where nothing later may count, without a first one
 */
export function filledIn(
  kind: Interpolation,
  t: readonly number[],
  x: readonly number[],
  what: string,
): number[] {
  const known = x.map((_, k) => k).filter((k) => !Number.isNaN(x[k]!));
  if (known.length === x.length) return [...x];
  if (known.length === 0) throw new PathError(`${what} has no value at any time. Leave it out.`);
  const [first, last] = [known[0]!, known.at(-1)!];
  if (kind === "rectilinear") {
    if (first > 0) {
      throw new PathError(
        `${what} has no value at the first time, and a rectilinear path does not wait for a later one. Give it one, 0 or a mean.`,
      );
    }
    let latest = x[first]!;
    return x.map((value) => {
      if (!Number.isNaN(value)) latest = value;
      return latest;
    });
  }
  const cubics =
    known.length < 2
      ? []
      : (kind === "natural" ? natural : linear)(
          known.map((k) => t[k]!),
          known.map((k) => x[k]!),
        );
  return x.map((value, k) => {
    if (!Number.isNaN(value)) return value;
    if (k < first) return x[first]!;
    if (k > last) return x[last]!;
    const i = known.findLastIndex((at) => at < k);
    const [a, b, c, d] = cubics[i]!;
    const tau = t[k]! - t[known[i]!]!;
    return a + tau * (b + tau * (c + tau * d));
  });
}
