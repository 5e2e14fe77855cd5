import { DTypeError, ShapeError } from "../core/tensor.js";
import {
  type Attribute,
  type Attributes,
  GraphError,
  isGraph,
  isTensor,
  showType,
  type Value,
} from "./graph.js";
import { ModelError, shown } from "./model.js";
import type { AttributeKind, AttributeRule, Parameter, Signature } from "./signature.js";

// The one place where operands and attributes are held against signatures: for each node that is built, at the opset
// that revort writes, and for each node of a file before that, at the opset of the file.

/** Too many operands, or too few. */
export class OperandError extends GraphError {}

/** An attribute that the operator does not have, or of another kind or value than it may have. */
export class AttributeError extends GraphError {}

/** An attribute with a value that the standard allows and revort does not compute. */
export class UnsupportedAttributeError extends AttributeError {}

/**
 * @param version the opset in whose form the operator is; the newest unless given
 * @throws {OperandError} for a number of operands that the operator does not take
 * @throws {ShapeError} for an operand that must be a list and is none
 * @throws {DTypeError} for an element type that it does not take, or operands of different ones that must agree
 */
export function checkOperands(
  signature: Signature,
  operands: readonly (Value | null)[],
  version = Number.POSITIVE_INFINITY,
): void {
  const parameters = Number.isFinite(version)
    ? signature.inputs.filter(({ since = 0 }) => since <= version)
    : signature.inputs;
  const last = parameters.at(-1);
  const isOpen = last?.presence === "repeated";
  if (operands.length > parameters.length && !isOpen) throw wrongCount(signature, parameters, operands);
  const least = isOpen ? parameters.length - 1 + (last.least ?? 1) : parameters.length;
  for (let i = 0; i < Math.max(operands.length, least); i++) {
    const parameter = parameters[i] ?? last!;
    const value = operands[i] ?? null;
    if (value === null) {
      if (parameter.presence !== "optional") throw wrongCount(signature, parameters, operands, parameter);
      continue;
    }
    if (!parameter.types.of.includes(value.dtype)) {
      throw new DTypeError(
        `${signature.type}: the operand "${parameter.name}" must be ${parameter.types.words}, but is ` +
          `${showType(value)}. Cast it first.`,
      );
    }
    if (parameter.list && value.shape.length !== 1) {
      throw new ShapeError(
        `${signature.type}: the operand "${parameter.name}" must be a list, of one axis, but is ${showType(value)}.`,
      );
    }
    if (parameter.mixed) continue;
    for (let j = 0; j < i; j++) {
      const other = operands[j] ?? null;
      const shares = (parameters[j] ?? last!).types === parameter.types;
      if (other === null || !shares) continue;
      if (other.dtype !== value.dtype) {
        throw new DTypeError(
          `${signature.type} needs operands of one element type, but got ${showType(other)} and ` +
            `${showType(value)}. Insert a Cast.`,
        );
      }
      // those in between have been held against it
      break;
    }
  }
}

function wrongCount(
  { type }: Signature,
  parameters: readonly Parameter[],
  operands: readonly (Value | null)[],
  missing?: Parameter,
): OperandError {
  const marks = { required: "", optional: " (optional)", repeated: " (any number)" };
  const list = parameters.map(({ name, presence }) => `"${name}"${marks[presence]}`).join(", ");
  const wanted = parameters.length === 0 ? "no operands" : `the operands ${list}`;
  const given = operands.filter((value) => value !== null).length;
  return new OperandError(
    missing === undefined
      ? `${type} takes ${wanted}, but ${operands.length} were given. Leave out what it does not take.`
      : `${type}: the operand "${missing.name}" is missing; it takes ${wanted}, and ${given} were given.`,
  );
}

/**
 * @throws {AttributeError} for an attribute that the operator does not have or lacks, or a value that is not allowed
 * @throws {UnsupportedAttributeError} for a value that the standard allows, but revort does not compute
 */
export function checkAttributes(signature: Signature, attributes: Attributes, version: number): void {
  for (const name in attributes) {
    const rule = attributeRule(signature, name, version);
    const value = attributes[name]!;
    if (!isOfKind(value, rule.kind)) throw wrongKind(signature, name, rule, wordOf(value));
    if (rule.values !== undefined || rule.only !== undefined) checkValue(signature, name, rule, value);
  }
  // most operators have no attributes
  if (signature.attributes === undefined) return;
  checkRequired(signature, (name) => attributes[name] !== undefined, version);
}

/** @throws {AttributeError} if an attribute that the operator must have is not there */
export function checkRequired(
  { type, attributes: rules = {} }: Signature,
  has: (name: string) => boolean,
  version: number,
): void {
  for (const name in rules) {
    const rule = rules[name]!;
    if (rule.required && isInForce(rule, version) && !has(name)) {
      throw new AttributeError(`${type} needs the attribute "${name}" (${kindWords[rule.kind]}).`);
    }
  }
}

