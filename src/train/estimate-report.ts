import type { Estimation } from "./estimation.js";
import { changesLoss } from "./fit-check.js";

/** A named scalar in `train --json`. */
export interface ParameterReport {
  readonly value: number;
  readonly interval: readonly [number, number] | null;
  readonly standardError: number | null;
  readonly unit: string | null;
}

/** What `train --json` says of named scalars. */
export interface EstimateReport {
  readonly parameters: Readonly<Record<string, ParameterReport>>;
  readonly intervals: {
    readonly level: number;
    /** how they were found: by the Gauss–Newton matrix, or by a bootstrap of so many replicates */
    readonly method: "gauss-newton" | `bootstrap:${number}`;
    /** standard deviation of the errors of measurement, in the unit of each component; their root mean square where they were given */
    readonly noise: Readonly<Record<string, number | null>>;
    /** the components whose errors were given: those of the measurements are in proportion to these */
    readonly given?: readonly string[];
    /** why there are none, or what they leave out; `null` where there is nothing to say */
    readonly problem: string | null;
  };
  /** what Gauss–Newton made of the last update; `null` where it was not applied */
  readonly refinement: {
    readonly before: number;
    readonly after: number;
    readonly iterations: number;
  } | null;
}

export type IntervalMethod = EstimateReport["intervals"]["method"];

/** Of a field whose parameters are arrays. */
export const noScalars = "This field has no parameters that are single numbers, which alone have intervals.";

/** Of the intervals. */
export const intervalLevel = 0.95;

/** A last step, in standard errors, past which a fit has not come to its minimum. */
const reached = 0.1;

export interface EstimateContext {
  readonly method: IntervalMethod;
  /** names of the components of the state */
  readonly components: readonly string[];
  /** what parameters are measured in, where that was said */
  readonly units: Readonly<Record<string, string | null>>;
  /** whether it was brought to the minimum */
  readonly refined: boolean;
  /** the components whose errors were given */
  readonly given?: readonly string[];
}

export function estimateReport(
  { named, noise, problem, before, after, iterations, remaining }: Estimation,
  { method, components, units, refined, given = [] }: EstimateContext,
): EstimateReport {
  const far =
    remaining !== null && remaining > reached
      ? `The fit has not come to its minimum: a step of Gauss–Newton would go on by ${remaining.toPrecision(2)} standard errors, so ` +
        "that the intervals lie beside where they should. Train further (--steps)."
      : null;
  return {
    parameters: Object.fromEntries(
      Object.entries(named).map(([name, one]) => [name, { unit: units[name] ?? null, ...one }]),
    ),
    intervals: {
      ...{ level: intervalLevel, method },
      noise: Object.fromEntries(components.map((name, i) => [name, noise[i] ?? null])),
      ...(given.length === 0 ? {} : { given }),
      problem: [problem, far].filter((text) => text !== null).join(" ") || null,
    },
    refinement: refined ? { before, after, iterations } : null,
  };
}

/**
 * Intervals beside what a check of the fit has found. Where an accurate solve changes the loss, the solver's errors are as large as
 * the noise that the intervals are of, though too small for a warning: they are not within the intervals, and that is said.
 */
export function besideCheck(
  report: EstimateReport,
  { loss, trainedLoss, distance }: Readonly<Record<"loss" | "trainedLoss" | "distance", number | null>>,
): EstimateReport {
  const { problem } = report.intervals;
  const found = Object.values(report.parameters).some(({ interval }) => interval !== null);
  if (!found || loss === null || trainedLoss === null || distance === null) return report;
  if (!changesLoss(loss, trainedLoss)) return report;
  const said =
    `The errors of the solver (up to ${distance.toPrecision(2)} standard deviations of the data) are as large as the noise, and are ` +
    "not within the intervals: take a smaller --step-size.";
  return {
    ...report,
    intervals: { ...report.intervals, problem: [problem, said].filter(Boolean).join(" ") },
  };
}

/** Named values of which nothing more is known, and why. */
export function withoutIntervals(
  values: Readonly<Record<string, number>>,
  { method, units }: Pick<EstimateContext, "method" | "units">,
  problem: string | null,
): EstimateReport {
  return {
    parameters: Object.fromEntries(
      Object.entries(values).map(([name, value]) => [
        name,
        { unit: units[name] ?? null, value, interval: null, standardError: null },
      ]),
    ),
    intervals: { level: intervalLevel, method, noise: {}, problem },
    refinement: null,
  };
}
