import type { Values } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { add, sub } from "../ops/arithmetic.js";
import { maximum } from "../ops/extrema.js";
import { pow } from "../ops/power.js";
import { filled } from "./initial.js";
import { LayerError, type Parametrised, type Training } from "./layer.js";

/** A weight that changes with the updates of a training, and counts them itself. */
export interface Annealing extends Parametrised {
  /** The weight in this update, a scalar; 1 after training. */
  readonly weight: (b: Builder, theta: Values, training: Training | null) => Value;
}

export interface AnnealingOptions {
  /** ρ; 0.99 by default */
  readonly rate?: number;
  /** k0, updates in which it is 0; 0 by default */
  readonly wait?: number;
}

/**
 * The weight of a divergence in an evidence lower bound, which starts from 0: 1 − ρ^max(0, k − k0) in update k = 0, 1, …
 *
 * The number of updates is a buffer, `updates`, so that a run that goes on does so with the weight that it had. It is a part
 * of a model beside its layers: `parametersOf({ encoder, annealing })`.
 *
 * @throws {LayerError} unless 0 ≤ ρ < 1 and k0 is a whole number of 0 or more
 * @see Bowman et al. 2016, arXiv:1511.06349; with ρ = 0.99 in Rubanova, Chen & Duvenaud 2019
 */
export function klAnnealing({ rate = 0.99, wait = 0 }: AnnealingOptions = {}): Annealing {
  if (!(rate >= 0 && rate < 1) || !Number.isInteger(wait) || wait < 0) {
    throw new LayerError(
      `klAnnealing takes a rate in [0, 1) and a whole number of updates to wait, but ${rate} and ${wait} were given.`,
    );
  }
  return {
    parameters: {},
    buffers: { updates: filled([], 0) },
    weight(b, theta, training) {
      const updates = theta.updates!;
      const one = b.scalar(updates.dtype, 1);
      if (training === null) return one;
      training.keep("updates", add(b, updates, one));
      const since = maximum(b, sub(b, updates, wait), 0);
      return sub(b, one, pow(b, b.scalar(updates.dtype, rate), since));
    },
  };
}
