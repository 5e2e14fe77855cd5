import type { Parameter } from "../fields/field.js";
import { showType } from "../graph/graph.js";
import { conv, convTranspose } from "../ops/convolution.js";
import { type PadMode, padWith } from "../ops/slice.js";
import { fanIn } from "./initial.js";
import { type Layer, LayerError } from "./layer.js";
import { checkWidths } from "./linear.js";

/** What lies beyond the ends of an axis, by PyTorch's names. */
export type PaddingMode = "zeros" | "circular" | "reflect" | "replicate";

const padModes: Readonly<Record<Exclude<PaddingMode, "zeros">, PadMode>> = {
  ...{ circular: "wrap", reflect: "reflect", replicate: "edge" },
};

export interface ConvLayerOptions {
  /** one number for all axes */
  readonly stride?: number;
  readonly padding?: number;
  readonly dilation?: number;
  readonly groups?: number;
  readonly bias?: boolean;
}

export interface PaddedConvLayerOptions extends ConvLayerOptions {
  /** "zeros" by default */
  readonly paddingMode?: PaddingMode;
}

/**
 * Cross-correlation along one axis, [batch, inputs, length] to [batch, outputs, …].
 *
 * @throws {LayerError} for a padding mode that there is not, numbers that are not positive and whole, or groups that do not divide the channels
 * @see torch.nn.Conv1d
 */
export function conv1d(
  inputs: number,
  outputs: number,
  kernel: number,
  options: PaddedConvLayerOptions = {},
): Layer {
  return convolution("conv1d", 1, inputs, outputs, kernel, options);
}

/** The same of images, [batch, inputs, height, width]. @see torch.nn.Conv2d */
export function conv2d(
  inputs: number,
  outputs: number,
  kernel: number,
  options: PaddedConvLayerOptions = {},
): Layer {
  return convolution("conv2d", 2, inputs, outputs, kernel, options);
}

export interface ConvTransposeLayerOptions extends ConvLayerOptions {
  /** makes the output so much longer, where several sizes would have led to that of the input */
  readonly outputPadding?: number;
}

/** The transpose of {@link conv1d} in its input. @see torch.nn.ConvTranspose1d */
export function convTranspose1d(
  inputs: number,
  outputs: number,
  kernel: number,
  options: ConvTransposeLayerOptions = {},
): Layer {
  return transposed("convTranspose1d", 1, inputs, outputs, kernel, options);
}

/** The transpose of {@link conv2d} in its input. @see torch.nn.ConvTranspose2d */
export function convTranspose2d(
  inputs: number,
  outputs: number,
  kernel: number,
  options: ConvTransposeLayerOptions = {},
): Layer {
  return transposed("convTranspose2d", 2, inputs, outputs, kernel, options);
}

function convolution(
  name: string,
  rank: number,
  inputs: number,
  outputs: number,
  kernel: number,
  options: PaddedConvLayerOptions,
): Layer {
  const { groups = 1, paddingMode = "zeros", padding = 0 } = options;
  checkSizes(name, inputs, outputs, kernel, options);
  if (paddingMode !== "zeros" && !Object.hasOwn(padModes, paddingMode)) {
    throw new LayerError(
      `${name} has no padding mode "${paddingMode}"; there are zeros, ${Object.keys(padModes).join(", ")}.`,
    );
  }
  const each = new Array<number>(rank).fill(kernel);
  return {
    parameters: parametersOf(
      [outputs, inputs / groups, ...each],
      outputs,
      (inputs / groups) * kernel ** rank,
      options,
    ),
    apply(b, theta, x) {
      checkInput(name, rank, inputs, x.shape, () => showType(x));
      if (paddingMode === "zeros" || padding === 0) {
        return conv(b, x, theta.weight!, theta.bias ?? null, attributesOf(rank, options));
      }
      const pads = [0, 0, ...new Array<number>(rank).fill(padding)];
      const padded = padWith(b, x, pads, pads, padModes[paddingMode]);
      return conv(
        b,
        padded,
        theta.weight!,
        theta.bias ?? null,
        attributesOf(rank, { ...options, padding: 0 }),
      );
    },
  };
}

function transposed(
  name: string,
  rank: number,
  inputs: number,
  outputs: number,
  kernel: number,
  options: ConvTransposeLayerOptions,
): Layer {
  const { groups = 1, outputPadding = 0 } = options;
  checkSizes(name, inputs, outputs, kernel, options);
  const each = new Array<number>(rank).fill(kernel);
  return {
    parameters: parametersOf(
      [inputs, outputs / groups, ...each],
      outputs,
      (outputs / groups) * kernel ** rank,
      options,
    ),
    apply(b, theta, x) {
      checkInput(name, rank, inputs, x.shape, () => showType(x));
      const more = outputPadding === 0 ? {} : { outputPadding: new Array<number>(rank).fill(outputPadding) };
      return convTranspose(b, x, theta.weight!, theta.bias ?? null, {
        ...attributesOf(rank, options),
        ...more,
      });
    },
  };
}

function parametersOf(
  weight: readonly number[],
  outputs: number,
  inputs: number,
  { bias = true }: ConvLayerOptions,
): Readonly<Record<string, Parameter>> {
  return { weight: fanIn(weight, inputs), ...(bias ? { bias: fanIn([outputs], inputs) } : {}) };
}

function attributesOf(rank: number, { stride = 1, padding = 0, dilation = 1, groups = 1 }: ConvLayerOptions) {
  const all = (value: number, length = rank) => new Array<number>(length).fill(value);
  return { strides: all(stride), pads: all(padding, 2 * rank), dilations: all(dilation), groups };
}

function checkSizes(
  name: string,
  inputs: number,
  outputs: number,
  kernel: number,
  options: ConvLayerOptions,
): void {
  const { stride = 1, padding = 0, dilation = 1, groups = 1 } = options;
  checkWidths(name, inputs, outputs, kernel, stride, dilation, groups, padding + 1);
  if (inputs % groups === 0 && outputs % groups === 0) return;
  throw new LayerError(`${name} cannot divide ${inputs} and ${outputs} channels into ${groups} groups.`);
}

function checkInput(
  name: string,
  rank: number,
  inputs: number,
  shape: readonly (number | string)[],
  shown: () => string,
): void {
  if (shape.length === rank + 2 && shape[1] === inputs) return;
  const axes = rank === 1 ? "length" : "height, width";
  throw new LayerError(`${name} takes [batch, ${inputs}, ${axes}], but was given ${shown()}.`);
}
