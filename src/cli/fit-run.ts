import { resolve } from "node:path";
import { printable, printableJson } from "../core/printable.js";
import { decodeCheckpoint, encodeCheckpoint } from "../deploy/checkpoint-file.js";
import type { FitOptions, FitResult } from "../models/fit.js";
import { type Chart, renderChart } from "../plot/chart.js";
import { encodeSafetensors } from "../storage/safetensors.js";
import type { Checkpoint } from "../train/checkpoint.js";
import type { Console } from "./console.js";
import { exitCodes } from "./exit-codes.js";
import { exitCodeOf } from "./failure.js";
import { progress } from "./progress.js";
import { clearRun, hasRunFile, readRunFile, runFiles, writeRunFile } from "./run-files.js";
import { checkHoldsRun, freshFolder, RunFolderError } from "./run-folder.js";
import type { RunLock } from "./run-lock.js";
import { namesOfRun, removeRun } from "./run-removal.js";
import { UsageError } from "./usage.js";

// Runs of `fit`, whatever model they train: how they begin, go on, are kept and end.

/** A run about to be trained. */
export interface FitRun<Opened> {
  /** its settings and what belongs to them */
  readonly opened: Opened;
  /** where it goes on */
  readonly checkpoint: Checkpoint | null;
  /** makes sure of its folder, and of all that it begins with there */
  readonly begin: () => Promise<string>;
}

/** Where a run is to be. */
export interface FitPlace {
  readonly out?: string;
  readonly overwrite?: boolean;
}

/** Writes what a run begins with: its settings last. @param inPlace  whether everything but the settings is there */
type Write<Opened> = (folder: string, opened: Opened, inPlace: boolean) => Promise<void>;

/** @param name  what its folder is called by default */
export function newFitRun<Opened>(
  name: string,
  opened: Opened,
  { out, overwrite = false }: FitPlace,
  lock: RunLock,
  write: Write<Opened>,
): FitRun<Opened> {
  return {
    ...{ opened, checkpoint: null },
    async begin() {
      const folder = out ?? (await freshFolder(name));
      await lock.take(folder);
      await clearFolder(folder, overwrite);
      await write(folder, opened, false);
      return folder;
    },
  };
}

/**
 * Goes on with a run, in its folder or in a copy of it; only the number of updates may change.
 *
 * @param open  reads it, and checks what the command line says against it
 * @throws {RunFolderError | StorageError | CheckpointError | LockedError}
 * @throws {UsageError} for fewer updates than it has
 */
export async function resumedFitRun<Opened extends { readonly settings: { readonly steps: number } }>(
  from: string,
  { out = from, overwrite = false, steps: asked }: FitPlace & { readonly steps?: number },
  lock: RunLock,
  open: (folder: string) => Promise<Opened>,
  write: Write<Opened>,
): Promise<FitRun<Opened>> {
  const inPlace = resolve(out) === resolve(from);
  if (inPlace) {
    await checkHoldsRun(from);
    // before anything is read: who has the folder may be about to change it
    await lock.take(from);
  }
  const before = await open(from);
  const checkpoint = (await hasRunFile(from, runFiles.checkpoint))
    ? decodeCheckpoint(await readRunFile(from, runFiles.checkpoint), `${from}/${runFiles.checkpoint}`)
    : null;
  const done = checkpoint?.step ?? 0;
  const steps = asked ?? Math.max(before.settings.steps, done);
  if (steps < done) {
    throw new UsageError(
      `The run ${from} has ${done} updates already, so --steps ${steps} cannot be its number in all.`,
    );
  }
  const opened = { ...before, settings: { ...before.settings, steps } };
  return {
    ...{ opened, checkpoint },
    async begin() {
      if (!inPlace) {
        await lock.take(out);
        await clearFolder(out, overwrite);
      } else await clearRun(from, await namesOfRun(from));
      await write(out, opened, inPlace);
      if (!inPlace && checkpoint !== null) {
        await writeRunFile(out, runFiles.checkpoint, encodeCheckpoint(checkpoint));
      }
      return out;
    },
  };
}

/** Makes room for a run. @throws {RunFolderError} for a folder that holds another one */
async function clearFolder(folder: string, overwrite: boolean): Promise<void> {
  if (await hasRunFile(folder, runFiles.settings)) {
    if (!overwrite) {
      throw new RunFolderError(
        `${folder} holds a run already. Continue it with --resume ${folder}, replace it with --overwrite, or choose ` +
          "another folder with --out.",
      );
    }
    await removeRun(folder);
  }
  await clearRun(folder, await namesOfRun(folder));
}

