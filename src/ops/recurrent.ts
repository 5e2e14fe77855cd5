import { emptyData, ShapeError, type Tensor } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import {
  type Attributes,
  type Dim,
  type Op,
  type Shape,
  sameShape,
  showType,
  type Value,
} from "../graph/graph.js";
import {
  attributeOf,
  choice,
  type ElementTypes,
  flag,
  float,
  floats,
  int,
  mayTake,
  type Parameter,
  takes,
} from "../graph/signature.js";
import { add } from "./arithmetic.js";
import { scan } from "./control.js";
import { ConstantOfShape, range } from "./generate.js";
import { matmul, swapLast } from "./linalg.js";
import { less, where } from "./logic.js";
import { activationsOf } from "./recurrent-activations.js";
import { type Cell, type CellOptions, cells, type Weights } from "./recurrent-cells.js";
import { cast, shapeOf, transpose, unsqueeze } from "./reshape.js";
import { concat, gather, split } from "./slicing.js";

// Recurrent operators: a cell that walks along a sequence, forwards, backwards, or one each way. They are scans, and their
// derivatives are those of scans.

const int32: ElementTypes = { of: ["int32"], words: "int32" };

/** The operands by name, and the sizes that they agree on: D directions, T times, batch, I inputs, H hidden units. */
interface Layer {
  readonly type: keyof typeof cells;
  readonly cell: Cell;
  readonly operands: Readonly<Record<"x" | "w" | "r", Value>>;
  readonly bias: Value | null;
  /** how long each sequence is, int32 [batch] */
  readonly lengths: Value | null;
  /** [D, batch, H] each, or [batch, D, H] where the batch leads; `null` for zeros */
  readonly start: readonly (Value | null)[];
  readonly peepholes: Value | null;
  readonly directions: readonly ("forward" | "reverse")[];
  readonly hidden: number;
  readonly batchLeads: boolean;
  readonly options: readonly CellOptions[];
}

/** @throws {ShapeError} for operands that do not fit */
function layerOf(
  type: keyof typeof cells,
  [x, w, r, bias = null, lengths = null, h = null, c = null, peepholes = null]: readonly (Value | null)[],
  attributes: Attributes,
): Layer {
  const cell: Cell = cells[type];
  const directions = {
    forward: ["forward"],
    reverse: ["reverse"],
    bidirectional: ["forward", "reverse"],
  }[(attributes.direction as "forward" | undefined) ?? "forward"] as ("forward" | "reverse")[];
  const [count, hidden] = [directions.length, r!.shape.at(-1)];
  const batchLeads = attributes.layout === 1;
  const batch = x!.shape[batchLeads ? 0 : 1];
  const isKnown = x!.shape.length === 3 && typeof hidden === "number" && typeof x!.shape[2] === "number";
  const rows = cell.gates * Number(hidden);
  const state: Shape = batchLeads ? [batch!, count, hidden!] : [count, batch!, hidden!];
  const wanted: readonly (readonly [string, Value | null, Shape])[] = [
    ["W", w!, [count, rows, x!.shape[2]!]],
    ["R", r!, [count, rows, hidden!]],
    ["B", bias, [count, 2 * rows]],
    ["sequence_lens", lengths, [batch!]],
    ["initial_h", h, state],
    ["initial_c", c, state],
    ["P", peepholes, [count, 3 * Number(hidden)]],
  ];
  const wrong = wanted.find(([, value, shape]) => value !== null && !sameShape(value.shape, shape));
  const declared = attributes.hidden_size as number | undefined;
  if (!isKnown || wrong !== undefined || (declared !== undefined && declared !== hidden)) {
    const what =
      wrong === undefined
        ? `R ${showType(r!)}${declared === undefined ? "" : ` with hidden_size ${declared}`}`
        : `${wrong[0]} ${showType(wrong[1]!)}, which must be [${wrong[2].join(", ")}],`;
    throw new ShapeError(
      `${type}: ${what} does not fit X ${showType(x!)} ${batchLeads ? "[batch, times, inputs]" : "[times, batch, inputs]"} ` +
        `in ${count} ${count === 1 ? "direction" : "directions"}.`,
    );
  }
  const activations = activationsOf(type, attributes, count, cell.activations);
  return {
    ...{ type, cell, directions, hidden, batchLeads, lengths, peepholes, bias },
    operands: { x: x!, w: w!, r: r! },
    start: cell.hasMemory ? [h, c] : [h],
    options: activations.map((own) => ({
      activations: own,
      resetsAfter: attributes.linear_before_reset === 1,
      coupled: attributes.input_forget === 1,
    })),
  };
}

/** The part of direction d of an array that has one for each along its leading axis. */
function partOf(b: Builder, value: Value, d: number): Value {
  return gather(b, value, d, 0);
}

