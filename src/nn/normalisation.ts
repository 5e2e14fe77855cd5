import { epsilon as machineEpsilon } from "../core/spacing.js";
import type { FloatDType } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import { showType, type Value } from "../graph/graph.js";
import { add, div, mul, sub } from "../ops/arithmetic.js";
import { sqrt } from "../ops/elementwise.js";
import { groupNormalization, layerNormalization } from "../ops/normalise.js";
import { reduceMean } from "../ops/reduce.js";
import { reshape, rounded } from "../ops/reshape.js";
import { filled } from "./initial.js";
import { type Layer, LayerError } from "./layer.js";
import { checkWidths } from "./linear.js";

/** x normalised over its last axis, γ (x − μ) / √(σ² + ε) + β. @see torch.nn.LayerNorm */
export function layerNorm(width: number, { epsilon = 1e-5 }: { readonly epsilon?: number } = {}): Layer {
  checkWidths("layerNorm", width);
  return {
    parameters: { weight: filled([width], 1), bias: filled([width], 0) },
    apply: (b, theta, x) => layerNormalization(b, x, theta.weight!, theta.bias!, { epsilon }),
  };
}

/**
 * γ x / √(mean x² + ε) over the last axis; ε is that of the dtype, 2⁻⁵² or 2⁻²³, unless given.
 *
 * @see torch.nn.RMSNorm; Zhang & Sennrich 2019, arXiv:1910.07467
 */
export function rmsNorm(width: number, { epsilon }: { readonly epsilon?: number } = {}): Layer {
  checkWidths("rmsNorm", width);
  return {
    parameters: { weight: filled([width], 1) },
    apply(b, theta, x) {
      const meanSquare = reduceMean(b, mul(b, x, x), [-1], true);
      return mul(
        b,
        div(b, x, sqrt(b, add(b, meanSquare, epsilon ?? machineEpsilon[x.dtype as FloatDType]))),
        theta.weight!,
      );
    },
  };
}

/**
 * x [batch, channels, …] normalised over each of so many groups of channels.
 *
 * @throws {LayerError} unless the groups are of one size
 * @see torch.nn.GroupNorm
 */
export function groupNorm(
  groups: number,
  channels: number,
  { epsilon = 1e-5 }: { readonly epsilon?: number } = {},
): Layer {
  checkWidths("groupNorm", groups, channels);
  if (channels % groups !== 0) {
    throw new LayerError(`groupNorm cannot divide ${channels} channels into ${groups} groups of one size.`);
  }
  return {
    parameters: { weight: filled([channels], 1), bias: filled([channels], 0) },
    apply: (b, theta, x) => groupNormalization(b, x, theta.weight!, theta.bias!, { groups, epsilon }),
  };
}

/**
 * x [batch, channels, …] normalised over all but the channels: in training by the mean and variance of the batch, afterwards
 * by those that were gathered in training,
 *
 *   running ← (1 − momentum) running + momentum · batch
 *
 * with the variance of n numbers taken as Σ (x − μ)² / (n − 1) there, and as Σ (x − μ)² / n where it normalises.
 *
 * @see torch.nn.BatchNorm1d, BatchNorm2d
 */
export function batchNorm(
  channels: number,
  { epsilon = 1e-5, momentum = 0.1 }: { readonly epsilon?: number; readonly momentum?: number } = {},
): Layer {
  checkWidths("batchNorm", channels);
  return {
    parameters: { weight: filled([channels], 1), bias: filled([channels], 0) },
    buffers: { running_mean: filled([channels], 0), running_var: filled([channels], 1) },
    apply(b, theta, x, training) {
      if (x.shape[1] !== channels) {
        throw new LayerError(
          `batchNorm(${channels}) takes [batch, ${channels}, …], but was given ${showType(x)}.`,
        );
      }
      const axes = x.shape.map((_, axis) => axis).filter((axis) => axis !== 1);
      const spread = (value: Value) => perChannel(b, value, x);
      const scaled = (mean: Value, variance: Value) => {
        const unit = div(b, sub(b, x, mean), sqrt(b, add(b, variance, epsilon)));
        return add(b, mul(b, unit, spread(theta.weight!)), spread(theta.bias!));
      };
      if (!training) return scaled(spread(theta.running_mean!), spread(theta.running_var!));
      const mean = reduceMean(b, x, axes, true);
      const centred = sub(b, x, mean);
      const variance = reduceMean(b, mul(b, centred, centred), axes, true);
      const n = countOf(x, axes);
      for (const [name, value] of [
        ["running_mean", mean],
        ["running_var", mul(b, variance, n / (n - 1))],
      ] as const) {
        const batch = mul(b, reshape(b, value, [channels]), momentum);
        // the same bits however a batch is gone through: in parts, what does not depend on them is multiplied beforehand
        const kept = rounded(b, mul(b, theta[name]!, 1 - momentum));
        training.keep(name, add(b, kept, rounded(b, batch)));
      }
      return scaled(mean, variance);
    },
  };
}

/** A value per channel, [C], shaped to broadcast along axis 1 of x. */
function perChannel(b: Builder, value: Value, x: Value): Value {
  return reshape(b, value, [-1, ...x.shape.slice(2).map(() => 1)]);
}

/** How many numbers each channel has. @throws {LayerError} if it is one, or not known */
function countOf(x: Value, axes: readonly number[]): number {
  const count = axes.reduce((product, axis) => product * Number(x.shape[axis]), 1);
  if (count > 1) return count;
  throw new LayerError(
    `batchNorm is trained on two numbers or more per channel, in batches of a known size, but was given ${showType(x)}.`,
  );
}
