import { checkSize, type DType, scalar, sizeOf, type Tensor, tensor } from "../core/tensor.js";
import { checkAttributes, checkOperands } from "./check-call.js";
import { type Dim, dimGiven } from "./dimension.js";
import {
  type Attribute,
  type Attributes,
  capturesOf,
  type Graph,
  GraphError,
  isGraph,
  isTensor,
  type Node,
  type Op,
  type Origin,
  type Shape,
  subgraphsOf,
  type Value,
  type ValueType,
} from "./graph.js";
import { opset } from "./signature.js";

/** Constants of more elements than this are not computed while a graph is built. */
const largestFold = 1 << 20;
/** Elements read, written and multiplied to compute constants, in one graph: what is beyond is left to the runtime. */
const foldBudget = 1 << 23;
/** Arithmetic on shapes is always done, whatever else a graph computes. */
const smallFold = 1 << 10;

/**
 * Grows one scope of a graph: the main graph, or the body of a Loop, Scan or If (a child).
 *
 * Emission is where graphs are kept small. Operands that are all constant are folded; a node equal to an earlier
 * one *is* the earlier one (so undoing a step and its pullback share evaluations without being told to); and a node
 * lands in the outermost scope that has its operands (so loops compute nothing twice that does not change).
 */
export class Builder {
  readonly parent: Builder | null;
  readonly depth: number;
  /** integers that were found to be arithmetic of dimensions, or not to be, in the root scope: see `ops/dims.ts` */
  readonly dims = new WeakMap<Value, readonly Dim[] | null>();
  /** what parts of this scope tell of themselves beside their results: see `ops/told.ts` */
  readonly told = new Map<string, Value>();
  readonly #inputs: Value[] = [];
  readonly #nodes = new Map<string, readonly Value[]>();
  /** by their types and a number that is made of their bytes, those that may be equal */
  readonly #constants = new Map<string | symbol, Value[]>();
  #nextId = 0;
  #folded = 0;
  #origin: Origin | null = null;

  constructor(parent: Builder | null = null) {
    this.parent = parent;
    this.depth = parent === null ? 0 : parent.depth + 1;
  }

  get root(): Builder {
    return this.parent?.root ?? this;
  }

  /** @throws {GraphError} if the name is taken */
  input(name: string, dtype: DType, shape: Shape): Value {
    if (this.#inputs.some((value) => value.name === name)) {
      throw new GraphError(`The graph has an input named "${name}" already; input names must differ.`);
    }
    const value = this.#value({ dtype, shape: shape.map(dimGiven) }, null, 0, name, null);
    this.#inputs.push(value);
    return value;
  }

  /** A constant. Equal constants are one value, kept in the root scope. */
  constant(value: Tensor): Value {
    if (this.parent !== null) return this.root.constant(value);
    const key = constantKey(value);
    const alike = this.#constants.get(key);
    const known = alike?.find(({ constant }) => sameBytes(constant!, value));
    if (known !== undefined) return known;
    const fresh = this.#value({ dtype: value.dtype, shape: value.shape }, null, 0, null, value);
    if (alike === undefined) this.#constants.set(key, [fresh]);
    else alike.push(fresh);
    return fresh;
  }

  scalar(dtype: DType, value: number | bigint | boolean): Value {
    return this.constant(scalar(dtype, value));
  }

  /** A one-dimensional int64 constant: axes, shapes, indices. */
  ints(values: readonly number[]): Value {
    return this.constant(tensor("int64", [values.length], values));
  }

  /** Applies an operator and returns all its outputs. */
  emit(op: Op, inputs: readonly (Value | null)[], attributes: Attributes = {}): readonly Value[] {
    const operands = trimTrailingNulls(inputs);
    const bodies = subgraphsOf(attributes);
    const captures = [...new Set(bodies.flatMap(capturesOf))];
    const scope = this.#scopeOf(op, operands, captures);

    const key = bodies.length > 0 ? null : keyOf(op, operands, attributes);
    const known = key === null ? undefined : scope.#nodes.get(key);
    if (known !== undefined) return known;

    checkOperands(op, operands);
    checkAttributes(op, attributes, opset);
    const types = op.infer(operands, attributes);
    for (const type of types) checkSize(() => `The result of ${op.type}`, type);
    const constants = operands.map((value) => value?.constant ?? null);
    const isConstant =
      operands.length > 0 && operands.every((value, i) => (value === null) === (constants[i] === null));
    if (op.fold !== undefined && isConstant && this.root.#canFold(op, operands, attributes, types)) {
      const results = op.fold(constants, attributes);
      if (results !== null) return results.map((result) => this.constant(result));
    }
    const simpler = op.simplify?.(scope, operands, attributes) ?? null;
    if (simpler !== null) return simpler;

    const outputs = scope.#node(op, types, operands, attributes, captures);
    if (key !== null) scope.#nodes.set(key, outputs);
    return outputs;
  }

  /** Applies an operator with one output. */
  apply(op: Op, inputs: readonly (Value | null)[], attributes: Attributes = {}): Value {
    return this.emit(op, inputs, attributes)[0]!;
  }

  /** Builds something of which messages say that it was made for a node of a file. */
  madeFor<T>(origin: Origin | null, build: () => T): T {
    const { root } = this;
    const before = root.#origin;
    root.#origin = origin;
    try {
      return build();
    } finally {
      root.#origin = before;
    }
  }

  /** A scope inside this one, for the body of a control operator. */
  child(): Builder {
    return new Builder(this);
  }

