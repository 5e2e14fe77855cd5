import { RevortError } from "../core/errors.js";
import { printable, printableJson } from "../core/printable.js";
import type { FloatDType } from "../core/tensor.js";
import { encodeField } from "../deploy/field-file.js";
import { metadataOf } from "../experiments/metadata.js";
import { componentNames } from "../fields/components.js";
import type { Tensors, VectorField } from "../fields/field.js";
import type { SolveWarning } from "../integrate/solve-warning.js";
import type { Runtime } from "../runtime/runtime.js";
import { encodeSafetensors } from "../storage/safetensors.js";
import type { Checkpoint } from "../train/checkpoint.js";
import type { FitCheck } from "../train/fit-check.js";
import type { TrainNote } from "../train/scheme.js";
import { parametersOf, type TrainResult } from "../train/train.js";
import type { ComponentError } from "./component-errors.js";
import { table } from "./console.js";
import type { EstimateReport } from "./estimates.js";
import type { Problem } from "./problem.js";
import { removeRunFile, runFiles, writeRunFile } from "./run-files.js";
import { saveCheckpoint } from "./run-folder.js";
import type { RunSettings } from "./run-settings.js";
import type { RuntimeName } from "./runtimes.js";

/** What `train --json` prints, and a run's `result.json` holds. */
export interface TrainReport extends EstimateReport {
  readonly experiment: string;
  readonly solver: string;
  /** that of the last update: chosen, or with states stored where its reconstruction would be lost */
  readonly gradient: string;
  /** λ of the last update, where the solver is coupled */
  readonly coupling: number | null;
  /** what training decided by itself, and why */
  readonly notes: readonly TrainNote[];
  /** what is doubtful about the solves of its updates */
  readonly warnings: readonly SolveWarning[];
  readonly runtime: RuntimeName;
  readonly dtype: FloatDType;
  readonly steps: number;
  readonly seed: number;
  readonly loss: { readonly first: number | null; readonly last: number | null; readonly min: number | null };
  readonly losses: readonly number[];
  readonly seconds: number;
  readonly secondsPerStep: number;
  readonly evaluations: number;
  readonly storedStates: number;
  readonly stopped: TrainResult["stopped"];
  /** the fit held against its own field, solved accurately; `null` for a run that was interrupted */
  readonly check: CheckReport | null;
  /** how far each component is from its observations, in their unit; `null` where that is not known */
  readonly errors: readonly ComponentError[] | null;
  /** the numbers a mechanistic field was fitted for: its scalar parameters */
  readonly fitted: Readonly<Record<string, number>>;
  readonly out: string;
}

/** As {@link FitCheck}, with the name of the component. */
export interface CheckReport extends Omit<FitCheck, "furthest"> {
  readonly furthest: {
    readonly time: number;
    readonly trajectory: number;
    readonly component: string;
  } | null;
}

export function reportOf(
  problem: Problem,
  settings: RunSettings,
  result: TrainResult,
  {
    errors,
    estimates,
  }: { readonly errors: readonly ComponentError[] | null; readonly estimates: EstimateReport },
  out: string,
): TrainReport {
  const { losses, seconds } = result;
  const fitted = Object.entries(result.parameters).flatMap(([name, { shape, data }]) =>
    shape.length === 0 ? [[name, Number(data[0])] as const] : [],
  );
  return {
    experiment: problem.experiment.name,
    solver: settings.solver,
    gradient: result.gradient,
    coupling: result.coupling,
    notes: result.notes,
    warnings: result.warnings,
    runtime: settings.runtime,
    dtype: settings.dtype,
    steps: result.checkpoint.step,
    seed: settings.seed,
    loss: {
      first: losses[0] ?? null,
      last: losses.at(-1) ?? null,
      min: losses.length === 0 ? null : losses.reduce((least, loss) => Math.min(least, loss)),
    },
    losses,
    seconds,
    secondsPerStep: losses.length === 0 ? 0 : seconds / losses.length,
    evaluations: result.evaluations,
    storedStates: result.storedStates,
    stopped: result.stopped,
    check: result.check && withNames(result.check, problem.ode.field),
    errors,
    fitted: Object.fromEntries(fitted),
    ...estimates,
    out,
  };
}

