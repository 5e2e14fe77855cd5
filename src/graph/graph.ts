import { RevortError } from "../core/errors.js";
import { type DType, ShapeError, showShape, type Tensor } from "../core/tensor.js";
import type { Builder } from "./builder.js";
import type { Dim } from "./dimension.js";
import { type ModelNode, shownNode } from "./model.js";
import type { Signature } from "./signature.js";

export type { Dim };
export type Shape = readonly Dim[];

export interface ValueType {
  readonly dtype: DType;
  readonly shape: Shape;
}

/**
 * An edge of the graph: what a node computes, a graph input, or a constant. Exactly one of `node`, `name` and
 * `constant` says where it comes from. `id` grows with creation, so operands always have smaller ids than results.
 */
export interface Value extends ValueType {
  readonly id: number;
  readonly scope: Builder;
  readonly node: Node | null;
  /** which output of `node` */
  readonly index: number;
  /** set for graph inputs */
  readonly name: string | null;
  readonly constant: Tensor | null;
}

/** Whether something is a value of a graph, as what users' functions return should be. */
export function isValue(given: unknown): given is Value {
  return typeof given === "object" && given !== null && "scope" in given && "dtype" in given;
}

/** An attribute as ONNX has it; the op record says which kind a number is. */
export type Attribute = number | string | readonly number[] | readonly string[] | Tensor | Graph;
export type Attributes = Readonly<Record<string, Attribute>>;

/** A node of a file, as messages name it. */
export type Origin = Pick<ModelNode, "name" | "opType" | "domain" | "outputs">;

/** One application of an operator. It holds the operator's record itself, not its name. */
export interface Node {
  readonly id: number;
  readonly op: Op;
  /** `null` where an optional input is left out */
  readonly inputs: readonly (Value | null)[];
  readonly attributes: Attributes;
  readonly outputs: readonly Value[];
  readonly scope: Builder;
  /** the node of a file that it was made for, so that messages can name that; `null` where there is none */
  readonly origin: Origin | null;
  /** values of enclosing scopes that the node's subgraphs read */
  readonly captures: readonly Value[];
}

/** A function from named inputs to named outputs. Nodes are whatever the outputs need: there are no dead ones. */
export interface Graph {
  readonly name: string;
  readonly scope: Builder;
  readonly inputs: readonly Value[];
  readonly outputs: readonly { readonly name: string; readonly value: Value }[];
  /** for the body of a Loop: how often it runs, where that is known when the graph is built */
  readonly trips?: Dim;
}

/** Cotangents, one per output or input; `null` stands for zero. */
export type Cotangents = readonly (Value | null)[];

/**
 * Everything revort knows about one ONNX operator. Adding an operator is writing one of these.
 *
 * Types, attributes and semantics are those of the default domain at opset 21. `Builder.emit` holds each application
 * against the signature, so rules need not.
 */
export interface Op extends Signature {
  /** Types of the outputs, for operands and attributes that the signature allows. Throws ShapeError for those that do not fit. */
  readonly infer: (inputs: readonly (Value | null)[], attributes: Attributes) => readonly ValueType[];
  /** Results on the host, for operands that are all constant. */
  readonly fold?: (inputs: readonly (Tensor | null)[], attributes: Attributes) => readonly Tensor[] | null;
  /** Multiplications that `fold` takes, where there are more than elements: how long it takes decides whether it is done. */
  readonly products?: (inputs: readonly (Value | null)[], attributes: Attributes) => number;
  /** An existing value that the node would equal (a reshape to the same shape, say), or `null`. */
  readonly simplify?: (
    b: Builder,
    inputs: readonly (Value | null)[],
    attributes: Attributes,
  ) => readonly Value[] | null;
  /**
   * Vector-Jacobian product: cotangents of the inputs from those of the outputs, one per input. Where there is none, the
   * operators of `decompose` are differentiated.
   */
  readonly vjp?: (b: Builder, node: Node, cotangents: Cotangents) => Cotangents;
  /** The same function of simpler operators, for runtimes without a kernel. */
  readonly decompose?: (
    b: Builder,
    inputs: readonly (Value | null)[],
    attributes: Attributes,
  ) => readonly Value[];
}

/** A graph put together wrongly: foreign values, clashing or unknown names. */
export class GraphError extends RevortError {}

export function showType(type: ValueType): string {
  return `${type.dtype}${showShape(type.shape)}`;
}

/** How messages call a node: as the file does that it comes from, else by its operator. */
export function shownOrigin({ op, origin }: Pick<Node, "op" | "origin">): string {
  if (origin === null) return op.type;
  return origin.opType === op.type
    ? shownNode(origin)
    : `${op.type}, as which revort reads ${shownNode(origin)},`;
}

