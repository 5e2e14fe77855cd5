import { ortHere } from "../core/place.js";
import { isFloat, type Tensor } from "../core/tensor.js";
import {
  type Graph,
  type Node,
  nodesOf,
  shownOrigin,
  showType,
  subgraphsOf,
  type Value,
} from "../graph/graph.js";
import { decompose } from "../graph/passes.js";
import { CompileError } from "../runtime/runtime.js";
import { version } from "../version.js";
import { type Flaw, hasFlaw, integerLimit, isRight, type Target } from "./backends.js";
import { elementwise } from "./elementwise.js";
import { type GraphModelArtifacts, tfTypeOf } from "./format.js";
import { indexing } from "./indexing.js";
import { extent, type Interval, integerBounds } from "./integers.js";
import { layout } from "./layout.js";
import { reductions } from "./reductions.js";
import { lazily, type Rules } from "./rule.js";
import { type Known, straight } from "./straight.js";
import { Writer } from "./writer.js";

/** How each operator is written that has an operator, or a few, of TensorFlow.js; all others are taken apart first. */
export const rules: Rules = { ...elementwise, ...layout, ...reductions, ...indexing };

/** Operators that are written out before others are looked at. */
const control: ReadonlySet<string> = new Set(["Loop", "Scan", "If"]);

/** What a graph becomes. */
export interface GraphModel {
  readonly artifacts: GraphModelArtifacts;
  /** the inputs that the model takes, with what those of integers may hold */
  readonly inputs: ReadonlyMap<string, Interval | null>;
  /** outputs that need no model: constants, and inputs by their names */
  readonly given: ReadonlyMap<string, Tensor | string>;
  /** operators of ours that were written */
  readonly operators: number;
}

