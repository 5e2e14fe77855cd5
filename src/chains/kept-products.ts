import { region } from "../autodiff/region.js";
import { bytesIn } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import { type Graph, GraphError, type Node, nodesOf, type Value } from "../graph/graph.js";
import { inline } from "../graph/passes.js";

// Results of large products, which the way back need not compute again where they were kept on the way there.

/**
 * Multiplications for each number of a result from which it is kept: to write it and to read it again then takes a small part of
 * the time that it takes to compute.
 */
const fewest = 256;
/** What is kept of a chain at most, in bytes: nothing is where it would be more. */
const mostBytes = 1 << 26;

/** What a step computes of the state before it, as a graph in the scope that it was built in. */
export function stepGraph(b: Builder, before: readonly Value[], after: readonly Value[]): Graph {
  return {
    ...{ name: "step", scope: b, inputs: before },
    outputs: after.map((value, k) => ({ name: `after${k}`, value })),
  };
}

/**
 * The results of a step that are kept, in the order in which it computes them.
 *
 * @param steps  how many steps there are, if that is known
 */
export function productsToKeep(step: Graph, steps: number | null): readonly Value[] {
  const kept = productsIn(step).map(({ outputs }) => outputs[0]!);
  const isKnown = steps !== null && kept.every(({ shape }) => shape.every((dim) => typeof dim === "number"));
  const bytes = kept.reduce((sum, value) => sum + bytesIn(value), 0);
  return isKnown && steps * bytes <= mostBytes ? kept : [];
}

/** A step of which large products are known: the results again, differentiated as before. @param known  of {@link productsToKeep} */
export function withProducts(b: Builder, step: Graph, known: readonly Value[]): readonly Value[] {
  if (known.length === 0) return step.outputs.map(({ value }) => value);
  const products = productsIn(step);
  if (products.length !== known.length) {
    throw new GraphError(
      `A step computes ${products.length} large products on the way back, and ${known.length} on the way there.`,
    );
  }
  return inline(b, step, step.inputs, (scope, node, inputs) => {
    const place = products.indexOf(node);
    return place < 0 ? null : [knownProduct(scope, node, inputs, known[place]!)];
  });
}

/** The result of a node that is known, which is differentiated as that of the node. */
function knownProduct(b: Builder, node: Node, inputs: readonly (Value | null)[], known: Value): Value {
  const given = inputs.filter((value) => value !== null);
  return region(b, [known, ...given], {
    name: `known ${node.op.type}`,
    build: (_, [value]) => ({ outputs: [value!] }),
    pull(scope, { inputs: [, ...own], outputs }, cotangents) {
      const operands = own.values();
      const passed = inputs.map((value) => (value === null ? null : operands.next().value!));
      const found = node.op.vjp!(scope, { ...node, inputs: passed, outputs }, cotangents);
      return [null, ...found.filter((_, i) => inputs[i] !== null && inputs[i] !== undefined)];
    },
  })[0]!;
}

function productsIn(step: Graph): readonly Node[] {
  return nodesOf(step).filter((node) => (multiplications[node.op.type]?.(node) ?? 0) >= fewest);
}

/** How many multiplications a number of the result takes; NaN where that is not known. */
const multiplications: Readonly<Record<string, (node: Node) => number>> = {
  Conv: ({ inputs: [, w] }) => w!.shape.slice(1).reduce<number>((product, dim) => product * Number(dim), 1),
  MatMul: ({ inputs: [x] }) => Number(x!.shape.at(-1)),
  Gemm: ({ inputs: [x], attributes }) => Number(x!.shape[attributes.transA === 1 ? 0 : 1]),
};
