import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { sigmoid } from "../ops/activation.js";
import { mul } from "../ops/arithmetic.js";

/** x σ(x). @see torch.nn.SiLU */
export function silu(b: Builder, x: Value): Value {
  return mul(b, x, sigmoid(b, x));
}

/** 0.909 x σ(x), whose slope is at most 1. @see Chen et al. 2019, "Residual Flows", arXiv:1906.02735 */
export function lipSwish(b: Builder, x: Value): Value {
  return mul(b, silu(b, x), 0.909);
}
