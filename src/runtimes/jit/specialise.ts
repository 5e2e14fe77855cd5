import { numbers } from "../../core/tensor.js";
import { Builder } from "../../graph/builder.js";
import {
  type Attributes,
  type Dim,
  type Graph,
  isGraph,
  type Node,
  nodesOf,
  type Shape,
  type Value,
  type ValueType,
} from "../../graph/graph.js";
import type { Rewrite } from "../../graph/passes.js";
import { checkOperands, checkResults, inputSource, loopSource, symbolsOf } from "./open.js";

/** What a graph is compiled for. */
export interface Sizes {
  /** concrete shapes of the inputs, in order */
  readonly shapes: readonly (readonly number[])[];
  /** those of the next run, where `shapes` say how many rows there is room for */
  readonly next?: readonly (readonly number[])[];
  /** sources of dimensions that have to be numbers: all others stay open */
  readonly closed: Pick<ReadonlySet<string>, "has">;
  /** how often loops turned out to run, by number, where their scans' length is closed and not to be foreseen */
  readonly trips: ReadonlyMap<number, number>;
}

/** A graph without symbolic dimensions but open ones. */
export interface Specialised {
  readonly graph: Graph;
  /** the number of each loop, by its body: the same in every specialisation of a graph */
  readonly loops: ReadonlyMap<Graph, number>;
  /** how many rows the scans of loops are likely to have, by the source of their open dimension */
  readonly hints: ReadonlyMap<string, number>;
}

/**
 * The graph for concrete input shapes: shapes propagate, what depends on shapes alone folds to constants, and
 * operators are rewritten until the rewrite has nothing more to do, and once more by what is made of the graph then.
 *
 * @throws {OpenDimensionError} naming what has to be closed for that
 */
export function specialise(
  graph: Graph,
  sizes: Sizes,
  rewrite: Rewrite,
  finish: ((graph: Graph) => Rewrite) | null = null,
): Specialised {
  const symbols = new Map<string, number>();
  graph.inputs.forEach((input, i) => {
    input.shape.forEach((dim, axis) => {
      if (typeof dim === "string") symbols.set(dim, (sizes.next ?? sizes.shapes)[i]![axis]!);
    });
  });
  const open = new Map<Dim, string>();
  symbolsOf(graph).forEach(({ name, leads }, i) => {
    if (leads && !sizes.closed.has(inputSource(i))) open.set(name, inputSource(i));
  });
  const numbered = new Map<Graph, number>();
  const number = (part: Graph): void => {
    for (const node of nodesOf(part)) {
      if (node.op.type === "Loop") numbered.set(node.attributes.body as Graph, numbered.size);
      for (const body of Object.values(node.attributes)) if (isGraph(body)) number(body);
    }
  };
  number(graph);

  const hints = new Map<string, number>();
  const first = new Replay(numbered, rewrite, ({ loop, body, constant, exact, scans }) => {
    // "steps" is what a Loop calls the length of its scans when it was told no other name
    const length = body.trips ?? "steps";
    const named = typeof length === "string" ? (symbols.get(length) ?? null) : null;
    if (scans && !exact && !sizes.closed.has(loopSource(loop))) {
      if (named !== null) hints.set(loopSource(loop), named);
      return loopSource(loop);
    }
    return sizes.trips.get(loop) ?? constant ?? named;
  });
  let result = first.run(
    graph,
    graph.inputs.map((input, i) => ({
      dtype: input.dtype,
      shape: input.shape.map((dim, axis) => open.get(dim) ?? sizes.shapes[i]![axis]!),
    })),
  );
  let last = first;
  // a rewrite may emit what has to be rewritten itself
  const again = (by: Rewrite) => {
    last = new Replay(result.loops, by, ({ body }) => body.trips!);
    result = last.run(result.graph, result.graph.inputs);
  };
  for (let depth = 0; depth < 8 && last.rewrote; depth++) again(rewrite);
  if (finish !== null) again(finish(result.graph));
  return { ...result, hints };
}

/** What is known of a loop before it runs. */
interface LoopKnowledge {
  readonly loop: number;
  readonly body: Graph;
  /** the trip count, where it is constant */
  readonly constant: number | null;
  /** whether it runs as often as that */
  readonly exact: boolean;
  /** whether it stacks anything */
  readonly scans: boolean;
}

