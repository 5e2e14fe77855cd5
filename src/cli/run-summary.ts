import { printable } from "../core/printable.js";
import type { ComponentError } from "./component-errors.js";
import { table } from "./console.js";
import { intervalLines, intervalText } from "./interval-text.js";
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
