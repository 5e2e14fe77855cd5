import { OptionError, showValue } from "../core/options.js";
import { isInBrowser } from "../core/place.js";
import type { Threads } from "../runtime/threads.js";

/** How many threads there may be at most; `auto` for one on each core. They are started where there is work enough. */
export type Asked = number | "auto";

/** Threads for one call, where a place has them. */
export type OpenThreads = (asked: Asked) => Threads;

/**
 * Works with threads, and ends them.
 *
 * @param of  what the work is, as it begins a sentence: "train"
 * @throws {OptionError} for what is no number of threads, or one that a browser does not have
 */
export async function withThreads<R>(
  of: string,
  { threads: asked = "auto" }: { readonly threads?: Asked | undefined },
  open: OpenThreads,
  work: (threads: Threads) => Promise<R>,
): Promise<R> {
  if (asked !== "auto" && !(Number.isSafeInteger(asked) && asked >= 1)) {
    throw new OptionError(
      `The threads of ${of} are "auto" or a whole number of 1 or more, but ${showValue(asked)} was given.`,
    );
  }
  if (asked !== "auto" && asked > 1 && isInBrowser()) {
    throw new OptionError(
      `${of} runs in one thread in a browser, but threads: ${asked} was given; leave it out.`,
    );
  }
  const threads = open(asked);
  try {
    return await work(threads);
  } finally {
    await threads.close();
  }
}
