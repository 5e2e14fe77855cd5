import { SizeError } from "../core/size.js";
import { isFloat } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import { symbolNamed } from "../graph/dimension.js";
import { type Graph, nodesOf, type Value, type ValueType } from "../graph/graph.js";
import { ModelError, type ModelGraph, type ModelNode, type ModelValue, shown } from "../graph/model.js";
import { CountingStopped, type Place, type Replayer, Scope } from "./scope.js";

/** The body of an If, Loop or Scan, in a scope of its own that sees the enclosing ones. */
export function replayBody(
  replay: Replayer,
  b: Builder,
  node: ModelNode,
  body: ModelGraph,
  operands: readonly (Value | null)[],
  outer: Scope,
  place: Place,
): Graph {
  const inner = b.child();
  const scope = new Scope(outer);
  const types = inputTypes(node, operands);
  const inputs = body.inputs.map((declared, i) => {
    const type = types[i] ?? declaredType(replay, node, declared);
    const value = inner.input(declared.name, type.dtype, type.shape);
    scope.bind(declared.name, value);
    return value;
  });
  const outputs = replay.graph(inner, body, scope, place);
  // an inner result may be given out twice, so a name alone does not tell outputs apart
  const names = new Set<string>();
  const named = body.outputs.map(({ name }, i) => {
    let own = name;
    while (names.has(own)) own = `${own}/${i}`;
    names.add(own);
    return [own, outputs[i]!] as const;
  });
  const graph = inner.graph(Object.fromEntries(named), body.name === "" ? "body" : body.name);
  if (node.opType !== "Loop") return graph;
  const trips =
    knownTrips(operands, inputs, outputs) ?? countedTrips(replay, b, body, operands, outer, place);
  checkEnds(graph, trips);
  return trips === null || trips === Number.POSITIVE_INFINITY ? graph : { ...graph, trips };
}

/** Nodes that loops of known length may apply in one run: more take longer than anyone waits for a vector field. */
const mostApplied = 1e8;

/** @throws {SizeError} for a Loop that would go on for ever, or for as good as ever */
function checkEnds(body: Graph, trips: number | null): void {
  const applied = (trips ?? 1) * appliedBy(body);
  if (applied <= mostApplied) return;
  throw new SizeError(
    trips === Number.POSITIVE_INFINITY
      ? "The Loop has no trip count, and its condition is always true: it would go on for ever. Give it either."
      : `The Loop would apply ${applied.toExponential(1)} operators in each run, more than ${mostApplied.toExponential(0)}. ` +
          "Check its trip count, and those of the loops in it.",
  );
}

/** How many nodes a run of a body applies, those of the loops in it included, as far as it is known. */
function appliedBy(body: Graph): number {
  return nodesOf(body).reduce((sum, { op, attributes }) => {
    const inner = op.type === "Loop" ? (attributes.body as Graph) : null;
    const trips = typeof inner?.trips === "number" ? inner.trips : 1;
    return sum + 1 + (inner === null ? 0 : trips * appliedBy(inner));
  }, 1);
}

/** Nodes that may be gone through to count the iterations of one loop. */
const mostCounted = 20_000;

/**
 * How often a Loop runs whose condition is computed from a counter, as TensorFlow's and JAX's loops are exported: its
 * body is gone through with what is known of the values that it carries, until the condition is false.
 *
 * @returns `null` if the condition depends on anything that is not known
 */
function countedTrips(
  replay: Replayer,
  b: Builder,
  body: ModelGraph,
  operands: readonly (Value | null)[],
  outer: Scope,
  place: Place,
): number | null {
  const { counting } = replay;
  // inside of what is counted, a loop is not counted in its turn: it would be for each iteration around it
  if (counting.inside) return null;
  counting.inside = true;
  try {
    return tripsThrough(replay, b, body, operands, outer, place);
  } catch (error) {
    if (error instanceof CountingStopped) return null;
    throw error;
  } finally {
    counting.inside = false;
  }
}

