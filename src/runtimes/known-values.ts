import type { Tensor } from "../core/tensor.js";
import type { Value } from "../graph/graph.js";

/** What is known of the values of a graph before it runs. */
export type KnownValues = ReadonlyMap<Value, Tensor>;

/** A value that follows from what is known, by the rules that constants are folded by; `null` where it does not. */
export function knownValue(value: Value, known: KnownValues): Tensor | null {
  const found = value.constant ?? known.get(value);
  if (found !== undefined) return found;
  const { node } = value;
  if (node?.op.fold === undefined) return null;
  const inputs: (Tensor | null)[] = [];
  for (const input of node.inputs) {
    const own = input === null ? null : knownValue(input, known);
    if (input !== null && own === null) return null;
    inputs.push(own);
  }
  return node.op.fold(inputs, node.attributes)?.[value.index] ?? null;
}
