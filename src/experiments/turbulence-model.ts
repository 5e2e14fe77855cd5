import type { AdjointSpec } from "../chains/adjoints.js";
import type { FloatDType } from "../core/tensor.js";
import type { Parameter, Values, VectorField } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { neuralOde } from "../integrate/neural-ode.js";
import { neuralSde } from "../integrate/neural-sde.js";
import type { Method } from "../methods/method.js";
import type { SdeMethod } from "../methods/sde-method.js";
import { sdeMethodNamed } from "../methods/sde-named.js";
import { defineModel } from "../models/model.js";
import { odeSolve } from "../models/ode-solve.js";
import { drawKeys, sdeSolve } from "../models/sde-solve.js";
import { multiHeadAttention } from "../nn/attention.js";
import { filled, scaledNormal } from "../nn/initial.js";
import { type Layer, type Parametrised, parametersOf, partOf } from "../nn/layer.js";
import { linear, mlp } from "../nn/linear.js";
import { layerNorm } from "../nn/normalisation.js";
import { add, div, mul, sub } from "../ops/arithmetic.js";
import { expandTo, reduceSum } from "../ops/broadcast.js";
import { exp, floor } from "../ops/elementwise.js";
import { minimum } from "../ops/extrema.js";
import { zerosLike } from "../ops/generate.js";
import { cast, reshape, transpose } from "../ops/reshape.js";
import { pad, slice } from "../ops/slice.js";
import { concat, gather, split } from "../ops/slicing.js";
import { startingNoise } from "../systems/brownian.js";
import { defineSde, type Sde } from "../systems/sde.js";
import { coarseDrift, shells } from "./sabra.js";

const { resolved } = shells;
/** components of a coarse state */
export const coarse = 2 * resolved;
/** the last shells, whose neighbours are missing, in real and imaginary parts */
const closed = 2;
const [latent, width, heads, context] = [4, 32, 4, 16];

export interface TurbulenceOptions {
  /** of observations after the first, at equal distances in units of the coarse time */
  readonly interval: number;
  readonly window: number;
  readonly stepSize: number;
  readonly method: SdeMethod;
  readonly gradient: AdjointSpec | "auto";
  readonly dtype: FloatDType;
}

/** All that is trained: encoder, latent equations and closure of the stochastic model, and the closure of a plain network. */
function partsOf(window: number) {
  return {
    ...{ embed: linear(coarse, width), norm: layerNorm(width), attention: multiHeadAttention(width, heads) },
    ...{ norm2: layerNorm(width), inner: mlp([width, 2 * width, width], { activation: "silu" }) },
    places: placesOf(window + 1),
    ...{
      context: linear(width, context),
      start: linear(context, 2 * latent),
      first: linear(coarse, 2 * latent),
    },
    posterior: mlp([latent + coarse + context, width, latent], { activation: "silu" }),
    prior: mlp([latent + coarse, width, latent], { activation: "silu" }),
    closure: mlp([latent + coarse, width, width, 2 * closed], { activation: "silu" }),
    plain: mlp([coarse, width, width, 2 * closed], { activation: "silu" }),
    noise: { parameters: { logDeviation: filled([latent], -1) } },
  } as const satisfies Readonly<Record<string, Layer | Parametrised>>;
}

/** What is added to each place of a sequence. */
function placesOf(length: number): Parametrised {
  return { parameters: { weight: scaledNormal([length, width], 0.1) } };
}

/** [batch, 4]: what a closure says of the last two shells, as a slope of all of them. */
function asSlope(b: Builder, out: Value): Value {
  const halves = split(b, out, 1, [closed, closed]) as [Value, Value];
  return concat(
    b,
    halves.map((half) => pad(b, half, [0, resolved - closed], [0, 0])),
    1,
  );
}

/** Observations [batch, window + 1, coarse] through one block of a transformer: contexts [window + 1, batch, context]. */
function encoded(b: Builder, parts: ReturnType<typeof partsOf>, theta: Values, xs: Value): Value {
  const own = (name: keyof typeof parts) => partOf(theta, name);
  const x = add(b, parts.embed.apply(b, own("embed"), xs), theta["places.weight"]!);
  const mixed = add(b, x, parts.attention.apply(b, own("attention"), parts.norm.apply(b, own("norm"), x)));
  const inner = parts.inner.apply(b, own("inner"), parts.norm2.apply(b, own("norm2"), mixed));
  return transpose(b, parts.context.apply(b, own("context"), add(b, mixed, inner)), [1, 0, 2]);
}

