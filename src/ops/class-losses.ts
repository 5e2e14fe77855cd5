import type { Builder } from "../graph/builder.js";
import type { Attributes, Op, Value } from "../graph/graph.js";
import { choice, floats, indices, int, mayTake, separate, takes } from "../graph/signature.js";
import { div, mul, neg } from "./arithmetic.js";
import { reduceSum } from "./broadcast.js";
import { equal, not, where } from "./logic.js";
import { reduceMean } from "./reduce.js";
import { cast, squeeze, unsqueeze } from "./reshape.js";
import { gatherElements } from "./scatter.js";
import { gather } from "./slicing.js";
import { logSoftmax } from "./softmax.js";
import { written } from "./written.js";

// Losses of a classification: of the logarithms of probabilities, [batch, classes, ...], at the classes that are right.

const attributes = {
  ignore_index: int(),
  reduction: choice(["mean", "none", "sum"]),
};

/**
 * −w_c log p_c of the right class c of each element, or their sum, or that over the sum of the weights w_c, which are 1 unless
 * given. Elements whose class is `ignore_index` count for nothing.
 */
function logLikelihoodLoss(
  b: Builder,
  logs: Value,
  classes: Value,
  weights: Value | null | undefined,
  { ignore_index, reduction = "mean" }: Attributes,
): Value {
  const counts = ignore_index === undefined ? null : not(b, equal(b, classes, ignore_index as number));
  const safe = counts === null ? classes : where(b, counts, classes, 0);
  const log = squeeze(b, gatherElements(b, logs, unsqueeze(b, safe, [1]), 1), [1]);
  const counted = counts === null ? log : where(b, counts, log, 0);
  let weight = weights ? gather(b, weights, safe) : null;
  if (counts !== null) weight = weight === null ? cast(b, counts, logs.dtype) : where(b, counts, weight, 0);
  const losses = neg(b, weight === null ? counted : mul(b, counted, weight));
  if (reduction === "none") return losses;
  if (reduction === "sum") return reduceSum(b, losses);
  return weight === null ? reduceMean(b, losses) : div(b, reduceSum(b, losses), reduceSum(b, weight));
}

export const NegativeLogLikelihoodLoss: Op = written(
  {
    type: "NegativeLogLikelihoodLoss",
    since: 12,
    inputs: [takes("input", floats), takes("target", separate(indices)), mayTake("weight", floats)],
    attributes,
  },
  (b, [logs, classes, weights], given) => [logLikelihoodLoss(b, logs!, classes!, weights, given)],
);

/** The same of scores, whose softmax the probabilities are; its second result is their logarithm. */
export const SoftmaxCrossEntropyLoss: Op = written(
  {
    type: "SoftmaxCrossEntropyLoss",
    since: 12,
    inputs: [takes("scores", floats), takes("labels", separate(indices)), mayTake("weights", floats)],
    attributes,
    outputs: 2,
  },
  (b, [scores, classes, weights], given) => {
    const logs = logSoftmax(b, scores!, 1);
    return [logLikelihoodLoss(b, logs, classes!, weights, given), logs];
  },
);
