import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  type AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  ModelProtoSchema,
  type NodeProtoSchema,
  type TensorProtoSchema,
  type ValueInfoProtoSchema,
} from "onnx-buf";
import type { DType, Tensor } from "../core/tensor.js";
import { version } from "../version.js";
import {
  type Attribute,
  type Graph,
  GraphError,
  type Node,
  nodesOf,
  showType,
  type Value,
  type ValueType,
} from "./graph.js";
import { type AttributeKind, opset } from "./signature.js";
import { onnxTypeNumber } from "./types.js";

/** The file version that revort writes. */
export const irVersion = 10;

export interface EncodeOptions {
  /** free text about the model: what it is and which units its inputs have */
  readonly doc?: string;
  /** what `metadata_props` is to hold */
  readonly metadata?: Readonly<Record<string, string>>;
  /** inputs of the graph that the file is to hold as initializers, by name: parameters that are no longer trained */
  readonly initializers?: Readonly<Record<string, Tensor>>;
  /** inputs that need not be given when the file runs, and what they are then */
  readonly defaults?: Readonly<Record<string, Tensor>>;
}

/** A graph as the bytes of an `.onnx` file. Equal graphs give equal bytes. */
export function encode(graph: Graph, options: EncodeOptions = {}): Uint8Array {
  const names = new Names();
  const encoded = bake(encodeGraph(graph, names), graph, options.initializers ?? {}, options.defaults ?? {});
  const model = create(ModelProtoSchema, {
    irVersion: BigInt(irVersion),
    producerName: "revort",
    producerVersion: version,
    opsetImport: [{ domain: "", version: BigInt(opset) }],
    graph: { ...encoded, ...(options.doc === undefined ? {} : { docString: options.doc }) },
    metadataProps: Object.entries(options.metadata ?? {}).map(([key, value]) => ({ key, value })),
  });
  return toBinary(ModelProtoSchema, model);
}

interface GraphInit {
  readonly name: string;
  readonly node: NodeInit[];
  readonly input: MessageInitShape<typeof ValueInfoProtoSchema>[];
  readonly output: MessageInitShape<typeof ValueInfoProtoSchema>[];
  readonly initializer: MessageInitShape<typeof TensorProtoSchema>[];
}
type NodeInit = MessageInitShape<typeof NodeProtoSchema>;

/** Turns inputs into initializers, and gives others values that hold where none is given: initializers beside inputs. */
function bake(
  encoded: GraphInit,
  graph: Graph,
  values: Readonly<Record<string, Tensor>>,
  defaults: Readonly<Record<string, Tensor>>,
): GraphInit {
  const all = { ...values, ...defaults };
  for (const [name, value] of Object.entries(all)) {
    const input = graph.inputs.find((candidate) => candidate.name === name);
    if (input === undefined) throw new GraphError(`The graph has no input "${name}" to give a value to.`);
    const fits =
      input.shape.length === value.shape.length &&
      input.shape.every((dim, axis) => typeof dim === "string" || dim === value.shape[axis]);
    if (input.dtype !== value.dtype || !fits) {
      throw new GraphError(`Input "${name}" is ${showType(input)}, but its value is ${showType(value)}.`);
    }
  }
  return {
    ...encoded,
    input: encoded.input.filter((_, i) => !Object.hasOwn(values, graph.inputs[i]!.name!)),
    initializer: [
      ...Object.entries(all).map(([name, value]) => encodeTensor(value, name)),
      ...encoded.initializer,
    ],
  };
}

/** One name per value, unique over the main graph and all its subgraphs. */
class Names {
  readonly #names = new Map<Value, string>();
  readonly #taken = new Set<string>();

  of(value: Value): string {
    const name = this.#names.get(value);
    if (name === undefined) throw new GraphError("A value is used before the node that computes it.");
    return name;
  }

  has(value: Value): boolean {
    return this.#names.has(value);
  }

