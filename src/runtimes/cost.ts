import { type DType, sizeOf } from "../core/tensor.js";
import { dimAt } from "../graph/dimension.js";
import { type Dim, type Graph, type Node, nodesOf, type Shape, type Value } from "../graph/graph.js";

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
  /** whether it is not known how often some loop runs, which is taken to be {@link unknownTrips} times */
  readonly assumes: boolean;
}

/** Operators that cost tens of instructions an element, not one. */
const elementary: ReadonlySet<string> = new Set([
  ...["Exp", "Log", "Tanh", "Sigmoid", "Sin", "Cos", "Tan", "Pow", "Erf", "Gelu", "Mish", "Softplus"],
  ...["Sinh", "Cosh", "Asin", "Acos", "Atan", "Asinh", "Acosh", "Atanh", "Elu", "Selu", "Celu"],
  ...["Softmax", "LogSoftmax"],
]);

/** Iterations of a loop of which nothing is known. */
export const unknownTrips = 100;

/**
 * The work of one run.
 *
 * @param sizes  what symbolic dimensions stand for
 */
export function workOf(graph: Graph, sizes: ReadonlyMap<string, number>): Work {
  const zero = () => ({ float32: 0, float64: 0 });
  const total = { nodes: 0, products: zero(), elements: zero(), functions: zero(), assumes: false };
  const assumed = () => {
    total.assumes = true;
    return unknownTrips;
  };
  const known = (name: string) => sizes.get(name) ?? assumed();
  const dimOf = (dim: Dim) =>
    dimAt(dim, (symbol) => {
      const [name, by] = symbol.split("/") as [string, string?];
      return by === undefined ? known(name) : known(name) / Math.max(1, known(by));
    });
  const size = ({ shape }: { readonly shape: Shape }) => sizeOf(shape.map(dimOf));
  const visit = (part: Graph, times: number): void => {
    for (const node of nodesOf(part)) {
      total.nodes += times;
      const { op, attributes, inputs, outputs } = node;
      const output = outputs[0]!;
      const kind = floatOf(output.dtype);
      if (op.type in products) {
        total.products[kind] += times * products[op.type]!(node, size, dimOf);
      } else if (op.type === "Loop") {
        visit(attributes.body as Graph, times * tripsOf(node, dimOf, assumed));
      } else if (op.type === "Scan") {
        const walked = inputs.at(-1);
        visit(attributes.body as Graph, times * (walked ? dimOf(walked.shape[0] ?? 1) : assumed()));
      } else if (op.type === "If") {
        visit(attributes.then_branch as Graph, times / 2);
        visit(attributes.else_branch as Graph, times / 2);
      } else {
        const reduced = op.type.startsWith("Reduce") || op.type.startsWith("Arg");
        const count = times * size(reduced ? (inputs[0] as Value) : output);
        total.elements[kind] += count;
        if (elementary.has(op.type)) total.functions[kind] += count;
      }
    }
  };
  visit(graph, 1);
  return total;
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

function tripsOf({ inputs, attributes }: Node, dimOf: (dim: Dim) => number, assumed: () => number): number {
  const given = inputs[0]?.constant;
  if (given) return Number(given.data[0]);
  const { trips } = attributes.body as Graph;
  return trips === undefined ? assumed() : dimOf(trips);
}

/** What a runtime takes for each kind of work, in nanoseconds. */
export interface Prices {
  /** of starting a run */
  readonly run: number;
  readonly node: number;
  readonly product: Readonly<Record<"float32" | "float64", number>>;
  readonly element: Readonly<Record<"float32" | "float64", number>>;
  readonly function: Readonly<Record<"float32" | "float64", number>>;
}

/** Seconds of one run, estimated. */
export function secondsOf(work: Work, prices: Prices): number {
  let nanoseconds = prices.run + work.nodes * prices.node;
  for (const kind of ["float32", "float64"] as const) {
    nanoseconds +=
      work.products[kind] * prices.product[kind] +
      work.elements[kind] * prices.element[kind] +
      work.functions[kind] * prices.function[kind];
  }
  return nanoseconds * 1e-9;
}

/**
 * Prices of one core (Zen 4, with the fused multiply-add), fitted to whole gradients of perceptrons of 8 to 128 units on
 * batches of 1 to 256; `benchmarks/auto.ts` shows how far they hold. What they are used for is the ratio of two of them,
 * which varies less from machine to machine than they do.
 */
export const prices = {
  "ort-cpu": {
    run: 40000,
    node: 375,
    product: { float32: 0.018, float64: 0.031 },
    element: { float32: 0.33, float64: 1.38 },
    function: { float32: 0, float64: 0.52 },
  },
  jit: {
    run: 4000,
    node: 4.5,
    product: { float32: 0.037, float64: 0.083 },
    element: { float32: 0.29, float64: 0.55 },
    function: { float32: 0.73, float64: 1.13 },
  },
} as const satisfies Record<string, Prices>;
