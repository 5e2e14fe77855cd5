import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import type { AdjointSpec } from "./adjoints.js";

export interface RunChainOptions {
  /** how it is differentiated, as users type it: `reversible`, `reversible:100`, `direct`, `checkpoint`, `checkpoint:8` */
  readonly adjoint: AdjointSpec;
  /** which states come out beside the one at the end: none by default; else numbers of steps, ascending */
  readonly save?: "every" | readonly number[];
  /**
   * takes how far states that were undone came back, at most, relative to the largest of the start and the end; a scalar
   * in the graph of the way back
   */
  readonly observe?: ((b: Builder, error: Value) => void) | undefined;
  /** the error past which gradients are NaN; {@link reconstructionLimit} by default */
  readonly lostFrom?: number | undefined;
}
