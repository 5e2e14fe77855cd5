import { numbers } from "../core/tensor.js";
import type { Graph, Value } from "../graph/graph.js";
import { rebuild } from "../graph/passes.js";
import { unsqueeze } from "../ops/reshape.js";
import { concat } from "../ops/slicing.js";
import type { Runtime } from "./runtime.js";

/**
 * The graph with loops written out, iteration after iteration, for runtimes where control costs more than what it
 * controls: on a GPU a Loop hands every iteration back to the processor. Steps that are saved one by one have such a loop,
 * so a solve or gradient of k steps becomes one straight graph.
 *
 * Loops of which the number of iterations depends on what goes in, or which end by a condition, stay.
 *
 * @param most  iterations; a loop of more of them stays as well
 */
export function unroll(graph: Graph, most: number): Graph {
  return rebuild(graph, (b, node, inputs, within) => {
    if (node.op.type !== "Loop") return null;
    const body = node.attributes.body as Graph;
    const [trips, condition, ...start] = inputs as [Value | null, Value | null, ...Value[]];
    const count = trips?.constant ? numbers(trips.constant)[0]! : Number.POSITIVE_INFINITY;
    if (count > most || count < 1 || condition !== null || !isTrue(body.outputs[0]!.value)) return null;
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

function isTrue({ constant }: Value): boolean {
  return constant !== null && constant.data[0] === 1;
}

/** A runtime that runs graphs with their loops written out. @param most  as {@link unroll} */
export function unrolled(runtime: Runtime, most: number): Runtime {
  return { ...runtime, compile: (graph, options) => runtime.compile(unroll(graph, most), options) };
}
