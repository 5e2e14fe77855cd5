import { summandsOf } from "../../graph/dimension.js";
import {
  type Dim,
  type Graph,
  type Node,
  nodesOf,
  normaliseAxis,
  subgraphsOf,
  type Value,
} from "../../graph/graph.js";

// Open dimensions: leading dimensions of which a module knows only how many rows there are at most. How many there are
// is a word of its memory. Those of inputs and of the scans of loops are sources, named `in0`, `loop3`; that of a Concat
// is the sum of its parts, `in0+loop3+1`.

/** A graph that does with an open dimension what can only be done with a number. */
export class OpenDimensionError extends Error {
  /** @param sources  those that have to be numbers */
  constructor(readonly sources: readonly string[]) {
    super(`These dimensions have to be known: ${sources.join(", ")}.`);
  }
}

/** The source of a loop's scans, by the number of the loop. */
export function loopSource(loop: number): string {
  return `loop${loop}`;
}

/** The source of a symbolic dimension of the inputs. */
export function inputSource(index: number): string {
  return `in${index}`;
}

export function isOpen(value: Value | null): boolean {
  return value?.shape.some(isSymbolic) ?? false;
}

function sourcesOf(values: readonly (Value | null)[]): string[] {
  const dims = values.flatMap((value) => value?.shape ?? []);
  return [...new Set(dims.flatMap(summandsOf).filter((part) => typeof part === "string"))];
}

const leadsOnly = (value: Value | null) => value === null || !value.shape.slice(1).some(isSymbolic);
const isSymbolic = (dim: Dim) => typeof dim === "string";

/** @throws {OpenDimensionError} if a node needs to know how many rows an operand has */
export function checkOperands(node: Node, operands: readonly (Value | null)[]): void {
  if (!operands.some(isOpen)) return;
  if (operands.every(leadsOnly) && takesOpen(node, operands, isOpen)) return;
  const [, index = null] = operands;
  // as many are gathered as there are indices: what they are gathered from may stay open
  const onlyIndex = ["Gather", "GatherND"].includes(node.op.type) && isOpen(index);
  throw new OpenDimensionError(sourcesOf(onlyIndex ? [index] : operands));
}

/** Whether a node can do with operands of which nobody knows how long they are. */
function takesOpen(
  { op, attributes }: Node,
  operands: readonly (Value | null)[],
  open: (value: Value | null) => boolean,
): boolean {
  const axis = (attributes.axis as number | undefined) ?? 0;
  switch (op.type) {
    case "Shape":
    case "Size":
    case "Identity":
      return true;
    case "Concat":
      return normaliseAxis(axis, operands[0]!.shape.length, "Concat") === 0;
    case "Gather":
      return normaliseAxis(axis, operands[0]!.shape.length, "Gather") === 0 && !open(operands[1]!);
    case "GatherND":
      return !open(operands[1]!);
    case "Scan": {
      const carried = operands.length - (attributes.num_scan_inputs as number);
      const axes = (attributes.scan_input_axes as readonly number[] | undefined) ?? [];
      return !operands.slice(0, carried).some(open) && axes.every((along) => along === 0);
    }
    default:
      return false;
  }
}

/** @throws {OpenDimensionError} if what a node yields has an open dimension that no code can be written for */
export function checkResults({ op }: Node, results: readonly Value[]): void {
  const fits = ["Loop", "Scan", "Concat", "Identity"].includes(op.type);
  const bad = results.filter((value) => isOpen(value) && !(fits && leadsOnly(value)));
  if (bad.length > 0) throw new OpenDimensionError(sourcesOf(bad));
}

/**
 * Whether an operator needs to know how many rows a Loop has stacked that a condition ends, which nobody can say
 * beforehand: such a graph is compiled anew for each length.
 */
export function needsUnforeseen(graph: Graph): boolean {
  const unforeseen = new Set<Value>();
  const open = (value: Value | null) => value !== null && unforeseen.has(value);
  const visit = (part: Graph): boolean =>
    nodesOf(part).some((node) => {
      const { op, attributes, inputs, outputs } = node;
      if (inputs.some(open) && !takesOpen(node, inputs, open)) return true;
      const bodies = subgraphsOf(attributes);
      const carried = op.type === "Loop" ? Math.max(0, inputs.length - 2) : outputs.length;
      const ends = op.type === "Loop" && bodies[0]!.outputs[0]!.value.constant === null;
      if (ends) for (const value of outputs.slice(carried)) unforeseen.add(value);
      if (op.type === "Concat" && inputs.some(open)) unforeseen.add(outputs[0]!);
      if (op.type === "Scan" && inputs.some(open)) {
        const states = inputs.length - (attributes.num_scan_inputs as number);
        for (const value of outputs.slice(states)) unforeseen.add(value);
      }
      return bodies.some((body) => visit(body) || body.outputs.some(({ value }) => open(value)));
    });
  return visit(graph);
}

/** The symbolic dimensions of a graph's inputs, in order. Those that lead wherever they stand may stay open. */
export function symbolsOf(graph: Graph): { readonly name: string; readonly leads: boolean }[] {
  const leads = new Map<string, boolean>();
  for (const { shape } of graph.inputs) {
    shape.forEach((dim, axis) => {
      if (typeof dim === "string") leads.set(dim, axis === 0 && (leads.get(dim) ?? true));
    });
  }
  return [...leads].map(([name, always]) => ({ name, leads: always }));
}

/** Bytes that a buffer of rows may take before anything is known of their number. */
const firstBytes = 1 << 16;

/** Rows for which there is room at first. */
export function firstCapacity(rowBytes: number): number {
  return capacityFor(Math.min(1024, Math.max(8, Math.floor(firstBytes / Math.max(1, rowBytes)))), rowBytes);
}

/** Bytes from which on room is not given away. */
const largeBytes = 1 << 20;

/**
 * Rows for which there should be room when so many are needed: the next power of two, so that growing to any number
 * takes few modules; where that is much memory, the next of four steps between two of them.
 */
export function capacityFor(rows: number, rowBytes: number): number {
  const power = 2 ** Math.ceil(Math.log2(Math.max(8, rows)));
  const step = power * rowBytes <= largeBytes ? power : power / 8;
  return Math.ceil(rows / step) * step || step;
}
