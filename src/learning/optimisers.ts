import { RevortError } from "../core/errors.js";
import { checkOptions } from "../core/options.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { add, div, mul, sub } from "../ops/arithmetic.js";
import { abs, sqrt } from "../ops/elementwise.js";
import { maximum } from "../ops/extrema.js";
import { pow } from "../ops/power.js";

/** What one update of one parameter works on. All are of the parameter's shape but the two scalars. */
export interface UpdateInputs {
  /** of the parameter, as the model has it */
  readonly name: string;
  readonly parameter: Value;
  readonly gradient: Value;
  /** what the optimiser remembers, by the names in `memory` */
  readonly memory: Readonly<Record<string, Value>>;
  /** scalar */
  readonly learningRate: Value;
  /** number of this update, from 1; scalar */
  readonly count: Value;
}

export interface UpdateOutputs {
  readonly parameter: Value;
  readonly memory: Readonly<Record<string, Value>>;
}

/** An optimiser, as the graph of its update. */
export interface Optimiser {
  readonly name: string;
  readonly learningRate: number;
  /** arrays kept per parameter, zero at first */
  readonly memory: readonly string[];
  /** the numbers it was made with, for the record of a run */
  readonly settings: Readonly<Record<string, number>>;
  readonly update: (b: Builder, inputs: UpdateInputs) => UpdateOutputs;
}

/** @throws {RevortError} naming the number that is out of range */
function check(name: string, value: number, ok: boolean, range: string): void {
  if (!ok) throw new RevortError(`${name} must be ${range}, but ${value} was given.`);
}

function checkLearningRate(value: number): void {
  check("The learning rate", value, value > 0 && Number.isFinite(value), "a positive number");
}

/** What PyTorch and Optax call them. */
const elsewhere = {
  ...{ lr: "say learningRate", weight_decay: "say weightDecay", wd: "say weightDecay", eps: "say epsilon" },
  ...{ betas: "say beta1 and beta2", b1: "say beta1", b2: "say beta2" },
};

export interface SgdOptions {
  readonly learningRate?: number;
  /** μ; 0 for plain gradient descent */
  readonly momentum?: number;
  readonly nesterov?: boolean;
  /** added to the gradient as wd·p */
  readonly weightDecay?: number;
}

/**
 * Gradient descent with momentum, as in PyTorch:
 *
 *   g ← g + wd p,   v ← μ v + g,   p ← p − lr v   (Nesterov: p ← p − lr (g + μ v))
 */
export function sgd(options: SgdOptions = {}): Optimiser {
  checkOptions(
    "sgd",
    options,
    { learningRate: true, momentum: true, nesterov: true, weightDecay: true } satisfies Record<
      keyof SgdOptions,
      true
    >,
    elsewhere,
  );
  const { learningRate = 1e-2, momentum = 0, nesterov = false, weightDecay = 0 } = options;
  checkLearningRate(learningRate);
  check("The momentum", momentum, momentum >= 0 && momentum < 1, "in [0, 1)");
  check("The weight decay", weightDecay, weightDecay >= 0, "0 or more");
  return {
    name: "sgd",
    learningRate,
    memory: momentum > 0 ? ["velocity"] : [],
    settings: { learningRate, momentum, nesterov: nesterov ? 1 : 0, weightDecay },
    update(b, { parameter, gradient, memory, learningRate: rate }) {
      const g = weightDecay > 0 ? add(b, gradient, mul(b, parameter, weightDecay)) : gradient;
      if (momentum === 0) return { parameter: sub(b, parameter, mul(b, g, rate)), memory: {} };
      const velocity = add(b, mul(b, memory.velocity!, momentum), g);
      const direction = nesterov ? add(b, g, mul(b, velocity, momentum)) : velocity;
      return { parameter: sub(b, parameter, mul(b, direction, rate)), memory: { velocity } };
    },
  };
}

export interface AdamOptions {
  readonly learningRate?: number;
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
}

const adamNames = { learningRate: true, beta1: true, beta2: true, epsilon: true } satisfies Record<
  keyof AdamOptions,
  true
>;

export interface AdamWOptions extends AdamOptions {
  /** decoupled: p ← p − lr wd p */
  readonly weightDecay?: number;
}

/**
 * Adam with decoupled weight decay (Loshchilov & Hutter 2019):
 *
 *   m ← β₁ m + (1 − β₁) g,   v ← β₂ v + (1 − β₂) g²
 *   p ← p − lr (m̂ / (√v̂ + ε) + wd p),   m̂ = m / (1 − β₁ᵏ), v̂ = v / (1 − β₂ᵏ)
 */
