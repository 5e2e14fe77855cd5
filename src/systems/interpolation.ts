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

/** The polynomials through values that are all there; a `rectilinear` path is linear between more knots. */
export const through = { hermite, linear } as const;

/** The numbers of the times at which there is a value. @throws {PathError} where there is none */
export function knownIn(x: readonly number[], what: string): number[] {
  const known = x.map((_, k) => k).filter((k) => !Number.isNaN(x[k]!));
  if (known.length === 0) throw new PathError(`${what} has no value at any time. Leave it out.`);
  return known;
}

/** Each value goes on until the next one, so that nothing later changes it. @throws {PathError} without a first one */
export function filledByLast(x: readonly number[], [first]: readonly number[], what: string): number[] {
  if (first! > 0) {
    throw new PathError(
      `${what} has no value at the first time, and a rectilinear path does not wait for a later one. Give it one, 0 or a mean.`,
    );
  }
  let latest = x[0]!;
  return x.map((value) => {
    if (!Number.isNaN(value)) latest = value;
    return latest;
  });
}

/** What is missing lies on a line between the values around it; before the first and after the last one, it is that. */
export function filledLinearly(
  t: readonly number[],
  x: readonly number[],
  known: readonly number[],
): number[] {
  if (known.length === x.length) return [...x];
  let place = 0;
  return x.map((_, k) => {
    if (k >= known[place + 1]!) place += 1;
    const [before, after] = [known[place]!, known[place + 1]];
    if (k <= before || after === undefined) return x[before]!;
    return x[before]! + (t[k]! - t[before]!) * ((x[after]! - x[before]!) / (t[after]! - t[before]!));
  });
}

/**
 * The natural spline through the values that are there, on all intervals. Before the first one and after the last it goes through
 * these at each time, so that it soon comes to rest.
 */
export function naturalThrough(
  t: readonly number[],
  x: readonly number[],
  known: readonly number[],
): Cubic[] {
  const [first, last] = [known[0]!, known.at(-1)!];
  const at = t.map((_, k) => k).filter((k) => k < first || k > last || !Number.isNaN(x[k]!));
  const cubics = natural(
    at.map((k) => t[k]!),
    at.map((k) => x[Math.min(Math.max(k, first), last)]!),
  );
  let piece = 0;
  return t.slice(0, -1).map((time, k) => {
    if (k >= at[piece + 1]!) piece += 1;
    const [a, b, c, d] = cubics[piece]!;
    const tau = time - t[at[piece]!]!;
    return [a + tau * (b + tau * (c + tau * d)), b + tau * (2 * c + 3 * d * tau), c + 3 * d * tau, d];
  });
}
