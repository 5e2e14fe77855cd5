import { ortHere } from "../core/place.js";
import { integerRange, isFloat, type Tensor } from "../core/tensor.js";
import { type Graph, type Node, nodesOf, shownOrigin, showType, type Value } from "../graph/graph.js";
import { reductionAxes } from "../ops/broadcast.js";
import { CompileError } from "../runtime/runtime.js";

// TensorFlow.js has int32 and no other integers (and with WebGL, as float32). Those of a graph become int32 where it follows
// from the graph that they fit: this finds the smallest and the largest number that each can be. Nothing wraps around
// unseen: what might is refused, by name.

/** The smallest and the largest number that an integer may be. */
export type Interval = readonly [low: number, high: number];

export interface IntegerBounds {
  of(value: Value): Interval;
  /** what each input of the graph that holds integers may hold */
  readonly inputs: ReadonlyMap<string, Interval>;
}

/**
 * @param limit  the size below which integers are exact
 * @throws {CompileError} naming the operator whose result may not fit
 */
export function integerBounds(graph: Graph, name: string, limit: number): IntegerBounds {
  const nodes = nodesOf(graph);
  try {
    return boundsFor(graph, nodes, boundsOfInputs(graph, nodes, limit), name, limit);
  } catch (cause) {
    if (!(cause instanceof CompileError)) throw cause;
    // of smaller inputs, sums may fit as well
    return boundsFor(graph, nodes, boundsOfInputs(graph, nodes, limit / 2), name, limit);
  }
}

function boundsFor(
  graph: Graph,
  nodes: readonly Node[],
  inputs: ReadonlyMap<string, Interval>,
  name: string,
  limit: number,
): IntegerBounds {
  const known = new Map<Value, Interval>();
  const of = (value: Value): Interval => {
    if (value.constant !== null) return extent(value.constant);
    return known.get(value) ?? inputs.get(value.name ?? "") ?? [0, 1];
  };
  for (const node of nodes) {
    for (const value of node.outputs) {
      if (value.dtype === "bool" || isFloat(value.dtype)) continue;
      const interval = resultOf(node, of) ?? unknown;
      check(graph, node, value, interval, name, limit);
      known.set(value, interval);
    }
  }
  return { of, inputs };
}

/** What is not followed: nothing keeps it from wrapping around. */
const unknown: Interval = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];

function rangeOf({ dtype }: Value): Interval {
  const [low, high] = integerRange(dtype);
  return [Number(low), Number(high)];
}

function check(
  graph: Graph,
  node: Node,
  value: Value,
  [low, high]: Interval,
  name: string,
  limit: number,
): void {
  const [least, most] = rangeOf(value);
  const [from, to] = [Math.max(least, -limit), Math.min(most, limit - 1)];
  if (low >= from && high <= to) return;
  const found = Number.isFinite(low) ? `from ${low} to ${high}` : "any number";
  const reason = most < limit ? "integers do not wrap around there" : "its integers are exact no further";
  throw new CompileError(
    `${name} cannot run the graph "${graph.name}": ${shownOrigin(node)} computes with ${showType(value)} that may be ${found}, ` +
      `which should be from ${from} to ${to}: ${reason}. Run it on jit or ${ortHere()}.`,
  );
}

/** The smallest and the largest of constant integers. */
export function extent({ data }: Tensor): Interval {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const element of data) {
    const number = Number(element);
    if (number < low) low = number;
    if (number > high) high = number;
  }
  return data.length === 0 ? [0, 0] : [low, high];
}

/** What inputs of integers may hold: less than a size, and no more than what they index. */
function boundsOfInputs(graph: Graph, nodes: readonly Node[], size: number): Map<string, Interval> {
  const bounds = new Map<string, Interval>();
  for (const value of graph.inputs) {
    if (isFloat(value.dtype)) continue;
    const [low, high] = rangeOf(value);
    bounds.set(value.name!, [Math.max(low, -size), Math.min(high, size - 1)]);
  }
  for (const node of nodes) {
    const index = indexOf(node);
    const source = index && sourceOf(index.indices);
    if (!index || !source) continue;
    const [low, high] = bounds.get(source)!;
    bounds.set(source, [Math.max(low, -index.length), Math.min(high, index.length - 1)]);
  }
  return bounds;
}

/** What a node indexes by numbers that are not constant, and how long that is. */
export function indexOf({ op, inputs, attributes }: Node): { indices: Value; length: number } | null {
  const [x, indices] = inputs;
  if (!x || !indices || indices.constant !== null) return null;
  const axis =
    op.type === "GatherND" || op.type === "ScatterND"
      ? indices.shape.at(-1) === 1
        ? 0
        : null
      : ["Gather", "GatherElements", "ScatterElements"].includes(op.type)
        ? Number(attributes.axis ?? 0)
        : null;
  const length = axis === null ? undefined : x.shape.at(axis);
  return typeof length === "number" ? { indices, length } : null;
}

/** A batch has no more rows than that, where its size is not known. */
const longest = 2 ** 24 - 1;

/** Operators of which each element of the result is one of the first operand, unchanged. */
const rearranging: ReadonlySet<string> = new Set([
  ...["Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Identity", "Expand", "Tile", "Slice"],
  ...["Split", "Gather", "GatherElements", "GatherND"],
]);

