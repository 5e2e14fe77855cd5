import { checkOptions, OptionError } from "../core/options.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { mul } from "../ops/arithmetic.js";
import { expandTo } from "../ops/broadcast.js";
import { conv } from "../ops/convolution.js";
import { reshape } from "../ops/reshape.js";
import { slice } from "../ops/slice.js";
import { concat } from "../ops/slicing.js";
import { type Activation, activations } from "./activations.js";
import type { Parameter, VectorField } from "./field.js";
import { type Boundary, beyondEnds, boundaries } from "./grid.js";

export interface ConvFieldOptions {
  readonly channels: number;
  /** points in each direction: [points], or [rows, columns] */
  readonly grid: readonly number[];
  /** channels of the layers between */
  readonly hidden: readonly number[];
  /** points that a kernel sees in each direction, an odd number: 3 by default */
  readonly kernel?: number;
  /** of the layers after the first: 1 by default, so that they act at each point by itself */
  readonly innerKernel?: number;
  readonly boundary: Boundary;
  readonly activation?: Activation;
  /** whether the field sees time, as the first channel of each layer; not by default */
  readonly time?: boolean;
  /** what the last layer is multiplied by, in units of y over t: 1 by default */
  readonly rate?: number;
  readonly name?: string;
}

const optionNames = {
  ...{ channels: true, grid: true, hidden: true, kernel: true, innerKernel: true, boundary: true },
  ...{ activation: true, time: true, rate: true, name: true },
} satisfies Record<keyof ConvFieldOptions, true>;

const elsewhere = {
  ...{ padding: "say boundary", paddingMode: "say boundary: periodic, zero or reflecting" },
  ...{ widths: "say hidden", size: "say grid: [points] or [rows, columns]" },
};

/**
 * Convolutions as a vector field on images and grids, whose shape they keep:
 *
 *   f(t, y) = rate · (W_L ∗ σ(… σ(W_0 ∗ y + b_0) …) + b_L),   or with [t, ·] in place of what each layer takes
 *
 * on states [batch, channels, …grid]. The same law holds at every point, so it is a right-hand side for the functions of
 * partial differential equations. Parameters are `layers.i.weight` [out, in, …kernel] and `layers.i.bias` [out], drawn as
 * PyTorch draws those of Conv1d and Conv2d.
 *
 * @throws {OptionError} for sizes that are not positive and whole, kernels that are even or too large for the grid, an activation
 *   or a boundary that there is not
 */
export function convField(options: ConvFieldOptions): VectorField {
  checkOptions("convField", options, optionNames, elsewhere);
  const { channels, grid, hidden, kernel = 3, innerKernel = 1, boundary } = options;
  const { activation = "tanh", time = false, rate = 1 } = options;
  checkSizes(options);
  const widths = [channels, ...hidden, channels];
  const layers = widths.slice(1).map((out, i) => ({
    ...{ out, in: widths[i]! + (time ? 1 : 0), kernel: i === 0 ? kernel : innerKernel },
  }));
  const parameters: Record<string, Parameter> = {};
  for (const [i, layer] of layers.entries()) {
    const each = grid.map(() => layer.kernel);
    const fanIn = layer.in * layer.kernel ** grid.length;
    parameters[`layers.${i}.weight`] = uniform([layer.out, layer.in, ...each], fanIn);
    parameters[`layers.${i}.bias`] = uniform([layer.out], fanIn);
  }
  const axes = grid.map((_, i) => i + 2);
  return {
    name: options.name ?? `conv(${widths.join("-")}, ${kernel}, ${boundary})`,
    state: ["batch", channels, ...grid],
    parameters,
    apply(b, theta, t, y) {
      const last = layers.reduce((x, layer, i) => {
        const seen = time ? withTime(b, t, x) : x;
        const width = (layer.kernel - 1) / 2;
        const wider = width === 0 ? seen : beyondEnds(b, seen, { width, boundary, axes });
        const z = conv(b, wider, theta[`layers.${i}.weight`]!, theta[`layers.${i}.bias`]!);
        return i < layers.length - 1 ? activations[activation](b, z) : z;
      }, y);
      return mul(b, last, rate);
    },
  };
}

/** @throws {OptionError} */
function checkSizes({
  channels,
  grid,
  hidden,
  kernel = 3,
  innerKernel = 1,
  boundary,
  activation,
}: ConvFieldOptions): void {
  const fail = (problem: string): never => {
    throw new OptionError(`convField: ${problem}`);
  };
  const isCount = (n: number) => Number.isInteger(n) && n > 0;
  if (!Array.isArray(grid) || ![1, 2].includes(grid.length) || !grid.every(isCount)) {
    fail(`a grid has one or two sizes, [points] or [rows, columns], not ${JSON.stringify(grid)}.`);
  }
  if (!Array.isArray(hidden) || ![channels, ...hidden].every(isCount)) {
    fail(
      `channels are positive whole numbers, but ${channels} and hidden ${JSON.stringify(hidden)} were given.`,
    );
  }
  for (const size of [kernel, innerKernel]) {
    const fits = isCount(size) && size % 2 === 1 && (size - 1) / 2 < Math.min(...grid);
    if (!fits)
      fail(`kernels are odd and reach no further than the grid, ${grid.join(" × ")}, but ${size} was given.`);
  }
  if (!boundaries.includes(boundary))
    fail(`there is no boundary "${boundary}"; there are ${boundaries.join(", ")}.`);
  if (activation !== undefined && !Object.hasOwn(activations, activation)) {
    fail(`there is no activation "${activation}"; there are ${Object.keys(activations).join(", ")}.`);
  }
}

/** U(−1/√in, 1/√in) */
function uniform(shape: readonly number[], inputs: number): Parameter {
  const bound = 1 / Math.sqrt(inputs);
  const size = shape.reduce((product, dim) => product * dim, 1);
  return { shape, initial: (random) => Array.from({ length: size }, () => random.uniform(-bound, bound)) };
}

/** t at each point as a channel before those of x. */
function withTime(b: Builder, t: Value, x: Value): Value {
  const ones = x.shape.map(() => 1);
  return concat(b, [expandTo(b, reshape(b, t, ones), slice(b, x, 1, 0, 1)), x], 1);
}
