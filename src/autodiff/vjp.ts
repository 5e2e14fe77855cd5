import { RevortError } from "../core/errors.js";
import { isFloat } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import { GraphError, type Node, sameShape, showType, type Value } from "../graph/graph.js";
import { accumulate } from "../ops/arithmetic.js";

/** An operator on the path of a derivative that has no rule. */
export class MissingRuleError extends RevortError {
  constructor(readonly operator: string) {
    super(
      `${operator} has no derivative rule, and the result depends on what is differentiated through it. ` +
        "Replace the operator in the model, or add a `vjp` to its record.",
    );
  }
}

/**
 * Vector-Jacobian product of a part of the graph: given cotangents of `outputs`, the cotangents of `wrt`,
 *
 *   x̄ = Σᵢ (∂yᵢ / ∂x)ᵀ ȳᵢ
 *
 * with `null` for zero. The values in `wrt` count as independent: paths between them are not followed. Rules emit
 * operators that have rules, so the result can be differentiated again.
 *
 * @throws {MissingRuleError} if an operator in between has no rule
 */
export function pullback(
  b: Builder,
  outputs: readonly Value[],
  cotangents: readonly (Value | null)[],
  wrt: readonly Value[],
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

  const active = nodesBetween(wrt, outputs);
  const independent = new Set(wrt);
  for (const node of active) {
    const incoming = node.outputs.map((output) =>
      independent.has(output) ? null : (sums.get(output) ?? null),
    );
    if (incoming.every((cotangent) => cotangent === null)) continue;
    if (node.op.vjp === undefined) throw new MissingRuleError(node.op.type);
    const outgoing = node.op.vjp(b, node, incoming);
    node.inputs.forEach((input, i) => {
      if (input !== null && isFloat(input.dtype)) give(input, outgoing[i] ?? null);
    });
  }
  return wrt.map((value) => sums.get(value) ?? null);
}

/** Nodes on a path from `wrt` to `outputs`, results before operands. */
function nodesBetween(wrt: readonly Value[], outputs: readonly Value[]): Node[] {
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
  return [...depends].flatMap(([node, on]) => (on ? [node] : [])).sort((a, b) => b.id - a.id);
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