function tripsThrough(
  replay: Replayer,
  b: Builder,
  body: ModelGraph,
  [count, start, ...carried]: readonly (Value | null)[],
  outer: Scope,
  place: Place,
): number | null {
  const isKnown = (value: Value | null | undefined) => value?.constant != null;
  const goesOn = (value: Value | null | undefined) => value == null || Number(value.constant!.data[0]) !== 0;
  if ((count && !isKnown(count)) || (start && !isKnown(start))) return null;
  const most = count ? Number(count.constant!.data[0]) : Number.POSITIVE_INFINITY;
  let proceeds = goesOn(start);
  let states: readonly (Value | null)[] = carried;
  for (let trips = 0; ; trips++) {
    if (!proceeds || trips >= most) return trips;
    if ((trips + 1) * body.nodes.length > mostCounted) return null;
    const inner = b.child();
    const scope = new Scope(outer);
    body.inputs.forEach(({ name }, i) => {
      const known = i === 0 ? b.scalar("int64", trips) : i === 1 ? b.scalar("bool", true) : states[i - 2];
      const { dtype, shape } = known ?? carried[i - 2] ?? { dtype: "float32" as const, shape: [] };
      scope.bind(name, known && isKnown(known) ? known : inner.input(name, dtype, shape));
    });
    const [next, ...after] = replay.graph(inner, body, scope, place);
    if (!isKnown(next)) return null;
    proceeds = goesOn(next);
    states = carried.map((_, i) => (isKnown(after[i]) ? after[i]! : null));
  }
}

/** What a body is given follows from what its operator is given. */
function inputTypes(node: ModelNode, operands: readonly (Value | null)[]): (ValueType | null)[] {
  if (node.opType === "Loop") {
    return [
      { dtype: "int64", shape: [] },
      { dtype: "bool", shape: [] },
      ...operands
        .slice(2)
        .map((value) => (value === null ? null : { dtype: value.dtype, shape: value.shape })),
    ];
  }
  if (node.opType !== "Scan") return [];
  const scans = intOf(node, "num_scan_inputs");
  const axes = node.attributes.get("scan_input_axes");
  const states = operands.length - scans;
  return operands.map((value, i) => {
    if (value === null) return null;
    if (i < states) return { dtype: value.dtype, shape: value.shape };
    const axis = axes?.kind === "ints" ? (axes.value[i - states] ?? 0) : 0;
    const along = axis < 0 ? axis + value.shape.length : axis;
    return { dtype: value.dtype, shape: value.shape.filter((_, at) => at !== along) };
  });
}

function intOf(node: ModelNode, name: string): number {
  const attribute = node.attributes.get(name);
  return attribute?.kind === "int" ? attribute.value : 0;
}

function declaredType(replay: Replayer, node: ModelNode, { name, dtype, shape }: ModelValue): ValueType {
  if (dtype === null || shape === null || shape.some((dim) => dim === null)) {
    throw new ModelError(
      `The type of the input ${shown(name)} of the body of a ${node.opType} is not known. ` +
        "Run shape inference on the model before loading it.",
    );
  }
  return {
    dtype: replay.float !== null && isFloat(dtype) ? replay.float : dtype,
    shape: shape.map((dim) => (typeof dim === "string" ? symbolNamed(dim) : dim!)),
  };
}

/** How often a Loop runs, where its count is constant and nothing ends it early; for ever, where it has none. */
function knownTrips(
  [count, start]: readonly (Value | null)[],
  inputs: readonly Value[],
  outputs: readonly Value[],
): number | null {
  const isTrue = (value: Value | null | undefined) =>
    value === null ||
    value === undefined ||
    (value.constant !== null && Number(value.constant.data[0]) !== 0);
  const proceeds = outputs[0] === inputs[1] || isTrue(outputs[0]);
  if (!isTrue(start) || !proceeds) return null;
  if (!count) return Number.POSITIVE_INFINITY;
  if (count.constant === null) return null;
  return Math.max(0, Number(count.constant.data[0]));
}
