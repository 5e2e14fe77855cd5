import type { Builder } from "../graph/builder.js";
import {
  capturesOf,
  type Graph,
  GraphError,
  nodesOf,
  type Op,
  showType,
  subgraphsOf,
  type Value,
} from "../graph/graph.js";
import { inline, rebuild } from "../graph/passes.js";
import { anything, attributeOf, takesMany } from "../graph/signature.js";
import { type Telling, tell, told } from "../ops/told.js";
import type { Cotangent } from "./control-rule.js";
import { withoutUnusedCarries } from "./unused-carries.js";
import { pullback } from "./vjp.js";

// Parts of a graph with their own way back, as jax.custom_vjp has them.

/** What a region computes. */
export interface Forward {
  readonly outputs: readonly Value[];
  /** what its way back needs beside inputs and outputs: the state at the end of a solve, say */
  readonly saved?: readonly Value[];
}

/** A region as its way back sees it. */
export interface Passed {
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly saved: readonly Value[];
}

export interface RegionRule {
  /** in messages */
  readonly name: string;
  /** The outputs from the inputs, in a scope of their own that sees no other value but constants. */
  readonly build: (b: Builder, inputs: readonly Value[]) => Forward;
  /** Cotangents of the inputs from those of the outputs; `null` stands for zero. */
  readonly pull: (b: Builder, passed: Passed, cotangents: readonly Cotangent[]) => readonly Cotangent[];
}

/** What tells a region's node from one of ONNX's operators. */
const type = "revort.Region";

/**
 * A part of a graph whose outputs are pulled back by the rule given with it, not through its nodes. Regions may lie in
 * the bodies of loops and in each other.
 *
 * The derivative of what `pull` emits goes through its nodes, and through the region by `pull` again. Where that needs
 * cotangents of what was saved, of which `pull` knows nothing, the region is differentiated through its nodes.
 *
 * @throws {GraphError} if the region reads a value that is not among its inputs, whose gradient would be lost
 */
export function region(
  b: Builder,
  inputs: readonly Value[],
  { name, build, pull }: RegionRule,
): readonly Value[] {
  const inner = b.child();
  const own = inputs.map((value, i) => inner.input(`input${i}`, value.dtype, value.shape));
  const { outputs, saved = [] } = build(inner, own);
  const rising = Object.entries(told(inner)) as [Telling, Value][];
  const results = [...outputs, ...saved, ...rising.map(([, value]) => value)];
  const body = inner.graph(Object.fromEntries(results.map((value, i) => [`output${i}`, value])), name);
  const foreign = capturesOf(body).find((value) => !isFixed(value));
  if (foreign !== undefined) {
    throw new GraphError(
      `The region "${name}" reads a value ${showType(foreign)} of the graph around it that is not among its inputs. ` +
        "Give it as an input, so that it has a gradient.",
    );
  }
  const op: Op = {
    type,
    inputs: [takesMany("inputs", anything, { least: 0, mixed: true })],
    outputs: Number.POSITIVE_INFINITY,
    attributes: { body: attributeOf("graph", { required: true }) },
    infer: (_, attributes) => (attributes.body as Graph).outputs.map(({ value }) => value),
    vjp(scope, node, cotangents) {
      const given = node.inputs as readonly Value[];
      const known = cotangents.slice(0, outputs.length);
      if (cotangents.slice(outputs.length).every((cotangent) => cotangent === null)) {
        const passed = {
          inputs: given,
          outputs: node.outputs.slice(0, outputs.length),
          saved: node.outputs.slice(outputs.length, outputs.length + saved.length),
        };
        return pull(scope, passed, known);
      }
      const again = inline(scope, node.attributes.body as Graph, given);
      return pullback(scope, again, cotangents, given);
    },
    decompose: (scope, given, attributes) =>
      inline(scope, attributes.body as Graph, given as readonly Value[]),
  };
  const found = b.emit(op, inputs, { body });
  rising.forEach(([what], k) => {
    tell(b, what, found[outputs.length + saved.length + k]!);
  });
  return found.slice(0, outputs.length);
}

/**
 * The graph with the nodes of its regions in their place, and without the parts of their rules that nothing needs: what a
 * runtime runs, and what a file holds.
 */
export function withoutRegions(graph: Graph): Graph {
  if (!hasRegions(graph)) return graph;
  return withoutUnusedCarries(
    rebuild(graph, (_b, node, inputs, within) =>
      node.op.type === type ? within(node.attributes.body as Graph, inputs as readonly Value[]) : null,
    ),
  );
}

function hasRegions(graph: Graph): boolean {
  return nodesOf(graph).some(
    (node) => node.op.type === type || subgraphsOf(node.attributes).some(hasRegions),
  );
}

/** x, of which nothing is differentiated: its cotangent ends here. */
export function stopGradient(b: Builder, x: Value): Value {
  return region(b, [x], {
    name: "stopGradient",
    build: (_, [y]) => ({ outputs: [y!] }),
    pull: () => [null],
  })[0]!;
}

/** x, of which something is told where it is differentiated: what nothing needs is not computed for the sake of that. */
export function tellingOf(b: Builder, x: Value, what: Telling, value: Value): Value {
  return region(b, [x, value], {
    name: `telling of ${what}`,
    build: (_, [y]) => ({ outputs: [y!] }),
    pull(scope, { inputs: [, own] }, [cotangent]) {
      tell(scope, what, own!);
      return [cotangent!, null];
    },
  })[0]!;
}

/**
 * Whether a value follows from constants alone, as zeros do that are too many to be folded: it lies in the outermost scope, and
 * there is no gradient that could be lost.
 */
function isFixed({ constant, node }: Value): boolean {
  if (constant !== null) return true;
  if (node === null || subgraphsOf(node.attributes).length > 0) return false;
  return node.inputs.every((input) => input === null || isFixed(input));
}