function isInForce({ since = 0, until = Number.POSITIVE_INFINITY }: AttributeRule, version: number): boolean {
  return since <= version && version < until;
}

/**
 * The rule of an attribute of a file, which must be of the very kind that it asks for.
 *
 * @throws {AttributeError} if the operator has no such attribute at that opset, or the kind is another
 */
export function checkKind(signature: Signature, name: string, kind: string, version: number): void {
  const rule = attributeRule(signature, name, version);
  if (kind !== rule.kind) {
    throw wrongKind(signature, name, rule, kindWords[kind as AttributeKind] ?? `a ${kind}`);
  }
}

function attributeRule(signature: Signature, name: string, version: number): AttributeRule {
  const { type, attributes: rules = {} } = signature;
  const rule = Object.hasOwn(rules, name) ? rules[name]! : undefined;
  if (rule !== undefined && isInForce(rule, version)) return rule;
  const known = Object.keys(rules).filter((other) => isInForce(rules[other]!, version));
  const has = known.length === 0 ? "it has none" : `it has ${known.map(shown).join(", ")}`;
  const when =
    rule === undefined
      ? has
      : (rule.since ?? 0) > version
        ? `it came with opset ${rule.since}, and this is opset ${version}`
        : `it is gone since opset ${rule.until}, and this is opset ${version}`;
  throw new AttributeError(
    `${type} has no attribute ${shown(name)} (${when}). It is not dropped, for it may mean something: ` +
      "leave it out, or export the model again.",
  );
}

function wrongKind({ type }: Signature, name: string, rule: AttributeRule, given: string): AttributeError {
  return new AttributeError(
    `The attribute ${shown(name)} of ${type} must be ${kindWords[rule.kind]}, but is ${given}.`,
  );
}

function checkValue(signature: Signature, name: string, rule: AttributeRule, value: Attribute): void {
  const items = Array.isArray(value) ? (value as readonly (number | string)[]) : [value as number | string];
  const what = `The attribute ${shown(name)} of ${signature.type}`;
  for (const item of items) {
    const given = typeof item === "string" ? shown(item) : item;
    if (rule.values?.includes(item) === false) {
      throw new AttributeError(`${what} must be ${alternatives(rule.values)}, but is ${given}.`);
    }
    if (rule.only?.includes(item) === false) {
      const remedy = rule.remedy ?? "Write the model without it";
      throw new UnsupportedAttributeError(
        `${what} is ${given}, but revort computes it for ${alternatives(rule.only)} only. ${remedy}.`,
      );
    }
  }
}

function alternatives(values: readonly (number | string)[]): string {
  const words = values.map((value) => (typeof value === "string" ? shown(value) : String(value)));
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}

const kindWords: Readonly<Record<AttributeKind, string>> = {
  int: "an integer",
  float: "a float",
  string: "a string",
  tensor: "a tensor",
  graph: "a graph",
  ints: "a list of integers",
  floats: "a list of floats",
  strings: "a list of strings",
};

function wordOf(value: Attribute): string {
  if (typeof value === "number") return Number.isInteger(value) ? kindWords.int : kindWords.float;
  if (typeof value === "string") return kindWords.string;
  if (Array.isArray(value)) return "a list";
  return isGraph(value) ? kindWords.graph : kindWords.tensor;
}

function isOfKind(value: Attribute, kind: AttributeKind): boolean {
  switch (kind) {
    case "int":
      return Number.isInteger(value);
    case "float":
      return typeof value === "number";
    case "string":
      return typeof value === "string";
    case "ints":
      return Array.isArray(value) && value.every(Number.isInteger);
    case "floats":
      return Array.isArray(value) && value.every((item) => typeof item === "number");
    case "strings":
      return Array.isArray(value) && value.every((item) => typeof item === "string");
    case "tensor":
      return typeof value === "object" && isTensor(value);
    case "graph":
      return typeof value === "object" && isGraph(value);
  }
}

/** @throws {ModelError} if an operator of a file is newer than the opset of the file, or names results that it has not */
export function checkForm(signature: Signature, version: number, outputs: number): void {
  const { type, since = 0, outputs: most = 1 } = signature;
  if (version < since) {
    throw new ModelError(
      `${type} came with opset ${since}, but the model uses opset ${version}. Export it with opset ${since} or newer.`,
    );
  }
  if (outputs > most) {
    throw new ModelError(
      `${type} has ${most} result${most === 1 ? "" : "s"}, but the node names ${outputs}. Export the model again.`,
    );
  }
}
