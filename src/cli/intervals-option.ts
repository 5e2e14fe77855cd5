import type { BootstrapOptions } from "../train/bootstrap.js";
import type { IntervalMethod } from "../train/estimate-report.js";
import type { Console } from "./console.js";
import { progress } from "./progress.js";
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
  readonly bootstrap: Omit<BootstrapOptions, "seed"> | null;
}

/**
 * What `--intervals` asks for, with progress of a bootstrap, which Ctrl-C ends with the replicates that there are.
 *
 * @param intervals  `true` for the option without a method
 */
export async function withIntervals<R>(
  intervals: IntervalMethod | true | undefined,
  console: Console,
  use: (asked: AskedIntervals | null) => Promise<R>,
): Promise<R> {
  if (intervals === undefined) return use(null);
  const method = intervals === true ? "gauss-newton" : intervals;
  if (method === "gauss-newton") return use({ method, bootstrap: null });
  const replicates = Number(method.split(":")[1]);
  let bar: ReturnType<typeof progress> | null = null;
  const bootstrap = {
    ...{ replicates, signal: console.stopSignal() },
    onReplicate(done: number) {
      bar ??= progress({ stream: console.bar, total: replicates, label: "bootstrap" });
      bar.update(done);
    },
  };
  return use({ method, bootstrap }).finally(() => bar?.finish());
}
