import { fromBinary } from "@bufbuild/protobuf";
import {
  type AttributeProto,
  AttributeProto_AttributeType as AttributeType,
  type FunctionProto,
  type GraphProto,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  type OperatorSetIdProto,
  type StringStringEntryProto,
  type ValueInfoProto,
} from "onnx-buf";
import { RevortError } from "../core/errors.js";
import { printable } from "../core/printable.js";
import type { Tensor } from "../core/tensor.js";
import { decodeTensor, dtypeAt, type ReadExternal } from "./decode-tensor.js";
import {
  functionKey,
  type Model,
  type ModelAttribute,
  ModelError,
  type ModelFunction,
  type ModelGraph,
  type ModelNode,
  type ModelValue,
  shown,
} from "./model.js";
import { readOrigins, readParameterNames } from "./origins.js";
import { checkCalls, checkFunction, checkGraph } from "./well-formed.js";
import { checkWire } from "./wire.js";

/** The file versions and operator sets that are understood; see `import/versions.ts` for single operators. */
export const supportedIr = { oldest: 3, newest: 13 } as const;
export const supportedOpset = { oldest: 7, newest: 28 } as const;

export interface DecodeOptions {
  /** what error messages call the model: its path, say */
  readonly source?: string;
  /** fetches tensor data that the file keeps elsewhere */
  readonly readExternal?: ReadExternal;
}

/**
 * The model that the bytes of an `.onnx` file describe. Nothing in the file is trusted. Operators are not judged
 * here, so that a file with unknown ones can still be looked at: `instantiate` does that.
 *
 * @throws {ModelError} if the bytes are not a valid model, or one of a version, type or form that revort does not take
 * @throws {ExternalDataError} if tensor data outside the file cannot be had
 */
export function decode(bytes: Uint8Array, options: DecodeOptions = {}): Model {
  const source = options.source ?? "The ONNX model";
  try {
    return decodeModel(parse(bytes), source, options.readExternal);
  } catch (error) {
    if (!(error instanceof RevortError)) throw error;
    error.message = `${printable(source)}: ${error.message}`;
    throw error;
  }
}

function parse(bytes: Uint8Array): ModelProto {
  if (bytes.length === 0) throw new ModelError("The file is empty. Export the model again.");
  checkWire(bytes, ModelProtoSchema);
  try {
    return fromBinary(ModelProtoSchema, bytes, { readUnknownFields: false });
  } catch (cause) {
    throw new ModelError(`This is not an ONNX model (${(cause as Error).message}). Export it again.`, {
      cause,
    });
  }
}

function decodeModel(proto: ModelProto, source: string, readExternal: ReadExternal | undefined): Model {
  const irVersion = Number(proto.irVersion);
  if (proto.graph === undefined || irVersion === 0) {
    throw new ModelError(
      `The file has no ${proto.graph === undefined ? "graph" : "IR version"}: it is not an ONNX model.`,
    );
  }
  if (irVersion < supportedIr.oldest || irVersion > supportedIr.newest) {
    throw new ModelError(
      `The file has IR version ${proto.irVersion}, but versions ${supportedIr.oldest} to ${supportedIr.newest} are ` +
        "understood. Export it with opset 21.",
    );
  }
  const opsets = decodeOpsets(proto.opsetImport);
  const version = opsets.get("");
  const functions = proto.functions.map((f) => decodeFunction(f, readExternal));
  if (version !== undefined) checkOpset(version);
  else if (proto.graph.node.some((node) => domainOf(node.domain) === "")) {
    throw new ModelError("The file does not say which version of ONNX's operators it uses. Export it again.");
  }
  for (const f of functions) {
    const own = f.opsets.get("");
    if (own !== undefined) checkOpset(own);
    checkFunction(f);
  }
  checkUnique(
    functions.map((f) => functionKey({ ...f, opType: f.name })),
    "function",
  );
  checkCalls(functions);
  const graph = decodeGraph(proto.graph, "the graph", readExternal);
  checkGraph(graph);
  return {
    source,
    irVersion,
    opsets,
    producer: [proto.producerName, proto.producerVersion].filter((text) => text !== "").join(" "),
    doc: proto.docString !== "" ? proto.docString : proto.graph.docString,
    metadata: Object.fromEntries(decodeMetadata(proto.metadataProps)),
    graph,
    functions,
    origins: readOrigins(proto.graph),
    parameterNames: readParameterNames(proto.graph),
  };
}

function checkOpset(version: number): void {
  if (version >= supportedOpset.oldest && version <= supportedOpset.newest) return;
  throw new ModelError(
    `The file uses opset ${version}, but opsets ${supportedOpset.oldest} to ${supportedOpset.newest} are understood. ` +
      "Export it with opset 21.",
  );
}

