import { createHash } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { z } from "zod";
import { printableJson } from "../../core/printable.js";
import { namesIn, readBytes } from "../../storage/read.js";
import { version } from "../../version.js";
import { hasRunFile, readRunText, writeRunFile } from "../run-files.js";
import { RunFolderError } from "../run-folder.js";
import { pointsOf, type SweepPoint } from "./grid.js";
import type { SweepSpec } from "./spec.js";

// The folder of a sweep: sweep.json says what it goes over, and each run has a folder of its own within.

/** The files of a sweep. */
export const sweepFiles = {
  settings: "sweep.json",
  result: "sweep-result.json",
  table: "runs.csv",
  chart: "sweep",
} as const;

const format = 1;

const manifest = z.object({
  format: z.literal(format),
  revort: z.string(),
  sweep: z.strictObject({
    subject: z.string(),
    options: z.record(z.string(), z.union([z.string(), z.boolean(), z.array(z.string())])),
    seeds: z.array(z.number().int().min(0)),
    grid: z.array(z.strictObject({ option: z.string(), values: z.array(z.string()) })),
    /** SHA-256 of each file that is named, by what names it */
    files: z.record(z.string(), z.string()),
  }),
});

/** What a sweep's folder says of it. */
export type SweepSettings = z.infer<typeof manifest>["sweep"];

/** Whether a folder is that of a sweep. */
export const holdsSweep = (folder: string): Promise<boolean> => hasRunFile(folder, sweepFiles.settings);

/** @throws {RunFolderError | StorageError} */
export async function openSweep(folder: string): Promise<SweepSettings> {
  const path = join(folder, sweepFiles.settings);
  let json: unknown;
  try {
    json = JSON.parse(await readRunText(folder, sweepFiles.settings));
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new RunFolderError(`${path} is damaged: ${cause.message}. Start a new sweep.`, { cause });
  }
  const found = manifest.safeParse(json);
  if (found.success) return found.data.sweep;
  const [issue] = found.error.issues;
  throw new RunFolderError(
    `${path} is damaged, or of another version: ${issue!.path.join(".")}: ${issue!.message}. Start a new sweep.`,
  );
}

/** The runs of a sweep, each with its folder. */
export function runsOf(folder: string, { grid, seeds }: SweepSettings): (SweepPoint & { folder: string })[] {
  return pointsOf(grid, seeds).map((point) => ({ ...point, folder: join(folder, point.name) }));
}

/** A sweep with what its files hold, so that it does not go on with others. @throws {StorageError} */
export async function settingsOf({ subject, options, seeds, grid }: SweepSpec): Promise<SweepSettings> {
  const named = [["subject", subject] as const, ...Object.entries(options)].flatMap(([name, value]) => {
    const paths = typeof value !== "string" ? [] : name === "data" ? [value, ...value.split(",")] : [value];
    return paths.filter((path) => existsSync(path)).map((path) => [name, path] as const);
  });
  const files: Record<string, string> = {};
  for (const [name, path] of named) {
    const hash = createHash("sha256");
    for (const file of await filesIn(path)) {
      // of a folder, what its files are called counts too
      if (file !== path) hash.update(`${basename(file)}\n`);
      hash.update(await readBytes(file));
    }
    files[`${name} ${path}`] = hash.digest("hex");
  }
  return {
    ...{ subject, seeds: [...seeds], files },
    options: Object.fromEntries(
      Object.entries(options).map(([name, value]) => [name, typeof value === "object" ? [...value] : value]),
    ) as SweepSettings["options"],
    grid: grid.map(({ option, values }) => ({ option, values: [...values] })),
  };
}

/** A file itself; of a folder, the files that lie in it. @throws {StorageError} */
async function filesIn(path: string): Promise<string[]> {
  if (!statSync(path).isDirectory()) return [path];
  const files = (await namesIn(path)).map((name) => join(path, name));
  return files.filter((file) => statSync(file).isFile()).sort();
}

/**
 * Begins a sweep in a folder, or goes on with the one that is there: more seeds and more values may be given, for the runs
 * that there are stay as they are.
 *
 * @throws {RunFolderError} where the folder holds another sweep, or a run
 */
export async function beginSweep(folder: string, settings: SweepSettings): Promise<void> {
  if (await hasRunFile(folder, "run.json")) {
    throw new RunFolderError(`${folder} holds a run, which is no sweep. Choose another folder with --out.`);
  }
  if (await holdsSweep(folder)) checkSame(folder, await openSweep(folder), settings);
  const content = { format, revort: version, sweep: settings } satisfies z.infer<typeof manifest>;
  await writeRunFile(folder, sweepFiles.settings, `${printableJson(content, 2)}\n`);
}

function checkSame(folder: string, before: SweepSettings, now: SweepSettings): void {
  const refuse = (what: string) => {
    throw new RunFolderError(
      `${folder} holds a sweep with ${what}. Give what it was started with (seeds and values may be added), or choose ` +
        "another folder with --out.",
    );
  };
  if (before.subject !== now.subject) refuse(`the subject ${before.subject}`);
  const axes = (sweep: SweepSettings) => sweep.grid.map(({ option }) => option).join(", ");
  if (axes(before) !== axes(now)) refuse(`a grid over ${axes(before) || "nothing"}`);
  for (const name of new Set([...Object.keys(before.options), ...Object.keys(now.options)])) {
    const [had, has] = [before.options[name], now.options[name]];
    if (JSON.stringify(had) === JSON.stringify(has)) continue;
    refuse(had === undefined ? `no --${name}` : `--${name} ${had === true ? "" : had}`.trimEnd());
  }
  for (const [name, hash] of Object.entries(now.files)) {
    if (before.files[name] !== hash) refuse(`another content of the file ${name.replace(/^\S+ /, "")}`);
  }
}