export interface GraphModelOptions extends Known {
  readonly target: Target;
  /** operators, at most, with loops unrolled */
  readonly operators?: number;
  /** what to do where that is too few, without its end */
  readonly remedy?: string;
  /** whether outputs that are inputs or constants are part of the model, too */
  readonly whole?: boolean;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** How many operators a model may have unless told otherwise: some seconds to load, and a hundredth of one to run. */
export const usualOperators = 50_000;

/**
 * A graph as a GraphModel of TensorFlow.js: loops unrolled, operators that it lacks or computes wrongly replaced,
 * integers as int32 where they provably fit.
 *
 * @throws {CompileError} naming what cannot be written, and what to do
 */
export function graphModel(graph: Graph, options: GraphModelOptions): GraphModel {
  const { target, operators = usualOperators, whole = false, metadata = {} } = options;
  const { name } = target;
  const native = lowered(graph, options, operators);
  refuseFloat64(native, name);
  const limit = integerLimit(target);
  const bounds = integerBounds(native, name, limit);
  const has = (flaw: Flaw) => hasFlaw(flaw, target);

  const given = new Map<string, Tensor | string>();
  const kept = native.outputs.filter(({ name: output, value }) => {
    if (whole || value.node !== null) return true;
    given.set(output, value.constant ?? value.name!);
    return false;
  });
  const needed = { ...native, outputs: kept };
  const nodes = nodesOf(needed);
  const read = new Set([...kept.map(({ value }) => value), ...nodes.flatMap(({ inputs }) => inputs)]);
  const inputs = native.inputs.filter((value) => read.has(value));
  const w = new Writer([...inputs.map((value) => value.name!), ...kept.map((output) => output.name)]);
  const names = new Map<Value, string>();
  for (const value of inputs) names.set(value, w.input(value.name!, tfTypeOf(value.dtype), value.shape));
  const nameOf = (value: Value): string => {
    const known = names.get(value);
    if (known !== undefined) return known;
    checkConstant(value.constant!, graph, name, limit);
    const fresh = w.weight(value.constant!);
    names.set(value, fresh);
    return fresh;
  };
  for (const node of nodes) {
    const refuse = (why: string): never => {
      throw new CompileError(
        `${name} cannot run the graph "${graph.name}": ${shownOrigin(node)} cannot be written for TensorFlow.js: ${why}. ` +
          `Run it on jit or ${ortHere()}.`,
      );
    };
    const rule = rules[node.op.type];
    if (rule === undefined)
      return refuse("it has no such operator, and revort knows no others to write it in");
    // a rule that reads an operand while it writes does not want it as a tensor
    const x = lazily(node.inputs, nameOf);
    const written = rule({ w, node, x, bounds: bounds.of, has, limit, refuse });
    const results = typeof written === "string" ? [written] : written;
    node.outputs.forEach((output, i) => {
      names.set(output, results[i]!);
    });
  }
  for (const { name: output, value } of kept)
    w.output(output, nameOf(value), tfTypeOf(value.dtype), value.shape);
  return {
    artifacts: w.end(`revort ${version}`, metadata),
    inputs: new Map(inputs.map((value) => [value.name!, bounds.inputs.get(value.name!) ?? null])),
    given,
    operators: nodes.length,
  };
}

/** @throws {CompileError} for integers that are not exact */
function checkConstant(constant: Tensor, graph: Graph, name: string, limit: number): void {
  if (isFloat(constant.dtype)) return;
  const [low, high] = extent(constant);
  if (low >= -limit && high < limit) return;
  throw new CompileError(
    `${name} cannot run the graph "${graph.name}": it has the constant ${low < -limit ? low : high}, and its integers are exact from ` +
      `${-limit} to ${limit - 1} only. Run it on jit or ${ortHere()}.`,
  );
}

/** The graph in operators that rules write. What is taken apart may be a loop, as a recurrent cell is: that is unrolled as well. */
function lowered(graph: Graph, { target, remedy, ...known }: GraphModelOptions, operators: number): Graph {
  const room = { name: target.name, operators, ...(remedy === undefined ? {} : { remedy }) };
  const isNative = (node: Node) => isWritten(node, target);
  const once = decompose(straight(graph, known, room), isNative);
  if (!nodesOf(once).some(({ op }) => control.has(op.type))) return once;
  return decompose(straight(once, {}, room), isNative);
}

/** Whether a node is written by a rule, and not taken apart. */
function isWritten({ op, inputs }: Node, target: Target): boolean {
  if (rules[op.type] === undefined || !isRight(op.type, target)) return false;
  switch (op.type) {
    case "MatMul":
    case "Gemm":
      // integers would be multiplied as float32
      return isFloat(inputs[0]!.dtype);
    case "Where":
      // of truth values the backend wasm writes past the end of its memory
      return inputs[1]!.dtype !== "bool";
    default:
      return true;
  }
}

/**
 * Finds out in a moment whether a graph has any chance to become a model, before shapes are known.
 *
 * @throws {CompileError}
 */
export function checkOperators(graph: Graph, target: Target): void {
  refuseFloat64(graph, target.name);
  const visit = (part: Graph): void => {
    for (const node of nodesOf(part)) {
      const { op, attributes } = node;
      const isKnown =
        rules[op.type] !== undefined ||
        control.has(op.type) ||
        op.decompose !== undefined ||
        settled.has(op.type);
      if (!isKnown) {
        throw new CompileError(
          `${target.name} cannot run the graph "${graph.name}": TensorFlow.js has no operator for ${shownOrigin(node)}. ` +
            `Run it on jit or ${ortHere()}.`,
        );
      }
      subgraphsOf(attributes).forEach(visit);
    }
  };
  visit(graph);
}

/** What is a constant as soon as shapes are known. */
const settled: ReadonlySet<string> = new Set(["Constant", "Range", "EyeLike"]);

/** @throws {CompileError} for a graph with a value in float64 */
function refuseFloat64(graph: Graph, name: string): void {
  const check = (value: Value, what: string): void => {
    if (value.dtype !== "float64") return;
    throw new CompileError(
      `${name} cannot run the graph "${graph.name}": its ${what} is ${showType(value)}, and TensorFlow.js has no float64. ` +
        `Build it in float32 (\`dtype: "float32"\`, \`--dtype float32\`), or run it on jit or ${ortHere()}.`,
    );
  };
  const visit = (part: Graph): void => {
    for (const value of part.inputs) check(value, `input "${value.name}"`);
    for (const { op, inputs, outputs, attributes } of nodesOf(part)) {
      for (const value of inputs) if (value !== null) check(value, `operand of ${op.type}`);
      for (const value of outputs) check(value, `result of ${op.type}`);
      subgraphsOf(attributes).forEach(visit);
    }
    for (const { name: output, value } of part.outputs) check(value, `output "${output}"`);
  };
  visit(graph);
}