/** ONNX's own domain has two names. */
function domainOf(domain: string): string {
  return domain === "ai.onnx" ? "" : domain;
}

function decodeOpsets(imports: readonly OperatorSetIdProto[]): Map<string, number> {
  const opsets = new Map<string, number>();
  for (const { domain, version } of imports) {
    const known = opsets.get(domainOf(domain));
    if (known !== undefined && known !== Number(version)) {
      throw new ModelError(
        `The file imports the operators of ${shown(domain)} in two versions, ${known} and ${version}.`,
      );
    }
    opsets.set(domainOf(domain), Number(version));
  }
  return opsets;
}

function decodeMetadata(entries: readonly StringStringEntryProto[]): [string, string][] {
  for (const { key } of entries) checkName(key, "a metadata entry");
  return entries.map(({ key, value }) => [key, value]);
}

function checkName(name: string, what: string): string {
  if (name !== "__proto__") return name;
  throw new ModelError(
    `The name of ${what} is "__proto__", which would change the prototype of what holds it. Rename it.`,
  );
}

function checkUnique(names: readonly string[], what: string): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) throw new ModelError(`The file has two of the ${what} ${shown(name)}. Rename one.`);
    seen.add(name);
  }
}

function decodeGraph(proto: GraphProto, what: string, readExternal: ReadExternal | undefined): ModelGraph {
  if (proto.sparseInitializer.length > 0) {
    const name = proto.sparseInitializer[0]!.values?.name ?? "";
    throw new ModelError(
      `The initializer ${shown(name)} of ${what} is sparse, which revort does not support. ` +
        "Export the model with dense tensors.",
    );
  }
  const initializers = new Map<string, Tensor>();
  for (const tensor of proto.initializer) {
    const name = checkName(tensor.name, "an initializer");
    if (name === "") throw new ModelError(`An initializer of ${what} has no name. Export the model again.`);
    if (initializers.has(name)) {
      throw new ModelError(`${what} has two initializers named ${shown(name)}. Rename one.`);
    }
    initializers.set(name, decodeTensor(tensor, `The initializer ${shown(name)}`, readExternal));
  }
  const given = proto.input.filter(({ name }) => !initializers.has(name));
  checkUnique(
    given.map(({ name }) => name),
    "graph input",
  );
  return {
    name: proto.name,
    inputs: given.map((value) => decodeValue(value, "input")),
    optional: proto.input
      .filter(({ name }) => initializers.has(name))
      .map((value) => decodeValue(value, "input")),
    outputs: proto.output.map((value) => decodeValue(value, "output")),
    initializers,
    nodes: proto.node.map((node) => decodeNode(node, readExternal)),
  };
}

function decodeValue({ name, type }: ValueInfoProto, what: string): ModelValue {
  const where = `The ${what} ${shown(name)}`;
  checkName(name, `an ${what}`);
  if (name === "") throw new ModelError(`An ${what} of a graph has no name. Export the model again.`);
  const held = type?.value;
  if (held === undefined || held.case === undefined) return { name, dtype: null, shape: null };
  if (held.case !== "tensorType") {
    throw new ModelError(
      `${where} is a ${held.case.replace(/Type$/, "").replace("sparseTensor", "sparse tensor")}, ` +
        "but revort works on tensors. Export a model that takes and returns tensors.",
    );
  }
  const { elemType, shape } = held.value;
  return {
    name,
    dtype: elemType === 0 ? null : dtypeAt(elemType, where),
    shape:
      shape === undefined
        ? null
        : shape.dim.map(({ value }) => {
            if (value.case === "dimParam") return value.value === "" ? null : value.value;
            if (value.case === undefined) return null;
            const dim = Number(value.value);
            if (Number.isSafeInteger(dim) && dim >= 0) return dim;
            // some exporters write −1 for what they leave open
            if (dim === -1) return null;
            throw new ModelError(
              `${where} has the dimension ${value.value}; a dimension is a whole number, 0 or more. Export it again.`,
            );
          }),
  };
}

function decodeNode(proto: NodeProto, readExternal: ReadExternal | undefined): ModelNode {
  const what = `the node ${shown(proto.name)} (${proto.opType.slice(0, 80)})`;
  if (proto.opType === "") {
    throw new ModelError(`The node ${shown(proto.name)} names no operator. Export the model again.`);
  }
  for (const name of proto.output) checkName(name, `an output of ${what}`);
  return {
    name: proto.name,
    opType: proto.opType,
    domain: domainOf(proto.domain),
    overload: proto.overload,
    inputs: proto.input,
    outputs: proto.output,
    attributes: decodeAttributes(proto.attribute, what, readExternal),
  };
}

