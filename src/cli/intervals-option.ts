import { z } from "zod";
import { printableJson } from "../core/printable.js";
import type { BootstrapOptions, KeptBootstrap } from "../train/bootstrap.js";
import type { IntervalMethod } from "../train/estimate-report.js";
import type { Console } from "./console.js";
import { progress } from "./progress.js";
import { hasRunFile, readRunText, runFiles, writeRunFile } from "./run-files.js";
import { UsageError } from "./usage.js";

const usualReplicates = 200;

/** `gauss-newton`, `bootstrap` or `bootstrap:500`. @throws {UsageError} */
export function parseIntervals(text: string): IntervalMethod {
  if (text === "gauss-newton") return text;
  const found = /^bootstrap(?::([1-9]\d{0,5}))?$/.exec(text);
  if (found !== null) return `bootstrap:${found[1] === undefined ? usualReplicates : Number(found[1])}`;
  throw new UsageError(
    `--intervals takes gauss-newton (the default), bootstrap or bootstrap:${usualReplicates}, but "${text}" was given.`,
  );
}

/** How intervals are wanted. */
export interface AskedIntervals {
  readonly method: IntervalMethod;
  /** `null` for those by the Gauss–Newton matrix */
  readonly bootstrap: BootstrapOptions | null;
}

/** The run that they are of. */
interface OfRun {
  readonly folder: string;
  readonly seed: number;
}

/**
 * What `--intervals` asks for, with progress of a bootstrap. Ctrl-C ends it with the replicates that there are; it is kept with the
 * run, and goes on with that.
 *
 * @param intervals  `true` for the option without a method
 */
export async function withIntervals<R>(
  intervals: IntervalMethod | true | undefined,
  { folder, seed }: OfRun,
  console: Console,
  use: (asked: AskedIntervals | null) => Promise<R>,
): Promise<R> {
  if (intervals === undefined) return use(null);
  const method = intervals === true ? "gauss-newton" : intervals;
  if (method === "gauss-newton") return use({ method, bootstrap: null });
  const replicates = Number(method.split(":")[1]);
  const signal = console.stopSignal();
  let bar: ReturnType<typeof progress> | null = null;
  let saved = performance.now();
  let isOver = true;
  const bootstrap: BootstrapOptions = {
    ...{ replicates, seed, signal, kept: await keptIn(folder) },
    async onReplicate(done, kept) {
      bar ??= progress({ stream: console.bar, total: replicates, label: "bootstrap" });
      bar.update(done);
      isOver = done === replicates;
      if (!isOver && !signal.aborted && performance.now() - saved < between) return;
      await writeRunFile(folder, runFiles.bootstrap, `${printableJson({ format, ...kept() })}\n`);
      saved = performance.now();
    },
  };
  const result = await use({ method, bootstrap }).finally(() => bar?.finish());
  if (!isOver && signal.aborted) {
    console.note(
      `The bootstrap was stopped. Go on with it: revort train --resume ${folder} --intervals ${method}`,
    );
  }
  return result;
}

/** Time between two writings of a bootstrap, in ms. */
const between = 1000;

const format = 1;

const keptBootstrap = z.strictObject({
  format: z.literal(format),
  seed: z.number(),
  names: z.array(z.string()),
  x: z.array(z.number()),
  replicates: z.array(z.array(z.number()).nullable()),
});

/** What the folder of a run keeps of a bootstrap; `null` where that is nothing, or cannot be read: then it begins anew. */
async function keptIn(folder: string): Promise<KeptBootstrap | null> {
  if (!(await hasRunFile(folder, runFiles.bootstrap))) return null;
  try {
    return keptBootstrap.parse(JSON.parse(await readRunText(folder, runFiles.bootstrap)));
  } catch {
    return null;
  }
}
