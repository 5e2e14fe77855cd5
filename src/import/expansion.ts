import type { ModelNode } from "../graph/model.js";

/** Nodes that calls of functions may expand to, besides those in the file. */
export const maxExpanded = 100_000;

/**
 * Counts the nodes that calls of functions expand to: functions may call functions, so a small file can ask for any
 * number. Operands, results and long attributes count like further nodes.
 */
export class Expansion {
  #weight = 0;

  /**
   * Whether there is still room for a node.
   *
   * @param calls  how many calls of functions it is inside of
   */
  takes(node: ModelNode, calls: number): boolean {
    if (calls > 0) this.#weight += weightOf(node);
    return this.#weight <= maxExpanded;
  }
}

/** What a node counts for: it is read, compared and kept once for each time that it is met. */
function weightOf({ opType, inputs, outputs, attributes }: ModelNode): number {
  let weight = 1 + inputs.length + outputs.length;
  for (const { kind, value } of attributes.values()) {
    // a Constant's is never copied
    if (kind === "tensor") weight += opType === "Constant" ? 0 : value.data.length / 64;
    else if (typeof value === "object" && "length" in value) weight += value.length / 8;
    else if (typeof value === "string") weight += value.length / 64;
  }
  return weight;
}
