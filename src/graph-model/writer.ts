import type { Tensor } from "../core/tensor.js";
import {
  type GraphModelArtifacts,
  type TensorInfo,
  type TfAttribute,
  type TfDType,
  type TfNode,
  type TfShape,
  tfShape,
  tfTypeOf,
  typeName,
  type WeightSpec,
} from "./format.js";

/** An attribute as rules write it: a flag, an integer, a list of integers, an element type. */
type GivenAttribute = boolean | number | readonly number[] | { readonly type: TfDType };

/** What a name of a node may be made of; others are read as something else, `x:1` as an output of x. */
const safe = /^[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*$/;

/** Collects the nodes and constants of a GraphModel. Names stand for tensors, as TensorFlow writes them: `n7`, `n7:1`. */
export class Writer {
  readonly #nodes: TfNode[] = [];
  readonly #weights: { readonly spec: WeightSpec; readonly bytes: Uint8Array }[] = [];
  readonly #inputs: Record<string, TensorInfo> = {};
  readonly #outputs: Record<string, TensorInfo> = {};
  readonly #taken = new Set<string>();
  readonly #lists = new Map<string, string>();
  #next = 0;

  /** @param reserved  names that inputs and outputs should get */
  constructor(reserved: readonly string[]) {
    for (const name of reserved) this.#taken.add(name);
  }

  /** Nodes so far. */
  get size(): number {
    return this.#nodes.length;
  }

  input(name: string, dtype: TfDType, shape: readonly (number | string)[]): string {
    const own = this.#ownName(name);
    const size = tfShape(shape);
    this.#nodes.push({
      ...{ name: own, op: "Placeholder", input: [] },
      attr: { dtype: { type: typeName(dtype) }, shape: { shape: size } },
    });
    this.#inputs[name] = info(own, dtype, size);
    return own;
  }

  /** Makes a tensor an output: a tensor of its own, whatever else the one given is. */
  output(name: string, tensor: string, dtype: TfDType, shape: readonly (number | string)[]): void {
    const own = this.#ownName(name);
    this.#nodes.push({ name: own, op: "Identity", input: [tensor], attr: {} });
    this.#outputs[name] = info(own, dtype, tfShape(shape));
  }

  /** A constant. Of integers, the caller knows that int32 holds them. */
  weight({ dtype, shape, data }: Tensor): string {
    const name = this.#freshName();
    const type = tfTypeOf(dtype);
    const bytes =
      type === "int32" ? bytesOf(Int32Array.from(data as ArrayLike<number | bigint>, Number)) : bytesOf(data);
    this.#nodes.push({
      ...{ name, op: "Const", input: [] },
      attr: { dtype: { type: typeName(type) } },
    });
    this.#weights.push({ spec: { name, shape, dtype: type }, bytes });
    return name;
  }

  /**
   * Integers that an operator reads while it runs, an axis or a shape. They are constants of their own: what is an operand
   * moves to the GPU, and not every backend can read it back.
   */
  list(values: readonly number[], shape: readonly number[] = [values.length]): string {
    return this.#shared(`list:${shape.join()}`, values, {
      dtype: "int32",
      shape,
      data: Int32Array.from(values),
    });
  }

  /** One integer that an operator reads while it runs. */
  axis(value: number): string {
    return this.list([value], []);
  }

  /** One float that an operator reads while it runs. */
  setting(value: number): string {
    return this.#shared("setting", [value], { dtype: "float32", shape: [], data: Float32Array.of(value) });
  }

  /** Integers to compute with. */
  ints(values: readonly number[], shape: readonly number[] = [values.length]): string {
    return this.#shared(`ints:${shape.join()}`, values, {
      dtype: "int32",
      shape,
      data: Int32Array.from(values),
    });
  }

  /** One integer to compute with. */
  int(value: number): string {
    return this.ints([value], []);
  }

  /** One float to compute with. */
  float(value: number): string {
    return this.#shared("float", [value], { dtype: "float32", shape: [], data: Float32Array.of(value) });
  }

  /** Equal constants of one use are one. */
  #shared(use: string, values: readonly number[], value: Tensor): string {
    const key = `${use}:${values.map((number) => (Object.is(number, -0) ? "-0" : number)).join()}`;
    const known = this.#lists.get(key);
    if (known !== undefined) return known;
    const name = this.weight(value);
    this.#lists.set(key, name);
    return name;
  }

  /** A node of an operator that TensorFlow.js has; the name of its (first) output. */
  node(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, GivenAttribute>> = {},
  ): string {
    const name = this.#freshName();
    const attr = Object.fromEntries(Object.entries(attributes).map(([key, value]) => [key, written(value)]));
    this.#nodes.push({ name, op, input: [...inputs], attr });
    return name;
  }

  end(generatedBy: string, metadata: Readonly<Record<string, string>>): GraphModelArtifacts {
    const total = this.#weights.reduce((sum, { bytes }) => sum + bytes.length, 0);
    const weightData = new ArrayBuffer(total);
    let at = 0;
    for (const { bytes } of this.#weights) {
      new Uint8Array(weightData).set(bytes, at);
      at += bytes.length;
    }
    return {
      ...{ format: "graph-model", generatedBy, convertedBy: null },
      modelTopology: { node: this.#nodes, library: {}, versions: { producer: 27 } },
      signature: { inputs: this.#inputs, outputs: this.#outputs },
      userDefinedMetadata: metadata,
      weightSpecs: this.#weights.map(({ spec }) => spec),
      weightData,
    };
  }

  #ownName(name: string): string {
    const isFree = safe.test(name) && !this.#nodes.some((node) => node.name === name);
    return isFree ? name : this.#freshName();
  }

  #freshName(): string {
    let name: string;
    do name = `n${this.#next++}`;
    while (this.#taken.has(name));
    return name;
  }
}

function info(name: string, dtype: TfDType, tensorShape: TfShape): TensorInfo {
  return { name: `${name}:0`, dtype: typeName(dtype), tensorShape };
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
}

function written(value: GivenAttribute): TfAttribute {
  if (typeof value === "boolean") return { b: value };
  if (typeof value === "number") return { i: value };
  if ("type" in value) return { type: typeName(value.type) };
  return { list: { i: value } };
}
