import type { AdjointSpec } from "../chains/adjoints.js";
import type { FloatDType } from "../core/tensor.js";
import type { Parameter, Values } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { neuralSde } from "../integrate/neural-sde.js";
import type { SdeMethod } from "../methods/sde-method.js";
import { defineModel } from "../models/model.js";
import { drawKeys, sdeSolve } from "../models/sde-solve.js";
import { fanIn, filled } from "../nn/initial.js";
import { type Parametrised, parametersOf, partOf } from "../nn/layer.js";
import { linear, mlp } from "../nn/linear.js";
import { gruCell, overSequence } from "../nn/recurrent.js";
import { sigmoid, softplus } from "../ops/activation.js";
import { add, mul } from "../ops/arithmetic.js";
import { reduceSum } from "../ops/broadcast.js";
import { exp, floor } from "../ops/elementwise.js";
import { minimum } from "../ops/extrema.js";
import { zerosLike } from "../ops/generate.js";
import { matmul, zeros } from "../ops/linalg.js";
import { cast, squeeze, transpose, unsqueeze } from "../ops/reshape.js";
import { flip, slice } from "../ops/slice.js";
import { concat, gather } from "../ops/slicing.js";
import { startingNoise } from "../systems/brownian.js";
import { withPathDivergence } from "../systems/path-divergence.js";
import { defineSde, type Sde } from "../systems/sde.js";

/** The widths of the published model. */
export const publishedWidths = { latent: 4, context: 64, hidden: 128 } as const;

export interface LatentWidths {
  readonly latent: number;
  readonly context: number;
  readonly hidden: number;
}

export interface LatentModelOptions {
  /** at equal distances, from 0 */
  readonly times: readonly number[];
  /** components of what is observed */
  readonly observed: number;
  readonly widths: LatentWidths;
  readonly method: SdeMethod;
  readonly stepSize: number;
  readonly gradient: AdjointSpec | "auto";
  readonly dtype: FloatDType;
}

/** gᵢ(yᵢ) = σ(Σₖ vᵢₖ softplus(wᵢₖ yᵢ + bᵢₖ) + cᵢ): a small perceptron for each component. */
function componentwise(
  dim: number,
  hidden: number,
): Parametrised & {
  readonly apply: (b: Builder, theta: Values, y: Value) => Value;
} {
  return {
    parameters: {
      "0.weight": fanIn([dim, hidden], 1),
      "0.bias": fanIn([dim, hidden], 1),
      "1.weight": fanIn([dim, hidden], hidden),
      "1.bias": fanIn([dim], hidden),
    },
    apply(b, theta, y) {
      const inner = softplus(b, add(b, mul(b, unsqueeze(b, y, [2]), theta["0.weight"]!), theta["0.bias"]!));
      return sigmoid(b, add(b, reduceSum(b, mul(b, inner, theta["1.weight"]!), [2]), theta["1.bias"]!));
    },
  };
}

/** The networks of a latent SDE, and all that is trained. */
function networksOf({ observed, widths: { latent, context, hidden } }: LatentModelOptions) {
  const parts = {
    ...{ encoder: gruCell(observed, hidden), context: linear(hidden, context) },
    start: linear(context, 2 * latent),
    posterior: mlp([latent + context, hidden, hidden, latent], { activation: "softplus" }),
    prior: mlp([latent, hidden, hidden, latent], { activation: "softplus" }),
    ...{ diffusion: componentwise(latent, hidden), readout: linear(latent, observed) },
  };
  const start: Readonly<Record<string, Parameter>> = {
    ...{ "z0.mean": filled([latent], 0), "z0.logVariance": filled([latent], 0) },
  };
  return { parts, parameters: { ...parametersOf(parts).parameters, ...start } };
}

type Networks = ReturnType<typeof networksOf>;

