import { RevortError } from "../core/errors.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { add, div, mul, sub } from "../ops/arithmetic.js";
import { reduceSum } from "../ops/broadcast.js";
import type { Operand } from "../ops/operand.js";
import { reduceMean } from "../ops/reduce.js";
import { type Normal, normalDivergence, standardNormalDivergence } from "./likelihoods.js";

export interface EvidenceOptions {
  /** what was observed, [batch, …] */
  readonly x: Value;
  /** what the decoder says of it, of the same shape */
  readonly decoded: Value;
  /** σ of an observation around what is decoded */
  readonly deviation: number;
  /** 1 where there is an observation and 0 where there is none, of the shape of x; all of x is observed without one */
  readonly mask?: Value;
  /** q(z | x), [batch, latent] */
  readonly posterior: Normal;
  /** p(z); N(0, 1) by default */
  readonly prior?: Normal;
  /** of the divergence, while it is annealed; 1 by default */
  readonly weight?: Operand;
}

/** The parts of an evidence lower bound, means over the series of a batch. */
export interface Evidence {
  /** log p(x | z), summed over what was observed of a series */
  readonly logLikelihood: Value;
  /** KL(q(z | x) ‖ p(z)), summed over the components of z */
  readonly divergence: Value;
  /** −(log-likelihood − weight · divergence): what is lowered */
  readonly loss: Value;
}

/**
 * The evidence lower bound of a latent model with one sample of z,
 *
 *   log p(x) ≥ E_q log p(x | z) − KL(q(z | x) ‖ p(z)),   log p(x | z) = Σ −½ ((x − x̂)² / σ² + ln 2πσ²)
 *
 * @throws {RevortError} unless the deviation is positive
 * @see Kingma & Welling 2014, arXiv:1312.6114; Chen, Rubanova, Bettencourt & Duvenaud 2018, section 5
 */
export function evidence(
  b: Builder,
  { x, decoded, deviation, mask, posterior, prior, weight = 1 }: EvidenceOptions,
): Evidence {
  if (!(deviation > 0)) {
    throw new RevortError(`The deviation of observations must be positive, but ${deviation} was given.`);
  }
  const difference = div(b, sub(b, x, decoded), deviation);
  const density = mul(
    b,
    add(b, mul(b, difference, difference), Math.log(2 * Math.PI * deviation ** 2)),
    -0.5,
  );
  const axes = x.shape.slice(1).map((_, k) => k + 1);
  const seen = mask === undefined ? density : mul(b, density, mask);
  const logLikelihood = reduceMean(b, reduceSum(b, seen, axes));
  const divergence =
    prior === undefined
      ? standardNormalDivergence(b, posterior.mean, posterior.logVariance)
      : normalDivergence(b, posterior, prior);
  return { logLikelihood, divergence, loss: sub(b, mul(b, divergence, weight), logLikelihood) };
}
