import type { Values } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { relu, sigmoid } from "../ops/activation.js";
import { add, mul, neg, sub } from "../ops/arithmetic.js";
import { exp } from "../ops/elementwise.js";
import { zerosLike } from "../ops/generate.js";
import { concat, split } from "../ops/slicing.js";
import { tanh } from "../ops/trigonometry.js";
import { fanIn } from "./initial.js";
import { partOf } from "./layer.js";
import { affine, checkWidths, linear } from "./linear.js";
import type { ObservedCell } from "./observed-cell.js";
import { gruCell } from "./recurrent.js";

/**
 * A GRU that reads the time since the observation before, as a number beside what is observed: [x, m, Δ]. Its state stays as
 * it is between observations.
 *
 * @see Rubanova, Chen & Duvenaud 2019, arXiv:1907.03907, "RNN-Δt"
 */
export function gapCell(channels: number, hidden: number): ObservedCell<readonly [Value, Value]> {
  checkWidths("gapCell", channels, hidden);
  const cell = gruCell(2 * channels + 1, hidden);
  return {
    name: "a GRU with time gaps",
    parameters: cell.parameters,
    ...{ channels, widths: [hidden, 1], readWidth: hidden + 1 },
    evolve: (b, _, gap, [h, elapsed]) => [h, add(b, elapsed, gap)],
    read: (b, _, [h, elapsed]) => concat(b, [h, elapsed], 1),
    update(b, theta, { values, mask }, [h, elapsed]) {
      const [next] = cell.apply(b, theta, concat(b, [values, mask, elapsed], 1), [h]);
      return [next, zerosLike(b, elapsed)];
    },
  };
}

/**
 * GRU-D: between observations the state decays, and what was last seen of each channel decays to its mean, which is 0. With
 * δ the time since each channel was seen last and x′ what was seen then,
 *
 *   γ = exp(−max(0, w ∘ δ + c)),   Γ = exp(−max(0, W δ + b))
 *   x̂ = m x + (1 − m) γ x′,        ĥ = Γ h
 *   r = σ(W_r x̂ + V_r m + U_r ĥ + b_r),   z likewise,   n = tanh(W_n x̂ + V_n m + U_n (r ĥ) + b_n)
 *   h ← (1 − z) ĥ + z n
 *
 * Parameters: `input_decay.weight` w and `.bias` c; `hidden_decay.weight` W and `.bias` b; `weight_ih` [W, V], `weight_hh` U
 * and `bias` of r, z, n in this order. Observations are to be brought to a mean of 0 beforehand.
 *
 * @see Che, Purushotham, Cho, Sontag & Liu 2018, "Recurrent Neural Networks for Multivariate Time Series with Missing Values"
 */
export function gruDCell(channels: number, hidden: number): ObservedCell<readonly [Value, Value, Value]> {
  checkWidths("gruDCell", channels, hidden);
  const hiddenDecay = linear(channels, hidden);
  const decayOf = (b: Builder, rate: Value) => exp(b, neg(b, relu(b, rate)));
  const decayed = (b: Builder, theta: Values, h: Value, since: Value) =>
    mul(b, decayOf(b, hiddenDecay.apply(b, partOf(theta, "hidden_decay"), since)), h);
  const gates = [hidden, hidden, hidden];
  return {
    name: "GRU-D",
    parameters: {
      "input_decay.weight": fanIn([channels], channels),
      "input_decay.bias": fanIn([channels], channels),
      "hidden_decay.weight": hiddenDecay.parameters.weight!,
      "hidden_decay.bias": hiddenDecay.parameters.bias!,
      weight_ih: fanIn([3 * hidden, 2 * channels], hidden),
      weight_hh: fanIn([3 * hidden, hidden], hidden),
      bias: fanIn([3 * hidden], hidden),
    },
    ...{ channels, widths: [hidden, channels, channels], readWidth: hidden },
    evolve: (b, _, gap, [h, last, since]) => [h, last, add(b, since, gap)],
    read: (b, theta, [h, , since]) => decayed(b, theta, h, since),
    update(b, theta, { values, mask }, [before, last, since]) {
      const missing = sub(b, 1, mask);
      const rate = add(b, mul(b, since, theta["input_decay.weight"]!), theta["input_decay.bias"]!);
      const x = add(b, values, mul(b, missing, mul(b, decayOf(b, rate), last)));
      const h = decayed(b, theta, before, since);
      const fromX = split(b, affine(b, concat(b, [x, mask], 1), theta.weight_ih!, theta.bias!), 1, gates);
      const [toR, toZ, toN] = split(b, theta.weight_hh!, 0, gates);
      const r = sigmoid(b, add(b, fromX[0]!, affine(b, h, toR!, null)));
      const z = sigmoid(b, add(b, fromX[1]!, affine(b, h, toZ!, null)));
      const n = tanh(b, add(b, fromX[2]!, affine(b, mul(b, r, h), toN!, null)));
      return [
        add(b, mul(b, sub(b, 1, z), h), mul(b, z, n)),
        add(b, values, mul(b, missing, last)),
        mul(b, missing, since),
      ];
    },
  };
}
