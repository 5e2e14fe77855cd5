import { availableParallelism } from "node:os";
import type { LanguageConfiguration } from "../../language/configuration.js";
import type { Runtime } from "../../runtime/runtime.js";

/** From this width on an operator has work for several threads. */
const wide = 128;

/** Threads inside an operator, where nobody says how many. */
export function threadsFor({ width }: LanguageConfiguration): number {
  return width < wide ? 1 : availableParallelism();
}

/** The runtime, where graphs are compiled for so many threads. */
export function withThreads(runtime: Runtime, threads: number): Runtime {
  return { ...runtime, compile: (graph, options) => runtime.compile(graph, { threads, ...options }) };
}
