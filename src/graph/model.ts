import { RevortError } from "../core/errors.js";
import { shown } from "../core/printable.js";
import type { DType, Tensor } from "../core/tensor.js";

export { shown } from "../core/printable.js";

// What an `.onnx` file says, checked and typed, before it becomes part of a graph: names instead of values.

/** The name and type of an input or output. `null` stands for what the file leaves open. */
export interface ModelValue {
  readonly name: string;
  readonly dtype: DType | null;
  readonly shape: readonly (number | string | null)[] | null;
}

/**
 * An attribute as the file has it. A `reference` inside a function stands for an attribute of the call. Integers that no
 * number holds are the next that one does, and `exact` beside.
 */
export type ModelAttribute =
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "int"; readonly value: number; readonly exact?: readonly bigint[] }
  | { readonly kind: "ints"; readonly value: readonly number[]; readonly exact?: readonly bigint[] }
  | { readonly kind: "string" | "reference"; readonly value: string }
  | { readonly kind: "floats"; readonly value: readonly number[] }
  | { readonly kind: "strings"; readonly value: readonly string[] }
  | { readonly kind: "tensor"; readonly value: Tensor }
  | { readonly kind: "graph"; readonly value: ModelGraph }
  /** a kind that revort has no use for, in words */
  | { readonly kind: "unsupported"; readonly value: string };

export interface ModelNode {
  /** may be empty: names of nodes are for people */
  readonly name: string;
  readonly opType: string;
  /** "" for the operators of ONNX itself */
  readonly domain: string;
  readonly overload: string;
  /** "" where an optional input is left out */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, ModelAttribute>;
}

export interface ModelGraph {
  readonly name: string;
  /** what must be given: inputs that an initializer gives a value are not among them */
  readonly inputs: readonly ModelValue[];
  /** inputs that may be left out: the initializers of their names are what they are then */
  readonly optional: readonly ModelValue[];
  readonly outputs: readonly ModelValue[];
  readonly initializers: ReadonlyMap<string, Tensor>;
  /** operands before results */
  readonly nodes: readonly ModelNode[];
}

/** A function that the file defines, to be inlined where it is called. */
export interface ModelFunction {
  readonly name: string;
  readonly domain: string;
  readonly overload: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly nodes: readonly ModelNode[];
  /** attributes of a call, with their defaults (`null` for none) */
  readonly attributes: ReadonlyMap<string, ModelAttribute | null>;
  readonly opsets: ReadonlyMap<string, number>;
}

/** What the exporter noted about where an initializer comes from. */
export interface Origin {
  /** "PARAMETER", "BUFFER", "CONSTANT_TENSOR" in files of PyTorch's newer exporter */
  readonly kind?: string;
  /** the values that it was computed from when the file was written */
  readonly foldedFrom?: readonly string[];
}

/** A whole file. */
export interface Model {
  /** what error messages call it */
  readonly source: string;
  readonly irVersion: number;
  /** version of each operator domain */
  readonly opsets: ReadonlyMap<string, number>;
  readonly producer: string;
  readonly doc: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly graph: ModelGraph;
  readonly functions: readonly ModelFunction[];
  readonly origins: ReadonlyMap<string, Origin>;
  /** names of the module's parameters, where the exporter noted them */
  readonly parameterNames: ReadonlySet<string> | null;
}

/** A file that is not a model, a model that is not valid, or one that revort cannot take. */
export class ModelError extends RevortError {}

/** A model with an operator (or a form or version of one) that revort does not know. */
export class UnsupportedOperatorError extends ModelError {
  constructor(
    message: string,
    readonly operator: string,
    readonly node: string,
  ) {
    super(message);
  }
}

/** Tensor data outside the file that is missing, out of range, or somewhere it must not be. */
export class ExternalDataError extends ModelError {}

/** `the node "relu1" (Relu)` */
export function shownNode(node: Pick<ModelNode, "name" | "opType" | "domain" | "outputs">): string {
  const type = shownOperator(node).slice(0, 80);
  if (node.name !== "") return `the node ${shown(node.name)} (${type})`;
  return `the ${type} node that computes ${shown(node.outputs[0] ?? "")}`;
}

/** `Relu`, or `com.microsoft.FusedGemm` */
export function shownOperator({ domain, opType }: Pick<ModelNode, "domain" | "opType">): string {
  return domain === "" ? opType : `${domain}.${opType}`;
}

/** The key of a function among the functions of its file. */
export function functionKey({
  domain,
  opType,
  overload,
}: Pick<ModelNode, "domain" | "opType" | "overload">): string {
  return JSON.stringify([domain, opType, overload]);
}