class Replay {
  rewrote = false;
  readonly #loops = new Map<Graph, number>();

  constructor(
    readonly numbered: ReadonlyMap<Graph, number>,
    readonly rewrite: Rewrite,
    readonly tripsOf: (known: LoopKnowledge) => Dim | null,
  ) {}

  run(graph: Graph, types: readonly ValueType[]): Omit<Specialised, "hints"> {
    const b = new Builder();
    const images = new Map<Value, Value>();
    graph.inputs.forEach((input, i) => {
      images.set(input, b.input(input.name!, types[i]!.dtype, types[i]!.shape));
    });
    const outputs = this.#replay(b, graph, images);
    const named = Object.fromEntries(graph.outputs.map(({ name }, i) => [name, outputs[i]!]));
    return { graph: b.graph(named, graph.name), loops: this.#loops };
  }

  #replay(b: Builder, graph: Graph, images: Map<Value, Value>): Value[] {
    const imageOf = (value: Value): Value => images.get(value) ?? b.constant(value.constant!);
    for (const node of nodesOf(graph)) {
      const operands = node.inputs.map((value) => (value === null ? null : imageOf(value)));
      checkOperands(node, operands);
      const within = (body: Graph, given: readonly Value[]) =>
        this.#replay(
          b,
          body,
          new Map([...images, ...body.inputs.map((value, i) => [value, given[i]!] as const)]),
        );
      const rewritten = this.rewrite(b, node, operands, within);
      if (rewritten !== null) this.rewrote = true;
      const results = rewritten ?? b.emit(node.op, operands, this.#attributes(b, node, operands, images));
      checkResults(node, results);
      node.outputs.forEach((output, i) => {
        images.set(output, results[i]!);
      });
    }
    return graph.outputs.map(({ value }) => imageOf(value));
  }

  #attributes(
    b: Builder,
    node: Node,
    operands: readonly (Value | null)[],
    images: Map<Value, Value>,
  ): Attributes {
    return Object.fromEntries(
      Object.entries(node.attributes).map(([name, attribute]) => {
        if (!isGraph(attribute)) return [name, attribute];
        const inner = b.child();
        attribute.inputs.forEach((input, i) => {
          images.set(
            input,
            inner.input(input.name!, input.dtype, bodyShape(node, operands, i) ?? input.shape),
          );
        });
        const outputs = this.#replay(inner, attribute, images);
        let body = inner.graph(
          Object.fromEntries(attribute.outputs.map((output, i) => [output.name, outputs[i]!])),
          attribute.name,
        );
        if (node.op.type === "Loop") {
          const loop = this.numbered.get(attribute)!;
          const constant = constantTrips(operands);
          const trips = this.tripsOf({
            ...{ loop, body: attribute, constant },
            exact: constant !== null && runsThrough(body, operands),
            scans: node.outputs.length > Math.max(0, operands.length - 2),
          });
          body = { ...body, trips: trips ?? 0 };
          this.#loops.set(body, loop);
        }
        return [name, body];
      }),
    );
  }
}

/** The number of iterations of a loop, where it is constant. */
function constantTrips(operands: readonly (Value | null)[]): number | null {
  const trips = operands[0]?.constant;
  return trips === null || trips === undefined ? null : Math.max(0, numbers(trips)[0]!);
}

/** Whether no condition ends a loop before its last iteration. */
export function runsThrough(body: Graph, operands: readonly (Value | null)[]): boolean {
  const proceed = body.outputs[0]!.value.constant;
  return proceed !== null && proceed.data[0] === 1 && (operands[1] ?? null) === null;
}

/** The shape of input i of a body, from what is handed to it. */
function bodyShape({ op, attributes }: Node, operands: readonly (Value | null)[], i: number): Shape | null {
  if (op.type === "Loop") return i < 2 ? [] : operands[i]!.shape;
  if (op.type !== "Scan") return null;
  const states = operands.length - (attributes.num_scan_inputs as number);
  const { shape } = operands[i]!;
  if (i < states) return shape;
  const axes = attributes.scan_input_axes as readonly number[] | undefined;
  const axis = axes?.[i - states] ?? 0;
  return shape.filter((_, a) => a !== (axis < 0 ? axis + shape.length : axis));
}
