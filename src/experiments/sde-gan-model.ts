import type { AdjointSpec } from "../chains/adjoints.js";
import type { FloatDType } from "../core/tensor.js";
import type { Parameter, Values } from "../fields/field.js";
import { affineWithTime, withTime } from "../fields/mlp.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { neuralSde } from "../integrate/neural-sde.js";
import type { ParameterGroup } from "../learning/groups.js";
import type { SdeMethod } from "../methods/sde-method.js";
import { defineModel } from "../models/model.js";
import { drawKeys, sdeSolve } from "../models/sde-solve.js";
import { lipSwish, silu } from "../nn/activations.js";
import { activation, type Parametrised, parametersOf, partOf, type Training } from "../nn/layer.js";
import { affine, linear, mlp } from "../nn/linear.js";
import { sequential } from "../nn/sequential.js";
import { mul, sub } from "../ops/arithmetic.js";
import { clip } from "../ops/extrema.js";
import { reduceMean } from "../ops/reduce.js";
import { reshape, squeeze, transpose } from "../ops/reshape.js";
import { slice } from "../ops/slice.js";
import { gather } from "../ops/slicing.js";
import { tanh } from "../ops/trigonometry.js";
import { startingNoise } from "../systems/brownian.js";
import { defineSde } from "../systems/sde.js";

/** The widths of the published pair. */
const [hidden, width, initialNoise, motions] = [16, 16, 5, 3];

export interface SdeGanOptions {
  /** of observations, at equal distances */
  readonly times: readonly number[];
  readonly method: SdeMethod;
  /** of the generator; the discriminator takes a step from each observation to the next */
  readonly stepSize: number;
  readonly gradient: AdjointSpec | "auto";
  readonly dtype: FloatDType;
}

/** tanh(W₂ lipSwish(W₁ [t, z] + b₁) + b₂), times a trained scale that begins near 1, where it has one. */
function perceptron(
  outputs: number,
  isScaled: boolean,
): Parametrised & {
  readonly apply: (b: Builder, theta: Values, t: Value, z: Value) => Value;
} {
  const { parameters } = sequential(
    ...[linear(hidden + 1, width), activation(lipSwish), linear(width, outputs), activation(tanh)],
  );
  const scale: Parameter = {
    shape: [outputs],
    initial: (random) => Array.from({ length: outputs }, () => random.uniform(0.9, 1.1)),
  };
  return {
    parameters: { ...parameters, ...(isScaled ? { scale } : {}) },
    apply(b, theta, t, z) {
      // lipSwish(x) = 0.909 x σ(x), of which the weights take the factor: they are fewer than the rows are
      const inner = silu(b, affineWithTime(b, t, z, theta["0.weight"]!, theta["0.bias"]!));
      const slope = tanh(b, affine(b, inner, mul(b, theta["2.weight"]!, 0.909), theta["2.bias"]!));
      return isScaled ? mul(b, slope, theta.scale!) : slope;
    },
  };
}

/** dz = f(t, z) dt + G(t, z) ∘ dW: a state of 16 numbers, driven by noise or by a path. */
function drivenState(name: string, channels: number, isScaled: boolean) {
  const parts = { drift: perceptron(hidden, isScaled), diffusion: perceptron(hidden * channels, isScaled) };
  return defineSde({
    ...{ name, dim: hidden, calculus: "stratonovich", noise: "general", motions: channels },
    ...parametersOf(parts),
    drift: (b, theta, t, z) => parts.drift.apply(b, partOf(theta, "drift"), t, z),
    diffusion: (b, theta, t, z) =>
      reshape(b, parts.diffusion.apply(b, partOf(theta, "diffusion"), t, z), [0, hidden, channels]),
  });
}

/** Paths [times, batch, 1] from noise [batch, 5] and keys. */
function generatorOf({ times, method, stepSize, gradient, dtype }: SdeGanOptions) {
  const sde = drivenState("generator", motions, true);
  const initial = mlp([initialNoise, width, hidden], { activation: "relu" });
  const parts = { initial, sde, readout: linear(hidden, 1) };
  const equation = neuralSde({ sde, stepSize, method, dtype });
  return {
    ...parametersOf(parts),
    drawn(b: Builder, theta: Values, start: Value, key: Value, training: Training | null): Value {
      const y0 = initial.apply(b, partOf(theta, "initial"), start);
      const zs = sdeSolve(b, equation, {
        ...{ theta: partOf(theta, "sde"), y0, t0: times[0]!, times, key, gradient, training },
      });
      return parts.readout.apply(b, partOf(theta, "readout"), zs);
    },
  };
}

