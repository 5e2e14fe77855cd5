import { Builder } from "./builder.js";
import {
  type Attributes,
  type Graph,
  isGraph,
  type Node,
  nodesOf,
  subgraphsOf,
  type Value,
} from "./graph.js";

/**
 * Emits what takes the place of a node, or returns `null` to keep it.
 *
 * @param within  writes out a subgraph of the node in its place, or in a scope of its own, with given inputs
 */
export type Rewrite = (
  b: Builder,
  node: Node,
  inputs: readonly (Value | null)[],
  within: (body: Graph, inputs: readonly Value[], scope?: Builder) => readonly Value[],
) => readonly Value[] | null;

/** The graph built anew, node by node: constants fold, equal nodes merge, and each node may be rewritten. */
export function rebuild(graph: Graph, rewrite: Rewrite = () => null): Graph {
  const b = new Builder();
  const inputs = graph.inputs.map((value) => b.input(value.name!, value.dtype, value.shape));
  const outputs = inline(b, graph, inputs, rewrite);
  return b.graph(Object.fromEntries(graph.outputs.map(({ name }, i) => [name, outputs[i]!])), graph.name);
}

/** Applies a graph as a function inside another one, or the body of a control operator in a scope that sees what it captures. */
export function inline(
  b: Builder,
  graph: Graph,
  inputs: readonly Value[],
  rewrite: Rewrite = () => null,
): Value[] {
  const images = new Map<Value, Value>(graph.inputs.map((value, i) => [value, inputs[i]!]));
  return replay(b, graph, images, rewrite);
}

function replay(b: Builder, graph: Graph, images: Map<Value, Value>, rewrite: Rewrite): Value[] {
  const imageOf = (value: Value): Value =>
    images.get(value) ?? (value.constant === null ? value : b.constant(value.constant));
  for (const node of nodesOf(graph)) {
    const operands = node.inputs.map((value) => (value === null ? null : imageOf(value)));
    const within = (body: Graph, given: readonly Value[], scope: Builder = b) =>
      replay(
        scope,
        body,
        new Map([...images, ...body.inputs.map((value, i) => [value, given[i]!] as const)]),
        rewrite,
      );
    const results = b.madeFor(
      node.origin,
      () =>
        rewrite(b, node, operands, within) ?? b.emit(node.op, operands, copyBodies(b, node, images, rewrite)),
    );
    node.outputs.forEach((output, i) => {
      images.set(output, results[i]!);
    });
  }
  return graph.outputs.map(({ value }) => imageOf(value));
}

function copyBodies(b: Builder, node: Node, images: Map<Value, Value>, rewrite: Rewrite): Attributes {
  return Object.fromEntries(
    Object.entries(node.attributes).map(([name, attribute]) => {
      if (!isGraph(attribute)) return [name, attribute];
      const inner = b.child();
      for (const value of attribute.inputs) {
        images.set(value, inner.input(value.name!, value.dtype, value.shape));
      }
      const outputs = replay(inner, attribute, images, rewrite);
      const body = inner.graph(
        Object.fromEntries(attribute.outputs.map((output, i) => [output.name, outputs[i]!])),
        attribute.name,
      );
      return [name, attribute.trips === undefined ? body : { ...body, trips: attribute.trips }];
    }),
  );
}

/**
 * Replaces operators that a runtime has no kernel for by their decompositions, and what those emit likewise, until all
 * that is left is native (or has no decomposition).
 */
export function decompose(graph: Graph, isNative: (node: Node) => boolean): Graph {
  const isDue = (node: Node): boolean => node.op.decompose !== undefined && !isNative(node);
  const rewrite: Rewrite = (b, node, inputs) =>
    isDue(node) ? node.op.decompose!(b, inputs, node.attributes) : null;
  const hasDue = (part: Graph): boolean =>
    nodesOf(part).some((node) => isDue(node) || subgraphsOf(node.attributes).some(hasDue));
  let result = graph;
  // a decomposition may need that of another operator; deeper than a few means that one emits itself
  for (let depth = 0; depth < 8 && (depth === 0 || hasDue(result)); depth++)
    result = rebuild(result, rewrite);
  return result;
}
