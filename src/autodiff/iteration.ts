import { isFloat } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import { type Dim, type Graph, normaliseAxis, type Value } from "../graph/graph.js";
import { inline } from "../graph/passes.js";
import { accumulate, add, sub } from "../ops/arithmetic.js";
import { loop } from "../ops/control.js";
import { maximum } from "../ops/extrema.js";
import { zerosLike } from "../ops/generate.js";
import { where } from "../ops/logic.js";
import { shapeOf, transpose } from "../ops/reshape.js";
import { flip } from "../ops/slice.js";
import { gather } from "../ops/slicing.js";
import type { ControlRule, Cotangent, Pullback } from "./control-rule.js";

// Loop and Scan, undone: the states before every iteration are stored, and cotangents go through the iterations from
// the last to the first.

/** For a while loop: as many as an ONNX Loop can count, and more than any will do. */
const unbounded = 2n ** 62n;

/** What a Loop or a Scan does, as a function of the number of the iteration. */
interface Iterations {
  /** states before the first iteration */
  readonly start: readonly Value[];
  /** which of a state cotangents come to */
  readonly floats: readonly number[];
  /** states before each iteration, stacked: [n, …] */
  readonly stored: readonly Value[];
  /** n, the number of iterations that were done; an int64 scalar */
  readonly count: Value;
  /** n as a dimension */
  readonly length: Dim;
  /** what iteration k takes of the tensors that are walked along */
  readonly elements: (b: Builder, k: Value) => readonly Value[];
  readonly body: (b: Builder, k: Value, state: readonly Value[], elements: readonly Value[]) => Step;
  /** cotangents of what iteration k stacks */
  readonly arriving: (b: Builder, k: Value) => readonly Cotangent[];
}

interface Step {
  readonly carried: readonly Value[];
  readonly scans: readonly Value[];
}

/**
 * A Loop with a trip count. For y_{k+1}, s_k = g(k, y_k; c), with what the body captures c,
 *
 *   ȳ_k = (∂g/∂y)ᵀ (ȳ_{k+1}, s̄_k),   c̄ = Σ_k (∂g/∂c)ᵀ (ȳ_{k+1}, s̄_k).
 *
 * The loop is done a second time to store every y_k (and a third time where a condition may end it, to count). A condition that ends it early counts as given: what it would be
 * for other values is not looked at, as in JAX's while_loop and bounded loops.
 */
export const pullLoop: ControlRule = (b, node, incoming, wanted, pullback) => {
  const body = node.attributes.body as Graph;
  const [limit, condition, ...start] = node.inputs as [Value | null, Value | null, ...Value[]];
  const step = (inner: Builder, k: Value, state: readonly Value[]) => {
    const [proceed, ...rest] = inline(inner, body, [k, inner.scalar("bool", true), ...state]);
    return { proceed: proceed!, carried: rest.slice(0, start.length), scans: rest.slice(start.length) };
  };
  const zero = b.scalar("int64", 0);
  const most = limit === null ? b.scalar("int64", unbounded) : maximum(b, limit, zero);
  const trips = isTrue(condition) ? most : where(b, condition!, most, zero);
  const proceeds = body.outputs[0]!.value;
  const ends = proceeds !== body.inputs[1] && !isTrue(proceeds);
  // states are stored for as many iterations as there are, so these are counted first
  const count = ends
    ? loop(b, { trips, carried: [zero, ...start] }, (inner, k, [done, ...state]) => {
        const { proceed, carried } = step(inner, k, state);
        return { carried: [add(inner, done!, 1), ...carried], proceed };
      }).carried[0]!
    : trips;
  const length = ends ? "steps" : (body.trips ?? "steps");
  const { scans: stored } = loop(b, { trips: count, carried: start, length }, (inner, k, state) => ({
    carried: step(inner, k, state).carried,
    scans: state,
  }));
  const [carriedCotangents, scanCotangents] = [incoming.slice(0, start.length), incoming.slice(start.length)];
  const pulled = pullIterations(
    b,
    {
      ...{ start, floats: floatsReached(body, 2, start, incoming), stored, count, length },
      elements: () => [],
      body: step,
      arriving: (inner, k) => scanCotangents.map((cotangent) => cotangent && gather(inner, cotangent, k)),
    },
    carriedCotangents,
    wanted,
    pullback,
  );
  return { inputs: [null, null, ...pulled.start], captures: pulled.captures };
};