/** The input of the graph that a value's elements are taken from, as they are. */
function sourceOf(value: Value): string | null {
  let at = value;
  while (at.node !== null) {
    const { op, inputs } = at.node;
    const keeps = rearranging.has(op.type) || (op.type === "Cast" && !isFloat(inputs[0]!.dtype));
    if (!keeps) return null;
    at = inputs[0]!;
  }
  return at.dtype === "bool" ? null : at.name;
}

const union = (intervals: readonly Interval[]): Interval => [
  Math.min(...intervals.map(([low]) => low)),
  Math.max(...intervals.map(([, high]) => high)),
];

/** What a node computes from what is known of its operands; `null` where nothing is. */
function resultOf(node: Node, of: (value: Value) => Interval): Interval | null {
  const { op, inputs, outputs, attributes } = node;
  const [x, y] = inputs.map((value) => (value && !isFloat(value.dtype) ? of(value) : null));
  if (rearranging.has(op.type)) return x!;
  switch (op.type) {
    case "Shape":
      return [0, longest];
    case "ArgMax":
    case "ArgMin": {
      const dim = inputs[0]!.shape.at(Number(attributes.axis ?? 0))!;
      return [0, typeof dim === "number" ? Math.max(0, dim - 1) : longest];
    }
    case "Cast":
      // floats saturate
      return x ?? rangeOf(outputs[0]!);
    case "Concat":
    case "Max":
    case "Min": {
      const all = inputs.map((value) => of(value!));
      if (op.type === "Concat") return union(all);
      const pick = op.type === "Max" ? Math.max : Math.min;
      return [pick(...all.map(([low]) => low)), pick(...all.map(([, high]) => high))];
    }
    case "Where":
      return union([y!, of(inputs[2]!)]);
    case "Pad":
      return inputs[2] ? union([x!, of(inputs[2])]) : union([x!, [0, 0]]);
    case "ScatterND":
    case "ScatterElements":
      return (attributes.reduction ?? "none") === "none" ? union([x!, of(inputs[2]!)]) : null;
    case "Relu":
      return [Math.max(0, x![0]), Math.max(0, x![1])];
    case "Sign":
      return [Math.sign(x![0]), Math.sign(x![1])];
    case "Neg":
      return [-x![1], -x![0]];
    case "Abs":
      return [x![0] <= 0 && x![1] >= 0 ? 0 : Math.min(Math.abs(x![0]), Math.abs(x![1])), sizeOfInterval(x!)];
    case "Add":
      return [x![0] + y![0], x![1] + y![1]];
    case "Sub":
      return [x![0] - y![1], x![1] - y![0]];
    case "Mul": {
      const products = x!.flatMap((a) => y!.map((b) => a * b));
      return [Math.min(...products), Math.max(...products)];
    }
    case "Div":
      return divides(inputs[1]!, y!) ? quotient(x!, y!) : null;
    case "Mod":
      return divides(inputs[1]!, y!) ? remainder(x!, y!, attributes.fmod === 1) : null;
    case "ReduceMax":
    case "ReduceMin":
      return x!;
    case "ReduceProd": {
      const power = sizeOfInterval(x!) ** countOf(node);
      return [x![0] < 0 ? -power : 0, power];
    }
    case "ReduceSum":
    case "CumSum": {
      const terms = countOf(node);
      return [Math.min(0, terms * x![0]), Math.max(0, terms * x![1])];
    }
    case "ConstantOfShape":
      return attributes.value ? extent(attributes.value as Tensor) : [0, 0];
    default:
      return null;
  }
}

/** How many elements become one; infinitely many, where that is not known. */
function countOf({ op, inputs, attributes }: Node): number {
  const axes =
    op.type === "CumSum"
      ? [Number(inputs[1]!.constant!.data[0])]
      : reductionAxes(op.type, inputs, attributes);
  const dims = axes.map((axis) => inputs[0]!.shape.at(axis)!);
  return dims.reduce<number>(
    (product, dim) => product * (typeof dim === "number" ? dim : Number.POSITIVE_INFINITY),
    1,
  );
}

function sizeOfInterval([low, high]: Interval): number {
  return Math.max(Math.abs(low), Math.abs(high));
}

/** Whether a divisor is nowhere 0, which other runtimes report. */
function divides({ constant }: Value, [low, high]: Interval): boolean {
  if (low > 0 || high < 0) return true;
  return constant !== null && !constant.data.some((element: number | bigint) => Number(element) === 0);
}

/** x / y, cut off. */
function quotient(x: Interval, [low, high]: Interval): Interval {
  const least = low > 0 ? low : high < 0 ? -high : 1;
  const most = Math.trunc(sizeOfInterval(x) / least);
  return [x[0] >= 0 && low > 0 ? 0 : -most, x[1] <= 0 && low > 0 ? 0 : most];
}

/** The remainder has the sign of the divisor, or with fmod that of the dividend. */
function remainder(x: Interval, y: Interval, hasSignOfDividend: boolean): Interval {
  const most = sizeOfInterval(y) - 1;
  if (hasSignOfDividend) return [x[0] < 0 ? -most : 0, x[1] > 0 ? most : 0];
  return [y[0] > 0 ? 0 : -most, y[1] < 0 ? 0 : most];
}
