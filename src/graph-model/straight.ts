import { ortHere } from "../core/place.js";
import { emptyData, numbers, type Tensor, tensor } from "../core/tensor.js";
import { Builder } from "../graph/builder.js";
import { type Graph, type Node, nodesOf, type Shape, subgraphsOf, type Value } from "../graph/graph.js";
import { inline, type Rewrite } from "../graph/passes.js";
import { isStatic } from "../ops/dims.js";
import { where } from "../ops/logic.js";
import { unsqueeze } from "../ops/reshape.js";
import { concat, gather } from "../ops/slicing.js";
import { CompileError } from "../runtime/runtime.js";

// TensorFlow.js runs a While by reading its condition back in every iteration, and only asynchronously. So graphs go to it
// without loops: each is unrolled, iteration after iteration, for given numbers of them.

/** What is known of a graph's inputs before it is written. */
export interface Known {
  /** shapes, by name; as the graph has them where they are not given */
  readonly shapes?: ReadonlyMap<string, Shape>;
  /** inputs that are constants from now on */
  readonly values?: ReadonlyMap<string, Tensor>;
}

/** How long a graph may become, and what to say where it would be longer. */
export interface Room {
  /** who asks, for messages */
  readonly name: string;
  /** operators, at most */
  readonly operators: number;
  /** what to do where that is too few, without its end */
  readonly remedy?: string;
}

/**
 * The same graph without Loop, Scan and If: loops as often as they run, and of an If both branches, of which elements are
 * chosen.
 *
 * @throws {CompileError} where it is not known how often a loop runs, or where the graph becomes too long
 */
export function straight(graph: Graph, { shapes, values }: Known, room: Room): Graph {
  const b = new Builder();
  const inputs = graph.inputs.map((value) => {
    const known = values?.get(value.name!);
    if (known !== undefined) return b.constant(known);
    return b.input(value.name!, value.dtype, shapes?.get(value.name!) ?? value.shape);
  });
  const outputs = inline(b, graph, inputs, writtenOut(graph, room));
  return b.graph(Object.fromEntries(graph.outputs.map(({ name }, i) => [name, outputs[i]!])), graph.name);
}

const usualRemedy = () =>
  "Take fewer steps at a time (a larger step size, a shorter time), allow more (tfjs({ operators })), or use jit or " +
  `${ortHere()}, which run loops`;

function writtenOut(graph: Graph, { name, operators, remedy = usualRemedy() }: Room): Rewrite {
  let count = 0;
  const refuse = (what: string, remedy: string): never => {
    throw new CompileError(`${name} cannot run the graph "${graph.name}": ${what}. ${remedy}`);
  };
  return (b, node, operands, within) => {
    if (++count > operators) {
      refuse(`with its loops unrolled it has more than ${operators} operators`, `${remedy}.`);
    }
    switch (node.op.type) {
      case "Loop":
        return loopWrittenOut(b, node, operands, within, () =>
          refuse(
            "it has a Loop of which the number of iterations is known only when it has run",
            `TensorFlow.js runs unrolled loops alone: use steps of one size between given times, or the runtimes jit or ${ortHere()}.`,
          ),
        );
      case "Scan":
        return scanWrittenOut(b, node, operands as readonly Value[], within);
      case "If":
        return bothBranches(b, node, operands[0]!, within);
      default:
        return null;
    }
  };
}

type Within = Parameters<Rewrite>[3];

function loopWrittenOut(
  b: Builder,
  { attributes }: Node,
  operands: readonly (Value | null)[],
  within: Within,
  unknown: () => never,
): readonly Value[] {
  const body = attributes.body as Graph;
  const [trips, condition] = operands;
  const start = operands.slice(2) as Value[];
  const goes = (value: Value | null | undefined) =>
    value === null || value === undefined ? true : value.constant === null ? unknown() : truth(value);
  if (trips && trips.constant === null) unknown();
  const most = trips ? numbers(trips.constant!)[0]! : Number.POSITIVE_INFINITY;
  let carried: readonly Value[] = start;
  let goesOn = goes(condition);
  const rows: (readonly Value[])[] = [];
  const iterate = (i: number) => within(body, [b.scalar("int64", i), b.scalar("bool", true), ...carried]);
  for (let i = 0; i < most && goesOn; i++) {
    const [proceed, ...results] = iterate(i);
    carried = results.slice(0, start.length);
    rows.push(results.slice(start.length));
    goesOn = goes(proceed);
  }
  if (body.outputs.length === 1 + start.length) return carried;
  // of a loop that does not run, what it would stack has a shape all the same
  const kinds = rows[0] ?? iterate(0).slice(1 + start.length);
  return [
    ...carried,
    ...kinds.map((kind, k) =>
      stacked(
        b,
        rows.map((row) => row[k]!),
        kind,
        0,
      ),
    ),
  ];
}