/** A score for each of some paths [times, batch, 1]: the mean of those at the beginning and the end. */
function discriminatorOf({ times, method, gradient, dtype }: SdeGanOptions) {
  const sde = drivenState("discriminator", 1, false);
  const initial = mlp([2, width, hidden], { activation: "relu" });
  const parts = { initial, sde, readout: linear(hidden, 1) };
  const equation = neuralSde({ sde, stepSize: times[1]! - times[0]!, method, dtype });
  const [t0, last] = [times[0]!, times.length - 1];
  return {
    ...parametersOf(parts),
    judged(b: Builder, theta: Values, ys: Value, training: Training | null): Value {
      const first = withTime(b, b.scalar(dtype, t0), gather(b, ys, 0));
      const y0 = initial.apply(b, partOf(theta, "initial"), first);
      const increments = sub(b, slice(b, ys, 0, 1, last + 1), slice(b, ys, 0, 0, last));
      const zs = sdeSolve(b, equation, {
        ...{ theta: partOf(theta, "sde"), y0, t0, times: [t0, times[last]!], increments, gradient, training },
      });
      const scores = parts.readout.apply(b, partOf(theta, "readout"), zs);
      return squeeze(b, reduceMean(b, scores, [0]), [1]);
    },
  };
}

/**
 * A generator, a neural SDE whose paths are read off linearly, and a discriminator, the same kind of equation with the path
 * that it judges in place of the noise: a neural CDE.
 *
 * @see Kidger, Foster, Li, Oberhauser & Lyons 2021, "Neural SDEs as infinite-dimensional GANs", arXiv:2102.03657
 */
export function sdeGan(options: SdeGanOptions) {
  const { times, dtype } = options;
  const [generator, discriminator] = [generatorOf(options), discriminatorOf(options)];
  const drawn = (b: Builder, theta: Values, start: Value, key: Value, training: Training | null) =>
    generator.drawn(b, partOf(theta, "generator"), start, key, training);
  const judged = (b: Builder, theta: Values, ys: Value, training: Training | null) =>
    discriminator.judged(b, partOf(theta, "discriminator"), ys, training);

  /** Scores of given paths, and of as many of the generator's. */
  const model = defineModel({
    name: "SDE-GAN",
    ...parametersOf({ generator, discriminator }),
    // the seed of a path decides the noise of the one beside it; in training, it is other noise in each update
    inputs: { ys: { shape: [times.length, 1] }, seed: { shape: [], type: "int64" } },
    apply(b, theta, { ys, seed }, training) {
      const key = training === null ? seed : drawKeys(b, training, ys.shape[0] as number);
      const fake = drawn(b, theta, startingNoise(b, key, initialNoise, dtype), key, training);
      return {
        real: judged(b, theta, transpose(b, ys, [1, 0, 2]), training),
        fake: judged(b, theta, fake, training),
      };
    },
  });

  /** The generator, from standard normal numbers and a seed for each path. */
  const sampler = defineModel({
    name: "SDE-GAN sampler",
    parameters: Object.fromEntries(
      Object.entries(model.parameters).filter(([name]) => name.startsWith("generator.")),
    ),
    inputs: { noise: { shape: [initialNoise] }, seed: { shape: [], type: "int64" } },
    apply: (b, theta, { noise: start, seed }) => ({
      ys: transpose(b, drawn(b, theta, start, seed, null), [1, 0, 2]),
    }),
  });
  return { model, sampler };
}

/**
 * How the pair is trained, by one gradient of mean score of given paths less that of generated ones: the generator lowers
 * it; the discriminator raises it, five times as fast, and keeps its weights within 1 / outputs, which bounds its slope.
 * Where paths start is learnt ten times as fast.
 */
export const sdeGanGroups: readonly ParameterGroup[] = [
  { match: (name) => name.startsWith("generator.initial."), rate: 10 },
  ...[true, false].map(
    (initial): ParameterGroup => ({
      match: (name) => name.startsWith(`discriminator.${initial ? "initial." : ""}`),
      ...{ ascends: true, rate: initial ? 50 : 5 },
      project(b, parameter) {
        const [outputs, ...inputs] = parameter.shape as readonly number[];
        return inputs.length === 0 ? parameter : clip(b, parameter, -1 / outputs!, 1 / outputs!);
      },
    }),
  ),
];
