import type { Value } from "../graph/graph.js";
import { mul } from "../ops/arithmetic.js";
import { less } from "../ops/logic.js";
import { cast } from "../ops/reshape.js";
import { type Layer, LayerError } from "./layer.js";

/**
 * In training, each number is 0 with probability p, and is divided by 1 − p otherwise; afterwards, x as it is.
 *
 * @throws {LayerError} unless 0 ≤ p < 1, or if the size of what is dropped is not known
 * @see torch.nn.Dropout; Srivastava et al. 2014
 */
export function dropout(p: number): Layer {
  if (!(p >= 0 && p < 1)) {
    throw new LayerError(`The probability of dropout must lie in [0, 1), but ${p} was given.`);
  }
  return {
    parameters: {},
    apply(b, _, x, training) {
      if (!training || p === 0) return x;
      const kept = less(b, training.uniform(b, staticShapeOf(x)), 1 - p);
      return mul(b, x, mul(b, cast(b, kept, x.dtype), 1 / (1 - p)));
    },
  };
}

function staticShapeOf({ shape }: Value): readonly number[] {
  if (shape.every((dim) => typeof dim === "number")) return shape as readonly number[];
  throw new LayerError(`Dropout needs to know the size of a batch in training, but it is [${shape}].`);
}
