import { printable } from "../core/printable.js";
import type { ComponentError } from "./component-errors.js";
import { table } from "./console.js";
import type { Problem } from "./problem.js";
import { showRan } from "./threads.js";
import type { TrainReport } from "./train-report.js";

/** The loss of the field itself, and how far its solution lies from that of the solver that trained it. */
function checkRows({ check }: TrainReport): [string, string][] {
  if (check === null || check.loss === null) return [];
  const rows: [string, string][] = [
    [`loss of the trained field, solved by ${check.method} to ${check.rtol}`, check.loss.toPrecision(6)],
  ];
  if (check.trainedLoss !== null) {
    rows.unshift(["loss of the trained field, by the training solver", check.trainedLoss.toPrecision(6)]);
  }
  if (check.distance !== null) {
    rows.push([
      "largest distance between the two solutions, in standard deviations",
      check.distance.toPrecision(2),
    ]);
  }
  return rows;
}

/** Components whose errors are shown; those of the others are in `result.json`. */
const mostErrors = 8;

/** Where the loss has a unit of its own: the errors in that of the observations, the largest of many. */
function errorRows({ experiment }: Problem, { errors }: TrainReport): [string, string][] {
  if (errors === null || experiment.lossUnit === undefined) return [];
  const size = ({ inDeviations, rootMeanSquare }: ComponentError) => inDeviations ?? rootMeanSquare;
  const shown =
    errors.length <= mostErrors
      ? errors
      : errors.toSorted((one, other) => size(other) - size(one)).slice(0, mostErrors);
  const rows = shown.map(({ component, rootMeanSquare, inDeviations }): [string, string] => [
    `root mean square error of ${printable(component)}`,
    rootMeanSquare.toPrecision(4) +
      (inDeviations === null ? "" : ` (${inDeviations.toPrecision(2)} standard deviations)`),
  ]);
  const left = errors.length - shown.length;
  return left === 0
    ? rows
    : [...rows, [`root mean square errors of ${left} more, all smaller`, "in result.json"]];
}

/** `[0.51, 0.58] 1/day`: enough digits to tell its ends apart. */
function intervalText({ parameters }: TrainReport, name: string): string {
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
export function intervalLines({ parameters, intervals, refinement }: TrainReport): string[] {
  const { level, noise, problem } = intervals;
  const found = Object.values(parameters).some(({ interval }) => interval !== null);
  const sizes = Object.entries(noise)
    .flatMap(([name, size]) => (size === null ? [] : [`${printable(name)} ${size.toPrecision(2)}`]))
    .join(", ");
  return [
    ...(refinement === null
      ? []
      : [
          `Refined by Gauss–Newton: loss ${refinement.before.toPrecision(6)} → ${refinement.after.toPrecision(6)} in ${refinement.iterations} steps.`,
        ]),
    ...(found
      ? [
          `The ${100 * level} % intervals assume that the equations are right, and that errors of measurement are independent ` +
            `and of one size for each column (standard deviation ${sizes}).`,
        ]
      : []),
    ...(problem === null || Object.keys(parameters).length === 0 ? [] : [`Intervals: ${problem}`]),
  ];
}

/** What was measured, each with its name. */
export function summaryRows(problem: Problem, report: TrainReport): [string, string][] {
  const { lossUnit } = problem.experiment;
  const unit = lossUnit === undefined ? "" : ` (${lossUnit})`;
  const digits = (value: number | null) => (value === null ? "–" : value.toPrecision(6));
  return [
    [`loss, first${unit}`, digits(report.loss.first)],
    ["loss, last", digits(report.loss.last)],
    ["loss, lowest", digits(report.loss.min)],
    ...checkRows(report),
    ...errorRows(problem, report),
    ["updates", String(report.steps)],
    ["time per update", `${(1000 * report.secondsPerStep).toFixed(1)} ms`],
    ["ran on", showRan(report.ran)],
    ["gradient", report.gradient],
    ["evaluations of the field per update", String(report.evaluations)],
    ["states stored for the backward pass", String(report.storedStates)],
  ];
}

/** What people read at the end. */
export function summary(problem: Problem, report: TrainReport): string {
  const { experiment } = problem;
  const lines = [table(summaryRows(problem, report))];
  for (const [name, value] of Object.entries(report.fitted)) {
    const known = experiment.published?.[name];
    lines.push(
      `${printable(name)} = ${value.toPrecision(6)}${intervalText(report, name)}${known ? `   (published ${known.value}, ${known.source})` : ""}`,
    );
  }
  lines.push(...intervalLines(report), `Written to ${printable(report.out)}`);
  return lines.join("\n");
}
