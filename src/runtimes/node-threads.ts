import { availableParallelism } from "node:os";
import type { Threads } from "../runtime/threads.js";
import { threadRuntime } from "./thread.js";
import { threadsBy } from "./threads.js";

/** Seconds of work left from which on another thread pays: to start one and compile there takes some tenths of them. */
const worth = 1;

/**
 * Threads of Node, so many at most, where there is work enough; `auto` is one for each core that this process may use. Who
 * says how many is told by an error where they cannot be started.
 */
export function nodeThreads(asked: number | "auto" = "auto"): Threads {
  const most = asked === "auto" ? availableParallelism() : asked;
  return threadsBy({ most, worth, required: asked !== "auto", open: threadRuntime });
}