/** The posterior with its divergence from the prior, which reads `contexts` beside its parameters, and the prior by itself. */
function equationsOf({ parts, parameters }: Networks, options: LatentModelOptions) {
  const { times, widths, method, stepSize, dtype } = options;
  const interval = times[1]! - times[0]!;
  const prior: Sde["drift"] = (b, theta, _t, z) => parts.prior.apply(b, partOf(theta, "prior"), z);
  const diffusion: Sde["diffusion"] = (b, theta, _t, z) =>
    parts.diffusion.apply(b, partOf(theta, "diffusion"), z);
  /** what the encoder says of the observation after a time: [batch, context] of `contexts` [times, batch, context] */
  const contextAt = (b: Builder, contexts: Value, t: Value) => {
    const k = add(b, floor(b, add(b, mul(b, t, 1 / interval), 1e-3)), 1);
    return gather(b, contexts, cast(b, minimum(b, k, times.length - 1), "int64"));
  };
  const dim = widths.latent;
  const shared = { dim, calculus: "stratonovich", noise: "diagonal", parameters, diffusion } as const;
  const posterior = defineSde({
    ...{ ...shared, name: "posterior" },
    drift(b, theta, t, z) {
      const input = concat(b, [z, contextAt(b, theta.contexts!, t)], 1);
      return parts.posterior.apply(b, partOf(theta, "posterior"), input);
    },
  });
  const setting = { method, stepSize, dtype };
  return {
    along: neuralSde({ sde: withPathDivergence(posterior, prior), ...setting }),
    free: neuralSde({ sde: defineSde({ ...shared, name: "prior", drift: prior }), ...setting }),
  };
}

/** Series [batch, times, observed] read from their ends, as contexts [times, batch, context]. */
function encoded(
  b: Builder,
  { parts }: Networks,
  { observed, widths, dtype }: LatentModelOptions,
  theta: Values,
  xs: Value,
): Value {
  const first = squeeze(b, slice(b, xs, 1, 0, 1), [1]);
  // zeros, [batch, hidden]
  const blank = matmul(b, first, zeros(b, dtype, [observed, widths.hidden]));
  const { outputs } = overSequence(b, parts.encoder, partOf(theta, "encoder"), flip(b, xs, 1), [blank]);
  const contexts = parts.context.apply(b, partOf(theta, "context"), outputs);
  return flip(b, transpose(b, contexts, [1, 0, 2]), 0);
}

/**
 * A latent SDE: an encoder reads a series from its end, and steers the drift of the posterior; prior and posterior share a
 * diffusion; observations are read off linearly.
 *
 *   dz = f(z, context(t)) dt + g(z) ∘ dW  (posterior),   dz = h(z) dt + g(z) ∘ dW  (prior),   x = A z + a
 *
 * @see Li et al. 2020, arXiv:2001.01328, and the example of their torchsde
 */
export function latentModel(options: LatentModelOptions) {
  const { times, observed, widths, gradient, dtype } = options;
  const { latent } = widths;
  const networks = networksOf(options);
  const { parts, parameters } = networks;
  const { along, free } = equationsOf(networks, options);
  const read = (b: Builder, theta: Values, zs: Value) =>
    transpose(b, parts.readout.apply(b, partOf(theta, "readout"), zs), [1, 0, 2]);

  /** Series to what the posterior makes of them, and how far it is from the prior, for each of them. */
  const model = defineModel({
    name: "latent SDE",
    parameters,
    // the seed of a series decides its noise; in training, it is other noise in each update
    inputs: { xs: { shape: [times.length, observed] }, seed: { shape: [], type: "int64" } },
    apply(b, theta, { xs, seed }, training) {
      const contexts = encoded(b, networks, options, theta, xs);
      const q = parts.start.apply(b, partOf(theta, "start"), gather(b, contexts, 0));
      const [mean, logVariance] = [slice(b, q, 1, 0, latent), slice(b, q, 1, latent, 2 * latent)];
      const key = training === null ? seed : drawKeys(b, training, xs.shape[0] as number);
      const noise = startingNoise(b, key, latent, dtype);
      const z0 = add(b, mean, mul(b, exp(b, mul(b, logVariance, 0.5)), noise));
      const states = sdeSolve(b, along, {
        theta: { ...theta, contexts },
        y0: concat(b, [z0, zerosLike(b, slice(b, z0, 1, 0, 1))], 1),
        ...{ t0: times[0]!, times, key, gradient, training },
      });
      const zs = slice(b, states, 2, 0, latent);
      const end = gather(b, states, times.length - 1);
      return {
        series: read(b, theta, zs),
        ...{ mean, logVariance },
        pathDivergence: squeeze(b, slice(b, end, 1, latent, latent + 1), [1]),
      };
    },
  });

  /** Paths of the prior, from standard normal numbers and a seed for each. */
  const sampler = defineModel({
    name: "latent SDE sampler",
    parameters,
    inputs: { noise: { shape: [latent] }, seed: { shape: [], type: "int64" } },
    apply(b, theta, { noise, seed }) {
      const spread = exp(b, mul(b, theta["z0.logVariance"]!, 0.5));
      const z0 = add(b, theta["z0.mean"]!, mul(b, spread, noise));
      const zs = sdeSolve(b, free, { theta, y0: z0, t0: times[0]!, times, key: seed });
      return { series: read(b, theta, zs) };
    },
  });
  return { model, sampler };
}