/** The shape as numbers, for code that runs after all dimensions are known. */
export function staticShape(type: ValueType, what: string): readonly number[] {
  for (const dim of type.shape) {
    if (typeof dim === "string") {
      throw new ShapeError(
        `${what} needs a static shape, but ${showType(type)} has the symbolic dimension "${dim}". ` +
          "Give the graph concrete input shapes.",
      );
    }
  }
  return type.shape as readonly number[];
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, axis) => dim === b[axis]);
}

/** An axis counted from the front. @throws {ShapeError} if it is out of range */
export function normaliseAxis(axis: number, rank: number, op: string): number {
  const positive = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || positive < 0 || positive >= rank) {
    throw new ShapeError(
      `${op}: axis ${axis} is outside [${-rank}, ${rank - 1}] for an operand of rank ${rank}.`,
    );
  }
  return positive;
}

/** Axes counted from the front. @throws {ShapeError} if one is out of range, or named twice */
export function normaliseAxes(axes: readonly number[], rank: number, op: string): number[] {
  const positive = axes.map((axis) => normaliseAxis(axis, rank, op));
  if (new Set(positive).size === positive.length) return positive;
  throw new ShapeError(
    `${op}: the axes ${showShape(axes)} name one axis of an operand of rank ${rank} twice. Name each once.`,
  );
}

/**
 * Shape of an elementwise result, by ONNX's multidirectional broadcasting.
 *
 * @throws {ShapeError} if two dimensions differ and neither is 1
 */
export function broadcastShapes(op: string, ...shapes: readonly Shape[]): Dim[] {
  const rank = shapes.reduce((most, shape) => Math.max(most, shape.length), 0);
  const result: Dim[] = new Array(rank).fill(1);
  for (const shape of shapes) {
    const offset = rank - shape.length;
    for (const [axis, dim] of shape.entries()) {
      const known = result[offset + axis]!;
      if (known === dim || dim === 1) continue;
      if (known !== 1) {
        throw new ShapeError(
          `${op}: shapes ${shapes.map(showShape).join(" and ")} do not broadcast: ${known} and ${dim} differ.`,
        );
      }
      result[offset + axis] = dim;
    }
  }
  return result;
}

/** The nodes of this graph's own scope that its outputs need, operands before results; those of inputs are not among them. */
export function nodesOf(graph: Graph): Node[] {
  const found = new Set<Node>();
  const given = new Set(graph.inputs);
  const pending: Value[] = graph.outputs.map((output) => output.value);
  while (pending.length > 0) {
    const value = pending.pop()!;
    const { node } = value;
    if (node === null || node.scope !== graph.scope || given.has(value) || found.has(node)) continue;
    found.add(node);
    for (const input of node.inputs) if (input !== null) pending.push(input);
    for (const value of node.captures) pending.push(value);
  }
  return [...found].sort((a, b) => a.id - b.id);
}

/** The inputs of a graph that its nodes or outputs read. */
export function inputsReadBy(graph: Graph): ReadonlySet<Value> {
  const read = new Set<Value | null>(graph.outputs.map(({ value }) => value));
  for (const node of nodesOf(graph)) for (const value of [...node.inputs, ...node.captures]) read.add(value);
  return new Set(graph.inputs.filter((value) => read.has(value)));
}

/** The values of enclosing scopes, constants among them, that a graph reads. */
export function capturesOf(graph: Graph): Value[] {
  const captured = new Set<Value>();
  const visit = (value: Value | null): void => {
    if (value !== null && value.scope !== graph.scope) captured.add(value);
  };
  for (const node of nodesOf(graph)) {
    node.inputs.forEach(visit);
    node.captures.forEach(visit);
  }
  for (const { value } of graph.outputs) visit(value);
  return [...captured].sort((a, b) => a.id - b.id);
}

/** The subgraphs among a node's attributes. */
export function subgraphsOf(attributes: Attributes): Graph[] {
  return Object.values(attributes).filter(isGraph);
}

export function isGraph(attribute: Attribute): attribute is Graph {
  return typeof attribute === "object" && "outputs" in attribute;
}

export function isTensor(attribute: Attribute): attribute is Tensor {
  return typeof attribute === "object" && "dtype" in attribute;
}

/** Number of nodes, subgraphs included: the cost that dominates small graphs on ONNX Runtime. */
export function countNodes(graph: Graph): number {
  return nodesOf(graph).reduce(
    (count, node) =>
      count + 1 + subgraphsOf(node.attributes).reduce((sum, body) => sum + countNodes(body), 0),
    0,
  );
}
