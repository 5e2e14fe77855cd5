import type { AdjointSpec } from "./adjoints.js";

export interface RunChainOptions {
  /** how it is differentiated, as users type it: `reversible`, `reversible:100`, `direct`, `checkpoint`, `checkpoint:8` */
  readonly adjoint: AdjointSpec;
  /** which states come out beside the one at the end: none by default; else numbers of steps, ascending */
  readonly save?: "every" | readonly number[];
  /** the error past which gradients are NaN; {@link reconstructionLimit} by default */
  readonly lostFrom?: number | undefined;
}
