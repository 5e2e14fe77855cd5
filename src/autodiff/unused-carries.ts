import { type Graph, type Node, nodesOf, subgraphsOf, type Value } from "../graph/graph.js";
import { type Rewrite, rebuild } from "../graph/passes.js";
import { Loop } from "../ops/control.js";

/**
 * The graph without what its loops carry or stack for nobody: the cotangents of a control path that is not trained, say, which
 * a solve would add up over all of its steps.
 */
export function withoutUnusedCarries(graph: Graph): Graph {
  const live = liveValues(graph);
  const isWhole = (node: Node) => node.outputs.every((output) => live.has(output));
  if (!someLoop(graph, (node) => !isWhole(node))) return graph;
  const rewrite: Rewrite = (b, node, inputs, within) => {
    // nothing that stays reads any of these
    if (node.outputs.every((output) => !live.has(output)))
      return node.outputs.map(() => b.scalar("bool", true));
    if (node.op !== Loop || isWhole(node)) return null;
    const body = node.attributes.body as Graph;
    const carried = inputs.slice(2) as Value[];
    const kept = node.outputs.map((_, i) => i).filter((i) => live.has(node.outputs[i]!));
    const own = kept.filter((i) => i < carried.length);
    const inner = b.child();
    const [iteration, condition] = body.inputs.map(({ name, dtype, shape }, k) =>
      k < 2 ? inner.input(name!, dtype, shape) : null,
    ) as [Value, Value];
    // what is not kept is read by nothing that is
    const given = carried.map((value, i) =>
      own.includes(i) ? inner.input(body.inputs[i + 2]!.name!, value.dtype, value.shape) : value,
    );
    const names = ["proceed", ...kept.map((i) => body.outputs[i + 1]!.name)];
    const outputs = [body.outputs[0]!, ...kept.map((i) => body.outputs[i + 1]!)];
    const results = within({ ...body, outputs }, [iteration, condition, ...given], inner);
    const less = inner.graph(Object.fromEntries(names.map((name, k) => [name, results[k]!])), body.name);
    const found = b.emit(Loop, [...inputs.slice(0, 2), ...own.map((i) => carried[i]!)], {
      body: body.trips === undefined ? less : { ...less, trips: body.trips },
    });
    // nothing takes those that are gone
    return node.outputs.map((_, i) => found[Math.max(0, kept.indexOf(i))]!);
  };
  return rebuild(graph, rewrite);
}

function someLoop(graph: Graph, holds: (node: Node) => boolean): boolean {
  return nodesOf(graph).some(
    (node) =>
      (node.op === Loop && holds(node)) || subgraphsOf(node.attributes).some((body) => someLoop(body, holds)),
  );
}

/** The values that outputs depend on; what a loop carries counts where something but itself reads it. */
function liveValues(graph: Graph): ReadonlySet<Value> {
  const live = new Set<Value>();
  const due: Value[] = graph.outputs.map(({ value }) => value);
  /** by what a body is given for what it carries: the loop, and which carried value it is */
  const carriedBy = new Map<Value, readonly [Node, number]>();
  const mark = (value: Value | null | undefined) => {
    if (value && !live.has(value)) {
      live.add(value);
      due.push(value);
    }
  };
  for (const value of due) live.add(value);
  for (let value = due.pop(); value !== undefined; value = due.pop()) {
    const of = carriedBy.get(value);
    // read in the body: so its value after each iteration counts as well
    if (of !== undefined) mark(of[0].outputs[of[1]]);
    const { node } = value;
    if (node === null) continue;
    if (node.op === Loop) markLoop(node, value.index);
    else {
      for (const input of node.inputs) mark(input);
      for (const body of subgraphsOf(node.attributes)) for (const output of body.outputs) mark(output.value);
    }
  }
  return live;

  function markLoop(node: Node, index: number): void {
    const body = node.attributes.body as Graph;
    const carried = node.inputs.length - 2;
    for (let i = 0; i < carried; i++) {
      const input = body.inputs[i + 2]!;
      if (!carriedBy.has(input)) {
        carriedBy.set(input, [node, i]);
        if (live.has(input)) mark(node.outputs[i]);
      }
    }
    mark(node.inputs[0]);
    mark(node.inputs[1]);
    mark(body.outputs[0]!.value);
    mark(body.outputs[index + 1]!.value);
    if (index < carried) mark(node.inputs[index + 2]);
  }
}
