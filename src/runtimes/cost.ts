import { type DType, scalar, sizeOf, type Tensor } from "../core/tensor.js";
import { dimAt } from "../graph/dimension.js";
import { type Dim, type Graph, type Node, nodesOf, type Shape, type Value } from "../graph/graph.js";
import type { BatchCost } from "../runtime/threads.js";
import { type KnownValues, knownValue } from "./known-values.js";

/** What one run of a graph does, counted. */
export interface Work {
  /** operators applied, those in loops once for each iteration */
  readonly nodes: number;
  /** multiplications of matrix products, by element type */
  readonly products: Readonly<Record<"float32" | "float64", number>>;
  /** elements computed one by one, by element type; a reduction counts what it reads */
  readonly elements: Readonly<Record<"float32" | "float64", number>>;
  /** those of them that take an elementary function */
  readonly functions: Readonly<Record<"float32" | "float64", number>>;
  /** those that are chosen by a condition, or are quotients of whole numbers, as random numbers are made of */
  readonly choices: number;
  /** whether it is not known how often some loop runs, which is taken to be {@link unknownTrips} times unless told otherwise */
  readonly assumes: boolean;
}

/** Operators that cost tens of instructions an element, not one. */
const elementary: ReadonlySet<string> = new Set([
  ...["Exp", "Log", "Tanh", "Sigmoid", "Sin", "Cos", "Tan", "Pow", "Erf", "Gelu", "Mish", "Softplus"],
  ...["Sinh", "Cosh", "Asin", "Acos", "Atan", "Asinh", "Acosh", "Atanh", "Elu", "Selu", "Celu"],
  ...["Softmax", "LogSoftmax"],
]);

/** What the symbolic dimensions of a graph are, from its inputs. */
export function sizesOf(
  graph: Graph,
  given: Readonly<Record<string, { readonly shape: readonly number[] }>>,
): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>();
  for (const { name, shape } of graph.inputs) {
    shape.forEach((dim, axis) => {
      const size = given[name!]?.shape[axis];
      if (typeof dim === "string" && size !== undefined) sizes.set(dim, size);
    });
  }
  return sizes;
}

function isChoice(type: string, dtype: DType): boolean {
  return type === "Where" || ((type === "Mod" || type === "Div") && dtype.startsWith("int"));
}

/** Iterations of a loop of which nothing is known. */
export const unknownTrips = 100;

/** Iterations that are looked at of a loop whose inner loops run now more often, now less. */
const lookedAt = 8;

export interface WorkOptions {
  /** how often a loop is taken to run of which that is not known */
  readonly trips?: number;
  /** inputs whose values are known, by name, where loops are followed that run as often as values say */
  readonly given?: Readonly<Record<string, Tensor>>;
}

/**
 * The work of one run.
 *
 * @param sizes  what symbolic dimensions stand for
 */
export function workOf(
  graph: Graph,
  sizes: ReadonlyMap<string, number>,
  { trips = unknownTrips, given }: WorkOptions = {},
): Work {
  const zero = () => ({ float32: 0, float64: 0 });
  const total = {
    nodes: 0,
    products: zero(),
    elements: zero(),
    functions: zero(),
    choices: 0,
    assumes: false,
  };
  const assumed = () => {
    total.assumes = true;
    return trips;
  };
  const known = (name: string) => sizes.get(name) ?? assumed();
  const dimOf = (dim: Dim) =>
    dimAt(dim, (symbol) => {
      const [name, by] = symbol.split("/") as [string, string?];
      return by === undefined ? known(name) : known(name) / Math.max(1, known(by));
    });
  const size = ({ shape }: { readonly shape: Shape }) => sizeOf(shape.map(dimOf));
  const visit = (part: Graph, times: number, values: KnownValues | null): void => {
    for (const node of nodesOf(part)) {
      total.nodes += times;
      const { op, attributes, inputs, outputs } = node;
      const output = outputs[0]!;
      const kind = floatOf(output.dtype);
      if (op.type in products) {
        total.products[kind] += times * products[op.type]!(node, size, dimOf);
      } else if (op.type === "Loop") {
        const body = attributes.body as Graph;
        const count = tripsOf(node, dimOf, values) ?? assumed();
        const seen = iterationsOf(body, count, values);
        for (const one of seen) visit(body, (times * count) / seen.length, one);
      } else if (op.type === "Scan") {
        const walked = inputs.at(-1);
        visit(attributes.body as Graph, times * (walked ? dimOf(walked.shape[0] ?? 1) : assumed()), values);
      } else if (op.type === "If") {
        visit(attributes.then_branch as Graph, times / 2, values);
        visit(attributes.else_branch as Graph, times / 2, values);
      } else {
        const reduced = op.type.startsWith("Reduce") || op.type.startsWith("Arg");
        const count = times * size(reduced ? (inputs[0] as Value) : output);
        total.elements[kind] += count;
        if (elementary.has(op.type)) total.functions[kind] += count;
        if (isChoice(op.type, output.dtype)) total.choices += count;
      }
    }
  };
  const named = graph.inputs.flatMap((value): [Value, Tensor][] => {
    const known = given?.[value.name!];
    return known === undefined ? [] : [[value, known]];
  });
  visit(graph, 1, given === undefined ? null : new Map(named));
  return total;
}