function withNames(check: FitCheck, field: VectorField): CheckReport {
  const { furthest } = check;
  return {
    ...check,
    furthest: furthest && { ...furthest, component: componentNames(field)[furthest.component]! },
  };
}

/** Writes what a run has reached: all that is needed to look at it and to go on. */
async function saveProgress(folder: string, checkpoint: Checkpoint): Promise<void> {
  const parameters = parametersOf(checkpoint.trained);
  await saveCheckpoint(folder, checkpoint);
  await writeRunFile(folder, runFiles.parameters, encodeSafetensors(parameters));
  const rows = checkpoint.losses.map((loss, update) => `${update},${loss}\n`);
  await writeRunFile(folder, runFiles.losses, `update,loss\n${rows.join("")}`);
}

/** Writes what a run that failed has reached; the result of an earlier part of it is no longer its result. */
export async function saveFailure(folder: string, problem: Problem, checkpoint: Checkpoint): Promise<void> {
  await saveProgress(folder, checkpoint);
  await removeRunFile(folder, runFiles.result);
  await saveField(folder, problem, checkpoint);
}

/** A trained field that could not be written as a file. All else of its run is kept. */
export class UnsavedFieldError extends RevortError {}

/**
 * Writes the field that a run has reached, after everything else: whatever becomes of it, nothing is lost.
 *
 * @throws {UnsavedFieldError}
 */
async function saveField(folder: string, problem: Problem, { trained }: Checkpoint): Promise<void> {
  let bytes: Uint8Array;
  try {
    bytes = encodeRunField(problem, parametersOf(trained));
  } catch (cause) {
    throw new UnsavedFieldError(
      `The run is kept in ${folder}, but ${runFiles.field} could not be made: ${(cause as Error).message} ` +
        `Its numbers are in ${runFiles.parameters}.`,
      { cause },
    );
  }
  await writeRunFile(folder, runFiles.field, bytes);
}

/** What a run is saved with. */
export interface Saving {
  readonly settings: RunSettings;
  readonly runtime: Runtime;
  readonly say: (note: string) => void;
}

/** Writes everything a run leaves behind. What cannot be drawn is said, and is no failure. */
export async function saveResult(
  folder: string,
  problem: Problem,
  result: TrainResult,
  report: TrainReport,
  { settings, runtime, say }: Saving,
): Promise<void> {
  await saveProgress(folder, result.checkpoint);
  await writeRunFile(folder, runFiles.result, `${printableJson(report, 2)}\n`);
  const field = saveField(folder, problem, result.checkpoint);
  // said when all else is done
  await field.catch(() => undefined);
  // drawing is most of what there is to load
  const { drawRun } = await import("./plots.js");
  const { experiment, ode, data, control } = problem;
  const run = { experiment, ode, data, control, result, runtime };
  const charts = new Map<string, string>();
  for await (const { name, chart, problem: why } of drawRun(run)) {
    if (chart === null) {
      say(`There is no chart ${name}: ${why}`);
      continue;
    }
    charts.set(name, chart.svg);
    await writeRunFile(folder, `${name}.svg`, chart.svg);
    await writeRunFile(folder, `${name}.png`, chart.png);
  }
  const { fitReport } = await import("./report/fit-report.js");
  const page = await fitReport({ problem, settings, result, report, runtime, charts });
  await writeRunFile(folder, runFiles.report, page);
  await field;
}

/** The trained field as the bytes of an `.onnx`. */
export function encodeRunField(
  problem: Pick<Problem, "experiment" | "ode">,
  parameters: Tensors,
): Uint8Array {
  return encodeField(problem.ode, parameters, metadataOf(problem.experiment));
}

/** The loss of the field itself, and how far its solution lies from that of the solver that trained it. */
function checkRows({ check }: TrainReport): [string, string][] {
  if (check === null || check.loss === null) return [];
  const rows: [string, string][] = [
    [`loss of the trained field, solved by ${check.method} to ${check.rtol}`, check.loss.toPrecision(6)],
  ];
  if (check.trainedLoss !== null) {
    rows.unshift([
      "loss of the trained field, with the solver of the training",
      check.trainedLoss.toPrecision(6),
    ]);
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
