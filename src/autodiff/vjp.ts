import { RevortError } from "../core/errors.js";
import { isFloat } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import {
  type Cotangents,
  GraphError,
  type Node,
  type Op,
  sameShape,
  shownOrigin,
  showType,
  type Value,
} from "../graph/graph.js";
import { accumulate } from "../ops/arithmetic.js";
import { If, Loop, Scan } from "../ops/control.js";
import { pullIf } from "./branches.js";
import type { ControlRule, Pulled } from "./control-rule.js";
import { pullLoop, pullScan } from "./iteration.js";
import { MissingRuleError } from "./missing-rule.js";

export { MissingRuleError };

/** Rules of operators with subgraphs. All others have theirs in their records. */
const controlRules: ReadonlyMap<Op, ControlRule> = new Map([
  [Loop, pullLoop],
  [Scan, pullScan],
  [If, pullIf],
]);

/** Whether there is a rule for the derivative of an operator. */
export function hasRule(op: Op): boolean {
  return op.vjp !== undefined || op.decompose !== undefined || controlRules.has(op);
}

/** The rule of an operator that states none and is made of others: theirs. */
const pullFormula: ControlRule = (b, { op, inputs, attributes }, incoming, _, pullback) => {
  // a value that is given twice gets its cotangent once
  const isIndependent = (value: Value | null, i: number): value is Value =>
    value !== null && value.constant === null && isFloat(value.dtype) && inputs.indexOf(value) === i;
  const independent = inputs.filter(isIndependent);
  const pulled = pullback(b, op.decompose!(b, inputs, attributes), incoming, independent);
  const at = (value: Value | null, i: number) =>
    isIndependent(value, i) ? pulled[independent.indexOf(value)]! : null;
  return { inputs: inputs.map(at), captures: [] };
};

/**
 * Vector-Jacobian product of a part of the graph: given cotangents of `outputs`, the cotangents of `wrt`,
 *
 *   x̄ = Σᵢ (∂yᵢ / ∂x)ᵀ ȳᵢ
 *
 * with `null` for zero. The values in `wrt` count as independent: paths between them are not followed. Rules emit
 * operators that have rules, so the result can be differentiated again. Loops and Scans are gone through from their last
 * iteration to the first, over the states stored before each.
 *
 * @param watch  is told of each node the cotangents of its results and those that its rule makes of them
 * @throws {MissingRuleError} if an operator in between has no rule
 */
export function pullback(
  b: Builder,
  outputs: readonly Value[],
  cotangents: readonly (Value | null)[],
  wrt: readonly Value[],
  watch?: (node: Node, incoming: Cotangents, outgoing: Cotangents) => void,
): (Value | null)[] {
  const sums = new Map<Value, Value | null>();
  const give = (value: Value, cotangent: Value | null) => {
    if (cotangent === null) return;
    if (!sameShape(value.shape, cotangent.shape) || value.dtype !== cotangent.dtype) {
      throw new GraphError(`A cotangent of type ${showType(cotangent)} was given for ${showType(value)}.`);
    }
    sums.set(value, accumulate(b, sums.get(value) ?? null, cotangent));
  };
  outputs.forEach((output, i) => {
    give(output, cotangents[i] ?? null);
  });

  const { active, reaches } = nodesBetween(wrt, outputs);
  const independent = new Set(wrt);
  for (const node of active) {
    const incoming = node.outputs.map((output) =>
      independent.has(output) ? null : (sums.get(output) ?? null),
    );
    if (incoming.every((cotangent) => cotangent === null)) continue;
    const wanted = node.captures.filter((value) => isFloat(value.dtype) && reaches(value));
    const pulled = pulledThrough(b, node, incoming, wanted);
    watch?.(node, incoming, [...pulled.inputs, ...pulled.captures]);
    const giveAll = (values: readonly (Value | null)[], outgoing: Cotangents) =>
      values.forEach((value, i) => {
        if (value !== null && isFloat(value.dtype)) give(value, outgoing[i] ?? null);
      });
    giveAll(node.inputs, pulled.inputs);
    giveAll(wanted, pulled.captures);
  }
  return wrt.map((value) => sums.get(value) ?? null);
}

/**
 * What a node's rule makes of the cotangents of its results, for its operands and for the captures that are wanted.
 * Errors name the node of the file that it was made for.
 */
function pulledThrough(b: Builder, node: Node, incoming: Cotangents, wanted: readonly Value[]): Pulled {
  const rule = node.op.vjp;
  const isWritten = rule === undefined && node.op.decompose !== undefined;
  const control = isWritten ? pullFormula : controlRules.get(node.op);
  if (control === undefined && rule === undefined) throw new MissingRuleError(node);
  try {
    return b.madeFor(node.origin, () =>
      control === undefined
        ? { inputs: rule!(b, node, incoming), captures: [] }
        : control(b, node, incoming, wanted, pullback),
    );
  } catch (error) {
    if (node.origin !== null && error instanceof RevortError && !(error instanceof MissingRuleError)) {
      error.message = `The derivative of ${shownOrigin(node)}: ${error.message}`;
    }
    throw error;
  }
}

/** Nodes on a path from `wrt` to `outputs`, results before operands. */
function nodesBetween(
  wrt: readonly Value[],
  outputs: readonly Value[],
): { active: Node[]; reaches: (value: Value | null) => boolean } {
  const independent = new Set(wrt);
  const depends = new Map<Node, boolean>();
  const pending: Node[] = [];
  const push = (value: Value | null) => {
    if (value !== null && value.node !== null && !independent.has(value) && !depends.has(value.node)) {
      pending.push(value.node);
    }
  };
  const reaches = (value: Value | null): boolean =>
    value !== null && (independent.has(value) || (value.node !== null && depends.get(value.node) === true));

  outputs.forEach(push);
  while (pending.length > 0) {
    const node = pending.at(-1)!;
    const before = pending.length;
    node.inputs.forEach(push);
    node.captures.forEach(push);
    if (pending.length > before) continue;
    pending.pop();
    depends.set(node, node.inputs.some(reaches) || node.captures.some(reaches));
  }
  const active = [...depends].flatMap(([node, on]) => (on ? [node] : [])).sort((a, b) => b.id - a.id);
  return { active, reaches };
}

/**
 * Applies f to primals and returns the output with its pullback, which maps the cotangent of the output to those of
 * the primals (`null` for zero).
 */
export function vjp(
  b: Builder,
  f: (...primals: Value[]) => Value,
  primals: readonly Value[],
): { output: Value; pullback: (cotangent: Value) => (Value | null)[] } {
  const output = f(...primals);
  return { output, pullback: (cotangent) => pullback(b, [output], [cotangent], primals) };
}
