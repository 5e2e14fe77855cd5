import type { Builder } from "../graph/builder.js";
import { showType, type Value } from "../graph/graph.js";
import type { Normal } from "../learning/likelihoods.js";
import type { Training } from "../nn/layer.js";
import { add, mul } from "../ops/arithmetic.js";
import { exp } from "../ops/elementwise.js";
import { split } from "../ops/slicing.js";
import { ModelDefinitionError } from "./model.js";

/** A normal distribution from a row of its means and the logarithms of its variances, [batch, 2 latent]. */
export function normalFrom(b: Builder, row: Value): Normal {
  const latent = Number(row.shape[1]) / 2;
  if (row.shape.length !== 2 || !Number.isInteger(latent)) {
    throw new ModelDefinitionError(
      `A normal distribution is read from [batch, 2 latent], but ${showType(row)} was given.`,
    );
  }
  const [mean, logVariance] = split(b, row, 1, [latent, latent]) as [Value, Value];
  return { mean, logVariance };
}

/**
 * z = μ + σ ε with ε ~ N(0, 1) of the training's own, so that gradients reach μ and σ; μ after training.
 *
 * @see Kingma & Welling 2014, arXiv:1312.6114
 */
export function reparametrised(b: Builder, { mean, logVariance }: Normal, training: Training | null): Value {
  if (training === null) return mean;
  const noise = training.normal(b, mean.shape as readonly number[]);
  return add(b, mean, mul(b, exp(b, mul(b, logVariance, 0.5)), noise));
}