function decodeAttributes(
  protos: readonly AttributeProto[],
  what: string,
  readExternal: ReadExternal | undefined,
): Map<string, ModelAttribute> {
  const attributes = new Map<string, ModelAttribute>();
  for (const proto of protos) {
    const name = checkName(proto.name, `an attribute of ${what}`);
    if (attributes.has(name)) {
      throw new ModelError(`${what} has two attributes named ${shown(name)}. Export the model again.`);
    }
    attributes.set(name, decodeAttribute(proto, `The attribute ${shown(name)} of ${what}`, readExternal));
  }
  return attributes;
}

function decodeAttribute(
  proto: AttributeProto,
  where: string,
  readExternal: ReadExternal | undefined,
): ModelAttribute {
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  checkHeld(proto, where);
  if (proto.refAttrName !== "") return { kind: "reference", value: proto.refAttrName };
  switch (proto.type) {
    case AttributeType.INT:
      return { kind: "int", value: nearest(proto.i), ...exactly([proto.i]) };
    case AttributeType.FLOAT:
      return { kind: "float", value: proto.f };
    case AttributeType.STRING:
      return { kind: "string", value: text(proto.s) };
    case AttributeType.INTS:
      return { kind: "ints", value: proto.ints.map(nearest), ...exactly(proto.ints) };
    case AttributeType.FLOATS:
      return { kind: "floats", value: proto.floats };
    case AttributeType.STRINGS:
      return { kind: "strings", value: proto.strings.map(text) };
    case AttributeType.TENSOR:
      if (proto.t === undefined) throw new ModelError(`${where} has no tensor. Export the model again.`);
      return { kind: "tensor", value: decodeTensor(proto.t, where, readExternal) };
    case AttributeType.GRAPH:
      if (proto.g === undefined) throw new ModelError(`${where} has no graph. Export the model again.`);
      return { kind: "graph", value: decodeGraph(proto.g, where, readExternal) };
    case AttributeType.UNDEFINED:
      throw new ModelError(`${where} does not say of which type it is. Export the model again.`);
    default:
      return { kind: "unsupported", value: AttributeType[proto.type].toLowerCase().replace(/_/g, " ") };
  }
}

/** @throws {ModelError} if an attribute holds something in another field than that of its type, which would be dropped */
function checkHeld(proto: AttributeProto, where: string): void {
  const held: readonly [boolean, AttributeType][] = [
    [proto.i !== 0n, AttributeType.INT],
    [proto.f !== 0, AttributeType.FLOAT],
    [proto.s.length > 0, AttributeType.STRING],
    [proto.ints.length > 0, AttributeType.INTS],
    [proto.floats.length > 0, AttributeType.FLOATS],
    [proto.strings.length > 0, AttributeType.STRINGS],
    [proto.t !== undefined, AttributeType.TENSOR],
    [proto.g !== undefined, AttributeType.GRAPH],
  ];
  const other = held.find(([isHeld, type]) => isHeld && (proto.refAttrName !== "" || type !== proto.type));
  if (other === undefined || proto.type === AttributeType.UNDEFINED) return;
  const [is, holds] = [proto.type, other[1]].map((type) => AttributeType[type].toLowerCase());
  throw new ModelError(
    `${where} is ${proto.refAttrName === "" ? `of type ${is}` : "that of a call"}, but holds ${holds} data, too: ` +
      "which of the two is meant cannot be told. Export the model again.",
  );
}

const largest = BigInt(Number.MAX_SAFE_INTEGER);
const isHeld = (value: bigint) => -largest <= value && value <= largest;

function nearest(value: bigint): number {
  if (isHeld(value)) return Number(value);
  return value < 0n ? Number.MIN_SAFE_INTEGER : Number.MAX_SAFE_INTEGER;
}

function exactly(values: readonly bigint[]): { exact?: readonly bigint[] } {
  return values.every(isHeld) ? {} : { exact: values };
}

function decodeFunction(proto: FunctionProto, readExternal: ReadExternal | undefined): ModelFunction {
  const what = `the function ${shown(proto.name)}`;
  const attributes = new Map<string, ModelAttribute | null>(proto.attribute.map((name) => [name, null]));
  for (const [name, value] of decodeAttributes(proto.attributeProto, what, readExternal)) {
    attributes.set(name, value);
  }
  return {
    name: proto.name,
    domain: domainOf(proto.domain),
    overload: proto.overload,
    inputs: proto.input,
    outputs: proto.output,
    nodes: proto.node.map((node) => decodeNode(node, readExternal)),
    attributes,
    opsets: decodeOpsets(proto.opsetImport),
  };
}