  /** A name that nothing else has, as close to the wanted one as can be. */
  fresh(wanted: string): string {
    let name = wanted;
    for (let i = 1; this.#taken.has(name); i++) name = `${wanted}_${i}`;
    this.#taken.add(name);
    return name;
  }

  set(value: Value, name: string): void {
    this.#names.set(value, name);
  }
}

function encodeGraph(graph: Graph, names: Names): GraphInit {
  const isMain = graph.scope.parent === null;
  const nodes = nodesOf(graph);

  const claim = (wanted: string): string => {
    const name = names.fresh(wanted);
    if (isMain && name !== wanted)
      throw new GraphError(`"${wanted}" names two inputs or outputs of the graph.`);
    return name;
  };
  for (const value of graph.inputs) names.set(value, claim(value.name!));
  const outputs = graph.outputs.map(({ name, value }) => ({ name: claim(name), value }));

  const initializers = isMain ? constantsOf(graph, nodes) : [];
  for (const [i, value] of initializers.entries()) names.set(value, names.fresh(`constant_${i}`));

  // what a node computes takes the name of a graph output; other sources of outputs need an Identity
  const identities: NodeInit[] = [];
  for (const { name, value } of outputs) {
    if (value.node !== null && value.scope === graph.scope && !names.has(value)) names.set(value, name);
    else identities.push({ opType: "Identity", input: [], output: [name] });
  }
  for (const node of nodes) {
    for (const output of node.outputs) {
      if (!names.has(output)) names.set(output, names.fresh(`${node.op.type.toLowerCase()}_${output.id}`));
    }
  }
  let identity = 0;
  for (const { name, value } of outputs) {
    if (names.of(value) !== name) identities[identity++]!.input = [names.of(value)];
  }
  return {
    name: graph.name,
    node: [...nodes.map((node) => encodeNode(node, names)), ...identities],
    input: graph.inputs.map((value) => encodeValueInfo(names.of(value), value)),
    output: outputs.map(({ name, value }) => encodeValueInfo(name, value)),
    initializer: initializers.map((value) => encodeTensor(value.constant!, names.of(value))),
  };
}

/** Every constant that the graph or a subgraph reads, in order of creation. */
function constantsOf(graph: Graph, nodes: readonly Node[]): Value[] {
  const found = new Set<Value>();
  const visit = (value: Value | null) => {
    if (value !== null && value.constant !== null) found.add(value);
  };
  for (const node of nodes) {
    node.inputs.forEach(visit);
    node.captures.forEach(visit);
  }
  for (const { value } of graph.outputs) visit(value);
  return [...found].sort((a, b) => a.id - b.id);
}

/** Operands as ONNX wants them: a Loop names its trip count and its condition, be they left out or not. */
function operandsOf({ op, inputs }: Node): readonly (Value | null)[] {
  return op.type === "Loop" && inputs.length < 2 ? [inputs[0] ?? null, null] : inputs;
}

function encodeNode(node: Node, names: Names): NodeInit {
  return {
    opType: node.op.type,
    input: operandsOf(node).map((value) => (value === null ? "" : names.of(value))),
    output: node.outputs.map((value) => names.of(value)),
    attribute: Object.entries(node.attributes).map(([name, value]) => {
      const rule = node.op.attributes?.[name];
      if (rule === undefined) throw new GraphError(`${node.op.type} has no attribute "${name}".`);
      return encodeAttribute(name, rule.kind, value, names);
    }),
  };
}

function encodeAttribute(
  name: string,
  kind: AttributeKind,
  value: Attribute,
  names: Names,
): MessageInitShape<typeof AttributeProtoSchema> {
  const bytes = (text: string) => new TextEncoder().encode(text);
  switch (kind) {
    case "int":
      return { name, type: AttributeType.INT, i: BigInt(value as number) };
    case "float":
      return { name, type: AttributeType.FLOAT, f: value as number };
    case "string":
      return { name, type: AttributeType.STRING, s: bytes(value as string) };
    case "ints":
      return { name, type: AttributeType.INTS, ints: (value as readonly number[]).map(BigInt) };
    case "floats":
      return { name, type: AttributeType.FLOATS, floats: [...(value as readonly number[])] };
    case "strings":
      return { name, type: AttributeType.STRINGS, strings: (value as readonly string[]).map(bytes) };
    case "tensor":
      return { name, type: AttributeType.TENSOR, t: encodeTensor(value as Tensor, "") };
    case "graph":
      return { name, type: AttributeType.GRAPH, g: encodeGraph(value as Graph, names) };
  }
}

function encodeTensor(
  { dtype, shape, data }: Tensor,
  name: string,
): MessageInitShape<typeof TensorProtoSchema> {
  return {
    name,
    dataType: onnxTypeNumber[dtype],
    dims: shape.map(BigInt),
    rawData: new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength),
  };
}

function encodeValueInfo(name: string, type: ValueType): MessageInitShape<typeof ValueInfoProtoSchema> {
  return {
    name,
    type: {
      value: {
        case: "tensorType",
        value: {
          elemType: onnxTypeNumber[type.dtype as DType],
          shape: {
            dim: type.shape.map((dim) =>
              typeof dim === "number"
                ? { value: { case: "dimValue" as const, value: BigInt(dim) } }
                : { value: { case: "dimParam" as const, value: dim } },
            ),
          },
        },
      },
    },
  };
}
