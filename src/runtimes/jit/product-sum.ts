import type { Node, Value } from "../../graph/graph.js";

/** R + Σ Aᵢ Bᵢ, where R may be zero (`null`): each product adds to what is there, and no term is ever stored by itself. */
export interface ProductSum {
  readonly products: readonly Node[];
  readonly rest: Value | null;
  /** what adds them up, the last of which gives the result */
  readonly adds: readonly Node[];
  readonly result: Value;
}
