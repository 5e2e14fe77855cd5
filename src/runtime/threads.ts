import type { Tensor } from "../core/tensor.js";
import type { Graph } from "../graph/graph.js";
import type { Runtime } from "./runtime.js";

/** A runtime in a thread of its own. */
export interface ThreadRuntime extends Runtime {
  /** Ends the thread, and everything in it. */
  close(): Promise<void>;
}

/** What one run of a graph takes by estimate, in seconds: so much whatever its batch, and so much for all of its batch. */
export interface BatchCost {
  readonly fixed: number;
  readonly scaling: number;
}

/**
 * Threads that may work beside this one, and what is known of the work before any is started.
 *
 * What a graph costs depends on it and on its sizes alone. So whoever splits work by that splits it alike on every machine,
 * however many threads there are to take it.
 */
export interface Threads {
  /** how many may work at once, this one included */
  readonly most: number;
  /** seconds of work that are to be left before another one is started, which costs time by itself */
  readonly worth: number;
  /** whether they were asked for, so that work fails where they cannot be started */
  readonly required: boolean;
  /**
   * What a run costs on each of the runtimes that `runtime` would choose from; none where threads do not run such.
   *
   * @param given  inputs whose values are known, by name; for loops that run as often as these say
   */
  costsOf(graph: Graph, given: Readonly<Record<string, Tensor>>, runtime: string): readonly BatchCost[];
  /** Threads with that runtime, so many: those there are already, and new ones. @throws {RuntimeUnavailableError} */
  start(runtime: string, count: number): Promise<readonly ThreadRuntime[]>;
  /** Ends all of them. */
  close(): Promise<void>;
}
