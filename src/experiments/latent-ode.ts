import type { AdjointSpec } from "../chains/adjoints.js";
import type { Values } from "../fields/field.js";
import type { GradientRequest } from "../gradients/method.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import type { Normal } from "../learning/likelihoods.js";
import { normalFrom } from "../models/latent.js";
import { odeAtOwnTimes } from "../models/own-times.js";
import { type Layer, type Parametrised, parametersOf, partOf, type SolvesInTraining } from "../nn/layer.js";
import { linear } from "../nn/linear.js";
import { alongObservations, type ObservedCell, type ObservedSeries } from "../nn/observed-cell.js";

export interface LatentOdeOptions {
  /** walks along a series from its end back to 0 */
  readonly encoder: ObservedCell;
  /** dz/dt = f(z; θ), with steps that are a share of the time between two states */
  readonly ode: NeuralOde;
  /** from z to what is observed */
  readonly decoder: Layer;
  readonly gradient: GradientRequest;
  readonly adjoint?: AdjointSpec;
}

/** A latent ODE. */
export interface LatentOde extends Required<Parametrised> {
  /** q(z(0) | series) */
  readonly posterior: (
    b: Builder,
    theta: Values,
    series: ObservedSeries,
    training: SolvesInTraining | null,
  ) => Normal;
  /** What is expected at times [batch, places] from z(0): [batch, places, channels]. */
  readonly decoded: (
    b: Builder,
    theta: Values,
    z0: Value,
    times: Value,
    training: SolvesInTraining | null,
  ) => Value;
}

/**
 * A latent ODE: a recurrent network reads a series from its end and gives the distribution of z(0); a differential equation
 * leads from there to the times of observations, which a decoder reads off.
 *
 *   q(z0 | x) = N(μ, σ²),  (μ, ln σ²) = A h(0) + a;   dz/dt = f(z; θ);   x(t) = D(z(t))
 *
 * @see Chen, Rubanova, Bettencourt & Duvenaud 2018, arXiv:1806.07366; Rubanova, Chen & Duvenaud 2019, arXiv:1907.03907
 */
export function latentOde({
  encoder,
  ode,
  decoder,
  gradient,
  adjoint = "direct",
}: LatentOdeOptions): LatentOde {
  const latent = ode.field.state[1] as number;
  const toLatent = linear(encoder.widths[0]!, 2 * latent);
  return {
    ...parametersOf({ encoder, toLatent, field: ode.field, decoder }),
    posterior(b, theta, series, training) {
      const { end } = alongObservations(b, encoder, partOf(theta, "encoder"), series, {
        ...{ direction: "backward", adjoint, training },
      });
      return normalFrom(b, toLatent.apply(b, partOf(theta, "toLatent"), end[0]!));
    },
    decoded(b, theta, z0, times, training) {
      const own = { theta: partOf(theta, "field"), y0: z0, times, gradient, adjoint, training };
      return decoder.apply(b, partOf(theta, "decoder"), odeAtOwnTimes(b, ode, own));
    },
  };
}
