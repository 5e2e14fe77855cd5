import { isFloat } from "../core/tensor.js";
import {
  functionKey,
  type Model,
  type ModelFunction,
  type ModelGraph,
  type ModelNode,
} from "../graph/model.js";
import { dtypeOfNumber } from "../graph/types.js";
import { Expansion } from "../import/expansion.js";
import { type StoredArray, storedArrays, weightsIn } from "../import/stored.js";

// What becomes of the values of a model, by names alone: nothing is built, so this can be asked of any file.

/** A value of a model, in the graph, a body or the call of a function. */
export interface Flowing {
  /** nodes that read it, and as which operand */
  readonly uses: Use[];
  /** the same value under other names: inputs of bodies and functions, and their outputs on the way back */
  readonly flowsTo: Flowing[];
  readonly flowsFrom: Flowing[];
  producer: { readonly node: ModelNode; readonly operands: readonly (Flowing | null)[] } | null;
  /** whether the model is given it */
  readonly given: boolean;
  /** whether the model gives it out */
  returned: boolean;
}

export interface Use {
  readonly node: ModelNode;
  readonly operand: number;
  readonly results: readonly Flowing[];
}

/** A model's stored arrays with what becomes of each. */
export interface Dataflow {
  readonly stored: ReadonlyMap<StoredArray, Flowing>;
  /** values that a derivative of the outputs is passed back to */
  readonly differentiated: ReadonlySet<Flowing>;
}

const maxCalls = 32;

export function dataflowOf(model: Model): Dataflow {
  const arrays = storedArrays(model);
  const byPlace = new Map(arrays.map((array) => [array.place, array]));
  const functions = new Map(model.functions.map((f) => [functionKey({ ...f, opType: f.name }), f]));
  const stored = new Map<StoredArray, Flowing>();
  const expansion = new Expansion();

  const visit = (nodes: readonly ModelNode[], scope: Names, calls: number): void => {
    for (const node of nodes) {
      // such a model is refused when it is built
      if (!expansion.takes(node, calls)) return;
      // attributes that are weights count as operands after the others
      const weights = weightsIn(node).map(([name]) => {
        const value = fresh();
        const array = byPlace.get(node.attributes.get(name)!);
        if (array !== undefined) stored.set(array, value);
        return value;
      });
      const operands = [...node.inputs.map((name) => (name === "" ? null : scope.get(name))), ...weights];
      const results = node.outputs.map(() => fresh());
      for (const result of results) result.producer = { node, operands };
      operands.forEach((value, operand) => {
        value?.uses.push({ node, operand, results });
      });
      const array = byPlace.get(node);
      if (array !== undefined) stored.set(array, results[0]!);
      const f = functions.get(functionKey(node));
      if (f !== undefined && calls < maxCalls) call(f, operands, results, calls);
      for (const attribute of node.attributes.values()) {
        if (attribute.kind === "graph") enter(node, attribute.value, operands, results, scope, calls);
      }
      node.outputs.forEach((name, i) => {
        scope.set(name, results[i]!);
      });
    }
  };
  const bindStored = (graph: ModelGraph, scope: Names): void => {
    for (const [name, tensor] of graph.initializers) {
      const value = fresh();
      scope.set(name, value);
      stored.set(byPlace.get(tensor)!, value);
    }
  };
  const call = (
    f: ModelFunction,
    operands: readonly (Flowing | null)[],
    results: readonly Flowing[],
    calls: number,
  ): void => {
    const inner = new Names(null);
    f.inputs.forEach((name, i) => {
      inner.set(name, same(operands[i] ?? null, fresh()));
    });
    visit(f.nodes, inner, calls + 1);
    results.forEach((result, i) => {
      same(inner.get(f.outputs[i] ?? ""), result);
    });
  };
  const enter = (
    node: ModelNode,
    body: ModelGraph,
    operands: readonly (Flowing | null)[],
    results: readonly Flowing[],
    outer: Names,
    calls: number,
  ): void => {
    const inner = new Names(outer);
    const inputs = body.inputs.map(({ name }, i) => {
      const value = same(operands[i] ?? null, fresh());
      inner.set(name, value);
      return value;
    });
    bindStored(body, inner);
    visit(body.nodes, inner, calls);
    // the first output of a Loop's body says whether it goes on; what is carried comes back in
    const before = node.opType === "Loop" ? 1 : 0;
    const scans = node.opType === "Scan" ? Number(node.attributes.get("num_scan_inputs")?.value ?? 0) : 0;
    const carried = node.opType === "If" ? 0 : inputs.length - scans;
    body.outputs.forEach(({ name }, i) => {
      const value = inner.get(name);
      if (results[i - before] !== undefined) same(value, results[i - before]!);
      if (i >= before && i + before < carried) same(value, inputs[i + before]!);
    });
  };

  const main = new Names(null);
  for (const { name } of model.graph.inputs) main.set(name, fresh(true));
  bindStored(model.graph, main);
  visit(model.graph.nodes, main, 0);
  const outputs = model.graph.outputs.flatMap(({ name }) => main.get(name) ?? []);
  for (const output of outputs) output.returned = true;
  return { stored, differentiated: passedBack(outputs) };
}

