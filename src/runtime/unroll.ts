import { numbers } from "../core/tensor.js";
import { type Graph, type Node, nodesOf, subgraphsOf, type Value } from "../graph/graph.js";
import { rebuild } from "../graph/passes.js";
import { unsqueeze } from "../ops/reshape.js";
import { concat } from "../ops/slicing.js";
import type { Runtime } from "./runtime.js";

/**
 * The graph with loops unrolled, iteration after iteration, for runtimes where control costs more than what it
 * controls: on a GPU a Loop hands every iteration back to the processor. Steps that are saved one by one have such a loop,
 * so a solve or gradient of k steps becomes one straight graph.
 *
 * Loops of which the number of iterations depends on what goes in, or which end by a condition, stay, and so do those
 * around them: unrolled they would be as many loops.
 *
 * @param most  iterations; a loop of more of them stays as well
 */
export function unroll(graph: Graph, most: number): Graph {
  return rebuild(graph, (b, node, inputs, within) => {
    if (node.op.type !== "Loop" || stays(node, most)) return null;
    const body = node.attributes.body as Graph;
    const start = inputs.slice(2) as Value[];
    const count = iterations(node);
    let carried: readonly Value[] = start;
    const rows: (readonly Value[])[] = [];
    for (let i = 0; i < count; i++) {
      const results = within(body, [b.scalar("int64", i), b.scalar("bool", true), ...carried]).slice(1);
      carried = results.slice(0, start.length);
      rows.push(results.slice(start.length).map((scan) => unsqueeze(b, scan, [0])));
    }
    const scans = rows[0]!.map((_, k) =>
      concat(
        b,
        rows.map((row) => row[k]!),
        0,
      ),
    );
    return [...carried, ...scans];
  });
}

/** Whether a node is a loop that is not unrolled, or holds one. */
function stays(node: Node, most: number): boolean {
  const bodies = subgraphsOf(node.attributes);
  if (node.op.type === "Scan" || bodies.some((body) => nodesOf(body).some((inner) => stays(inner, most)))) {
    return true;
  }
  if (node.op.type !== "Loop") return false;
  const goesOn = node.inputs[1] === null && isTrue(bodies[0]!.outputs[0]!.value);
  return !goesOn || iterations(node) > most || iterations(node) < 1;
}

/** How often a loop runs, infinite where that is known only when the graph runs. */
function iterations({ inputs: [trips] }: Node): number {
  return trips?.constant ? numbers(trips.constant)[0]! : Number.POSITIVE_INFINITY;
}

function isTrue({ constant }: Value): boolean {
  return constant !== null && constant.data[0] === 1;
}

/** A runtime that runs graphs with their loops unrolled. @param most  as {@link unroll} */
export function unrolled(runtime: Runtime, most: number): Runtime {
  return { ...runtime, compile: (graph, options) => runtime.compile(unroll(graph, most), options) };
}