/**
 * States [u, z, ℓ]: the coarse flow u with its closure c, a latent z, and how far posterior and prior of it are apart,
 *
 *   du = (F(u) + c(u, z)) dt,   dz = f(u, z, context(t)) dt + σ dW  (posterior),  h(u, z) dt + σ dW  (prior),
 *   dℓ = ½ ‖(f − h) / σ‖² dt
 */
function equationsOf(parts: ReturnType<typeof partsOf>, parameters: Parameters, options: TurbulenceOptions) {
  const { interval, window, stepSize, dtype, method } = options;
  const pieces = (b: Builder, y: Value) => split(b, y, 1, [coarse, latent, 1]) as [Value, Value, Value];
  const deviation = (b: Builder, theta: Values) => exp(b, theta["noise.logDeviation"]!);
  const flow = (b: Builder, theta: Values, u: Value, z: Value) =>
    add(
      b,
      coarseDrift(b, u),
      asSlope(b, parts.closure.apply(b, partOf(theta, "closure"), concat(b, [z, u], 1))),
    );
  const priorDrift = (b: Builder, theta: Values, u: Value, z: Value) =>
    sub(b, parts.prior.apply(b, partOf(theta, "prior"), concat(b, [z, u], 1)), z);
  /** that of the last observation before t */
  const contextAt = (b: Builder, contexts: Value, t: Value) => {
    const k = floor(b, add(b, mul(b, t, 1 / interval), 1e-3));
    return gather(b, contexts, cast(b, minimum(b, k, window), "int64"));
  };
  const shared = {
    ...{ dim: coarse + latent + 1, noise: "diagonal" as const, parameters },
    // which does not read the state: the equation is the same in both calculi
    diffusion(b: Builder, theta: Values, _t: Value, y: Value) {
      const [u, z, l] = pieces(b, y);
      return concat(b, [zerosLike(b, u), expandTo(b, deviation(b, theta), z), zerosLike(b, l)], 1);
    },
  } as const;
  const posterior: Sde = defineSde({
    ...{ ...shared, name: "closure, posterior", calculus: method.calculus },
    drift(b, theta, t, y) {
      const [u, z] = pieces(b, y);
      const input = concat(b, [z, u, contextAt(b, theta.contexts!, t)], 1);
      const f = sub(b, parts.posterior.apply(b, partOf(theta, "posterior"), input), z);
      const off = div(b, sub(b, f, priorDrift(b, theta, u, z)), deviation(b, theta));
      const divergence = mul(b, reduceSum(b, mul(b, off, off), [1], true), 0.5);
      return concat(b, [flow(b, theta, u, z), f, divergence], 1);
    },
  });
  const free: Sde = defineSde({
    ...{ ...shared, name: "closure", calculus: "stratonovich" },
    drift(b, theta, _t, y) {
      const [u, z, l] = pieces(b, y);
      return concat(b, [flow(b, theta, u, z), priorDrift(b, theta, u, z), zerosLike(b, l)], 1);
    },
  });
  const setting = { stepSize, dtype };
  return {
    along: neuralSde({ sde: posterior, method, ...setting }),
    // over long times: reversible Heun is stable on the imaginary axis alone, and a closure damps
    free: neuralSde({ sde: free, method: sdeMethodNamed("heun"), ...setting }),
  };
}

type Parameters = Readonly<Record<string, Parameter>>;

/** The coarse flow as a field: as it is, or with the closure of a plain network. */
function plainField(parts: ReturnType<typeof partsOf>, isClosed: boolean): VectorField {
  return {
    ...{ name: isClosed ? "closure by a network" : "coarse flow", state: ["batch", coarse] },
    parameters: isClosed ? parts.plain.parameters : {},
    apply: (b, theta, _t, u) =>
      isClosed ? add(b, coarseDrift(b, u), asSlope(b, parts.plain.apply(b, theta, u))) : coarseDrift(b, u),
  };
}

