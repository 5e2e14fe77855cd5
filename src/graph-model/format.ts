import type { DType } from "../core/tensor.js";

// A GraphModel as TensorFlow.js reads it: a TensorFlow GraphDef in JSON, a signature that names inputs and outputs, and
// the constants as one run of bytes.

/** Element types that TensorFlow.js computes with. */
export type TfDType = "float32" | "int32" | "bool";

/** The element type that stands for ours; every integer is an int32 (`integers.ts` says when that is right). */
export function tfTypeOf(dtype: DType): TfDType {
  if (dtype === "float32" || dtype === "bool") return dtype;
  return "int32";
}

/** An attribute of a node, as protocol buffers are written in JSON. */
export type TfAttribute =
  | { readonly b: boolean }
  | { readonly i: number }
  | { readonly s: string }
  | { readonly type: string }
  | { readonly shape: TfShape }
  | { readonly list: { readonly i: readonly number[] } };

export interface TfShape {
  readonly dim: readonly { readonly size: string }[];
}

export interface TfNode {
  readonly name: string;
  readonly op: string;
  readonly input: readonly string[];
  readonly attr: Readonly<Record<string, TfAttribute>>;
}

/** Where the bytes of a constant come: in the order of the list. */
export interface WeightSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: TfDType;
}

/** A tensor of the signature. */
export interface TensorInfo {
  readonly name: string;
  readonly dtype: string;
  readonly tensorShape: TfShape;
}

/** What `tf.io.fromMemory` takes, and `model.json` and its shards are made of. */
export interface GraphModelArtifacts {
  readonly format: "graph-model";
  readonly generatedBy: string;
  readonly convertedBy: null;
  readonly modelTopology: {
    readonly node: readonly TfNode[];
    readonly library: Readonly<Record<string, never>>;
    readonly versions: { readonly producer: number };
  };
  readonly signature: {
    readonly inputs: Readonly<Record<string, TensorInfo>>;
    readonly outputs: Readonly<Record<string, TensorInfo>>;
  };
  readonly userDefinedMetadata: Readonly<Record<string, string>>;
  readonly weightSpecs: readonly WeightSpec[];
  readonly weightData: ArrayBuffer;
}

const typeNames: Readonly<Record<TfDType, string>> = {
  float32: "DT_FLOAT",
  int32: "DT_INT32",
  bool: "DT_BOOL",
};

export function typeName(dtype: TfDType): string {
  return typeNames[dtype];
}

/** A shape; what is symbolic is −1. */
export function tfShape(shape: readonly (number | string)[]): TfShape {
  return { dim: shape.map((dim) => ({ size: String(typeof dim === "number" ? dim : -1) })) };
}
