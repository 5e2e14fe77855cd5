import { numbers, type Tensor } from "../core/tensor.js";
import { Builder } from "../graph/builder.js";
import {
  capturesOf,
  countNodes,
  type Graph,
  type Node,
  nodesOf,
  subgraphsOf,
  type Value,
} from "../graph/graph.js";
import { inline } from "../graph/passes.js";
import { add } from "../ops/arithmetic.js";
import { unsqueeze } from "../ops/reshape.js";
import { concat } from "../ops/slicing.js";

/** A part of a graph without loops of its own. What goes in and comes out has the names that stages know values by. */
export interface Straight {
  readonly kind: "straight";
  readonly graph: Graph;
}

/** A loop, of which the host repeats the body, several iterations in a run; what is carried stays where it is in between. */
export interface Repeated {
  readonly kind: "repeated";
  /** how often, or the name of the value that says so */
  readonly trips: number | string;
  /** names of what is carried in, or what it is itself, of what the body reads besides, and of what comes out */
  readonly start: readonly (string | Tensor)[];
  readonly captured: readonly string[];
  readonly end: readonly string[];
  readonly scans: readonly string[];
  /** iterations of `chunk` */
  readonly width: number;
  /** first, carried…, captured … to next…, scan…; `null` where no run does more than one iteration */
  readonly chunk: Graph | null;
  /** the same for one iteration; `null` where chunks do all of them */
  readonly single: Graph | null;
}

export type Stage = Straight | Repeated;

/** A graph in stages, one after the other. */
export interface Stages {
  readonly stages: readonly Stage[];
  /** the name of the value of each output */
  readonly outputs: Readonly<Record<string, string>>;
}

/** Nodes of a chunk at most, if it has several iterations: compiling takes long, and what is gained is an overhead of each run. */
const largestChunk = 600;

/**
 * Cuts a graph at its loops, so that a host can repeat their bodies: of loops that end by their number of iterations alone, on
 * the outermost level. Other loops stay what they are.
 *
 * @param widest  iterations of a chunk at most
 */
export function stagesOf(graph: Graph, widest: number): Stages {
  const level = levelsOf(graph);
  const nodes = nodesOf(graph);
  const last = Math.max(0, ...nodes.map((node) => level(node)));
  const names = new Map<Value, string>(graph.inputs.map((value) => [value, value.name!]));
  const nameOf = (value: Value): string => {
    const name = names.get(value) ?? `stage/${value.id}`;
    names.set(value, name);
    return name;
  };
  const madeIn = ({ node }: Value) => (node === null || node.scope !== graph.scope ? -1 : level(node));
  /** what later stages and the outputs read of each node's results */
  const wanted = new Set<Value>();
  const want = (value: Value | null) => value?.constant === null && wanted.add(value);
  for (const node of nodes) {
    for (const value of [...node.inputs, ...node.captures]) {
      if (value !== null && (isRepeated(node) || madeIn(value) < level(node))) want(value);
    }
  }
  for (const { value } of graph.outputs) want(value);

  const stages: Stage[] = [];
  for (let at = 0; at <= last; at++) {
    const own = nodes.filter((node) => level(node) === at);
    const straight = own.filter((node) => !isRepeated(node));
    const results = straight.flatMap(({ outputs }) => outputs).filter((value) => wanted.has(value));
    if (results.length > 0) stages.push({ kind: "straight", graph: part(graph, straight, results, nameOf) });
    for (const node of own) if (isRepeated(node)) stages.push(repeated(node, widest, nameOf));
  }
  // constants that are outputs, and inputs, are handed on by a stage as well
  const handedOn = graph.outputs.filter(({ value }) => madeIn(value) === -1);
  if (handedOn.length > 0) {
    const b = new Builder();
    const outputs = handedOn.map(({ name, value }) => {
      const given =
        value.constant === null ? b.input(value.name!, value.dtype, value.shape) : b.constant(value.constant);
      return [`stage/output/${name}`, given] as const;
    });
    stages.push({ kind: "straight", graph: b.graph(Object.fromEntries(outputs), graph.name) });
  }
  return {
    stages,
    outputs: Object.fromEntries(
      graph.outputs.map(({ name, value }) => [
        name,
        madeIn(value) === -1 ? `stage/output/${name}` : nameOf(value),
      ]),
    ),
  };
}

/** Whether a graph has loops that a host can repeat. */
export function hasRepeated(graph: Graph): boolean {
  return nodesOf(graph).some(isRepeated);
}