  /** Ends this scope: the function from its inputs to the given outputs. */
  graph(outputs: Readonly<Record<string, Value>>, name = "revort"): Graph {
    for (const [output, value] of Object.entries(outputs)) {
      if (!this.#sees(value)) {
        throw new GraphError(`Output "${output}" of graph "${name}" was built by another builder.`);
      }
    }
    return {
      name,
      scope: this,
      inputs: [...this.#inputs],
      outputs: Object.entries(outputs).map(([output, value]) => ({ name: output, value })),
    };
  }

  /** Whether results are small enough, and quick enough to compute, to be constants. */
  #canFold(op: Op, operands: readonly (Value | null)[], attributes: Attributes, types: readonly ValueType[]) {
    const size = types.reduce((sum, { shape }) => sum + sizeOf(shape as number[]), 0);
    if (!(size <= largestFold)) return false;
    const products = op.products?.(operands, attributes) ?? 0;
    const work = [...types, ...operands].reduce((sum, type) => sum + extentOf(type), products);
    if (work > smallFold) {
      if (this.#folded + work > foldBudget) return false;
      this.#folded += work;
    }
    return true;
  }

  #node(
    op: Op,
    types: readonly ValueType[],
    inputs: readonly (Value | null)[],
    attributes: Attributes,
    captures: readonly Value[],
  ) {
    const outputs: Value[] = [];
    const { root } = this;
    const id = this.#freshId();
    const node: Node = { id, op, inputs, attributes, outputs, scope: this, origin: root.#origin, captures };
    types.forEach((type, index) => {
      outputs.push(this.#value(type, node, index, null, null));
    });
    return outputs;
  }

  #value(
    type: ValueType,
    node: Node | null,
    index: number,
    name: string | null,
    constant: Tensor | null,
  ): Value {
    return {
      id: this.#freshId(),
      dtype: type.dtype,
      shape: type.shape,
      scope: this,
      node,
      index,
      name,
      constant,
    };
  }

  #freshId(): number {
    return this.parent === null ? this.#nextId++ : this.root.#freshId();
  }

  #sees(value: Value): boolean {
    for (let scope: Builder | null = this; scope !== null; scope = scope.parent) {
      if (value.scope === scope) return true;
    }
    return false;
  }

  /** The innermost scope among the operands'. */
  #scopeOf(op: Op, operands: readonly (Value | null)[], captures: readonly Value[]): Builder {
    let scope = this.root;
    for (const value of [...operands, ...captures]) {
      if (value === null) continue;
      if (!this.#sees(value)) {
        throw new GraphError(
          `${op.type}: an operand was built by another builder, or inside a subgraph that has ended.`,
        );
      }
      if (value.scope.depth > scope.depth) scope = value.scope;
    }
    return scope;
  }
}

/** Elements and axes' lengths together: an empty tensor may have a long axis, too. */
function extentOf(type: ValueType | null): number {
  if (type === null) return 0;
  return sizeOf(type.shape as number[]) + (type.shape as number[]).reduce((sum, dim) => sum + dim, 0);
}

function trimTrailingNulls(inputs: readonly (Value | null)[]): readonly (Value | null)[] {
  let length = inputs.length;
  while (length > 0 && inputs[length - 1] === null) length--;
  return inputs.slice(0, length);
}

/** Equal keys mean equal results. */
function keyOf(op: Op, inputs: readonly (Value | null)[], attributes: Attributes): string {
  const names = Object.keys(attributes).sort();
  const parts = names.map((name) => `${name}=${showAttribute(attributes[name]!)}`);
  return `${op.type}(${inputs.map((value) => value?.id ?? "")})${parts}`;
}

/** Constants of more bytes than this are not compared: weights, of which no two are alike. */
const largestCompared = 1 << 20;

/** Bytes that go into the key of a constant, which are spread over it. */
const mostMixed = 4099;

/** What equal constants have in common, and few others. */
function constantKey({ dtype, shape, data }: Tensor): string | symbol {
  if (data.byteLength > largestCompared) return Symbol();
  const bytes = bytesOf(data);
  const step = Math.ceil(bytes.length / mostMixed) || 1;
  let mixed = 0;
  for (let i = 0; i < bytes.length; i += step) mixed = (Math.imul(mixed, 31) + bytes[i]!) | 0;
  return `${dtype}[${shape}]${mixed}`;
}

/** Whether two tensors of one type are the same bits (so 0 and −0 differ). */
function sameBytes(one: Tensor, other: Tensor): boolean {
  if (one.dtype !== other.dtype || one.shape.join() !== other.shape.join()) return false;
  const [own, others] = [bytesOf(one.data), bytesOf(other.data)];
  return own.every((byte, i) => byte === others[i]);
}

function bytesOf(data: Tensor["data"]): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function bytesKey({ data }: Tensor): string {
  const bytes = bytesOf(data);
  let key = "";
  // a call takes so many arguments and not any number
  for (let at = 0; at < bytes.length; at += 4096)
    key += String.fromCharCode(...bytes.subarray(at, at + 4096));
  return key;
}

function showAttribute(attribute: Attribute): string {
  if (isGraph(attribute)) throw new GraphError("Nodes with subgraphs have no key.");
  if (isTensor(attribute)) return `${attribute.dtype}[${attribute.shape}]${bytesKey(attribute)}`;
  if (typeof attribute === "number") return Object.is(attribute, -0) ? "-0" : String(attribute);
  return JSON.stringify(attribute);
}
