import type { Asked } from "../library/threads.js";
import type { Threads } from "../runtime/threads.js";
import { nodeThreads } from "../runtimes/node-threads.js";
import type { Ran } from "../train/updater.js";

export type { Asked };

/** Works with threads, which end with the work. */
export async function withThreads<R>(
  asked: Asked | undefined,
  work: (threads: Threads) => Promise<R>,
): Promise<R> {
  const threads = nodeThreads(asked);
  try {
    return await work(threads);
  } finally {
    await threads.close();
  }
}

/** `ort-cpu, 2 threads, batches in 4 parts`. */
export function showRan({ runtime, threads, parts, failure }: Ran): string {
  const said = [
    runtime,
    threads === 1 ? "1 thread" : `${threads} threads`,
    ...(parts === 1 ? [] : [`batches in ${parts} parts`]),
    ...(failure === undefined ? [] : [`another one could not be started: ${failure}`]),
  ];
  return said.join(", ");
}
