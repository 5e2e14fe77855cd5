import type { FloatDType } from "../core/tensor.js";
import type { Values, VectorField } from "../fields/field.js";
import type { GradientRequest } from "../gradients/method.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { neuralOde } from "../integrate/neural-ode.js";
import type { Method } from "../methods/method.js";
import { odeSolve } from "../models/ode-solve.js";
import { conv2d } from "../nn/convolution.js";
import { activation, type Parametrised, parametersOf, partOf, type Training } from "../nn/layer.js";
import { linear } from "../nn/linear.js";
import { groupNorm } from "../nn/normalisation.js";
import { sequential } from "../nn/sequential.js";
import { relu } from "../ops/activation.js";
import { add } from "../ops/arithmetic.js";
import { conv } from "../ops/convolution.js";
import { zeros } from "../ops/linalg.js";
import { reshape } from "../ops/reshape.js";
import { slice } from "../ops/slice.js";
import { gather } from "../ops/slicing.js";
import { globalAveragePool } from "../ops/whole-axes.js";

export interface OdeNetOptions {
  /** of the images */
  readonly channels: number;
  /** height and width of the images */
  readonly size: number;
  /** channels inside; 64 in the published network */
  readonly width: number;
  readonly method: Method;
  readonly stepSize: number;
  readonly gradient: GradientRequest;
  readonly dtype: FloatDType;
}

/** A classifier of images into ten classes: image [batch, channels, size, size] to logits [batch, 10]. */
export interface ImageNetwork extends Required<Parametrised> {
  readonly apply: (b: Builder, theta: Values, image: Value, training: Training | null) => Value;
}

/** As published, two channels in a group: channels by themselves would have nothing left for an average over them to see. */
const norm = (width: number) => groupNorm(width / 2, width);

/**
 * f(t, y) = GN(conv([t, relu(GN(conv([t, relu(GN(y))])))])), with time as one more channel of each convolution. It is the same
 * in all images, and so is what the convolution makes of it, which is computed once and added.
 *
 * @param size  height and width of the state
 */
export function convolutionalField(width: number, size: number): VectorField {
  const timed = () => conv2d(width + 1, width, 3, { padding: 1 });
  const pads = [1, 1, 1, 1];
  const parts = {
    norm1: norm(width),
    conv1: timed(),
    norm2: norm(width),
    conv2: timed(),
    norm3: norm(width),
  };
  return {
    name: `convolutional field of ${width} channels`,
    state: ["batch", width, size, size],
    parameters: parametersOf(parts).parameters,
    apply(b, theta, t, y) {
      const time = add(b, zeros(b, y.dtype, [1, 1, size, size]), t);
      const by = (name: keyof typeof parts, x: Value) => parts[name].apply(b, partOf(theta, name), x);
      const timedConv = (name: "conv1" | "conv2", x: Value) => {
        const { weight, bias } = partOf(theta, name) as { weight: Value; bias: Value };
        const ofTime = conv(b, time, slice(b, weight, 1, 0, 1), bias, { pads });
        return add(b, conv(b, x, slice(b, weight, 1, 1, width + 1), null, { pads }), ofTime);
      };
      const inner = timedConv("conv1", relu(b, by("norm1", y)));
      return by("norm3", timedConv("conv2", relu(b, by("norm2", inner))));
    },
  };
}

/** What comes before and after the part of a network in which the two differ. */
function around({ channels, size, width }: OdeNetOptions) {
  const halved = () => conv2d(width, width, 4, { stride: 2, padding: 1 });
  const rectified = () => [norm(width), activation(relu)];
  const stem = sequential(conv2d(channels, width, 3), ...rectified(), halved(), ...rectified(), halved());
  const half = (length: number) => Math.floor(length / 2);
  return {
    ...{ stem, norm: norm(width), readout: linear(width, 10) },
    /** height and width of the state between */
    inner: half(half(size - 2)),
  };
}

/**
 * The network of Chen et al. 2018 for images: three convolutions that make them smaller, a neural ODE from t = 0 to 1, and a
 * readout of averages. With a width of 64 it has 208 266 parameters on MNIST.
 *
 * Its twin of equal parameters has one residual block in the place of the solve, y + f(0, y), one Euler step of the same field.
 *
 * @see Chen, Rubanova, Bettencourt & Duvenaud 2018, arXiv:1806.07366, section 3
 */
export function odeNet(options: OdeNetOptions, kind: "ode" | "residual"): ImageNetwork {
  const { width, method, stepSize, gradient, dtype } = options;
  const { inner, ...layers } = around(options);
  const field = convolutionalField(width, inner);
  const ode = neuralOde({ field, method, stepSize, dtype });
  const between = (b: Builder, theta: Values, y: Value, training: Training | null) => {
    if (kind === "residual") return add(b, y, field.apply(b, theta, b.scalar(dtype, 0), y));
    return gather(b, odeSolve(b, ode, { theta, y0: y, t0: 0, times: [1], gradient, training }), 0);
  };
  return {
    ...parametersOf({ stem: layers.stem, field, norm: layers.norm, readout: layers.readout }),
    apply(b, theta, image, training) {
      const y0 = layers.stem.apply(b, partOf(theta, "stem"), image);
      const y1 = between(b, partOf(theta, "field"), y0, training);
      const pooled = globalAveragePool(b, relu(b, layers.norm.apply(b, partOf(theta, "norm"), y1)));
      return layers.readout.apply(b, partOf(theta, "readout"), reshape(b, pooled, [-1, width]));
    },
  };
}
