import type { AdjointSpec } from "../chains/adjoints.js";
import type { Chain } from "../chains/chain.js";
import { runChain } from "../chains/run-chain.js";
import type { Values } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import { showType, type Value } from "../graph/graph.js";
import { sigmoid } from "../ops/activation.js";
import { add, mul, sub } from "../ops/arithmetic.js";
import { transpose } from "../ops/reshape.js";
import { split } from "../ops/slicing.js";
import { tanh } from "../ops/trigonometry.js";
import { fanIn } from "./initial.js";
import { type Layer, LayerError } from "./layer.js";
import { affine, checkWidths } from "./linear.js";

/** One step of a recurrent network: the state after it from an input and the state before it. */
export interface Cell<State extends readonly Value[] = readonly Value[]> {
  readonly parameters: Layer["parameters"];
  /** the widths of the arrays of a state */
  readonly widths: readonly number[];
  /** @param x  [batch, inputs] @param state  arrays [batch, width] */
  readonly apply: (b: Builder, theta: Values, x: Value, state: State) => State;
}

/**
 * A gated recurrent unit. With gates r, u in this order (PyTorch calls u z),
 *
 *   r = σ(W_ir x + b_ir + W_hr h + b_hr)
 *   u = σ(W_iu x + b_iu + W_hu h + b_hu)
 *   n = tanh(W_in x + b_in + r (W_hn h + b_hn))
 *   h ← (1 − u) n + u h
 *
 * @see torch.nn.GRUCell; Cho et al. 2014, arXiv:1406.1078
 */
export function gruCell(inputs: number, hidden: number): Cell<readonly [Value]> {
  return {
    parameters: gates("gruCell", 3, inputs, hidden),
    widths: [hidden],
    apply(b, theta, x, [h]) {
      const [fromX, fromH] = projections(b, theta, x, h, 3, hidden);
      const [r, u] = [0, 1].map((i) => sigmoid(b, add(b, fromX[i]!, fromH[i]!))) as [Value, Value];
      const n = tanh(b, add(b, fromX[2]!, mul(b, r, fromH[2]!)));
      return [add(b, mul(b, sub(b, 1, u), n), mul(b, u, h))];
    },
  };
}

/**
 * A long short-term memory, with the state (h, c) and gates i, f, g, o in this order:
 *
 *   c ← σ(f) c + σ(i) tanh(g),   h ← σ(o) tanh(c),   each gate = W_i x + b_i + W_h h + b_h
 *
 * @see torch.nn.LSTMCell; Hochreiter & Schmidhuber 1997
 */
export function lstmCell(inputs: number, hidden: number): Cell<readonly [Value, Value]> {
  return {
    parameters: gates("lstmCell", 4, inputs, hidden),
    widths: [hidden, hidden],
    apply(b, theta, x, [h, c]) {
      const [fromX, fromH] = projections(b, theta, x, h, 4, hidden);
      const [i, f, g, o] = fromX.map((value, k) => add(b, value, fromH[k]!)) as [Value, Value, Value, Value];
      const next = add(b, mul(b, sigmoid(b, f), c), mul(b, sigmoid(b, i), tanh(b, g)));
      return [mul(b, sigmoid(b, o), tanh(b, next)), next];
    },
  };
}

/** How a recurrent network goes along sequences. */
export interface OverSequenceOptions {
  /**
   * how it is differentiated: "direct", which stores the state at each time, by default; "checkpoint" or "checkpoint:8"
   * stores fewer and takes the steps between them again
   */
  readonly adjoint?: AdjointSpec;
}

/**
 * Walks a cell along sequences, as a chain:
 *
 *   sᵢ₊₁ = cell(xᵢ, sᵢ; θ)
 *
 * The gates of a cell are not stored, whatever the adjoint: they are computed again on the way back.
 *
 * @param theta  the parameters of the cell
 * @param xs  [batch, times, inputs]
 * @param start  the state before the first input; zeros are the usual ones
 * @returns the first array of the state (h) after each input, [batch, times, width], and the state at the end
 * @throws {LayerError} for what is no batch of sequences
 * @throws {GradientMethodError | ChainError} for an adjoint that there is not, or cannot be had
 */
export function overSequence<State extends readonly Value[]>(
  b: Builder,
  cell: Cell<State>,
  theta: Values,
  xs: Value,
  start: State,
  options: OverSequenceOptions = {},
): { readonly outputs: Value; readonly end: State } {
  const { end, saved } = runCell(b, cell, theta, xs, start, { ...options, save: "every" });
  return { outputs: transpose(b, saved[0]!, [1, 0, 2]), end };
}

/** The state of a cell after sequences, as {@link overSequence} has it: with checkpoints, in the memory of a few states. */
export function endOfSequence<State extends readonly Value[]>(
  b: Builder,
  cell: Cell<State>,
  theta: Values,
  xs: Value,
  start: State,
  options: OverSequenceOptions = {},
): State {
  return runCell(b, cell, theta, xs, start, options).end;
}

function runCell<State extends readonly Value[]>(
  b: Builder,
  cell: Cell<State>,
  theta: Values,
  xs: Value,
  start: State,
  { adjoint = "direct", save }: OverSequenceOptions & { readonly save?: "every" },
) {
  const [, times] = xs.shape;
  if (xs.shape.length !== 3 || typeof times !== "number") {
    throw new LayerError(`Sequences must be [batch, times, inputs], but ${showType(xs)} was given.`);
  }
  const chain: Chain<State, Values, Value> = {
    name: "recurrent cell",
    step: (inner, { shared, row }, state) => cell.apply(inner, shared, row, state),
    report: ([h]) => h,
  };
  const inputs = { start, shared: theta, rows: transpose(b, xs, [1, 0, 2]), steps: times };
  return runChain(b, chain, inputs, save === undefined ? { adjoint } : { adjoint, save });
}

function gates(name: string, count: number, inputs: number, hidden: number): Layer["parameters"] {
  checkWidths(name, inputs, hidden);
  return {
    weight_ih: fanIn([count * hidden, inputs], hidden),
    weight_hh: fanIn([count * hidden, hidden], hidden),
    bias_ih: fanIn([count * hidden], hidden),
    bias_hh: fanIn([count * hidden], hidden),
  };
}

/** What input and state add to each gate. */
function projections(
  b: Builder,
  theta: Values,
  x: Value,
  h: Value,
  count: number,
  hidden: number,
): [Value[], Value[]] {
  const sizes = new Array<number>(count).fill(hidden);
  const of = (value: Value, kind: "ih" | "hh") =>
    split(b, affine(b, value, theta[`weight_${kind}`]!, theta[`bias_${kind}`]!), 1, sizes);
  return [of(x, "ih"), of(h, "hh")];
}
