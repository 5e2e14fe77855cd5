import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { softplus } from "../ops/activation.js";
import { add, mul, neg, sub } from "../ops/arithmetic.js";
import { reduceSum } from "../ops/broadcast.js";
import { exp } from "../ops/elementwise.js";
import { maximum, minimum } from "../ops/extrema.js";
import { equal, where } from "../ops/logic.js";
import { argMax, reduceMean } from "../ops/reduce.js";
import { cast, squeeze, unsqueeze } from "../ops/reshape.js";
import { gatherElements } from "../ops/scatter.js";
import { logSoftmax } from "../ops/softmax.js";

/**
 * Mean cross-entropy of classes, −(1/n) Σ log softmax(z)_c.
 *
 * @param logits  z, [batch, classes]
 * @param labels  c, integers [batch], from 0 on. It is NaN where one is no class
 * @see torch.nn.functional.cross_entropy
 */
export function crossEntropy(b: Builder, logits: Value, labels: Value): Value {
  return negativeLogLikelihood(b, logSoftmax(b, logits, -1), labels);
}

/**
 * Mean negative log-likelihood of classes whose log-probabilities are given, −(1/n) Σ ℓ_c.
 *
 * @param logProbabilities  ℓ, [batch, classes], as logSoftmax gives them
 * @param labels  c, integers [batch], from 0 on. It is NaN where one is no class
 * @see torch.nn.functional.nll_loss
 */
export function negativeLogLikelihood(b: Builder, logProbabilities: Value, labels: Value): Value {
  const { dtype, shape } = logProbabilities;
  const [first, last] = [0, (shape.at(-1) as number) - 1].map((c) => b.scalar(labels.dtype, c)) as [
    Value,
    Value,
  ];
  const within = minimum(b, maximum(b, labels, first), last);
  const isClass = equal(b, labels, within);
  const index = unsqueeze(b, within, [-1]);
  const own = squeeze(b, gatherElements(b, logProbabilities, index, -1), [-1]);
  return neg(b, reduceMean(b, where(b, isClass, own, b.scalar(dtype, Number.NaN))));
}

/**
 * Mean cross-entropy of yes and no, (1/n) Σ −(p log σ(z) + (1 − p) log(1 − σ(z))) = (1/n) Σ log(1 + eᶻ) − p z.
 *
 * @param logits  z
 * @param targets  p, probabilities, of the same shape
 * @see torch.nn.functional.binary_cross_entropy_with_logits
 */
export function binaryCrossEntropy(b: Builder, logits: Value, targets: Value): Value {
  return reduceMean(b, sub(b, softplus(b, logits), mul(b, logits, targets)));
}

/**
 * Kullback and Leibler's divergence of categorical distributions, Σ p (log p − log q), summed over the last axis and averaged
 * over the rest.
 *
 * @param p  logits of the distribution that is wanted
 * @param q  logits of the one that is had
 * @see torch.nn.functional.kl_div
 */
export function categoricalDivergence(b: Builder, p: Value, q: Value): Value {
  const [wanted, had] = [logSoftmax(b, p, -1), logSoftmax(b, q, -1)];
  return reduceMean(b, reduceSum(b, mul(b, exp(b, wanted), sub(b, wanted, had)), [-1]));
}

/** A normal distribution with independent components. */
export interface Normal {
  /** μ */
  readonly mean: Value;
  /** ln σ², of the same shape */
  readonly logVariance: Value;
}

/**
 * Kullback and Leibler's divergence of diagonal normal distributions N(μ, σ²) from N(ν, τ²), summed over the last axis and
 * averaged over the rest:
 *
 *   ½ Σ (σ² + (μ − ν)²) / τ² − 1 − ln σ² + ln τ²
 */
export function normalDivergence(b: Builder, p: Normal, q: Normal): Value {
  const distance = sub(b, p.mean, q.mean);
  const spread = add(b, exp(b, p.logVariance), mul(b, distance, distance));
  const scaled = mul(b, spread, exp(b, neg(b, q.logVariance)));
  const terms = add(b, sub(b, sub(b, scaled, 1), p.logVariance), q.logVariance);
  return mul(b, reduceMean(b, reduceSum(b, terms, [-1])), 0.5);
}

/**
 * The share of samples whose largest logit is that of their class. It is NaN where a logit is NaN: ArgMax names some class
 * then, and runtimes do not agree on which.
 */
export function accuracy(b: Builder, logits: Value, labels: Value): Value {
  const right = cast(b, equal(b, argMax(b, logits, -1), labels), logits.dtype);
  const isNumber = equal(b, logits, logits);
  const zeroOrNaN = reduceMean(
    b,
    where(b, isNumber, b.scalar(logits.dtype, 0), b.scalar(logits.dtype, Number.NaN)),
  );
  return add(b, reduceMean(b, right), zeroOrNaN);
}

/**
 * Kullback and Leibler's divergence of diagonal normal distributions N(μ, σ²) from N(0, 1), summed over the last axis and
 * averaged over the rest:
 *
 *   ½ Σ (μ² + σ² − 1 − ln σ²)
 *
 * @param mean  μ
 * @param logVariance  ln σ²
 */
export function standardNormalDivergence(b: Builder, mean: Value, logVariance: Value): Value {
  const terms = sub(b, add(b, mul(b, mean, mean), exp(b, logVariance)), add(b, logVariance, 1));
  return mul(b, reduceMean(b, reduceSum(b, terms, [-1])), 0.5);
}

/**
 * Mean negative log-density of x under N(μ, σ²), summed over nothing: (1/n) Σ ½ ((x − μ)² / σ² + ln σ² + ln 2π).
 *
 * @param logVariance  ln σ², of a shape that broadcasts to that of x
 */
export function normalNegativeLogDensity(b: Builder, x: Value, mean: Value, logVariance: Value): Value {
  const distance = sub(b, x, mean);
  const scaled = mul(b, mul(b, distance, distance), exp(b, neg(b, logVariance)));
  return mul(b, reduceMean(b, add(b, add(b, scaled, logVariance), Math.log(2 * Math.PI))), 0.5);
}