export function adamw(options: AdamWOptions = {}): Optimiser {
  checkOptions("adamw", options, { ...adamNames, weightDecay: true }, elsewhere);
  const { learningRate = 1e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 1e-2 } = options;
  checkLearningRate(learningRate);
  check("β₁", beta1, beta1 >= 0 && beta1 < 1, "in [0, 1)");
  check("β₂", beta2, beta2 >= 0 && beta2 < 1, "in [0, 1)");
  check("ε", epsilon, epsilon > 0, "positive");
  check("The weight decay", weightDecay, weightDecay >= 0, "0 or more");
  return {
    name: "adamw",
    learningRate,
    memory: ["m", "v"],
    settings: { learningRate, beta1, beta2, epsilon, weightDecay },
    update(b, { parameter, gradient: g, memory, learningRate: rate, count }) {
      const m = add(b, mul(b, memory.m!, beta1), mul(b, g, 1 - beta1));
      const v = add(b, mul(b, memory.v!, beta2), mul(b, mul(b, g, g), 1 - beta2));
      const corrected = (value: Value, beta: number) =>
        div(b, value, sub(b, 1, pow(b, b.scalar(count.dtype, beta), count)));
      const ratio = div(b, corrected(m, beta1), add(b, sqrt(b, corrected(v, beta2)), epsilon));
      const direction = weightDecay > 0 ? add(b, ratio, mul(b, parameter, weightDecay)) : ratio;
      return { parameter: sub(b, parameter, mul(b, direction, rate)), memory: { m, v } };
    },
  };
}

/** Adam (Kingma & Ba 2015): AdamW without weight decay. */
export function adam(options: AdamOptions = {}): Optimiser {
  checkOptions("adam", options, adamNames, {
    ...elsewhere,
    weightDecay: "decoupled weight decay is adamw({ weightDecay })",
  });
  const { settings, ...rest } = adamw({ ...options, weightDecay: 0 });
  const { weightDecay: _, ...own } = settings;
  return { ...rest, name: "adam", settings: own };
}

/**
 * Adamax, Adam by the largest gradient in place of the mean of squares (Kingma & Ba 2015, section 7.1), as in PyTorch:
 *
 *   m ← β₁ m + (1 − β₁) g,   u ← max(β₂ u, |g| + ε),   p ← p − lr m̂ / u
 */
export function adamax(options: AdamOptions = {}): Optimiser {
  checkOptions("adamax", options, adamNames, elsewhere);
  const { learningRate = 2e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = options;
  checkLearningRate(learningRate);
  check("β₁", beta1, beta1 >= 0 && beta1 < 1, "in [0, 1)");
  check("β₂", beta2, beta2 >= 0 && beta2 < 1, "in [0, 1)");
  check("ε", epsilon, epsilon > 0, "positive");
  return {
    name: "adamax",
    learningRate,
    memory: ["m", "u"],
    settings: { learningRate, beta1, beta2, epsilon },
    update(b, { parameter, gradient: g, memory, learningRate: rate, count }) {
      const m = add(b, mul(b, memory.m!, beta1), mul(b, g, 1 - beta1));
      const u = maximum(b, mul(b, memory.u!, beta2), add(b, abs(b, g), epsilon));
      const corrected = div(b, m, sub(b, 1, pow(b, b.scalar(count.dtype, beta1), count)));
      return { parameter: sub(b, parameter, mul(b, div(b, corrected, u), rate)), memory: { m, u } };
    },
  };
}

export interface RmspropOptions {
  readonly learningRate?: number;
  /** α, of the running mean of squares */
  readonly decay?: number;
  readonly epsilon?: number;
}

/**
 * RMSprop, as in PyTorch:
 *
 *   v ← α v + (1 − α) g²,   p ← p − lr g / (√v + ε)
 */
export function rmsprop(options: RmspropOptions = {}): Optimiser {
  checkOptions(
    "rmsprop",
    options,
    { learningRate: true, decay: true, epsilon: true } satisfies Record<keyof RmspropOptions, true>,
    { ...elsewhere, alpha: "α is decay" },
  );
  const { learningRate = 1e-2, decay = 0.99, epsilon = 1e-8 } = options;
  checkLearningRate(learningRate);
  check("The decay", decay, decay >= 0 && decay < 1, "in [0, 1)");
  check("ε", epsilon, epsilon > 0, "positive");
  return {
    name: "rmsprop",
    learningRate,
    memory: ["v"],
    settings: { learningRate, decay, epsilon },
    update(b, { parameter, gradient: g, memory, learningRate: rate }) {
      const v = add(b, mul(b, memory.v!, decay), mul(b, mul(b, g, g), 1 - decay));
      const direction = div(b, g, add(b, sqrt(b, v), epsilon));
      return { parameter: sub(b, parameter, mul(b, direction, rate)), memory: { v } };
    },
  };
}

/** The optimisers by the names that users type. */
export const optimisers = { sgd, adam, adamw, adamax, rmsprop } as const;
