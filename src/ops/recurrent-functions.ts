import type { Builder } from "../graph/builder.js";
import type { Attributes, Op, Value } from "../graph/graph.js";
import { GRU, LSTM, RNN } from "./recurrent.js";

/** The arrays of a recurrent layer, with D directions and G gates of H units (z, r, n of a GRU; i, o, f, c of an LSTM). */
export interface RecurrentWeights {
  /** [D, G·H, I] */
  readonly w: Value;
  /** [D, G·H, H] */
  readonly r: Value;
  /** of the input, then of the recurrence, [D, 2·G·H] */
  readonly bias?: Value;
}

export interface RecurrentOptions {
  readonly direction?: "forward" | "reverse" | "bidirectional";
  /** how long each sequence is, int32 [batch] */
  readonly lengths?: Value;
  /** the state at the start, [D, batch, H]; zeros unless given */
  readonly h?: Value;
}

function applied(
  b: Builder,
  op: Op,
  x: Value,
  { w, r, bias }: RecurrentWeights,
  { direction, lengths, h }: RecurrentOptions,
  rest: readonly (Value | null)[],
  attributes: Attributes = {},
): readonly Value[] {
  const given = direction === undefined ? attributes : { ...attributes, direction };
  return b.emit(op, [x, w, r, bias ?? null, lengths ?? null, h ?? null, ...rest], given);
}

/** tanh(W x + R h + b) along x [times, batch, I]: all h, [times, D, batch, H], and the last, [D, batch, H]. */
export function rnn(b: Builder, x: Value, weights: RecurrentWeights, options: RecurrentOptions = {}) {
  const [all, h] = applied(b, RNN, x, weights, options, []) as [Value, Value];
  return { all, h };
}

/** Gated recurrent units, as {@link rnn}. @param options.resetsAfter  PyTorch's form, unless `false` */
export function gru(
  b: Builder,
  x: Value,
  weights: RecurrentWeights,
  { resetsAfter = true, ...options }: RecurrentOptions & { readonly resetsAfter?: boolean } = {},
) {
  const form = { linear_before_reset: resetsAfter ? 1 : 0 };
  const [all, h] = applied(b, GRU, x, weights, options, [], form) as [Value, Value];
  return { all, h };
}

/** Long short-term memory, as {@link rnn}, with its memory c beside h. */
export function lstm(
  b: Builder,
  x: Value,
  weights: RecurrentWeights,
  { c, ...options }: RecurrentOptions & { readonly c?: Value } = {},
) {
  const [all, h, memory] = applied(b, LSTM, x, weights, options, [c ?? null]) as [Value, Value, Value];
  return { all, h, c: memory };
}
