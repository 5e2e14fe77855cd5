import { isFloat } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import { symbolNamed } from "../graph/dimension.js";
import type { Graph, Value, ValueType } from "../graph/graph.js";
import { ModelError, type ModelGraph, type ModelNode, type ModelValue, shown } from "../graph/model.js";
import { type Place, type Replayer, Scope } from "./scope.js";

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
  const trips =
    node.opType === "Loop"
      ? (knownTrips(operands, inputs, outputs) ?? countedTrips(replay, b, body, operands, outer, place))
      : null;
  return trips === null ? graph : { ...graph, trips };
}

/** Nodes that may be gone through to count the iterations of a loop. */
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

/** How often a Loop runs, where its count is constant and nothing ends it early. */
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
  if (!count?.constant || !isTrue(start) || !proceeds) return null;
  const trips = Number(count.constant.data[0]);
  return Number.isSafeInteger(trips) ? Math.max(0, trips) : null;
}
