import { ortHere } from "../../core/place.js";
import type { Tensor } from "../../core/tensor.js";
import { type Node, nodesOf, sameShape, type Value } from "../../graph/graph.js";
import { CompileError } from "../../runtime/runtime.js";
import { pushNumber } from "./cell.js";
import { emitIf, emitLoop, emitScan } from "./control.js";
import { emitConvolution } from "./convolution.js";
import { isElementwise } from "./elementwise.js";
import { type Frame, isSmall, shapeOf } from "./frame.js";
import {
  emitArgument,
  emitFill,
  emitGather,
  emitGatherOne,
  emitPad,
  emitShape,
  emitSize,
  emitTable,
} from "./indexing.js";
import { emitMap, emitSmallMap, isArrayFunction } from "./map.js";
import { emitConcat, emitMovement, emitPacked, isMovement } from "./movement.js";
import { emitProduct, emitTerm, isSmallProduct } from "./product.js";
import type { ProductSum } from "./product-sum.js";
import { productSums } from "./product-sums.js";
import { emitReduction, emitSmallReduction, isReduction } from "./reduce.js";
import {
  emitCumSum,
  emitGatherElements,
  emitGatherND,
  emitScatterElements,
  emitScatterND,
} from "./scatter.js";
import { emitSmallProduct } from "./small-product.js";
import { emitTopK } from "./top-k.js";

/** What is written in one go: a node, with those that it absorbs, or a group of elementwise ones. */
interface Item {
  readonly nodes: Node[];
  readonly kind: "map" | "function" | "reduction" | "node" | "term";
  /** what a product adds to */
  readonly sum?: ProductSum;
}

/** Writes the nodes of a scope, operands before results. */
export function writeScope(frame: Frame): void {
  for (const { kind, nodes, sum } of itemsOf(frame)) {
    if (kind === "map" || kind === "function") {
      const inside = new Map<Value, number>();
      for (const node of nodes) {
        for (const value of node.inputs) inside.set(value!, (inside.get(value!) ?? 0) + 1);
      }
      const stored = nodes
        .flatMap((node) => node.outputs)
        .filter((value) => frame.usesOf(value) > (inside.get(value) ?? 0));
      const group = { shape: shapeOf(nodes[0]!.outputs[0]!), nodes, stored: new Set(stored) };
      written(frame, nodes, stored, (own) => emitMap(own, group));
    } else if (kind === "reduction") {
      const node = nodes.at(-1)!;
      written(frame, nodes, node.outputs, (own) => emitReduction(own, node, nodes.slice(0, -1)));
    } else if (kind === "term") emitTerm(frame, nodes[0]!, sum!);
    else writeNode(frame, nodes[0]!);
    for (const node of nodes) frame.done(node);
  }
}

/** Functions of so many bytes get longer by no more than calls, as far as they can. */
const long = 8000;

/**
 * Writes what computes values in memory: where it stands, or once that function is long, in one of its own. V8 allocates the
 * registers of a function of more than 8192 values by an allocator that is quick and leaves most of them in memory.
 */
function written(
  frame: Frame,
  nodes: readonly Node[],
  results: readonly Value[],
  write: (frame: Frame) => void,
): void {
  const operands = new Set(nodes.flatMap(({ inputs }) => inputs as Value[]));
  for (const value of nodes.flatMap(({ outputs }) => outputs)) operands.delete(value);
  const isHere = (value: Value) => (frame.knownView(value)?.dynamic ?? null) !== null;
  const stays =
    frame.inFunction || [...operands].some(isHere) || results.some((y) => frame.hasDestination(y));
  if (frame.code.length < long || stays) {
    write(frame);
    return;
  }
  for (const value of operands) if (value.constant === null) frame.viewOf(value);
  const { index, code } = frame.unit.module.define([], []);
  const own = frame.apart(code);
  const targets = results.map((value) => [value, frame.allocate(value)] as const);
  for (const [value, view] of targets) own.setDestination(value, view);
  write(own);
  own.end();
  frame.code.call(index);
  for (const [value, view] of targets) frame.setView(value, view);
}

/**
 * The nodes of a scope as items. An elementwise node on tensors in memory joins an earlier group of its shape if all
 * that it needs is computed by then; a reduction takes in the elementwise nodes that nothing else needs. An elementary
 * function stays alone where whole arrays have a function of their own, which is worth more than a pass over memory.
 */
