import { SizeError } from "../core/size.js";
import { checkSize, type FloatDType, isFloat, type Tensor, tensor } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import {
  checkAttributes,
  checkForm,
  checkKind,
  checkOperands,
  checkRequired,
  UnsupportedAttributeError,
} from "../graph/check-call.js";
import type { Attribute, Value } from "../graph/graph.js";
import {
  functionKey,
  type Model,
  type ModelAttribute,
  ModelError,
  type ModelFunction,
  type ModelGraph,
  type ModelNode,
  shown,
  shownNode,
  shownOperator,
  UnsupportedOperatorError,
} from "../graph/model.js";
import { dtypeOfNumber, onnxTypeNumber } from "../graph/types.js";
import { opset } from "../ops/opset.js";
import { adapters } from "./adapters.js";
import { replayBody } from "./bodies.js";
import type { Call } from "./call.js";
import { knownDims } from "./dims.js";
import { Expansion, maxExpanded } from "./expansion.js";
import { foreign } from "./foreign.js";
import { formOf } from "./forms.js";
import { asFloat, CountingStopped, type Place, type Replacements, type Replayer, Scope } from "./scope.js";
import { unknownOperator, versionProblem } from "./versions.js";

const maxOperands = 10_000;
/** Nodes that may be gone through to count the iterations of all loops. */
const mostCounted = 100_000;
/** Bytes that one value of a model may have, for each element of a batch. */
const largestValue = 2 ** 29;
const maxCalls = 32;
const maxRank = 64;

/** One instantiation of a model: applies its nodes, one after the other, through a builder. */
export class Replay implements Replayer {
  readonly model: Model;
  readonly float: FloatDType | null;
  readonly #replaced: Replacements;
  readonly #functions: ReadonlyMap<string, ModelFunction>;
  readonly #constants = new Map<Tensor, Value>();
  readonly #expansion = new Expansion();
  readonly counting = { inside: false, left: mostCounted };

