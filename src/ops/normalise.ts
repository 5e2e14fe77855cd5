import { ShapeError, sizeOf } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import {
  type Attributes,
  broadcastShapes,
  normaliseAxis,
  type Op,
  sameShape,
  showType,
  type Value,
} from "../graph/graph.js";
import { flag, float, floats, int, mayTake, takes } from "../graph/signature.js";
import { add, div, mul, sub } from "./arithmetic.js";
import { reduceSum, sumTo } from "./broadcast.js";
import { reciprocal, sqrt } from "./elementwise.js";
import { composedOf } from "./folding.js";
import { floatOf, intOf, required } from "./operand.js";
import { reduceMean } from "./reduce.js";
import { reshape } from "./reshape.js";

// Normalisation. With x̂ = (x − μ) r, r = 1 / √(σ² + ε) and μ, σ² the mean and variance over some axes,
//
//   y = γ x̂ + β
//   β̄ = Σ ȳ,  γ̄ = Σ ȳ x̂,  x̄ = r (g − mean g − x̂ mean(g x̂)) with g = γ ȳ

/** x̂, √(σ² + ε) and μ over axes. */
function standardise(
  b: Builder,
  x: Value,
  axes: readonly number[],
  epsilon: number,
): { unit: Value; width: Value; mean: Value } {
  const mean = reduceMean(b, x, axes, true);
  const centred = sub(b, x, mean);
  const width = sqrt(b, add(b, reduceMean(b, mul(b, centred, centred), axes, true), epsilon));
  return { unit: div(b, centred, width), width, mean };
}

/** x̄ from g, the cotangent of x̂. */
function unstandardise(b: Builder, g: Value, unit: Value, width: Value, axes: readonly number[]): Value {
  const along = mul(b, unit, reduceMean(b, mul(b, g, unit), axes, true));
  return div(b, sub(b, sub(b, g, reduceMean(b, g, axes, true)), along), width);
}

/** In which float type means are taken: never in less than that of the operands. */
export const stashType = int(1, { values: [1, 10, 11, 16], only: [1, 11] });

/** LayerNormalization over the axes from `axis` on; scale and bias broadcast to x. Only its first output is known. */
export const LayerNormalization: Op = {
  type: "LayerNormalization",
  since: 17,
  inputs: [takes("X", floats), takes("Scale", floats), mayTake("B", floats)],
  outputs: 3,
  attributes: { axis: int(-1), epsilon: float(1e-5), stash_type: stashType },
  infer(inputs, attributes) {
    const x = required("LayerNormalization", inputs, 0);
    layerAxes(x, attributes);
    for (const value of [required("LayerNormalization", inputs, 1), inputs[2]]) {
      if (value && !sameShape(broadcastShapes("LayerNormalization", x.shape, value.shape), x.shape)) {
        throw new ShapeError(`LayerNormalization: ${showType(value)} does not broadcast to ${showType(x)}.`);
      }
    }
    return [x];
  },
  vjp(b, { inputs: [x, scale, bias], attributes }, [g]) {
    const axes = layerAxes(x!, attributes);
    const { unit, width } = standardise(b, x!, axes, floatOf(attributes, "epsilon", 1e-5));
    return [
      unstandardise(b, mul(b, g!, scale!), unit, width, axes),
      sumTo(b, mul(b, g!, unit), scale!),
      bias ? sumTo(b, g!, bias) : null,
    ];
  },
  ...composedOf((b, inputs, attributes) => layerNormalizationWhole(b, inputs, attributes).slice(0, 1)),
};

/** LayerNormalization with its further results: y, μ and 1 / √(σ² + ε). */
export function layerNormalizationWhole(
  b: Builder,
  [x, scale, bias]: readonly (Value | null)[],
  attributes: Attributes,
): readonly Value[] {
  const axes = layerAxes(x!, attributes);
  const { unit, width, mean } = standardise(b, x!, axes, floatOf(attributes, "epsilon", 1e-5));
  const scaled = mul(b, unit, scale!);
  return [bias ? add(b, scaled, bias) : scaled, mean, reciprocal(b, width)];
}

/** RMSNormalization (opset 23): y = γ x / √(mean(x²) + ε), the mean over the axes from `axis` on. */
export function rmsNormalization(b: Builder, x: Value, scale: Value, attributes: Attributes): Value {
  const axes = layerAxes(x, attributes, "RMSNormalization");
  const square = reduceMean(b, mul(b, x, x), axes, true);
  return mul(b, div(b, x, sqrt(b, add(b, square, floatOf(attributes, "epsilon", 1e-5)))), scale);
}

