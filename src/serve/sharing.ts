import type { Model, ModelAttribute, ModelGraph, ModelNode } from "../graph/model.js";

/** Operators that draw random numbers: the same row is another one each time. */
const random: ReadonlySet<string> = new Set([
  ...["RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial"],
]);
/** Operators that give something of their operand's shape alone. */
const shapes: ReadonlySet<string> = new Set(["Shape", "Size"]);

/**
 * Whether samples may share a run of a model: the inputs that have a row for each, or why not. They share one where every
 * output and some input begin with the same open dimension, nothing is random, and what is computed at all (how often a loop
 * goes round, which branch is taken) does not depend on the samples. Whether rows are then independent is tried
 * ({@link tileOf}): a mean over the batch, say, is seen there.
 */
export function rowsIn(model: Model): readonly string[] | { readonly reason: string } {
  const { inputs, outputs } = model.graph;
  const leads = outputs.map(({ shape }) => shape?.[0]);
  const [batch] = leads;
  if (typeof batch !== "string" || leads.some((lead) => lead !== batch))
    return { reason: "not all outputs begin with one and the same open dimension" };
  const rows = inputs.filter(({ shape }) => shape?.[0] === batch).map(({ name }) => name);
  if (rows.length === 0) return { reason: "no input begins with the dimension that the outputs begin with" };
  const other = [...inputs, ...outputs].find(({ shape }) =>
    (shape ?? [null]).some((dim, axis) => dim === null || (axis > 0 && dim === batch)),
  );
  if (other !== undefined) return { reason: `it is not known where ${other.name} has its samples` };
  // what holds of kernels is found out for the sizes that the file says
  const open = inputs.find(({ shape }) => shape!.some((dim) => typeof dim === "string" && dim !== batch));
  if (open !== undefined) return { reason: `${open.name} has other open dimensions as well` };
  if (model.functions.length > 0) return { reason: "it is written with functions of its own" };
  const problem = problemIn(model.graph, new Set(rows));
  return problem === null ? rows : { reason: problem };
}

/** @param proceeds  the output that says whether a loop goes on, in the body of one */
function problemIn(graph: ModelGraph, samples: ReadonlySet<string>, proceeds?: string): string | null {
  const dependent = new Set(samples);
  for (const node of graph.nodes) {
    if (random.has(node.opType)) return `${node.opType} draws random numbers`;
    const [first, second] = node.inputs;
    if (node.opType === "If" && dependent.has(first!))
      return "which branch of an If is taken depends on the samples";
    if (node.opType === "Loop" && (dependent.has(first!) || dependent.has(second!))) return trips;
    const depends = [...namesReadBy(node)].some((name) => dependent.has(name));
    for (const body of bodiesOf(node)) {
      const why = problemIn(
        body,
        innerOf(node, body, dependent, depends),
        node.opType === "Loop" ? body.outputs[0]?.name : undefined,
      );
      if (why !== null) return why;
    }
    if (depends && !shapes.has(node.opType)) for (const name of node.outputs) dependent.add(name);
  }
  return proceeds !== undefined && dependent.has(proceeds) ? trips : null;
}

const trips = "how often a Loop goes round depends on the samples";

/** What depends on samples in a body: what a node carries may, wherever anything that it reads does. */
function innerOf(
  { opType }: ModelNode,
  { inputs }: ModelGraph,
  outer: ReadonlySet<string>,
  depends: boolean,
): ReadonlySet<string> {
  // the number of the round and the condition do not
  const carried = opType === "Loop" ? inputs.slice(2) : inputs;
  return new Set([...outer, ...(depends ? carried.map(({ name }) => name) : [])]);
}

function bodiesOf({ attributes }: ModelNode): ModelGraph[] {
  return [...attributes.values()].flatMap((attribute: ModelAttribute) =>
    attribute.kind === "graph" ? [attribute.value] : [],
  );
}

/** The operands of a node, and all that its bodies read. */
function* namesReadBy(node: ModelNode): Generator<string> {
  yield* node.inputs;
  for (const body of bodiesOf(node)) for (const inner of body.nodes) yield* namesReadBy(inner);
}