/** One direction: h after each step [T, batch, H], and the state at the end. */
function walked(b: Builder, layer: Layer, xs: Value, d: number): { all: Value; end: readonly Value[] } {
  const { cell, hidden, lengths, options, operands, bias } = layer;
  const weights: Weights = {
    recurrence: partOf(b, operands.r, d),
    biases:
      bias && (split(b, partOf(b, bias, d), 0, new Array(2).fill(cell.gates * hidden)) as [Value, Value]),
    peepholes: layer.peepholes && partOf(b, layer.peepholes, d),
  };
  const added = cell.inputBias(b, weights, hidden, options[d]!);
  const product = matmul(b, xs, swapLast(b, partOf(b, operands.w, d)));
  const projected = added === null ? product : add(b, product, added);
  const start = layer.start.map((value) => {
    if (value === null) return zeroState(b, xs, hidden);
    return gather(b, value, d, layer.batchLeads ? 1 : 0);
  });
  const times = lengths === null ? [] : [range(b, timesOf(layer.type, xs))];
  const reverse = layer.directions[d] === "reverse";
  const { carried, scans } = scan(
    b,
    { carried: start, inputs: [projected, ...times], reverse },
    (inner, state, [x, time]) => {
      const next = cell.step(inner, x!, state, weights, hidden, options[d]!);
      if (time === undefined) return { carried: next, scans: [next[0]!] };
      // what comes after the end of a sequence leaves its state as it is
      const isInside = unsqueeze(inner, less(inner, time, cast(inner, lengths!, "int64")), [1]);
      const kept = next.map((value, i) => where(inner, isInside, value, state[i]!));
      return { carried: kept, scans: [where(inner, isInside, next[0]!, 0)] };
    },
  );
  if (lengths === null) return { all: scans[0]!, end: carried };
  // ONNX Runtime's, where the specification is silent: a sequence without elements ends at 0, whatever it started with
  const hasAny = unsqueeze(b, less(b, 0, cast(b, lengths, "int64")), [1]);
  return { all: scans[0]!, end: carried.map((state) => where(b, hasAny, state, 0)) };
}

/** Zeros [batch, H] for xs [T, batch, I]. */
function zeroState(b: Builder, xs: Value, hidden: number): Value {
  const batch = gather(b, shapeOf(b, xs), b.ints([1]));
  const value = { dtype: xs.dtype, shape: [1], data: emptyData(xs.dtype, 1) } as Tensor;
  return b.apply(ConstantOfShape, [concat(b, [batch, b.ints([hidden])], 0)], { value });
}

function timesOf(type: string, xs: Value): number {
  const [times] = xs.shape;
  if (typeof times === "number") return times;
  throw new ShapeError(
    `${type}: with sequence_lens the number of times must be known, but that of ${showType(xs)} is not. ` +
      "Give the graph concrete input shapes.",
  );
}

function recurrent(type: keyof typeof cells, inputs: readonly Parameter[], attributes: Op["attributes"]): Op {
  const hasMemory = cells[type].hasMemory;
  const record: Op = {
    type,
    inputs: [
      ...[takes("X", floats), takes("W", floats), takes("R", floats), mayTake("B", floats)],
      ...[mayTake("sequence_lens", int32), mayTake("initial_h", floats), ...inputs],
    ],
    outputs: hasMemory ? 3 : 2,
    attributes: {
      activation_alpha: attributeOf("floats"),
      activation_beta: attributeOf("floats"),
      activations: attributeOf("strings"),
      clip: float(),
      direction: choice(["forward", "reverse", "bidirectional"]),
      hidden_size: int(),
      layout: flag(0, { since: 14 }),
      ...attributes,
    },
    infer(operands, given) {
      const { directions, hidden, batchLeads, operands: own } = layerOf(type, operands, given);
      const [first, second] = own.x.shape as [Dim, Dim];
      const count = directions.length;
      const state = {
        dtype: own.x.dtype,
        shape: batchLeads ? [first, count, hidden] : [count, second, hidden],
      };
      const all = batchLeads ? [first, second, count, hidden] : [first, count, second, hidden];
      return [{ dtype: own.x.dtype, shape: all }, state, ...(hasMemory ? [state] : [])];
    },
    /** the standard may do without the number of units, which R has; ONNX Runtime does not */
    simplify(b, operands, given) {
      if (given.hidden_size !== undefined) return null;
      return b.emit(record, operands, { ...given, hidden_size: operands[2]!.shape.at(-1) as number });
    },
    decompose(b, operands, given) {
      const layer = layerOf(type, operands, given);
      const { batchLeads } = layer;
      const xs = batchLeads ? transpose(b, layer.operands.x, [1, 0, 2]) : layer.operands.x;
      const walks = layer.directions.map((_, d) => walked(b, layer, xs, d));
      const joined = (values: readonly Value[], axis: number) =>
        concat(
          b,
          values.map((value) => unsqueeze(b, value, [axis])),
          axis,
        );
      const every = joined(
        walks.map(({ all }) => all),
        1,
      );
      const ends = walks[0]!.end.map((_, i) =>
        joined(
          walks.map(({ end }) => end[i]!),
          batchLeads ? 1 : 0,
        ),
      );
      return [batchLeads ? transpose(b, every, [2, 0, 1, 3]) : every, ...ends];
    },
  };
  return record;
}

/** H ← f(W x + R h + b) */
export const RNN: Op = recurrent("RNN", [], {});

/** Gated recurrent units; `linear_before_reset` 1 is PyTorch's form. @see Cho et al. 2014, arXiv:1406.1078 */
export const GRU: Op = recurrent("GRU", [], { linear_before_reset: flag(0) });

/** Long short-term memory, perhaps with peepholes. @see Hochreiter & Schmidhuber 1997 */
export const LSTM: Op = recurrent("LSTM", [mayTake("initial_c", floats), mayTake("P", floats)], {
  input_forget: flag(0),
});
