import type { AdjointSpec } from "../chains/adjoints.js";
import type { FloatDType } from "../core/tensor.js";
import type { Parameter, Values } from "../fields/field.js";
import { withTime } from "../fields/mlp.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { neuralSde } from "../integrate/neural-sde.js";
import type { ParameterGroup } from "../learning/groups.js";
import type { SdeMethod } from "../methods/sde-method.js";
import { defineModel } from "../models/model.js";
import { drawKeys, sdeSolve } from "../models/sde-solve.js";
import { lipSwish } from "../nn/activations.js";
import { activation, type Parametrised, parametersOf, partOf, type Training } from "../nn/layer.js";
import { linear, mlp } from "../nn/linear.js";
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
  const layers = sequential(
    ...[linear(hidden + 1, width), activation(lipSwish), linear(width, outputs), activation(tanh)],
  );
  const scale: Parameter = {
    shape: [outputs],
    initial: (random) => Array.from({ length: outputs }, () => random.uniform(0.9, 1.1)),
  };
  return {
    parameters: { ...layers.parameters, ...(isScaled ? { scale } : {}) },
    apply(b, theta, t, z) {
      const slope = layers.apply(b, theta, withTime(b, t, z));
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

/**
 * A generator, a neural SDE whose paths are read off linearly, and a discriminator, the same kind of equation with the path
 * that it judges in place of the noise: a neural CDE. The score of a path is the mean of those at its beginning and its end.
 *
 * @see Kidger, Foster, Li, Oberhauser & Lyons 2021, "Neural SDEs as infinite-dimensional GANs", arXiv:2102.03657
 */
export function sdeGan({ times, method, stepSize, gradient, dtype }: SdeGanOptions) {
  const [noise, path] = [drivenState("generator", motions, true), drivenState("discriminator", 1, false)];
  const generator = {
    initial: mlp([initialNoise, width, hidden], { activation: "relu" }),
    sde: noise,
    readout: linear(hidden, 1),
  };
  const discriminator = {
    initial: mlp([2, width, hidden], { activation: "relu" }),
    sde: path,
    readout: linear(hidden, 1),
  };
  const parts = { generator: parametersOf(generator), discriminator: parametersOf(discriminator) };
  const setting = { method, dtype };
  const drawing = neuralSde({ sde: noise, stepSize, ...setting });
  const judging = neuralSde({ sde: path, stepSize: times[1]! - times[0]!, ...setting });
  const [t0, t1] = [times[0]!, times.at(-1)!];
  const last = times.length - 1;

  /** Paths [times, batch, 1] from noise [batch, 5] and keys. */
  const drawn = (b: Builder, all: Values, start: Value, key: Value, training: Training | null) => {
    const theta = partOf(all, "generator");
    const z0 = generator.initial.apply(b, partOf(theta, "initial"), start);
    const zs = sdeSolve(b, drawing, {
      theta: partOf(theta, "sde"),
      y0: z0,
      t0,
      times,
      key,
      gradient,
      training,
    });
    return generator.readout.apply(b, partOf(theta, "readout"), zs);
  };
  /** A score for each of some paths [times, batch, 1]. */
  const judged = (b: Builder, all: Values, ys: Value, training: Training | null) => {
    const theta = partOf(all, "discriminator");
    const z0 = discriminator.initial.apply(
      b,
      partOf(theta, "initial"),
      withTime(b, b.scalar(dtype, t0), gather(b, ys, 0)),
    );
    const increments = sub(b, slice(b, ys, 0, 1, last + 1), slice(b, ys, 0, 0, last));
    const zs = sdeSolve(b, judging, {
      ...{ theta: partOf(theta, "sde"), y0: z0, t0, times: [t0, t1], increments, gradient, training },
    });
    return squeeze(b, reduceMean(b, discriminator.readout.apply(b, partOf(theta, "readout"), zs), [0]), [1]);
  };

  /** Scores of given paths, and of as many of the generator's. */
  const model = defineModel({
    name: "SDE-GAN",
    ...parametersOf(parts),
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
