import { printable } from "../core/printable.js";
import type { EstimateReport } from "../train/estimate-report.js";

/** `[0.51, 0.58] 1/day`: enough digits to tell its ends apart. */
export function intervalText({ parameters }: EstimateReport, name: string): string {
  const { interval = null, unit = null } = parameters[name] ?? {};
  const digits = interval === null ? 0 : Math.max(3, Math.ceil(2 - Math.log10(widthOf(interval))));
  const ends = interval?.map((end) => String(Number(end.toPrecision(Math.min(digits, 15)))));
  return `${ends === undefined ? "" : ` [${ends.join(", ")}]`}${unit === null ? "" : ` ${printable(unit)}`}`;
}

/** Width relative to the larger end. */
function widthOf([low, high]: readonly [number, number]): number {
  return (high - low) / Math.max(Math.abs(low), Math.abs(high)) || 1;
}

/** What the intervals are, or why there are none. */
export function intervalLines({ parameters, intervals, refinement }: EstimateReport): string[] {
  const { level, method, noise, problem, given = [] } = intervals;
  const found = Object.values(parameters).some(({ interval }) => interval !== null);
  return [
    ...(refinement === null
      ? []
      : [
          `Refined by Gauss–Newton: mean square residual ${refinement.before.toPrecision(6)} → ${refinement.after.toPrecision(6)} in ${refinement.iterations} steps.`,
        ]),
    ...(found
      ? [
          `The ${100 * level} % intervals ${method === "gauss-newton" ? "" : `(percentiles of a bootstrap of the residuals, ${method.split(":")[1]} replicates) `}` +
            `assume that the equations are right, and that errors of measurement are independent and ${sizesText(given, noise)}.`,
        ]
      : []),
    ...(problem === null ? [] : [`Intervals: ${problem}`]),
  ];
}

/** Named values with what is known of each, a line for each. */
export function parameterLines(report: EstimateReport): string[] {
  return [
    ...Object.entries(report.parameters).map(
      ([name, { value }]) => `${printable(name)} = ${value.toPrecision(6)}${intervalText(report, name)}`,
    ),
    ...intervalLines(report),
  ];
}

/** How large errors of measurement are taken to be. @param given  the columns whose errors were given */
function sizesText(given: readonly string[], noise: EstimateReport["intervals"]["noise"]): string {
  const sizes = Object.entries(noise)
    .flatMap(([name, size]) => (size === null ? [] : [`${printable(name)} ${size.toPrecision(2)}`]))
    .join(", ");
  if (given.length === 0) return `of one size for each column (standard deviation ${sizes})`;
  const own = given.map((name) => printable(name)).join(", ");
  const others =
    Object.values(noise).filter((size) => size !== null).length > given.length
      ? ", of one size for each other column"
      : "";
  return `in proportion to those given for ${own}${others} (root mean square, as found: ${sizes})`;
}
