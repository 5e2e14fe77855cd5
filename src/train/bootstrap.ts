import { Random } from "../core/random.js";
import { yieldToEventLoop } from "../runtime/yielding.js";
import {
  type IntervalRequest,
  type Intervals,
  idleProblem,
  intervalsOf,
  namesOf,
  partsOf,
} from "./intervals.js";
import { type LeastSquaresResult, leastSquares, type Residuals } from "./least-squares.js";

/** How a bootstrap is made. */
export interface BootstrapOptions {
  /** data sets that are drawn */
  readonly replicates: number;
  readonly seed: number;
  /** ends it with the replicates that there are */
  readonly signal?: AbortSignal;
  /** where an earlier one about the same minimum has come to ({@link minimumOf}) */
  readonly kept?: KeptBootstrap | null;
  /** called after each replicate; the next one waits for it */
  readonly onReplicate?: (done: number, kept: () => KeptBootstrap) => void | Promise<void>;
}

/** A bootstrap as far as it has come: what it takes to go on to the same bits, or to more replicates. */
export interface KeptBootstrap {
  readonly seed: number;
  /** of the numbers that have intervals */
  readonly names: readonly string[];
  /** the minimum about which data were drawn */
  readonly x: readonly number[];
  /** what each replicate has come to; `null` for one that came to no minimum */
  readonly replicates: readonly (readonly number[] | null)[];
}

/** Change of the cost, relative to it, up to which a minimum is the same. */
const sameMinimum = 1e-9;

/**
 * The minimum that an earlier bootstrap was about, if it is that of now: then its replicates are those of now. `null` for another
 * seed, other numbers, or a fit that has gone on.
 */
export async function minimumOf(
  kept: KeptBootstrap,
  at: (x: readonly number[]) => Promise<Residuals | null>,
  found: LeastSquaresResult,
  { names, seed }: { readonly names: readonly string[]; readonly seed: number },
): Promise<LeastSquaresResult | null> {
  if (kept.seed !== seed || kept.names.join("\n") !== names.join("\n") || kept.x.length !== found.x.length)
    return null;
  const there = await at(kept.x);
  if (there === null) return null;
  const cost = there.residuals.reduce((sum, r) => sum + r * r, 0);
  const isSame = Math.abs(cost - found.cost) <= sameMinimum * found.cost;
  return isSame ? { ...found, ...there, x: kept.x, cost } : null;
}

/** Fewer replicates than that have no percentiles of 2.5 %. */
const leastReplicates = 40;

/**
 * Confidence intervals at a minimum x̂ of least squares by a bootstrap of its residuals. The errors of each component i,
 *
 *   εₖ = (mean r̂ᵢ − r̂ₖ) / √(1 − p/n),
 *
 * are drawn anew with replacement and added to the fit; x is fitted to what comes of it, from x̂ on. Residuals of the drawn data are
 * r(x) − r̂ − ε*, so that nothing but r is needed. Intervals are percentiles of the fitted x, standard errors their deviations.
 *
 * Like intervals by the Gauss–Newton matrix these take the equations as right and errors as independent and of one size for each
 * component; other than those they do not take the solution as linear in the parameters, so that they need not be symmetric.
 *
 * @param at  residuals and Jacobian at a point; `null` where there are none
 * @see Efron & Tibshirani 1993, "An Introduction to the Bootstrap", sections 9.4 and 13.3
 */
export async function bootstrapIntervals(
  at: (x: readonly number[]) => Promise<Residuals | null>,
  found: LeastSquaresResult,
  request: IntervalRequest,
  { replicates, seed, signal, kept, onReplicate }: BootstrapOptions,
): Promise<Intervals> {
  const { names, low, high, level = 0.95 } = request;
  const plain = intervalsOf(found, request);
  // nothing is left over that could be drawn, or parameters that data do not determine would stay where they are
  if (plain.remaining === null) return plain;
  const rest = yieldToEventLoop();
  const random = Random.seeded(seed);
  const errors = errorsOf(found, request);
  const reached: (readonly number[] | null)[] = [];
  for (let done = 0; done < replicates && !signal?.aborted; done++) {
    const shift = found.residuals.map((residual, k) => {
      const own = errors[request.components[k]!]!;
      return residual + own[Math.floor(random.uniform(0, own.length))]!;
    });
    // drawn all the same, so that what follows is drawn as it was to be
    const known = kept?.replicates[done];
    if (known !== undefined) {
      reached.push(known);
      continue;
    }
    const fitted = await leastSquares(async (x) => shifted(await at(x), shift), found.x, { low, high });
    reached.push(fitted?.converged ? fitted.x.slice(0, names.length) : null);
    await onReplicate?.(done + 1, () => ({ seed, names, x: found.x, replicates: reached }));
    await rest(signal);
  }
  const drawn = reached.filter((x) => x !== null);
  const unfinished = reached.length - drawn.length;
  const { idle } = partsOf(found, request);
  const problems = [
    ...idleProblem(namesOf(idle, request)),
    ...(unfinished === 0
      ? []
      : [`${unfinished} of ${drawn.length + unfinished} replicates came to no minimum.`]),
    ...(drawn.length + unfinished < replicates
      ? [`The bootstrap was stopped after ${drawn.length + unfinished} of ${replicates} replicates.`]
      : []),
    ...(drawn.length < leastReplicates
      ? [
          `There are ${drawn.length} replicates, too few for intervals; ${leastReplicates} or more are needed.`,
        ]
      : []),
  ];
  return {
    ...plain,
    named: Object.fromEntries(
      names.map((name, j) => {
        const values = drawn.map((x) => x[j]!).sort((a, b) => a - b);
        const value = found.x[j]!;
        // what nothing depends on stays where it is in every replicate, which says nothing of it
        if (values.length < leastReplicates || idle.includes(j))
          return [name, { value, standardError: null, interval: null }];
        const interval = [quantile(values, (1 - level) / 2), quantile(values, (1 + level) / 2)] as const;
        return [name, { value, standardError: deviation(values), interval }];
      }),
    ),
    problem: problems.join(" ") || null,
  };
}

/** ε of each component. */
function errorsOf(found: LeastSquaresResult, request: IntervalRequest): number[][] {
  const { residuals } = found;
  const { components, dim } = request;
  const { free } = partsOf(found, request);
  const growth = 1 / Math.sqrt(1 - free.length / residuals.length);
  return Array.from({ length: dim }, (_, i) => {
    const own = residuals.filter((_, k) => components[k] === i);
    const mean = own.reduce((sum, r) => sum + r / own.length, 0);
    return own.map((r) => growth * (mean - r));
  });
}

function shifted(found: Residuals | null, shift: readonly number[]): Residuals | null {
  if (found === null) return null;
  return { ...found, residuals: found.residuals.map((residual, k) => residual - shift[k]!) };
}

/** Of n ascending values, of which the k-th has the share k/(n + 1) below it: linear between them. */
function quantile(values: readonly number[], p: number): number {
  const place = Math.min(values.length - 1, Math.max(0, p * (values.length + 1) - 1));
  const below = Math.floor(place);
  const above = Math.min(values.length - 1, below + 1);
  return values[below]! + (place - below) * (values[above]! - values[below]!);
}

function deviation(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value / values.length, 0);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}