function layerAxes(x: Value, attributes: Attributes, type = "LayerNormalization"): number[] {
  const axis = normaliseAxis(intOf(attributes, "axis", -1), x.shape.length, type);
  return x.shape.map((_, i) => i).slice(axis);
}

/** x normalised over its last axis, or over all from `axis` on. */
export function layerNormalization(
  b: Builder,
  x: Value,
  scale: Value,
  bias: Value | null = null,
  { axis = -1, epsilon = 1e-5 }: { readonly axis?: number; readonly epsilon?: number } = {},
): Value {
  return b.apply(LayerNormalization, [x, scale, bias], { axis, epsilon });
}

/** A parameter per channel, [C], shaped to broadcast along axis 1 of x. */
function perChannel(b: Builder, parameter: Value, x: Value): Value {
  return reshape(b, parameter, [-1, ...x.shape.slice(2).map(() => 1)]);
}

/** The transpose of broadcasting a parameter per channel to g's shape. */
function sumPerChannel(b: Builder, g: Value): Value {
  return reduceSum(b, g, g.shape.map((_, axis) => axis).toSpliced(1, 1));
}

/**
 * Operators that standardise each group of channels over its channels and all places: GroupNormalization, and
 * InstanceNormalization with a group per channel. Only what is as large as x costs time: there, y is (x − μ) (γ r) + β, and
 * with S = Σ ȳ and T = r Σ ȳ (x − μ) over the places of each channel, and n numbers in a group,
 *
 *   β̄ = Σ S,  γ̄ = Σ T,  x̄ = (γ r) ȳ − (x − μ) (r² / n) Σ γ T − (r / n) Σ γ S
 *
 * where β̄ and γ̄ are sums over the batch, and those of x̄ are over the channels of a group.
 */
function groupwise(
  type: string,
  since: number,
  attributes: NonNullable<Op["attributes"]>,
  groupsOf: (attributes: Attributes, channels: number) => number,
): Op {
  /** x − μ [N, G, n], r [N, G, 1], γ [G, C / G], and γ r [N, C, 1] beside channels [N, C, places] */
  const grouped = (b: Builder, x: Value, scale: Value, given: Attributes) => {
    const [batch, channels, ...places] = x.shape as [number | string, number, ...number[]];
    const [images, groups] = [typeof batch === "string" ? -1 : batch, groupsOf(given, channels)];
    const count = sizeOf(places);
    const size = count * (channels / groups);
    const parts = reshape(b, x, [images, groups, size]);
    const centred = sub(b, parts, reduceMean(b, parts, [2], true));
    const variance = reduceMean(b, mul(b, centred, centred), [2], true);
    const rate = reciprocal(b, sqrt(b, add(b, variance, floatOf(given, "epsilon", 1e-5))));
    const scales = reshape(b, scale, [groups, channels / groups]);
    const slope = reshape(b, mul(b, rate, scales), [images, channels, 1]);
    return {
      ...{ centred, rate, scales, slope, size },
      inGroups: (value: Value) => reshape(b, value, [images, groups, channels / groups]),
      inChannels: (value: Value) => reshape(b, value, [images, channels, count]),
    };
  };
  return {
    type,
    since,
    inputs: [takes("X", floats), takes("scale", floats), takes("bias", floats)],
    attributes,
    infer(inputs, given) {
      const x = required(type, inputs, 0);
      const channels = x.shape[1];
      const groups = typeof channels === "number" ? groupsOf(given, channels) : 0;
      const fits = [1, 2].every((i) => sameShape(required(type, inputs, i).shape, [channels ?? ""]));
      if (
        fits &&
        groups > 0 &&
        (channels as number) % groups === 0 &&
        x.shape.slice(2).every((d) => typeof d === "number")
      )
        return [x];
      throw new ShapeError(
        `${type} needs [batch, channels, ...], a scale and a bias per channel, and groups that divide the channels; ` +
          `got ${inputs.map((value) => showType(value!)).join(", ")}.`,
      );
    },
    vjp(b, { inputs: [x, scale], attributes: given }, [g]) {
      const { centred, rate, scales, slope, size, inGroups, inChannels } = grouped(b, x!, scale!, given);
      const each = inChannels(g!);
      const sums = inGroups(reduceSum(b, each, [2], true));
      const along = mul(b, inGroups(reduceSum(b, mul(b, each, inChannels(centred)), [2], true)), rate);
      /** r / n times the sum of γ times values over the channels of each group */
      const mean = (values: Value) =>
        mul(b, reduceSum(b, mul(b, values, scales), [2], true), mul(b, rate, 1 / size));
      const own = reshape(b, mul(b, each, slope), centred);
      const shared = add(b, mul(b, centred, mul(b, mean(along), rate)), mean(sums));
      const total = (values: Value) => reshape(b, reduceSum(b, values, [0]), scale!);
      return [reshape(b, sub(b, own, shared), x!), total(along), total(sums)];
    },
    ...composedOf((b, [x, scale, bias], given) => {
      const { centred, slope, inChannels } = grouped(b, x!, scale!, given);
      const y = add(b, mul(b, inChannels(centred), slope), reshape(b, bias!, [-1, 1]));
      return [reshape(b, y, x!)];
    }),
  };
}

