import { isFloat, type Tensor, tensor } from "../core/tensor.js";
import {
  type Model,
  type ModelAttribute,
  type ModelGraph,
  type ModelNode,
  shownOperator,
} from "../graph/model.js";
import { foreign } from "./foreign.js";

/**
 * An array of numbers that a file holds: an initializer of the graph or of a body, the value of a Constant, or an
 * attribute of an operator that has its weights there.
 */
export interface StoredArray {
  /** as the file calls it; where several have one name, with the place before it */
  readonly name: string;
  readonly value: Tensor;
  /** what identifies it: the initializer's tensor, the Constant, or the attribute */
  readonly place: Tensor | ModelNode | ModelAttribute;
  readonly kind: "initializer" | "constant" | "attribute";
  /** the result of the Loop, Scan or If in whose body it is; `null` in the main graph */
  readonly body: string | null;
}

/** All arrays of a model's graph and of the bodies in it, in the order of the file. Those of functions are not among them. */
export function storedArrays(model: Model): StoredArray[] {
  const found: StoredArray[] = [];
  const visit = (graph: ModelGraph, body: string | null): void => {
    for (const [name, value] of graph.initializers) {
      found.push({ name, value, place: value, kind: "initializer", body });
    }
    for (const node of graph.nodes) {
      const value = constantIn(node);
      if (value !== null) found.push({ name: node.outputs[0]!, value, place: node, kind: "constant", body });
      for (const [key, value] of weightsIn(node)) {
        const place = node.attributes.get(key)!;
        found.push({ name: `${node.outputs[0]}.${key}`, value, place, kind: "attribute", body });
      }
      for (const attribute of node.attributes.values()) {
        if (attribute.kind === "graph") visit(attribute.value, node.outputs[0] ?? "");
      }
    }
  };
  visit(model.graph, null);
  return named(found);
}

/** The numbers of a Constant that are floats; whole numbers are shapes and indices. */
function constantIn(node: ModelNode): Tensor | null {
  if (node.domain !== "" || node.opType !== "Constant" || node.outputs.length !== 1) return null;
  const { value, value_float, value_floats } = Object.fromEntries(node.attributes);
  if (value?.kind === "tensor") return isFloat(value.value.dtype) ? value.value : null;
  if (value_float?.kind === "float") return tensor("float32", [], [value_float.value]);
  if (value_floats?.kind === "floats")
    return tensor("float32", [value_floats.value.length], value_floats.value);
  return null;
}

/** The attributes of a node that are weights, as arrays, by their names. */
export function weightsIn(node: ModelNode): [string, Tensor][] {
  return Object.entries(foreign.get(shownOperator(node))?.weights?.(node) ?? {});
}

/** Both branches of an If may use a name: each then has its body's before it. */
function named(found: readonly StoredArray[]): StoredArray[] {
  const taken = new Map<string, number>();
  const count = (name: string) => taken.get(name) ?? 0;
  for (const { name } of found) taken.set(name, count(name) + 1);
  const given = new Set<string>();
  return found.map((array) => {
    const own = array.body !== null && count(array.name) > 1 ? `${array.body}/${array.name}` : array.name;
    let name = own;
    for (let i = 2; given.has(name); i++) name = `${own}#${i}`;
    given.add(name);
    return { ...array, name };
  });
}