/** A training that came to its end. */
export interface KeptFit {
  readonly result: FitResult;
  /** the largest of all updates; `null` where nothing is undone */
  readonly reconstructionError: number | null;
}

/** What a run tells `fit`, and is told by it. */
export type FitHooks = Required<Pick<FitOptions, "signal" | "onUpdate" | "onValidation" | "onNote">>;

export interface Keeping {
  readonly folder: string;
  readonly steps: number;
  /** seconds between two checkpoints */
  readonly every: number;
  readonly console: Console;
  /** whether nothing is lost with the folder where the request turns out to be wrong */
  readonly isNew: boolean;
}

/**
 * Trains, shows progress, and keeps what was reached every so many seconds, and where it fails.
 *
 * @param validated  a measurement in a line
 */
export async function keptFit(
  { folder, steps, every, console, isNew }: Keeping,
  validated: (loss: number) => string,
  train: (hooks: FitHooks) => Promise<FitResult>,
): Promise<KeptFit> {
  const bar = progress({ stream: console.bar, total: steps, label: "training" });
  let saved = performance.now();
  let reconstructionError: number | null = null;
  let latest: (() => Promise<Checkpoint>) | null = null;
  const save = (reached: Checkpoint) => writeRunFile(folder, runFiles.checkpoint, encodeCheckpoint(reached));
  try {
    const result = await train({
      signal: console.stopSignal(),
      async onUpdate(update) {
        bar.update(update.step, { loss: update.loss });
        latest = update.checkpoint;
        const { reconstructionError: error } = update;
        if (error !== null) reconstructionError = Math.max(reconstructionError ?? 0, error);
        if (performance.now() - saved < 1000 * every) return;
        await save(await update.checkpoint());
        saved = performance.now();
      },
      onValidation: ({ step, loss }) => bar.log(`after update ${step}: ${validated(loss)}`),
      onNote: ({ message }) => bar.log(printable(message)),
    });
    return { result, reconstructionError };
  } catch (error) {
    const reached = await (latest as (() => Promise<Checkpoint>) | null)?.().catch(() => undefined);
    if (reached !== undefined) {
      await save(reached).then(
        () =>
          console.note(
            `Update ${reached.step + 1} failed. The ${reached.step} before it are kept in ${folder}.`,
          ),
        () => undefined,
      );
    } else if (isNew && exitCodeOf(error) === exitCodes.wrongRequest) await removeRun(folder);
    throw error;
  } finally {
    bar.finish();
  }
}

/** What every run of a model leaves behind, beside its models. */
export async function saveFit(
  folder: string,
  { checkpoint, best }: FitResult,
  report: { readonly losses: readonly number[] },
): Promise<void> {
  await writeRunFile(folder, runFiles.checkpoint, encodeCheckpoint(checkpoint));
  await writeRunFile(folder, runFiles.parameters, encodeSafetensors({ ...best.parameters, ...best.buffers }));
  const rows = report.losses.map((loss, update) => `${update},${loss}\n`);
  await writeRunFile(folder, runFiles.losses, `update,loss\n${rows.join("")}`);
  await writeRunFile(folder, runFiles.result, `${printableJson(report, 2)}\n`);
}

/** The files of a chart. */
export const chartFiles = (name: string): readonly [string, string] => [`${name}.svg`, `${name}.png`];

/** @returns it as SVG */
export async function saveChart(folder: string, name: string, chart: Chart): Promise<string> {
  const { svg, png } = await renderChart(chart);
  const [vectors, pixels] = chartFiles(name);
  await writeRunFile(folder, vectors, svg);
  await writeRunFile(folder, pixels, png);
  return svg;
}

/** Prints what came of a run. @returns the exit code */
export function concluded(
  report: { readonly stopped: FitResult["stopped"]; readonly steps: number; readonly out: string },
  summary: string,
  { json = false }: { readonly json?: boolean },
  console: Console,
): number {
  if (json) console.json(report);
  else console.stdout.write(`${summary}\n`);
  // where the training was not, what was stopped is a bootstrap, say
  if (report.stopped !== "aborted")
    return console.stopSignal().aborted ? exitCodes.interrupted : exitCodes.done;
  console.note(`Stopped after update ${report.steps}. Continue with: revort train --resume ${report.out}`);
  return exitCodes.interrupted;
}
