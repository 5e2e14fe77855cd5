import { printable } from "../../core/printable.js";
import { sizeOf } from "../../core/tensor.js";
import type { ColumnError } from "../../experiments/series/findings.js";
import type { StepCheck } from "../../experiments/series/step-check.js";
import type { PreparedTask, TaskExperiment } from "../../experiments/task-experiment.js";
import type { FitResult } from "../../models/fit.js";
import type { Measures } from "../../models/measuring.js";
import type { EstimateReport } from "../../train/estimate-report.js";
import { table } from "../console.js";
import { parameterLines } from "../interval-text.js";
import { showRan } from "../threads.js";
import type { TaskSettings } from "./settings.js";

/** What `train NAME --json` prints, and its run's `result.json` holds. */
export interface TaskReport
  extends Omit<TaskSettings, "steps" | "dataFiles">,
    Partial<Omit<EstimateReport, "parameters">> {
  /** how many numbers are trained; of a fit by equations the named ones, as of a fit to one trajectory */
  readonly parameters: number | EstimateReport["parameters"];
  /** where the last update ran: on which runtime, and in how many threads */
  readonly ran: FitResult["ran"];
  /** updates done */
  readonly steps: number;
  /** before each update, of its samples */
  readonly loss: { readonly first: number | null; readonly last: number | null; readonly min: number | null };
  readonly losses: readonly number[];
  readonly validations: FitResult["validations"];
  /** the update whose parameters are kept */
  readonly best: number;
  /** loss and metrics of data that were neither trained on nor chosen by */
  readonly test: Measures | null;
  /** how what was set apart is measured, where that has to be said: from initial states that are estimated, say */
  readonly heldOut: string | null;
  /** loss and metrics of all the training data, with the parameters that are kept */
  readonly training: Measures;
  /** what the experiment finds out beside: a confusion matrix, say */
  readonly findings: Readonly<Record<string, unknown>>;
  /** how far undone states were off at most, relative to them; `null` where nothing is undone */
  readonly reconstructionError: number | null;
  /** what was done otherwise on the way than was asked for, as states stored closer */
  readonly notes: FitResult["notes"];
  /** what is unreliable about the result */
  readonly warnings: readonly { readonly code?: string; readonly message: string }[];
  readonly seconds: number;
  readonly secondsPerStep: number;
  /** the most that the process has held at one time until it was trained, in bytes */
  readonly largestMemory: number;
  readonly stopped: FitResult["stopped"];
  readonly out: string;
}

export interface Reported {
  readonly settings: TaskSettings;
  readonly prepared: PreparedTask;
  readonly result: FitResult;
  readonly reconstructionError: number | null;
  readonly training: Measures;
  readonly test: Measures | null;
  /** what is known of named scalars; `null` for a model that has none */
  readonly estimates: EstimateReport | null;
  /** how samples that were set apart are measured, where that has to be said */
  readonly heldOut: string | null;
  readonly findings: Readonly<Record<string, unknown>>;
  /** what is doubtful about its data */
  readonly warnings: TaskReport["warnings"];
  readonly largestMemory: number;
  readonly out: string;
}

export function reportOf({
  settings,
  prepared,
  result,
  training,
  test,
  estimates,
  ...rest
}: Reported): TaskReport {
  const { losses, validations, seconds, checkpoint, best, notes, warnings, stopped, ran } = result;
  const { steps: _, dataFiles: __, ...own } = settings;
  const sizes = Object.values(prepared.task.model.parameters as Record<string, { shape: readonly number[] }>);
  const isNamed = estimates !== null && Object.keys(estimates.parameters).length > 0;
  return {
    ...own,
    ...(isNamed ? estimates : { parameters: sizes.reduce((sum, { shape }) => sum + sizeOf(shape), 0) }),
    ran,
    steps: checkpoint.step,
    loss: {
      first: losses[0] ?? null,
      last: losses.at(-1) ?? null,
      min: losses.length === 0 ? null : losses.reduce((least, loss) => Math.min(least, loss)),
    },
    ...{ losses, validations, best: best.step, training, test, seconds, stopped },
    notes,
    secondsPerStep: losses.length === 0 ? 0 : seconds / losses.length,
    ...rest,
    warnings: [...rest.warnings, ...warnings, ...warningsIn(rest.findings)],
  };
}