function itemsOf(frame: Frame): Item[] {
  const nodes = nodesOf(frame.graph);
  const absorbed = new Map<Node, Node[]>();
  for (const node of nodes) {
    if (isReduction(node.op.type) && !isSmall(node.inputs[0]!)) absorbed.set(node, chain(frame, node));
  }
  const taken = new Set([...absorbed.values()].flat());
  const sums = productSums(frame, nodes);
  const items: Item[] = [];
  const position = new Map<Value, number>();
  const computed = (value: Value | null) =>
    value === null || value.node?.scope !== frame.graph.scope || position.has(value);
  for (const node of nodes) {
    if (taken.has(node)) continue;
    const place = (at: number) => {
      for (const value of node.outputs) position.set(value, at);
    };
    const own = absorbed.get(node);
    const sum = sums.get(node);
    if (sum !== undefined) {
      // a product is computed where it stands, if there is something to add it to by then, else where the sum is complete
      const isTerm = sum.products.includes(node);
      if (isTerm && computed(sum.rest)) items.push({ kind: "term", nodes: [node], sum });
      if (node !== sum.adds.at(-1)) continue;
      for (const product of sum.products) {
        if (!items.some(({ nodes: [done] }) => done === product)) {
          items.push({ kind: "term", nodes: [product], sum });
        }
      }
      // with the last of them the additions are done too
      const last = items.findLastIndex((item) => item.sum === sum);
      items[last]!.nodes.push(...sum.adds);
      position.set(sum.result, last);
    } else if (own !== undefined) {
      place(items.push({ kind: "reduction", nodes: [...own, node] }) - 1);
    } else if (isArrayFunction(node)) {
      place(items.push({ kind: "function", nodes: [node] }) - 1);
    } else if (isElementwise(node.op.type) && !isSmall(node.outputs[0]!)) {
      const ready = Math.max(-1, ...node.inputs.map((value) => position.get(value!) ?? -1));
      const group = items.findIndex(
        (item, at) =>
          at >= ready &&
          item.kind === "map" &&
          sameShape(item.nodes[0]!.outputs[0]!.shape, node.outputs[0]!.shape) &&
          // what the group computes can be read at the same place only
          node.inputs.every(
            (value) => position.get(value!) !== at || sameShape(value!.shape, node.outputs[0]!.shape),
          ),
      );
      if (group >= 0) {
        items[group]!.nodes.push(node);
        place(group);
      } else place(items.push({ kind: "map", nodes: [node] }) - 1);
    } else place(items.push({ kind: "node", nodes: [node] }) - 1);
  }
  return items;
}

/** The elementwise nodes, in order, whose results only this reduction needs. */
function chain(frame: Frame, reduction: Node): Node[] {
  const { shape } = reduction.inputs[0]!;
  const found: Node[] = [];
  const visit = (value: Value | null) => {
    const node = value?.node;
    if (!node || node.scope !== frame.graph.scope || found.includes(node)) return;
    const fits = isElementwise(node.op.type) && !isArrayFunction(node) && sameShape(value.shape, shape);
    if (!fits || frame.usesOf(value) !== 1) return;
    found.push(node);
    node.inputs.forEach(visit);
  };
  visit(reduction.inputs[0]!);
  return found.sort((a, b) => a.id - b.id);
}

function writeNode(frame: Frame, node: Node): void {
  const { type } = node.op;
  if (isElementwise(type)) emitSmallMap(frame, node);
  else if (isReduction(type)) emitSmallReduction(frame, node);
  else if (isMovement(node)) emitMovement(frame, node);
  else if (type === "Gemm" || type === "MatMul") {
    if (isSmallProduct(node)) emitSmallProduct(frame, node);
    else emitProduct(frame, node);
  } else {
    const emit = emitters[type];
    if (emit === undefined) {
      throw new CompileError(
        `jit has no code for the operator ${type} as it is used here. Use the runtime ${ortHere()}.`,
      );
    }
    emit(frame, node);
  }
}

const emitters: Readonly<Record<string, (frame: Frame, node: Node) => void>> = {
  Loop: (frame, node) => emitLoop(frame, node, writeScope),
  Scan: (frame, node) => emitScan(frame, node, writeScope),
  If: (frame, node) => emitIf(frame, node, writeScope),
  Concat: emitConcat,
  Conv: emitConvolution,
  Shape: emitShape,
  Size: emitSize,
  Packed: emitPacked,
  Gather: (frame, node) =>
    node.inputs[1]!.shape.length === 0 ? emitGatherOne(frame, node) : emitGather(frame, node),
  GatherElements: emitGatherElements,
  GatherND: emitGatherND,
  ScatterElements: emitScatterElements,
  ScatterND: emitScatterND,
  CumSum: emitCumSum,
  Pad: emitPad,
  Tile: emitTable,
  ArgMax: emitArgument,
  ArgMin: emitArgument,
  TopK: emitTopK,
  ConstantOfShape(frame, node) {
    const y = node.outputs[0]!;
    const view = frame.destination(y);
    const value = node.attributes.value as Tensor | undefined;
    const element = (value?.data[0] as number | bigint | undefined) ?? 0;
    emitFill(frame, y, () => pushNumber(frame.code, y.dtype, element), view);
    frame.setView(y, view);
  },
};

/** Whether code can be written for an operator as it is. */
export function hasEmitter(type: string): boolean {
  return (
    isElementwise(type) ||
    isReduction(type) ||
    type in emitters ||
    ["Gemm", "MatMul", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity"].includes(type) ||
    ["Transpose", "Expand", "Split", "Slice"].includes(type)
  );
}
