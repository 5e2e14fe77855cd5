import type { Builder } from "../graph/builder.js";
import type { Node, Value } from "../graph/graph.js";

/** `null` stands for zero. */
export type Cotangent = Value | null;

/** Cotangents of some values, of those of outputs that were computed from them. */
export type Pullback = (
  b: Builder,
  outputs: readonly Value[],
  cotangents: readonly Cotangent[],
  wrt: readonly Value[],
) => Cotangent[];

/** Cotangents of what a control operator reads. */
export interface Pulled {
  /** one for each input of the node */
  readonly inputs: readonly Cotangent[];
  /** one for each of the captures that were wanted */
  readonly captures: readonly Cotangent[];
}

/**
 * The derivative of an operator with subgraphs, which read values of the enclosing scopes beside their operands.
 *
 * @param incoming  cotangents of the node's outputs
 * @param wanted  captures of which cotangents are wanted
 * @param pullback  differentiates what a subgraph does
 */
export type ControlRule = (
  b: Builder,
  node: Node,
  incoming: readonly Cotangent[],
  wanted: readonly Value[],
  pullback: Pullback,
) => Pulled;
