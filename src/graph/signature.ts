import type { DType } from "../core/tensor.js";

// What operators take, as data: how many operands of which element types, and which attributes. It is that of the ONNX
// standard, from opset 7 on, so that a node of a file is checked in the form that its own opset has.

/** The operator set in whose forms graphs are, here and in files: the newest that every execution provider still serves. */
export const opset = 21;

/**
 * Element types that an operand may have. Operands of one operator that share the object have one element type, as
 * those that share a letter (T) in the standard.
 */
export interface ElementTypes {
  readonly of: readonly DType[];
  /** in error messages, after "must be" */
  readonly words: string;
}

const integers = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"] as const;
const floating = ["float32", "float64"] as const;

export const floats: ElementTypes = { of: floating, words: "float32 or float64" };
export const numeric: ElementTypes = { of: [...floating, ...integers], words: "of numbers" };
/** What products and sums are defined for. */
export const wide: ElementTypes = {
  of: [...floating, "int32", "int64", "uint32", "uint64"],
  words: "of floats, or of integers of 32 or 64 bits",
};
export const signed: ElementTypes = {
  of: [...floating, "int8", "int16", "int32", "int64"],
  words: "of floats or signed integers",
};
export const anything: ElementTypes = { of: [...floating, ...integers, "bool"], words: "a tensor" };
export const truth: ElementTypes = { of: ["bool"], words: "bool" };
export const int64: ElementTypes = { of: ["int64"], words: "int64" };
export const indices: ElementTypes = { of: ["int32", "int64"], words: "int32 or int64" };

/** The same element types for operands that need not agree with the others. */
export function separate(types: ElementTypes): ElementTypes {
  return { ...types };
}

/** An operand, by the name that the standard gives it. */
export interface Parameter {
  readonly name: string;
  readonly types: ElementTypes;
  readonly presence: "required" | "optional" | "repeated";
  /** the opset that added it */
  readonly since?: number;
  /** how many there are at least, of those that are repeated; 1 unless given */
  readonly least?: number;
  /** whether it has exactly one axis */
  readonly list?: true;
  /** whether those that are repeated may differ in their element types */
  readonly mixed?: true;
}

type Further = Pick<Parameter, "since" | "list">;

export function takes(name: string, types: ElementTypes, more: Further = {}): Parameter {
  return { name, types, presence: "required", ...more };
}

/** An operand that may be left out. */
export function mayTake(name: string, types: ElementTypes, more: Further = {}): Parameter {
  return { name, types, presence: "optional", ...more };
}

/** Any number of operands; the last parameter of its signature. */
export function takesMany(
  name: string,
  types: ElementTypes,
  more: Pick<Parameter, "least" | "mixed"> = {},
): Parameter {
  return { name, types, presence: "repeated", ...more };
}

/** What kinds of attribute there are. */
export type AttributeKind = "int" | "float" | "string" | "tensor" | "graph" | "ints" | "floats" | "strings";

/** What an attribute may be. */
export interface AttributeRule {
  readonly kind: AttributeKind;
  /** what it is where it is left out */
  readonly otherwise?: number | string;
  readonly required?: true;
  /** what the standard allows; each of the numbers, for a list */
  readonly values?: readonly (number | string)[];
  /** what revort computes, where that is less: other values are refused, not taken for these */
  readonly only?: readonly (number | string)[];
  /** what to do about other values */
  readonly remedy?: string;
  /** the opset that added it */
  readonly since?: number;
  /** the opset that took it away, or made it an operand */
  readonly until?: number;
}

type More = Omit<AttributeRule, "kind" | "otherwise">;

/** Yes or no, as 1 or 0. */
export function flag(otherwise: 0 | 1, more: More = {}): AttributeRule {
  return { kind: "int", otherwise, values: [0, 1], ...more };
}

export function int(otherwise?: number, more: More = {}): AttributeRule {
  return { kind: "int", ...(otherwise === undefined ? {} : { otherwise }), ...more };
}

export function float(otherwise?: number, more: More = {}): AttributeRule {
  return { kind: "float", ...(otherwise === undefined ? {} : { otherwise }), ...more };
}

/** One of some words; the first where it is left out. */
export function choice(values: readonly string[], more: More = {}): AttributeRule {
  return { kind: "string", otherwise: values[0]!, values, ...more };
}

export function attributeOf(kind: AttributeKind, more: More = {}): AttributeRule {
  return { kind, ...more };
}

/** What an operator takes. What its signature does not say is refused, neither dropped nor guessed. */
export interface Signature {
  /** ONNX operator type, `MatMul` */
  readonly type: string;
  /** the opset that brought the operator, where that is later than 7 */
  readonly since?: number;
  readonly inputs: readonly Parameter[];
  /** every attribute that the operator may carry */
  readonly attributes?: Readonly<Record<string, AttributeRule>>;
  /** how many results there are at most; 1 unless given, `Infinity` where operands or attributes say so */
  readonly outputs?: number;
}