/** A Scan: as {@link pullLoop}, with what it walks along differentiated too, x̄_k = (∂g/∂x)ᵀ (ȳ_{k+1}, s̄_k). */
export const pullScan: ControlRule = (b, node, incoming, wanted, pullback) => {
  const body = node.attributes.body as Graph;
  const walkedCount = node.attributes.num_scan_inputs as number;
  const inputs = node.inputs as readonly Value[];
  const [start, walked] = [inputs.slice(0, -walkedCount), inputs.slice(-walkedCount)];
  const setting = (name: string, i: number) =>
    (node.attributes[name] as readonly number[] | undefined)?.[i] ?? 0;
  const axisOf = (i: number) => normaliseAxis(setting("scan_input_axes", i), walked[i]!.shape.length, "Scan");
  const scanned = node.outputs.slice(start.length);
  const outAxisOf = (i: number) =>
    normaliseAxis(setting("scan_output_axes", i), scanned[i]!.shape.length, "Scan");
  const count = gather(b, shapeOf(b, walked[0]!), axisOf(0));
  /** where iteration k is along an axis that may be walked backwards */
  const placeOf = (inner: Builder, k: Value, backwards: number) =>
    backwards === 0 ? k : sub(inner, sub(inner, count, 1), k);
  const elements = (inner: Builder, k: Value) =>
    walked.map((value, i) =>
      gather(inner, value, placeOf(inner, k, setting("scan_input_directions", i)), axisOf(i)),
    );
  const step = (inner: Builder, _: Value, state: readonly Value[], own: readonly Value[]) => {
    const results = inline(inner, body, [...state, ...own]);
    return { carried: results.slice(0, start.length), scans: results.slice(start.length) };
  };
  const length = walked[0]!.shape[axisOf(0)]!;
  const { scans: stored } = loop(b, { trips: count, carried: start, length }, (inner, k, state) => ({
    carried: step(inner, k, state, elements(inner, k)).carried,
    scans: state,
  }));
  const cotangents = incoming.slice(start.length);
  const arriving = (inner: Builder, k: Value) =>
    cotangents.map((cotangent, i) => {
      if (cotangent === null) return null;
      const place = placeOf(inner, k, setting("scan_output_directions", i));
      return gather(inner, cotangent, place, outAxisOf(i));
    });
  const floats = floatsReached(body, 0, start, incoming);
  const iterations = { start, floats, stored, count, length, elements, body: step, arriving };
  const pulled = pullIterations(b, iterations, incoming.slice(0, start.length), wanted, pullback);
  const outgoing = pulled.elements.map((stack, i): Cotangent => {
    if (stack === null) return null;
    // the last iteration is the first to be pulled through
    const ordered = setting("scan_input_directions", i) === 0 ? flip(b, stack, 0) : stack;
    return movedAxis(b, ordered, axisOf(i));
  });
  return { inputs: [...pulled.start, ...outgoing], captures: pulled.captures };
};

/** Cotangents through all iterations, the last one first. */
function pullIterations(
  b: Builder,
  { start, floats, stored, count, length, elements, body, arriving }: Iterations,
  ending: readonly Cotangent[],
  wanted: readonly Value[],
  pullback: Pullback,
): { start: Cotangent[]; captures: Cotangent[]; elements: Cotangent[] } {
  const first = floats.map((i) => ending[i] ?? zerosLike(b, start[i]!));
  const none = wanted.map((value) => zerosLike(b, value));
  let walkedFloats: number[] = [];
  let elementCount = 0;
  const { carried, scans } = loop(
    b,
    { trips: count, carried: [...first, ...none], length },
    (inner, j, values) => {
      const k = sub(inner, sub(inner, count, 1), j);
      const state = stored.map((stack) => gather(inner, stack, k));
      const own = elements(inner, k);
      elementCount = own.length;
      walkedFloats = own.flatMap((value, i) => (isFloat(value.dtype) ? [i] : []));
      const after = body(inner, k, state, own);
      const cotangents = [...after.carried.map((): Cotangent => null), ...arriving(inner, k)];
      floats.forEach((i, at) => {
        cotangents[i] = values[at]!;
      });
      const independent = [...floats.map((i) => state[i]!), ...walkedFloats.map((i) => own[i]!), ...wanted];
      const pulled = pullback(inner, [...after.carried, ...after.scans], cotangents, independent);
      const zeroed = (cotangent: Cotangent, like: Value) => cotangent ?? zerosLike(inner, like);
      const captured = pulled.slice(floats.length + walkedFloats.length);
      return {
        carried: [
          ...floats.map((i, at) => zeroed(pulled[at]!, start[i]!)),
          ...wanted.map((_, i) => accumulate(inner, values[floats.length + i]!, captured[i]!)!),
        ],
        scans: walkedFloats.map((i, at) => zeroed(pulled[floats.length + at]!, own[i]!)),
      };
    },
  );
  const at = (i: number, list: readonly number[], values: readonly Value[]): Cotangent =>
    values[list.indexOf(i)] ?? null;
  return {
    start: start.map((_, i) => at(i, floats, carried)),
    captures: carried.slice(floats.length),
    elements: Array.from({ length: elementCount }, (_, i) => at(i, walkedFloats, scans)),
  };
}

/**
 * The floats that iterations carry of which anything depends that has a cotangent: not what they tell of themselves.
 *
 * @param before  inputs of the body that come before what is carried
 * @param incoming  cotangents of what is carried to the end, and of scans
 */
function floatsReached(
  body: Graph,
  before: number,
  start: readonly Value[],
  incoming: readonly Cotangent[],
): number[] {
  const given = body.inputs.slice(before, before + start.length);
  const results = body.outputs.slice(-incoming.length).map(({ value }) => value);
  const due = results.filter((_, k) => incoming[k] !== null);
  const seen = new Set(due);
  for (let value = due.pop(); value !== undefined; value = due.pop()) {
    // what an iteration reads was carried there by the one before it
    const from = given.indexOf(value);
    const { node } = value;
    const operands = from >= 0 ? [results[from]!] : node === null ? [] : [...node.inputs, ...node.captures];
    for (const operand of operands) {
      if (operand === null || operand.scope.depth < body.scope.depth || seen.has(operand)) continue;
      seen.add(operand);
      due.push(operand);
    }
  }
  const reached = (i: number) => incoming[i] !== null || seen.has(given[i]!);
  return start.flatMap(({ dtype }, i) => (isFloat(dtype) && reached(i) ? [i] : []));
}

/** With its leading axis at another place. */
function movedAxis(b: Builder, x: Value, axis: number): Value {
  if (axis === 0) return x;
  const rest = Array.from({ length: x.shape.length - 1 }, (_, i) => i + 1);
  return transpose(b, x, rest.toSpliced(axis, 0, 0));
}

function isTrue(value: Value | null): boolean {
  return value === null || (value.constant !== null && Number(value.constant.data[0]) !== 0);
}