/** Mean and log-variance halves of [batch, 2 latent]. */
const halves = (b: Builder, q: Value) => split(b, q, 1, [latent, latent]) as [Value, Value];

/**
 * The models of a coarse flow: the latent SDE along observations, with the plain network beside it, and what each of them makes
 * of a state in the long run.
 *
 * @see Boral et al. 2023, "Neural ideal large eddy simulation"; Li et al. 2020, arXiv:2001.01328, for the latent SDE
 */
export function turbulenceModels(options: TurbulenceOptions & { readonly odeMethod: Method }) {
  const { interval, window, gradient, dtype, stepSize } = options;
  const parts = partsOf(window);
  const { parameters } = parametersOf(parts);
  const { along, free } = equationsOf(parts, parameters, options);
  const observed = Array.from({ length: window }, (_, k) => (k + 1) * interval);
  const plain = neuralOde({ field: plainField(parts, true), method: options.odeMethod, stepSize, dtype });
  const start = (b: Builder, [mean, logVariance]: [Value, Value], noise: Value) =>
    add(b, mean, mul(b, exp(b, mul(b, logVariance, 0.5)), noise));
  const state = (b: Builder, u0: Value, z0: Value) =>
    concat(b, [u0, z0, zerosLike(b, slice(b, z0, 1, 0, 1))], 1);

  const model = defineModel({
    name: "turbulence",
    parameters,
    inputs: { xs: { shape: [window + 1, coarse] }, seed: { shape: [], type: "int64" } },
    apply(b, theta, { xs, seed }, training) {
      const contexts = encoded(b, parts, theta, xs);
      const u0 = reshape(b, slice(b, xs, 1, 0, 1), [-1, coarse]);
      const q = halves(b, parts.start.apply(b, partOf(theta, "start"), gather(b, contexts, 0)));
      const p = halves(b, parts.first.apply(b, partOf(theta, "first"), u0));
      const key = training === null ? seed : drawKeys(b, training, xs.shape[0] as number);
      const z0 = start(b, q, startingNoise(b, key, latent, dtype));
      const states = sdeSolve(b, along, {
        ...{
          theta: { ...theta, contexts },
          y0: state(b, u0, z0),
          t0: 0,
          times: observed,
          key,
          gradient,
          training,
        },
      });
      const network = odeSolve(b, plain, {
        ...{ theta: partOf(theta, "plain"), y0: u0, t0: 0, times: observed, training },
      });
      const end = gather(b, states, window - 1);
      return {
        stochastic: transpose(b, slice(b, states, 2, 0, coarse), [1, 0, 2]),
        network: transpose(b, network, [1, 0, 2]),
        pathDivergence: reshape(b, slice(b, end, 1, coarse + latent, coarse + latent + 1), [-1]),
        startMean: q[0],
        startLogVariance: q[1],
        priorMean: p[0],
        priorLogVariance: p[1],
      };
    },
  });

  /** From a state and a seed to a path of the closed flow, [batch, times, coarse]. */
  const sampler = (times: readonly number[]) =>
    defineModel({
      name: "closed coarse flow",
      parameters,
      inputs: { u0: { shape: [coarse] }, seed: { shape: [], type: "int64" } },
      apply(b, theta, { u0, seed }) {
        const p = halves(b, parts.first.apply(b, partOf(theta, "first"), u0));
        const z0 = start(b, p, startingNoise(b, seed, latent, dtype));
        const states = sdeSolve(b, free, { theta, y0: state(b, u0, z0), t0: 0, times, key: seed });
        return { u: transpose(b, slice(b, states, 2, 0, coarse), [1, 0, 2]) };
      },
    });

  /** The same without noise: by the plain network, or without a closure. */
  const deterministic = (times: readonly number[], isClosed: boolean) => {
    const ode = neuralOde({ field: plainField(parts, isClosed), method: "rk4", stepSize, dtype });
    return defineModel({
      name: ode.field.name,
      parameters,
      inputs: { u0: { shape: [coarse] } },
      apply(b, theta, { u0 }) {
        const own = isClosed ? partOf(theta, "plain") : {};
        return { u: transpose(b, odeSolve(b, ode, { theta: own, y0: u0, t0: 0, times }), [1, 0, 2]) };
      },
    });
  };
  return { model, sampler, deterministic };
}