export const GroupNormalization: Op = groupwise(
  "GroupNormalization",
  18,
  {
    num_groups: int(undefined, { required: true }),
    epsilon: float(1e-5),
    stash_type: { ...stashType, since: 21 },
  },
  (attributes) => intOf(attributes, "num_groups", 0),
);

export const InstanceNormalization: Op = groupwise(
  "InstanceNormalization",
  7,
  { epsilon: float(1e-5) },
  (_, channels) => channels,
);

/** x [batch, channels, ...] normalised over each of so many groups of channels. */
export function groupNormalization(
  b: Builder,
  x: Value,
  scale: Value,
  bias: Value,
  { groups, epsilon = 1e-5 }: { readonly groups: number; readonly epsilon?: number },
): Value {
  return b.apply(GroupNormalization, [x, scale, bias], { num_groups: groups, epsilon });
}

/**
 * BatchNormalization as it is after training: μ and σ² are operands, [C], and with s = √(σ² + ε) and x̂ = (x − μ) / s
 *
 *   x̄ = γ ȳ / s,  γ̄ = Σ ȳ x̂,  β̄ = Σ ȳ,  μ̄ = −Σ γ ȳ / s,  the cotangent of σ² is −Σ γ ȳ x̂ / (2 s²)
 */
export const BatchNormalization: Op = {
  type: "BatchNormalization",
  inputs: ["X", "scale", "B", "input_mean", "input_var"].map((name) => takes(name, floats)),
  outputs: 5,
  attributes: {
    epsilon: float(1e-5),
    momentum: float(0.9),
    training_mode: flag(0, {
      since: 14,
      only: [0],
      remedy:
        "In training mode a state depends on the other states of its batch: switch the module to eval() before exporting",
    }),
    spatial: flag(1, {
      until: 9,
      only: [1],
      remedy: "The other form was removed from ONNX: export the model with opset 21",
    }),
  },
  infer(inputs) {
    const x = required("BatchNormalization", inputs, 0);
    const channels = x.shape[1] ?? "";
    const fits = [1, 2, 3, 4].every((i) =>
      sameShape(required("BatchNormalization", inputs, i).shape, [channels]),
    );
    if (fits) return [x];
    throw new ShapeError(
      "BatchNormalization needs [batch, channels, ...] and four parameters per channel; " +
        `got ${inputs.map((value) => showType(value!)).join(", ")}.`,
    );
  },
  vjp(b, { inputs, attributes }, [g]) {
    const [x, scale, , mean, variance] = inputs as [Value, Value, Value, Value, Value];
    const width = perChannel(b, sqrt(b, add(b, variance, floatOf(attributes, "epsilon", 1e-5))), x);
    const unit = div(b, sub(b, x, perChannel(b, mean, x)), width);
    const dx = div(b, mul(b, g!, perChannel(b, scale, x)), width);
    return [
      dx,
      sumPerChannel(b, mul(b, g!, unit)),
      sumPerChannel(b, g!),
      mul(b, sumPerChannel(b, dx), -1),
      mul(b, sumPerChannel(b, div(b, mul(b, dx, unit), width)), -0.5),
    ];
  },
  ...composedOf((b, inputs, attributes) => {
    const [x, scale, bias, mean, variance] = inputs as [Value, Value, Value, Value, Value];
    const width = sqrt(b, add(b, variance, floatOf(attributes, "epsilon", 1e-5)));
    const slope = perChannel(b, div(b, scale, width), x);
    return [add(b, mul(b, sub(b, x, perChannel(b, mean, x)), slope), perChannel(b, bias, x))];
  }),
};
