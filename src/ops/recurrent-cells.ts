import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { add, mul, sub } from "./arithmetic.js";
import { matmul, swapLast } from "./linalg.js";
import type { Activation } from "./recurrent-activations.js";
import { concat, split } from "./slicing.js";

// One step of each recurrent operator: the state after it from what the input adds to the gates and the state before.

/** The arrays of one direction. G gates of H units each; biases may be missing. */
export interface Weights {
  /** [G·H, H] */
  readonly recurrence: Value;
  /** of the input and of the recurrence, [G·H] each */
  readonly biases: readonly [Value, Value] | null;
  /** of the LSTM's gates i, o and f, [3·H] */
  readonly peepholes: Value | null;
}

/** How a recurrent operator steps. */
export interface Cell {
  readonly gates: number;
  /** whether the state is (h, c), not h alone */
  readonly hasMemory: boolean;
  readonly activations: readonly string[];
  /** what is added to the projection of the inputs, once for all steps, [G·H]; `null` for nothing */
  readonly inputBias: (b: Builder, weights: Weights, hidden: number, options: CellOptions) => Value | null;
  /** @param projected  W x + the input bias, [batch, G·H] */
  readonly step: (
    b: Builder,
    projected: Value,
    state: readonly Value[],
    weights: Weights,
    hidden: number,
    options: CellOptions,
  ) => readonly Value[];
}

export interface CellOptions {
  readonly activations: readonly Activation[];
  /** of a GRU: whether the reset gate comes after the recurrence, as in PyTorch */
  readonly resetsAfter: boolean;
  /** of an LSTM: whether it forgets what it does not take in, f = 1 − i */
  readonly coupled: boolean;
}

const bothBiases: Cell["inputBias"] = (b, { biases }) => biases && add(b, biases[0], biases[1]);

/** h Rᵀ */
function recurrent(b: Builder, h: Value, recurrence: Value): Value {
  return matmul(b, h, swapLast(b, recurrence));
}

/** (1 − z) n + z h */
function mixed(b: Builder, z: Value, n: Value, h: Value): Value {
  return add(b, mul(b, sub(b, 1, z), n), mul(b, z, h));
}

function gatesOf(b: Builder, x: Value, hidden: number, count: number): Value[] {
  return split(b, x, -1, new Array<number>(count).fill(hidden));
}

/** h ← f(W x + R h + b) */
const rnn: Cell = {
  gates: 1,
  hasMemory: false,
  activations: ["Tanh"],
  inputBias: bothBiases,
  step: (b, projected, [h], weights, _, { activations: [f] }) => [
    f!(b, add(b, projected, recurrent(b, h!, weights.recurrence))),
  ],
};

/**
 *   z = f(W_z x + R_z h + b_z),   r = f(W_r x + R_r h + b_r)
 *   n = g(W_n x + b_n + R_n (r h) + c_n),   or with the reset after the recurrence   g(W_n x + b_n + r (R_n h + c_n))
 *   h ← (1 − z) n + z h
 */
const gru: Cell = {
  gates: 3,
  hasMemory: false,
  activations: ["Sigmoid", "Tanh"],
  inputBias(b, weights, hidden, options) {
    if (weights.biases === null || !options.resetsAfter) return bothBiases(b, weights, hidden, options);
    const [input, own] = weights.biases.map((bias) => split(b, bias, 0, [2 * hidden, hidden]));
    return concat(b, [add(b, input![0]!, own![0]!), input![1]!], 0);
  },
  step(b, projected, [h], weights, hidden, { activations: [f, g], resetsAfter }) {
    const [xz, xr, xn] = gatesOf(b, projected, hidden, 3) as [Value, Value, Value];
    if (resetsAfter) {
      const [hz, hr, hn] = gatesOf(b, recurrent(b, h!, weights.recurrence), hidden, 3) as [
        Value,
        Value,
        Value,
      ];
      const [z, r] = [f!(b, add(b, xz, hz)), f!(b, add(b, xr, hr))];
      const own = weights.biases && split(b, weights.biases[1], 0, [2 * hidden, hidden])[1]!;
      const n = g!(b, add(b, xn, mul(b, r, own === null ? hn : add(b, hn, own))));
      return [mixed(b, z, n, h!)];
    }
    const [gates, own] = split(b, weights.recurrence, 0, [2 * hidden, hidden]) as [Value, Value];
    const [hz, hr] = gatesOf(b, recurrent(b, h!, gates), hidden, 2) as [Value, Value];
    const [z, r] = [f!(b, add(b, xz, hz)), f!(b, add(b, xr, hr))];
    const n = g!(b, add(b, xn, recurrent(b, mul(b, r, h!), own)));
    return [mixed(b, z, n, h!)];
  },
};

/**
 *   i = f(W_i x + R_i h + p_i c + b_i),   f likewise,   g = g(W_c x + R_c h + b_c)
 *   c ← f c + i g,   o = f(W_o x + R_o h + p_o c + b_o),   h ← o h(c)
 */
const lstm: Cell = {
  gates: 4,
  hasMemory: true,
  activations: ["Sigmoid", "Tanh", "Tanh"],
  inputBias: bothBiases,
  step(b, projected, [h, c], weights, hidden, { activations: [f, g, onMemory], coupled }) {
    const sums = gatesOf(b, add(b, projected, recurrent(b, h!, weights.recurrence)), hidden, 4);
    const [si, so, sf, sg] = sums as [Value, Value, Value, Value];
    const peepholes = weights.peepholes === null ? null : gatesOf(b, weights.peepholes, hidden, 3);
    const looking = (sum: Value, gate: number, memory: Value) =>
      peepholes === null ? sum : add(b, sum, mul(b, peepholes[gate]!, memory));
    const i = f!(b, looking(si, 0, c!));
    const forget = coupled ? sub(b, 1, i) : f!(b, looking(sf, 2, c!));
    const next = add(b, mul(b, forget, c!), mul(b, i, g!(b, sg)));
    const o = f!(b, looking(so, 1, next));
    return [mul(b, o, onMemory!(b, next)), next];
  },
};

export const cells = { RNN: rnn, GRU: gru, LSTM: lstm } as const;
