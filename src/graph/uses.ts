import { type Graph, nodesOf, subgraphsOf, type Value } from "./graph.js";

/** How often each value is used, in all scopes. */
export function usesIn(graph: Graph): ReadonlyMap<Value, number> {
  const uses = new Map<Value, number>();
  const use = (value: Value | null) => {
    if (value !== null) uses.set(value, (uses.get(value) ?? 0) + 1);
  };
  const visit = (part: Graph): void => {
    for (const node of nodesOf(part)) {
      node.inputs.forEach(use);
      node.captures.forEach(use);
      subgraphsOf(node.attributes).forEach(visit);
    }
    for (const { value } of part.outputs) use(value);
  };
  visit(graph);
  return uses;
}