/** How many repeated loops lie before a node. */
function levelsOf(graph: Graph): (node: Node) => number {
  const known = new Map<Node, number>();
  for (const node of nodesOf(graph)) {
    let most = 0;
    for (const value of [...node.inputs, ...node.captures]) {
      const from = value?.node;
      const before = from ? known.get(from) : undefined;
      if (from && before !== undefined) most = Math.max(most, before + (isRepeated(from) ? 1 : 0));
    }
    known.set(node, most);
  }
  return (node) => known.get(node)!;
}

/** Whether a host can do a loop: it ends by its number alone, which is known before where it stacks something. */
function isRepeated({ op, inputs, attributes }: Node): boolean {
  if (op.type !== "Loop") return false;
  const [trips, condition, ...start] = inputs;
  const body = attributes.body as Graph;
  const goesOn = body.outputs[0]!.value;
  if (!trips || (condition && !isTrue(condition))) return false;
  if (!isTrue(goesOn) && goesOn !== body.inputs[1]) return false;
  const stacks = body.outputs.length - 1 > start.length;
  return !stacks || (trips.constant !== null && numbers(trips.constant)[0]! > 0);
}

function isTrue({ constant }: Value): boolean {
  return constant !== null && constant.data[0] === 1;
}

/** Some nodes of a graph as a graph: what they read of others goes in. */
function part(
  graph: Graph,
  nodes: readonly Node[],
  results: readonly Value[],
  nameOf: (value: Value) => string,
): Graph {
  const inside = new Set(nodes);
  const given = new Set<Value>();
  for (const { inputs, captures } of nodes)
    for (const value of [...inputs, ...captures])
      if (value !== null && value.constant === null && !(value.node && inside.has(value.node)))
        given.add(value);
  const b = new Builder();
  const inputs = [...given];
  const cut: Graph = {
    ...{ name: graph.name, scope: graph.scope, inputs },
    outputs: results.map((value) => ({ name: nameOf(value), value })),
  };
  const made = inline(
    b,
    cut,
    inputs.map((value) => b.input(nameOf(value), value.dtype, value.shape)),
  );
  return b.graph(Object.fromEntries(cut.outputs.map(({ name }, i) => [name, made[i]!])), graph.name);
}

function repeated(node: Node, widest: number, nameOf: (value: Value) => string): Repeated {
  const [trips, , ...start] = node.inputs as [Value, Value | null, ...Value[]];
  const body = node.attributes.body as Graph;
  const captured = capturesOf(body).filter(({ constant }) => constant === null);
  const count = trips.constant === null ? null : numbers(trips.constant)[0]!;
  const holdsLoop = nodesOf(body).some(
    ({ op, attributes }) => op.type === "Scan" || subgraphsOf(attributes).length > 0,
  );
  const most = holdsLoop ? 1 : Math.max(1, Math.min(widest, Math.floor(largestChunk / countNodes(body))));
  const width = count === null ? most : bestWidth(count, most);
  const isWhole = count !== null && count % width === 0;
  return {
    kind: "repeated",
    trips: count ?? nameOf(trips),
    start: start.map((value) => value.constant ?? nameOf(value)),
    captured: captured.map(nameOf),
    end: node.outputs.slice(0, start.length).map(nameOf),
    scans: node.outputs.slice(start.length).map(nameOf),
    width,
    chunk: width === 1 ? null : iterations(node, captured, width),
    single: width > 1 && isWhole ? null : iterations(node, captured, 1),
  };
}

/** The width with which so many iterations take the fewest runs. */
function bestWidth(count: number, most: number): number {
  const runs = (width: number) => Math.floor(count / width) + (count % width);
  let best = 1;
  for (let width = 2; width <= Math.min(most, count); width++) if (runs(width) <= runs(best)) best = width;
  return best;
}

/** Some iterations of a loop as a graph. */
function iterations(node: Node, captured: readonly Value[], width: number): Graph {
  const body = node.attributes.body as Graph;
  const start = node.inputs.slice(2) as Value[];
  const b = new Builder();
  const first = b.input("first", "int64", []);
  let carried = start.map(({ dtype, shape }, i) => b.input(`carried${i}`, dtype, shape));
  const read = captured.map(({ dtype, shape }, i) => b.input(`captured${i}`, dtype, shape));
  const open: Graph = { ...body, inputs: [...body.inputs, ...captured] };
  const rows: (readonly Value[])[] = [];
  for (let j = 0; j < width; j++) {
    const i = j === 0 ? first : add(b, first, b.scalar("int64", j));
    const results = inline(b, open, [i, b.scalar("bool", true), ...carried, ...read]).slice(1);
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
  return b.graph(
    Object.fromEntries([
      ...carried.map((value, i) => [`next${i}`, value] as const),
      ...scans.map((value, i) => [`scan${i}`, value] as const),
    ]),
    body.name,
  );
}