/** What is known in the iterations of a loop, or in some of them: their number, where loops inside may depend on it. */
function iterationsOf(body: Graph, count: number, values: KnownValues | null): (KnownValues | null)[] {
  const inner = nodesOf(body).some(({ op }) => op.type === "Loop");
  if (!inner || values === null || count < 1) return [values];
  const shown = Math.min(lookedAt, Math.floor(count));
  return Array.from({ length: shown }, (_, i) => {
    const iteration = shown === 1 ? 0 : Math.round((i * (Math.floor(count) - 1)) / (shown - 1));
    return new Map([...values, [body.inputs[0]!, scalar("int64", iteration)]]);
  });
}

function floatOf(dtype: DType): "float32" | "float64" {
  return dtype === "float64" ? "float64" : "float32";
}

type Count = (
  node: Node,
  size: (value: Pick<Value, "shape">) => number,
  dimOf: (dim: Dim) => number,
) => number;

const ofMatrices: Count = (node, size, dimOf) => size(node.outputs[0]!) * dimOf(innerOf(node));

/** The input and the state before each step, multiplied by W and R. */
const ofSteps: Count = ({ inputs }, size, dimOf) => {
  const [x, w, r] = inputs as readonly [Value, Value, Value];
  return dimOf(x.shape[0]!) * dimOf(x.shape[1]!) * (size(w) + size(r));
};

/** How many multiplications operators that are products take. */
const products: Readonly<Record<string, Count>> = {
  ...{ Gemm: ofMatrices, MatMul: ofMatrices },
  ...{ RNN: ofSteps, GRU: ofSteps, LSTM: ofSteps },
  /** each element of the result with a filter, or of x with what a channel says */
  Conv: ({ inputs: [, w], outputs }, size, dimOf) => (size(outputs[0]!) * size(w!)) / dimOf(w!.shape[0]!),
  ConvTranspose: ({ inputs: [x, w] }, size, dimOf) => (size(x!) * size(w!)) / dimOf(w!.shape[0]!),
};

function innerOf({ inputs, attributes }: Node): Dim {
  const { shape } = inputs[0]!;
  return attributes.transA === 1 ? shape[0]! : shape.at(-1)!;
}

/** How often a loop runs; `null` where that is not known. */
function tripsOf(
  { inputs, attributes }: Node,
  dimOf: (dim: Dim) => number,
  values: KnownValues | null,
): number | null {
  const [given] = inputs;
  const known = given && (values === null ? given.constant : knownValue(given, values));
  if (known) return Number(known.data[0]);
  const { trips } = attributes.body as Graph;
  return trips === undefined ? null : dimOf(trips);
}

/** What a runtime takes for each kind of work, in nanoseconds. */
export interface Prices {
  /** of starting a run */
  readonly run: number;
  readonly node: number;
  readonly product: Readonly<Record<"float32" | "float64", number>>;
  readonly element: Readonly<Record<"float32" | "float64", number>>;
  readonly function: Readonly<Record<"float32" | "float64", number>>;
  readonly choice: number;
}

/** Seconds of one run, estimated. */
export function secondsOf(work: Work, prices: Prices): number {
  const { fixed, scaling } = batchCostOf(work, prices);
  return fixed + scaling;
}

/** Seconds of one run, estimated: what each operator costs by itself, and what its arrays do, which grows with the batch. */
export function batchCostOf(work: Work, prices: Prices): BatchCost {
  let scaling = work.choices * prices.choice;
  for (const kind of ["float32", "float64"] as const) {
    scaling +=
      work.products[kind] * prices.product[kind] +
      work.elements[kind] * prices.element[kind] +
      work.functions[kind] * prices.function[kind];
  }
  return { fixed: (prices.run + work.nodes * prices.node) * 1e-9, scaling: scaling * 1e-9 };
}

/**
 * Prices of one core (Zen 4 and 5, with the fused multiply-add), fitted to what was measured of whole gradients of perceptrons of 8 to
 * 128 units on batches of 1 to 256 (`benchmarks/results/auto.json`) and of updates of experiments at their published sizes
 * (`experiment-peers.json`), and to the ratio of both runtimes on convolutions, attention and random numbers. In the fit 0.69 to 1.43
 * times what was measured is estimated. `benchmarks/auto.ts` shows how far they hold. What they are used for is the ratio of two of
 * them, which varies less from machine to machine than they do.
 */
export const prices = {
  "ort-cpu": {
    run: 40000,
    node: 260,
    product: { float32: 0.012, float64: 0.017 },
    element: { float32: 0.24, float64: 0.84 },
    function: { float32: 0, float64: 0.67 },
    choice: 0.5,
  },
  jit: {
    run: 4000,
    node: 1.9,
    product: { float32: 0.034, float64: 0.075 },
    element: { float32: 0.075, float64: 0.19 },
    function: { float32: 0.65, float64: 0.55 },
    choice: 0.3,
  },
} as const satisfies Record<string, Prices>;
