import { RevortError } from "../core/errors.js";
import { printableJson } from "../core/printable.js";
import { encodeField } from "../deploy/field-file.js";
import { metadataOf } from "../experiments/metadata.js";
import type { Tensors } from "../fields/field.js";
import type { Runtime } from "../runtime/runtime.js";
import { encodeSafetensors } from "../storage/safetensors.js";
import type { Checkpoint } from "../train/checkpoint.js";
import { parametersOf, type TrainResult } from "../train/train.js";
import type { Problem } from "./problem.js";
import { removeRunFile, runFiles, writeRunFile } from "./run-files.js";
import { saveCheckpoint } from "./run-folder.js";
import type { RunSettings } from "./run-settings.js";
import type { TrainReport } from "./train-report.js";

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
 * @returns its bytes
 * @throws {UnsavedFieldError}
 */
async function saveField(folder: string, problem: Problem, { trained }: Checkpoint): Promise<Uint8Array> {
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
  return bytes;
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
  const model = await field.catch(() => null);
  const page = await fitReport({ problem, settings, result, report, runtime, charts, model });
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
