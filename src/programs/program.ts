import { byPath, type Like, mapTree, pathsOf } from "../core/tree.js";
import { Builder } from "../graph/builder.js";
import { type Graph, GraphError, type Value, type ValueType } from "../graph/graph.js";

/**
 * A graph, and what goes in and comes out of it as trees: `run({ y0, parameters: { weight } })` in place of a record of
 * strings. In the graph, and so in files, an input or output has its path for a name, such as `parameters/weight`.
 */
export interface Program<In, Out> {
  readonly graph: Graph;
  readonly inputs: Like<In, ValueType>;
  readonly outputs: Like<Out, ValueType>;
}

/** The type of an input. */
export const inputType = (dtype: ValueType["dtype"], shape: ValueType["shape"]): ValueType => ({
  dtype,
  shape,
});

/**
 * Builds a program.
 *
 * @param inputs  the types of what goes in
 * @param build  from the values that go in to those that come out
 * @throws {GraphError} if two inputs have one path, or an input and an output
 */
export function programOf<In, Out>(
  name: string,
  inputs: In,
  build: (b: Builder, inputs: Like<In, Value>) => Out,
): Program<In, Out> {
  const b = new Builder();
  const values = mapTree(inputs, (leaf, path) => {
    const { dtype, shape } = leaf as ValueType;
    return b.input(path, dtype, shape);
  });
  const outputs = build(b, values);
  const byName = byPath<Value>(outputs);
  const both = pathsOf(inputs).find(([path]) => Object.hasOwn(byName, path));
  if (both !== undefined) {
    throw new GraphError(`An input and an output of the program "${name}" are both called "${both[0]}".`);
  }
  const graph = b.graph(byName, name);
  const typesOf = <T>(tree: T) => mapTree(tree, (leaf) => inputType(leaf.dtype, (leaf as ValueType).shape));
  return { graph, inputs: typesOf(inputs), outputs: typesOf(outputs) };
}
