import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { clearTemporaries, writeAtomic } from "../storage/atomic.js";
import { holds, plainPath } from "../storage/plain-path.js";
import { readPlainBytes, textOf } from "../storage/read.js";

/** The files of a run. */
export const runFiles = {
  settings: "run.json",
  checkpoint: "checkpoint.safetensors",
  parameters: "params.safetensors",
  field: "field.onnx",
  losses: "losses.csv",
  result: "result.json",
  bootstrap: "bootstrap.json",
  report: "report.html",
} as const;

/** The charts of a run; each is an .svg and a .png. */
export const runCharts = ["losses", "fit"] as const;

/** An imported field is in a folder of its own: a model says itself what the files beside it are called. */
export const fieldFolder = "initial-field";

/** All that training leaves behind, beside what it began with. */
export const resultFiles: readonly string[] = [
  ...Object.values(runFiles),
  ...runCharts.flatMap((name) => [`${name}.svg`, `${name}.png`]),
];

// A run's folder may come from somebody else: nothing is read or written through a link that it holds.

/** @throws {StorageError} */
export async function readRunFile(folder: string, name: string): Promise<Uint8Array<ArrayBuffer>> {
  return readPlainBytes(await plainPath("read", folder, name));
}

/** @throws {StorageError} */
export async function readRunText(folder: string, name: string): Promise<string> {
  const path = join(folder, name);
  return textOf(await readRunFile(folder, name), path);
}

/** @throws {StorageError} */
export async function writeRunFile(
  folder: string,
  name: string,
  content: Uint8Array | string,
): Promise<void> {
  await writeAtomic(await plainPath("write", folder, name), content);
}

export const hasRunFile: (folder: string, name: string) => Promise<boolean> = holds;

export async function removeRunFile(folder: string, name: string): Promise<void> {
  await rm(join(folder, name), { force: true });
}

/** Removes what a killed training left half written; only for who has the lock. */
export async function clearRun(folder: string, inputs: Iterable<string>): Promise<void> {
  const names = new Set([...resultFiles, ...inputs]);
  await clearTemporaries(folder, (name) => names.has(name));
  // all that is in there belongs to the run, if it is a folder of its own
  const inner = await plainPath("write", folder, `${fieldFolder}/any`);
  await clearTemporaries(dirname(inner), () => true);
}
