import { inverseOf } from "../learning/linear-systems.js";
import { studentQuantile } from "../learning/student.js";
import { type LeastSquaresResult, normalMatrix } from "./least-squares.js";

/** What is known of one parameter. */
export interface ParameterEstimate {
  readonly value: number;
  readonly standardError: number | null;
  /** within which the truth lies with the probability asked for; `null` where that cannot be said */
  readonly interval: readonly [number, number] | null;
}

/** What is known of parameters, and of the noise about them. */
export interface Intervals {
  readonly named: Readonly<Record<string, ParameterEstimate>>;
  /** standard deviation of the noise of each component, in its unit; `null` for one that was not observed */
  readonly noise: readonly (number | null)[];
  /** how far one more step of Gauss–Newton would go at most, in standard errors */
  readonly remaining: number | null;
  /** why there are no intervals, or why not of all parameters; `null` if there are */
  readonly problem: string | null;
}

export interface IntervalRequest {
  /** of the first components of x; what follows them is estimated with them */
  readonly names: readonly string[];
  readonly low: readonly number[];
  readonly high: readonly number[];
  /** of each residual, which of the `dim` components of the state it is of */
  readonly components: readonly number[];
  readonly dim: number;
  /** what the residuals of each component were divided by; 1 by default */
  readonly scale?: readonly number[];
  /** 0.95 by default */
  readonly level?: number;
}

/**
 * Confidence intervals at a minimum of least squares, by the Gauss–Newton matrix: with the Jacobian J of the residuals and
 * H = JᵀJ,
 *
 *   cov θ = H⁻¹ (Σᵢ σᵢ² JᵢᵀJᵢ) H⁻¹,   σᵢ² = Σₖ rₖᵢ² / (nᵢ (1 − p/n)),
 *
 * where Jᵢ and nᵢ are those of component i, and θⱼ ± t(n − p) √cov θⱼⱼ, cut off at the bounds. This assumes that the
 * equations are right, that errors of measurement are independent, of mean 0 and of one size for each component, and that
 * the solution is nearly linear in the parameters within the intervals. All p components of x that no bound holds count as
 * estimated, initial states among them, but those that no residual depends on: of these the data say nothing.
 */
export function intervalsOf(found: LeastSquaresResult, request: IntervalRequest): Intervals {
  const { names, scale, level = 0.95, low, high, components, dim } = request;
  const { x, residuals, jacobian } = found;
  const { free, held, idle } = partsOf(found, request);
  const degrees = residuals.length - free.length;
  const own = Array.from({ length: dim }, (_, i) =>
    residuals.flatMap((r, k) => (components[k] === i ? [r] : [])),
  );
  const variance = own.map((values) =>
    degrees < 1 || values.length === 0
      ? null
      : values.reduce((sum, r) => sum + r * r, 0) / (values.length * (1 - free.length / residuals.length)),
  );
  const noise = variance.map((value, i) => (value === null ? null : Math.sqrt(value) * (scale?.[i] ?? 1)));
  const inverse = degrees < 1 ? null : inverseOf(normalMatrix({ jacobian: free.map((j) => jacobian[j]!) }));
  const without = (problem: string): Intervals => ({
    named: Object.fromEntries(
      names.map((name, j) => [name, { value: x[j]!, standardError: null, interval: null }]),
    ),
    ...{ noise, remaining: null, problem },
  });
  if (degrees < 1) {
    return without(
      `There are ${residuals.length} observations for ${free.length} parameters, so the noise cannot be told from them.`,
    );
  }
  if (inverse === null) {
    return without(
      "The data do not determine the parameters: some of them can change together without changing the fit. Fix one at " +
        "a known value, or write the equations with fewer.",
    );
  }
  const gain = free.map((_, a) =>
    residuals.map((__, k) => free.reduce((sum, j, c) => sum + inverse[a]![c]! * jacobian[j]![k]!, 0)),
  );
  const errors = gain.map((row) =>
    Math.sqrt(row.reduce((sum, g, k) => sum + g * g * variance[components[k]!]!, 0)),
  );
  const steps = gain.map((row) => row.reduce((sum, g, k) => sum - g * residuals[k]!, 0));
  const t = studentQuantile((1 + level) / 2, degrees);
  return {
    named: Object.fromEntries(
      names.map((name, j) => {
        const at = free.indexOf(j);
        if (at < 0) return [name, { value: x[j]!, standardError: null, interval: null }];
        const [value, error] = [x[j]!, errors[at]!];
        const interval = [
          Math.max(low[j]!, value - t * error),
          Math.min(high[j]!, value + t * error),
        ] as const;
        return [name, { value, standardError: error, interval }];
      }),
    ),
    noise,
    remaining: steps.reduce((most, step, a) => Math.max(most, Math.abs(step) / (errors[a]! || 1)), 0),
    problem:
      [...heldProblem(namesOf(held, request)), ...idleProblem(namesOf(idle, request))].join(" ") || null,
  };
}

/** Which components of x are estimated, which a bound holds, and which no residual depends on. */
export function partsOf(
  { x, jacobian }: Pick<LeastSquaresResult, "x" | "jacobian">,
  { low, high }: Pick<IntervalRequest, "low" | "high">,
): Readonly<Record<"free" | "held" | "idle", readonly number[]>> {
  const parts = { free: [] as number[], held: [] as number[], idle: [] as number[] };
  for (const [j, value] of x.entries()) {
    const isHeld = !(value > low[j]! && value < high[j]!);
    const isIdle = jacobian[j]!.every((slope) => slope === 0);
    parts[isHeld ? "held" : isIdle ? "idle" : "free"].push(j);
  }
  return parts;
}

/** Of components, the names of those that have one. */
export function namesOf(components: readonly number[], { names }: Pick<IntervalRequest, "names">): string[] {
  return names.filter((_, j) => components.includes(j));
}

function heldProblem(names: readonly string[]): string[] {
  if (names.length === 0) return [];
  return [
    `${names.join(" and ")} ended on a bound, where there is no interval; those of the others take it as known.`,
  ];
}

/** What is said of names that nothing is known of. */
export function idleProblem(names: readonly string[]): string[] {
  if (names.length === 0) return [];
  const said =
    names.length === 1
      ? "has no effect on what was observed: its value is"
      : "have no effect on what was observed: their values are";
  return [`${names.join(" and ")} ${said} that of the start, and nothing is known of it.`];
}
