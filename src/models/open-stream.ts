import { checkOptions, OptionError } from "../core/options.js";
import {
  emptyData,
  type FloatDType,
  numbers,
  ShapeError,
  showShape,
  sizeOf,
  type Tensor,
  tensor,
} from "../core/tensor.js";
import type { Tensors } from "../fields/field.js";
import { compileProgram, downloadTree, uploadTree } from "../runtime/compile-program.js";
import type { DeviceTensors, Runtime } from "../runtime/runtime.js";
import { PathError } from "../systems/interpolation.js";
import type { CdeStream } from "./cde-stream.js";
import { checkDataset } from "./dataset.js";
import { dtypeOf } from "./model.js";
import { predictionProgram } from "./task-measures.js";
import { checkValues } from "./values.js";

export interface OpenStreamOptions {
  readonly runtime: Runtime;
  readonly parameters: Tensors;
  readonly buffers?: Tensors;
  /** how many series go side by side; 1 by default */
  readonly batch?: number;
  /** goes on from here, as `state()` gave it */
  readonly state?: Tensors;
}

/** Series that points arrive of, one by one. */
export interface OpenStream {
  /**
   * Takes the next point of each series.
   *
   * @param x  values [batch, channels], the channels of one series where there is one only
   * @returns the prediction after it, [batch, …]; `null` for a stream without a readout
   * @throws {ShapeError} for another number of values
   * @throws {PathError} for a value that is NaN, but along a rectilinear path after the first point
   */
  next(x: Tensor | readonly number[] | readonly (readonly number[])[]): Promise<Tensor | null>;
  /** What is remembered: to be kept, and to be gone on with elsewhere, with the exported step too. */
  state(): Promise<Tensors>;
  release(): Promise<void>;
}

const optionNames = {
  ...{ runtime: true, parameters: true, buffers: true, batch: true, state: true },
} satisfies Record<keyof OpenStreamOptions, true>;

const elsewhere = { batchSize: "say batch", dtype: "it belongs to cdeStream's cde" };

/**
 * Opens a stream: its step is compiled once, and its state stays on the runtime from one point to the next.
 *
 * @throws {ParameterError} unless all parameters are there
 * @throws {DatasetError} for a state of another stream
 */
export async function openStream(stream: CdeStream, options: OpenStreamOptions): Promise<OpenStream> {
  checkOptions("openStream", options, optionNames, elsewhere);
  const { runtime, parameters, buffers = {}, batch = 1, state } = options;
  if (parameters === undefined) {
    throw new OptionError(
      "openStream needs the parameters of the stream: { parameters }, as fit has found them.",
    );
  }
  const { dtype } = stream;
  const begin = state ?? blank(stream, batch, dtype);
  checkDataset("The state of the stream", begin, stream.state, dtype);
  const values = uploadTree(runtime, checkValues(stream, { parameters, buffers }, dtype));
  const compiled = await compileProgram(runtime, predictionProgram(stream, dtype, batch));
  let now = uploadTree(runtime, begin) as DeviceTensors;
  /** which series have a point already */
  const begun = numbers(begin.points!).map((points) => points > 0);
  // points are taken in the order in which they are given, also by who does not wait
  let turn: Promise<unknown> = Promise.resolve();
  const take = async (point: Tensor) => {
    const data = { x: runtime.upload(point), ...now };
    const outputs = (await compiled.run({ ...values, data } as never)) as DeviceTensors;
    now = Object.fromEntries(Object.keys(stream.state).map((name) => [name, outputs[`next/${name}`]!]));
    return outputs.prediction === undefined ? null : runtime.download(outputs.prediction);
  };
  return {
    async next(x) {
      const point = pointOf(stream, x, begun, dtype);
      begun.fill(true);
      const taken = turn.then(() => take(point));
      turn = taken.catch(() => {});
      return taken;
    },
    state: () => turn.then(() => downloadTree(runtime, now)) as Promise<Tensors>,
    release: () => compiled.release(),
  };
}

/** The state before the first point: 0 throughout. */
function blank({ state }: CdeStream, batch: number, dtype: FloatDType): Tensors {
  const zeros = Object.entries(state).map(([name, type]) => {
    const shape = [batch, ...type.shape];
    return [
      name,
      tensor(dtypeOf(type, dtype) as FloatDType, shape, emptyData(dtype, sizeOf(shape))),
    ] as const;
  });
  return Object.fromEntries(zeros);
}

/** @throws {ShapeError | PathError} */
function pointOf(
  { name, inputs, interpolation }: CdeStream,
  given: Tensor | readonly number[] | readonly (readonly number[])[],
  begun: readonly boolean[],
  dtype: FloatDType,
): Tensor {
  const [batch, channels] = [begun.length, inputs.x!.shape[0]!];
  const { shape, values } = Array.isArray(given)
    ? rowsOf(given)
    : { shape: (given as Tensor).shape, values: numbers(given as Tensor) };
  if (shape.join() !== `${batch},${channels}`) {
    throw new ShapeError(
      `A point of the stream "${name}" has ${channels} channels of ${batch} series, ${showShape([batch, channels])}, but ` +
        `${showShape(shape)} was given.`,
    );
  }
  const missing = values.findIndex(
    (value, i) =>
      Number.isNaN(value) && !(interpolation === "rectilinear" && begun[Math.floor(i / channels)]),
  );
  if (missing >= 0) {
    throw new PathError(
      `Channel ${missing % channels} of series ${Math.floor(missing / channels)} has no value (NaN), and ` +
        (interpolation === "rectilinear"
          ? "there is no earlier one at its first point. Give it one, 0 or a mean."
          : `what a ${interpolation} path makes of that depends on later points. Train along a rectilinear path, where the ` +
            "last value goes on."),
    );
  }
  return tensor(dtype, [batch, channels], values);
}

function rowsOf(given: readonly number[] | readonly (readonly number[])[]) {
  const rows = (typeof given[0] === "number" ? [given] : given) as readonly (readonly number[])[];
  const width = rows[0]?.length ?? 0;
  const isEven = rows.every((row) => row.length === width);
  return { shape: [rows.length, isEven ? width : Number.NaN], values: rows.flat() };
}