function truth({ constant }: Value): boolean {
  return constant!.data[0] === 1;
}

/** Values side by side along a new axis. @param kind  one like them, should there be none */
function stacked(b: Builder, values: readonly Value[], kind: Value, axis: number): Value {
  if (values.length > 0)
    return concat(
      b,
      values.map((value) => unsqueeze(b, value, [axis])),
      axis,
    );
  if (!isStatic(kind.shape)) return unsqueeze(b, kind, [axis]);
  const shape = kind.shape.toSpliced(axis, 0, 0);
  return b.constant(tensor(kind.dtype, shape, emptyData(kind.dtype, 0)) as Tensor);
}

function scanWrittenOut(
  b: Builder,
  { attributes, outputs }: Node,
  operands: readonly Value[],
  within: Within,
): readonly Value[] | null {
  const body = attributes.body as Graph;
  const states = operands.length - (attributes.num_scan_inputs as number);
  const walked = operands.slice(states);
  const listOf = (name: string, i: number) => (attributes[name] as readonly number[] | undefined)?.[i] ?? 0;
  const axisOf = (value: Value, i: number) => {
    const axis = listOf("scan_input_axes", i);
    return axis < 0 ? axis + value.shape.length : axis;
  };
  const length = walked[0]!.shape[axisOf(walked[0]!, 0)]!;
  if (typeof length !== "number") return null;
  let carried: readonly Value[] = operands.slice(0, states);
  const rows: (readonly Value[])[] = [];
  for (let k = 0; k < length; k++) {
    const slices = walked.map((value, i) => {
      const at = listOf("scan_input_directions", i) === 1 ? length - 1 - k : k;
      return gather(b, value, at, axisOf(value, i));
    });
    const results = within(body, [...carried, ...slices]);
    carried = results.slice(0, states);
    rows.push(results.slice(states));
  }
  const scans = outputs.slice(states).map(({ shape }, i) => {
    const values = rows.map((row) => row[i]!);
    if (listOf("scan_output_directions", i) === 1) values.reverse();
    const axis = listOf("scan_output_axes", i);
    return stacked(b, values, body.outputs[states + i]!.value, axis < 0 ? axis + shape.length : axis);
  });
  return [...carried, ...scans];
}

/** An If as a choice between elements of both branches; of one alone, where the condition is known. */
function bothBranches(b: Builder, { attributes }: Node, condition: Value, within: Within): readonly Value[] {
  const [yes, no] = [attributes.then_branch as Graph, attributes.else_branch as Graph];
  if (condition.constant !== null) return within(truth(condition) ? yes : no, []);
  const [first, second] = [within(yes, []), within(no, [])];
  return first.map((value, i) => where(b, condition, value, second[i]!));
}

/** The inputs that decide how often loops run, and which branch is taken: integers and truth values, by name. */
export function steering(graph: Graph): ReadonlySet<string> {
  /** what a value inside a body, or a result of one, comes from */
  const sources = new Map<Value, (Value | null | undefined)[]>();
  const wanted: Value[] = [];
  const visit = (part: Graph): void => {
    for (const node of nodesOf(part)) {
      const { op, inputs, outputs, attributes } = node;
      const [body, other] = subgraphsOf(attributes);
      if (body === undefined) continue;
      if (op.type === "If") {
        wanted.push(inputs[0]!);
        outputs.forEach((output, i) => {
          sources.set(output, [inputs[0], body.outputs[i]?.value, other?.outputs[i]?.value]);
        });
      } else {
        const [given, taken] = op.type === "Loop" ? [2, 1] : [0, 0];
        for (const value of inputs.slice(0, given)) if (value !== null) wanted.push(value);
        const results = body.outputs.slice(taken).map(({ value }) => value);
        if (op.type === "Loop") wanted.push(body.outputs[0]!.value);
        body.inputs.slice(given).forEach((value, i) => {
          sources.set(value, [inputs[given + i], i < results.length ? results[i] : null]);
        });
        outputs.forEach((output, i) => {
          sources.set(output, [results[i], inputs[given + i], ...inputs.slice(0, given)]);
        });
      }
      subgraphsOf(attributes).forEach(visit);
    }
  };
  visit(graph);
  const seen = new Set<Value>();
  const names = new Set<string>();
  while (wanted.length > 0) {
    const value = wanted.pop()!;
    if (seen.has(value)) continue;
    seen.add(value);
    const own = sources.get(value) ?? value.node?.inputs ?? [];
    for (const source of own) if (source) wanted.push(source);
    if (graph.inputs.includes(value) && !value.dtype.startsWith("float")) names.add(value.name!);
  }
  return names;
}