  constructor(model: Model, float: FloatDType | null, replaced: Replacements = new Map()) {
    this.model = model;
    this.float = float;
    this.#replaced = replaced;
    this.#functions = new Map(
      model.functions.map((f) => [functionKey({ ...f, opType: f.name }), f] as const),
    );
  }

  /** The outputs of a graph whose inputs are bound in the scope. */
  graph(b: Builder, graph: ModelGraph, scope: Scope, place?: Place): Value[] {
    const here = place ?? { opsets: this.model.opsets, attributes: new Map(), calls: 0 };
    for (const [name, value] of graph.initializers) {
      // those that nothing reads never become constants
      if (scope.has(name)) continue;
      scope.bind(name, this.#replaced.get(value) ?? (() => this.#stored(b, value)));
    }
    for (const node of graph.nodes) this.#node(b, node, scope, here);
    return graph.outputs.map(({ name }) => scope.get(name));
  }

  #node(b: Builder, node: ModelNode, scope: Scope, place: Place): void {
    if (this.counting.inside) {
      if (--this.counting.left < 0) throw new CountingStopped();
    } else if (!this.#expansion.takes(node, place.calls)) {
      throw new SizeError(
        `${this.model.source}: the model's functions expand to more than ${maxExpanded} nodes, operands and results. ` +
          "Simplify it, or export it without functions.",
      );
    }
    let results: readonly Value[];
    try {
      if (node.inputs.length > maxOperands || node.outputs.length > maxOperands) {
        const count = Math.max(node.inputs.length, node.outputs.length);
        throw new SizeError(`It has ${count} operands or results; more than ${maxOperands} are not taken.`);
      }
      const operands = node.inputs.map((name) => (name === "" ? null : scope.get(name)));
      results = b.madeFor(node, () => this.#apply(b, node, operands, scope, place));
      for (const result of results) checkValue(result, node);
    } catch (error) {
      throw this.#located(error, node);
    }
    node.outputs.forEach((name, i) => {
      if (name === "") return;
      const missing = () => {
        throw new UnsupportedOperatorError(
          `${this.model.source}: output ${i} (${shown(name)}) of ${shownNode(node)} is used, ` +
            "but revort does not compute it. Export a model that does without it.",
          node.opType,
          node.name,
        );
      };
      scope.bind(name, results[i] ?? missing);
    });
  }

  #apply(
    b: Builder,
    node: ModelNode,
    operands: readonly (Value | null)[],
    scope: Scope,
    place: Place,
  ): readonly Value[] {
    const version = place.opsets.get("") ?? 0;
    const native = node.domain === "" ? formOf(node.opType) : undefined;
    // a function of the file may stand for an operator that is newer than the file, or none of ONNX's own
    const isNative = native !== undefined && version >= (native.since ?? 0);
    const f = this.#functions.get(functionKey(node));
    if (f !== undefined && isNative) {
      throw new ModelError(
        `The file defines a function ${shown(f.name)}, but ${f.name} is an operator of ONNX itself: which of the two is ` +
          "meant cannot be told. Rename the function.",
      );
    }
    if (f !== undefined) return this.#call(b, f, node, operands, place);
    const written = native === undefined ? foreign.get(shownOperator(node)) : undefined;
    const signature = native ?? written?.signature;
    if (signature === undefined) throw unknownOperator(shownOperator(node), node.domain, shownNode(node));
    if (native !== undefined && !place.opsets.has("")) {
      throw new ModelError(
        "The function that it is in does not say which version of ONNX's operators it uses. Export the model again.",
      );
    }
    const problem = versionProblem(node.opType, version);
    if (problem !== null) throw new UnsupportedOperatorError(problem, node.opType, node.name);
    checkForm(signature, version, node.outputs.length);
    checkOperands(signature, operands, version);
    if (node.opType === "Constant") {
      return [this.#replaced.get(node) ?? this.#stored(b, this.#constant(node, place))];
    }

    const present = attributesOf(node, place);
    for (const [name, { kind }] of present) checkKind(signature, name, kind, version);
    checkRequired(signature, (name) => present.has(name), version);
    const whole = { ...node, attributes: present };
    const branch = knownBranch(whole, operands);
    if (branch !== null) return this.graph(b, branch, new Scope(scope), place);
    const attributes: Record<string, Attribute> = {};
    for (const [name, given] of present) {
      attributes[name] =
        given.kind === "graph"
          ? replayBody(this, b, whole, given.value, operands, scope, place)
          : this.#plain(node, name, given);
    }
    checkAttributes(signature, attributes, version);
    const given = {
      type: node.opType,
      version,
      inputs: operands,
      attributes,
      float: this.float,
      outputs: node.outputs.length,
    };
    const results =
      written === undefined
        ? applyCall(b, adapters.get(node.opType)?.(b, given) ?? given)
        : [written.write(b, given, this.#weights(node))];
    if (signature.outputs === Number.POSITIVE_INFINITY && node.outputs.length > results.length) {
      throw new ModelError(
        `${node.opType} has ${results.length} results here, but the node names ${node.outputs.length}. Export the model again.`,
      );
    }
    return results.map((value) => knownDims(b, value));
  }

  /** What takes the place of attributes that are weights, where something does. */
  #weights(node: ModelNode): Record<string, Value> {
    return Object.fromEntries(
      [...node.attributes].flatMap(([name, attribute]) => {
        const value = this.#replaced.get(attribute);
        return value === undefined ? [] : [[name, value]];
      }),
    );
  }

  #call(
    b: Builder,
    f: ModelFunction,
    node: ModelNode,
    operands: readonly (Value | null)[],
    place: Place,
  ): Value[] {
    if (place.calls >= maxCalls) {
      throw new ModelError(
        `Functions call each other more than ${maxCalls} deep, or form a cycle at ${shown(f.name)}.`,
      );
    }
    checkCall(f, node);
    const attributes = new Map([...f.attributes, ...attributesOf(node, place)]);
    const inner = new Scope();
    f.inputs.forEach((name, i) => {
      const left = () => {
        throw new ModelError(`Input ${shown(name)} of the function ${shown(f.name)} is left out but used.`);
      };
      inner.bind(name, operands[i] ?? left);
    });
    const here = { opsets: f.opsets.size > 0 ? f.opsets : place.opsets, attributes, calls: place.calls + 1 };
    for (const each of f.nodes) this.#node(b, each, inner, here);
    return f.outputs.slice(0, node.outputs.length).map((name) => inner.get(name));
  }

  /** A tensor of the file as a constant: one value, however often a function is called that holds it. */
  #stored(b: Builder, value: Tensor): Value {
    const known = this.#constants.get(value);
    if (known !== undefined) return known;
    checkSize(() => "A constant of the model", value, largestValue);
    const fresh = b.constant(asFloat(value, this.float));
    this.#constants.set(value, fresh);
    return fresh;
  }

  /** Constant, in each of its forms. */
  #constant(node: ModelNode, place: Place): Tensor {
    const [[name, value] = ["", undefined], ...others] = attributesOf(node, place);
    if (others.length === 0 && value !== undefined) {
      if (name === "value" && value.kind === "tensor") return value.value;
      if (name === "value_int" && value.kind === "int")
        return tensor("int64", [], value.exact ?? [value.value]);
      if (name === "value_float" && value.kind === "float") return tensor("float32", [], [value.value]);
      if (name === "value_ints" && value.kind === "ints")
        return tensor("int64", [value.value.length], value.exact ?? value.value);
      if (name === "value_floats" && value.kind === "floats")
        return tensor("float32", [value.value.length], value.value);
    }
    throw new UnsupportedOperatorError(
      `A Constant needs one attribute with a dense tensor or numbers, but has ${
        [...node.attributes].map(([key, { kind }]) => `${shown(key)} (${kind})`).join(", ") || "none"
      }. Export the model again.`,
      "Constant",
      node.name,
    );
  }

  /** An attribute's value; where it is a float type or tensor, in the wanted float type. */
  #plain(node: ModelNode, name: string, attribute: ModelAttribute): Attribute {
    if (attribute.kind === "unsupported" || attribute.kind === "graph") {
      throw new UnsupportedOperatorError(
        `The attribute ${shown(name)} of ${shownNode(node)} is of a kind (${attribute.kind === "graph" ? "graph" : attribute.value}) that revort does not support.`,
        node.opType,
        node.name,
      );
    }
    const { value } = attribute;
    if (typeof value === "object" && "dtype" in value) return asFloat(value, this.float);
    const isType = (node.opType === "Cast" && name === "to") || name === "dtype";
    if (isType && typeof value === "number") {
      const dtype = dtypeOfNumber(value, `The attribute ${shown(name)} of ${shownNode(node)}`);
      return onnxTypeNumber[this.float !== null && isFloat(dtype) ? this.float : dtype];
    }
    return value;
  }

  #located(error: unknown, node: ModelNode): Error {
    const { source } = this.model;
    if (error instanceof CountingStopped) return error;
    // errors from inside a subgraph or function know their node already
    const isTyped = error instanceof ModelError || error instanceof SizeError;
    if (isTyped && error.message.startsWith(`${source}: `)) return error;
    const [where, what] = [shownNode(node), (error as Error).message];
    const isNamed = what.toLowerCase().startsWith(where.toLowerCase());
    const message = isNamed
      ? `${source}: ${where}${what.slice(where.length)}`
      : `${source}: ${where}: ${what}`;
    if (error instanceof UnsupportedOperatorError) {
      return new UnsupportedOperatorError(message, error.operator, node.name);
    }
    if (error instanceof UnsupportedAttributeError) {
      return new UnsupportedOperatorError(message, node.opType, node.name);
    }
    return new (error instanceof SizeError ? SizeError : ModelError)(message, { cause: error });
  }
}

