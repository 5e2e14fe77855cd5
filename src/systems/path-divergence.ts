import type { Values } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { div, mul, sub } from "../ops/arithmetic.js";
import { expandTo, reduceSum } from "../ops/broadcast.js";
import { zerosLike } from "../ops/generate.js";
import { slice } from "../ops/slice.js";
import { concat } from "../ops/slicing.js";
import { defineSde, type Sde, SdeError } from "./sde.js";

/**
 * Paths of dy = f dt + g dW along with how far their law is from that of dy = h dt + g dW:
 *
 *   d[y, ℓ] = [f, ½ ‖(f − h) / g‖²] dt + [g dW, 0],   KL = E (ℓ(t1) − ℓ(t0))
 *
 * on states [batch, dim + 1], by Girsanov's theorem, whatever the calculus. The diffusion is diagonal, shared by both, and
 * nowhere 0. The parameters are those of `posterior`, of which h reads its own.
 *
 * @param prior  h(t, y; θ), [batch, dim]
 * @throws {SdeError} for noise that is not diagonal
 * @see Li, Wong, Chen & Duvenaud 2020, "Scalable gradients for stochastic differential equations", arXiv:2001.01328
 */
export function withPathDivergence(posterior: Sde, prior: Sde["drift"]): Sde {
  const { name, dim, calculus, noise, parameters } = posterior;
  if (noise !== "diagonal") {
    throw new SdeError(
      `The divergence of "${name}" from another drift is followed for diagonal noise, but it has ${noise} noise.`,
    );
  }
  const own = (b: Builder, state: Value) => slice(b, state, 1, 0, dim);
  const column = (b: Builder, y: Value) => zerosLike(b, slice(b, y, 1, 0, 1));
  return defineSde({
    ...{ name: `${name} with its divergence`, dim: dim + 1, calculus, noise, parameters },
    drift(b: Builder, theta: Values, t: Value, state: Value) {
      const y = own(b, state);
      // a constant may stand for all samples
      const f = expandTo(b, posterior.drift(b, theta, t, y), y);
      const u = div(b, sub(b, f, prior(b, theta, t, y)), posterior.diffusion(b, theta, t, y));
      return concat(b, [f, mul(b, reduceSum(b, mul(b, u, u), [1], true), 0.5)], 1);
    },
    diffusion(b: Builder, theta: Values, t: Value, state: Value) {
      const y = own(b, state);
      return concat(b, [expandTo(b, posterior.diffusion(b, theta, t, y), y), column(b, y)], 1);
    },
  });
}