function fresh(given = false): Flowing {
  return { uses: [], flowsTo: [], flowsFrom: [], producer: null, given, returned: false };
}

function same(from: Flowing | null, to: Flowing): Flowing {
  if (from !== null && from !== to) {
    from.flowsTo.push(to);
    to.flowsFrom.push(from);
  }
  return to;
}

/** The values of one graph, and through it those of the graphs around it. */
class Names {
  readonly #own = new Map<string, Flowing>();
  constructor(readonly outer: Names | null) {}

  set(name: string, value: Flowing): void {
    this.#own.set(name, value);
  }

  get(name: string): Flowing | null {
    return this.#own.get(name) ?? this.outer?.get(name) ?? null;
  }
}

/** Operators of which a derivative passes to some operands only: the others are shapes, indices or conditions. */
const passing: ReadonlyMap<string, readonly number[]> = new Map(
  [
    ...[
      "Reshape",
      "Expand",
      "Tile",
      "Unsqueeze",
      "Squeeze",
      "Flatten",
      "Slice",
      "Split",
      "Gather",
      "GatherND",
    ],
    ...["GatherElements", "Trilu", "CumSum", "TopK", "Resize", "CastLike", "Compress", "Pad"],
    ...["Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare"].map(
      (kind) => `Reduce${kind}`,
    ),
  ].map((type) => [type, [0]] as const),
);
const otherwise: ReadonlyMap<string, readonly number[]> = new Map<string, readonly number[]>([
  ["Where", [1, 2]],
  ["ScatterND", [0, 2]],
  ["ScatterElements", [0, 2]],
  ["OneHot", [2]],
  ...[
    ...[
      "Shape",
      "Size",
      "Range",
      "NonZero",
      "ConstantOfShape",
      "EyeLike",
      "ArgMax",
      "ArgMin",
      "IsNaN",
      "IsInf",
    ],
    ...["Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "And", "Or", "Xor", "Not"],
    ...["Sign", "Floor", "Ceil", "Round", "BitShift"],
  ].map((type) => [type, []] as const),
]);

/** Whether a derivative of a node's results passes to an operand. */
function passes({ opType, domain, attributes }: ModelNode, operand: number): boolean {
  if (domain !== "") return true;
  if (opType === "Cast") return isCastToFloat(attributes.get("to")?.value);
  if (opType === "Gemm" && operand === 2) return (attributes.get("beta")?.value ?? 1) !== 0;
  return (passing.get(opType) ?? otherwise.get(opType))?.includes(operand) ?? true;
}

function isCastToFloat(to: unknown): boolean {
  if (typeof to !== "number") return true;
  try {
    return isFloat(dtypeOfNumber(to, "Cast"));
  } catch {
    return true;
  }
}

/** The values that derivatives of the outputs are passed back to. */
function passedBack(outputs: readonly Flowing[]): Set<Flowing> {
  const found = new Set<Flowing>();
  const pending = [...outputs];
  while (pending.length > 0) {
    const value = pending.pop()!;
    if (found.has(value)) continue;
    found.add(value);
    pending.push(...value.flowsFrom);
    if (value.producer === null) continue;
    const { node, operands } = value.producer;
    // what is inside a body or a function has been followed above
    const inside =
      [...node.attributes.values()].some(({ kind }) => kind === "graph") || value.flowsFrom.length > 0;
    if (inside) continue;
    operands.forEach((operand, i) => {
      if (operand !== null && passes(node, i)) pending.push(operand);
    });
  }
  return found;
}

/** Operators that only give their first operand another shape, type or sign. */
const reshaping: ReadonlySet<string> = new Set([
  ...["Identity", "Cast", "CastLike", "Reshape", "Unsqueeze", "Squeeze", "Flatten", "Transpose", "Expand"],
  ...["Tile", "Neg", "Dropout"],
]);

export function isReshaping(node: ModelNode): boolean {
  return node.domain === "" && reshaping.has(node.opType);
}

/** What reads a value, or the value in another shape, type or sign. */
export function* readersOf(value: Flowing): Generator<Use> {
  const seen = new Set<Flowing>();
  const pending = [value];
  while (pending.length > 0) {
    const each = pending.pop()!;
    if (seen.has(each)) continue;
    seen.add(each);
    pending.push(...each.flowsTo);
    for (const use of each.uses) {
      if (isReshaping(use.node)) {
        if (use.operand === 0) pending.push(...use.results.slice(0, 1));
      } else yield use;
    }
  }
}

/** The value that one is made from by giving it another shape, type or sign. */
export function sourceOf(value: Flowing | null): Flowing | null {
  const seen = new Set<Flowing>();
  let at = value;
  while (at !== null && !seen.has(at)) {
    seen.add(at);
    const next: Flowing | null | undefined =
      at.producer !== null && isReshaping(at.producer.node)
        ? at.producer.operands[0]
        : at.flowsFrom.length === 1
          ? at.flowsFrom[0]
          : null;
    if (!next) return at;
    at = next;
  }
  return at;
}