/** @throws {SizeError | ModelError} for a value that no vector field computes */
function checkValue(value: Value, node: ModelNode): void {
  if (value.shape.length > maxRank) throw new ModelError(`A result has more than ${maxRank} axes.`);
  checkSize(() => `The result of ${node.opType}`, value, largestValue);
}

/**
 * The attributes that a node has where it stands: those that stand for attributes of a call are what the call gives, or
 * left out as they are there.
 *
 * @throws {ModelError} for one that stands for an attribute which nothing there has
 */
function attributesOf(node: ModelNode, place: Place): ReadonlyMap<string, ModelAttribute> {
  const found = new Map<string, ModelAttribute>();
  for (const [name, attribute] of node.attributes) {
    const given = attribute.kind === "reference" ? place.attributes.get(attribute.value) : attribute;
    if (given === undefined) {
      throw new ModelError(
        `The attribute ${shown(name)} stands for the attribute ${shown(String(attribute.value))} of a call, but ` +
          `${place.calls === 0 ? "the node is in no function" : "the function has none of that name"}. Export the model again.`,
      );
    }
    if (given !== null) found.set(name, given);
  }
  return found;
}

/** A branch of an If whose condition is known: PyTorch's exporter writes some. */
function knownBranch(node: ModelNode, operands: readonly (Value | null)[]): ModelGraph | null {
  const condition = operands[0]?.constant ?? null;
  if (node.opType !== "If" || condition === null || condition.data.length !== 1) return null;
  const branch = node.attributes.get(Number(condition.data[0]) !== 0 ? "then_branch" : "else_branch");
  return branch?.kind === "graph" ? branch.value : null;
}

/** Applies an operator in the form of opset 21. */
function applyCall(b: Builder, call: Call | readonly Value[]): readonly Value[] {
  if (!("type" in call)) return call;
  const op = opset.get(call.type);
  if (op === undefined) throw unknownOperator(call.type, "", `the node (${call.type})`);
  return b.emit(op, call.inputs, call.attributes);
}

/** @throws {ModelError} if a call gives a function of the file what it does not take, or wants what it has not */
function checkCall(f: ModelFunction, node: ModelNode): void {
  const counts = [
    ["operands", node.inputs.length, f.inputs.length],
    ["results", node.outputs.length, f.outputs.length],
  ] as const;
  for (const [what, given, most] of counts) {
    if (given <= most) continue;
    throw new ModelError(
      `The function ${shown(f.name)} has ${most} ${what}, but the call names ${given}. Export the model again.`,
    );
  }
  for (const name of node.attributes.keys()) {
    if (f.attributes.has(name)) continue;
    throw new ModelError(
      `The function ${shown(f.name)} has no attribute ${shown(name)}. Export the model again, or leave it out.`,
    );
  }
}