function warningsIn({ check }: Reported["findings"]): TaskReport["warnings"] {
  const message = (check as StepCheck | undefined)?.warning ?? null;
  return message === null ? [] : [{ message }];
}

/** What people read at the end. @param isOwnData  whether the data are the user's in place of the experiment's own */
export function summary(experiment: TaskExperiment, report: TaskReport, isOwnData: boolean): string {
  const estimates = estimatesIn(report);
  return [
    table(summaryRows(experiment, report, isOwnData)),
    ...(estimates === null ? [] : parameterLines(estimates)),
    `Written to ${printable(report.out)}`,
  ].join("\n");
}

/** What is known of named scalars; `null` of a model without such. */
function estimatesIn({ parameters, intervals, refinement = null }: TaskReport): EstimateReport | null {
  if (typeof parameters === "number" || intervals === undefined) return null;
  return { parameters, intervals, refinement };
}

/** What was measured, each with its name. */
export function summaryRows(
  { published = {} }: TaskExperiment,
  report: TaskReport,
  isOwnData: boolean,
): string[][] {
  const digits = (value: number | null) => (value === null ? "–" : value.toPrecision(6));
  const measured = (of: string, measures: Measures): string[][] =>
    Object.entries({ loss: measures.loss, ...measures.metrics }).map(([name, value]) => {
      const known = isOwnData ? undefined : published[`${of} ${name}`];
      const beside = known === undefined ? "" : `   (published ${known.value}, ${known.source})`;
      return [`${name} of the ${of} data`, `${digits(value)}${beside}`];
    });
  const { best, steps, reconstructionError } = report;
  return [
    ...(typeof report.parameters === "number" ? [["parameters", String(report.parameters)]] : []),
    ["loss, first", digits(report.loss.first)],
    ["loss, last", digits(report.loss.last)],
    ["loss, lowest", digits(report.loss.min)],
    ...measured("training", report.training),
    ...(report.test === null ? [] : measured("test", report.test)),
    ...errorRows(report),
    ...(best === steps ? [] : [["parameters kept, of update", String(best)]]),
    ...(reconstructionError === null
      ? []
      : [["largest error of undone states", reconstructionError.toExponential(1)]]),
    ["updates", String(steps)],
    ["time per update", `${(1000 * report.secondsPerStep).toFixed(1)} ms`],
    ["largest memory of the process", `${Math.round(report.largestMemory / 2 ** 20)} MiB`],
    ["ran on", showRan(report.ran)],
  ];
}

/**
 * What is due to steps: of a model its loss by shorter ones; of trajectories how far states are from observations, in the units of
 * the data and in deviations, as the loss is.
 */
function errorRows({ findings, series, test }: TaskReport): string[][] {
  const check = findings.check as StepCheck | undefined;
  if (check === undefined) return [];
  if (series === null) {
    const of = test === null ? "training" : "test";
    const change = check.loss - check.trainedLoss;
    return [[`change of the loss of the ${of} data by steps a quarter as long`, change.toPrecision(2)]];
  }
  const errors = (findings.errors as readonly ColumnError[]).map(
    ({ part, component, rootMeanSquare, inDeviations, chiSquare }) => [
      `root mean square error of ${printable(component)}, ${part} data`,
      `${rootMeanSquare.toPrecision(4)} (${inDeviations.toPrecision(2)} standard deviations` +
        `${chiSquare === null ? "" : `, χ² ${chiSquare.toPrecision(3)} per observation`})`,
    ],
  );
  return [
    ...errors,
    ["largest distance to steps an eighth as long, in standard deviations", check.distance!.toPrecision(2)],
  ];
}
