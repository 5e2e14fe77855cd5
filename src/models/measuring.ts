import { SizeError } from "../core/size.js";
import type { FloatDType, Tensor } from "../core/tensor.js";
import type { Tensors } from "../fields/field.js";
import type { Value } from "../graph/graph.js";
import { compileProgram, downloadTree, uploadTree } from "../runtime/compile-program.js";
import type { DeviceTensors, Runtime } from "../runtime/runtime.js";
import type { Measures } from "../train/checkpoint.js";
import { CompiledMeasures, type MeasuredPart, meanOf, type OnDevice } from "./compiled-measures.js";
import { checkDataset, type Dataset, DatasetError, takeSamples } from "./dataset.js";
import { type Means, meansOf } from "./means.js";
import type { Model, SampleTypes } from "./model.js";
import type { AnyTask, Task } from "./task.js";
import { predictionProgram } from "./task-measures.js";
import { checkValues, type ModelValues } from "./values.js";

export type { Measures };

export interface EvaluateOptions {
  readonly runtime: Runtime;
  readonly parameters: Tensors;
  readonly buffers?: Tensors;
  readonly dtype?: FloatDType;
  /**
   * samples that are measured at once, of which the mean is taken; by default 256, and all where a loss or metric is seen to be no
   * mean over samples
   */
  readonly atOnce?: number;
}

/** What {@link evaluate} found. */
export interface Evaluated extends Measures {
  /** which of the loss and the metrics are no means over samples, and how they were measured */
  readonly notes: readonly string[];
}

/**
 * Loss and metrics of a model on data, as after training.
 *
 * More data than are measured at once are taken in parts and averaged: by their numbers of samples, or by what the task says
 * (`weigh`). Whether the loss and each metric are such means is tried on a few samples first. What is none, as a root of a mean is,
 * is measured of all samples at once, which takes the memory of all; `notes` say so.
 *
 * @throws {DatasetError} for data that do not fit the task
 */
export async function evaluate<
  Inputs extends SampleTypes,
  Targets extends SampleTypes,
  Outputs extends Readonly<Record<string, Value>>,
>(
  given: Task<Inputs, Targets, Outputs>,
  data: Dataset,
  { runtime, parameters, buffers = {}, dtype = "float64", atOnce }: EvaluateOptions,
): Promise<Evaluated> {
  const task = given as AnyTask;
  const values = checkValues(task.model, { parameters, buffers }, dtype);
  const compiled = await measuring(task, data, {
    ...{ runtime, dtype, values, atOnce, what: "The data", option: "atOnce" },
  });
  try {
    return { ...(await compiled.measure(uploadTree(runtime, values))), notes: compiled.notes };
  } finally {
    await compiled.release();
  }
}

/**
 * The outputs of a model for given inputs, as after training: each [samples, …], by name.
 *
 * @throws {DatasetError} for inputs that do not fit the model
 */
export async function predict<Inputs extends SampleTypes, Outputs extends Readonly<Record<string, Value>>>(
  model: Model<Inputs, Outputs>,
  inputs: Dataset,
  { runtime, parameters, buffers = {}, dtype = "float64" }: EvaluateOptions,
): Promise<Readonly<Record<keyof Outputs & string, Tensor>>> {
  const { data, count } = checkDataset("The inputs", inputs, model.inputs, dtype);
  const values = checkValues(model as Model, { parameters, buffers }, dtype);
  const compiled = await compileProgram(runtime, predictionProgram(model as Model, dtype, count));
  try {
    const outputs = await compiled.run(uploadTree(runtime, { ...values, data }));
    return (await downloadTree(runtime, outputs)) as Readonly<Record<keyof Outputs & string, Tensor>>;
  } finally {
    await compiled.release();
  }
}

/** Samples that are measured at once, unless something else is asked for. */
const usualAtOnce = 256;

/** Compiled loss and metrics of a dataset. */
export interface Measuring {
  readonly measure: (values: Omit<OnDevice, "data">) => Promise<Measures>;
  /** what is no mean over samples, and how it is measured */
  readonly notes: readonly string[];
  readonly release: () => Promise<void>;
}

interface MeasuringOptions {
  readonly runtime: Runtime;
  readonly dtype: FloatDType;
  /** parameters beside which it is tried what is a mean over samples */
  readonly values: ModelValues;
  /** names the data in messages */
  readonly what: string;
  readonly atOnce: number | undefined;
  /** what users call that */
  readonly option: string;
}

/**
 * Compiles loss and metrics of a dataset: what is a mean over samples in parts, what is none of all of them at once, unless parts are
 * asked for.
 *
 * @throws {DatasetError} for data that do not fit the task, or a number of samples that is none
 */
export async function measuring(
  task: AnyTask,
  given: Dataset,
  { runtime, dtype, values, what, atOnce: asked, option }: MeasuringOptions,
): Promise<Measuring> {
  const { data, count } = checkDataset(what, given, { ...task.model.inputs, ...task.targets }, dtype);
  const atOnce = asked ?? usualAtOnce;
  if (!Number.isInteger(atOnce) || atOnce < 1) {
    throw new DatasetError(`${what} are measured 1 or more samples at once, but ${atOnce} were asked for.`);
  }
  const on = { runtime, dtype };
  const all = new CompiledMeasures(task, on);
  const size = Math.min(atOnce, count);
  const means = count > size ? await meansOf(all, values, data, { ...on, atOnce }) : null;
  const none = means === null ? [] : noMeansOf(means);
  if (none.length === 0 || asked !== undefined) {
    const parts = await measuredParts(all, data, { runtime, count, size });
    return { ...parts, notes: none.length === 0 ? [] : [askedForNote(none, size, option)] };
  }
  await all.release();
  const metrics = Object.entries(task.metrics ?? {}) as [string, AnyTask["loss"]][];
  const some = (isMean: boolean) =>
    new CompiledMeasures(
      {
        ...task,
        metrics: Object.fromEntries(metrics.filter(([name]) => (means!.metrics[name] !== false) === isMean)),
      },
      on,
    );
  const notes = [atOnceNote(none, count)];
  const whole = await measuredParts(some(false), data, { runtime, count, size: count }).catch((cause) => {
    if (!(cause instanceof SizeError)) throw cause;
    throw new SizeError(
      `${notes[0]} They are too many for that: ${cause.message} Measure fewer, or take the mean of parts (${option}).`,
    );
  });
  const isRest = none.length < 1 + metrics.length;
  if (!isRest) return { ...whole, notes };
  const rest = await measuredParts(some(true), data, { runtime, count, size });
  return {
    async measure(at) {
      const [ofAll, ofParts] = [await whole.measure(at), await rest.measure(at)];
      const found = { ...ofAll.metrics, ...ofParts.metrics };
      return {
        loss: (means!.loss === false ? ofAll : ofParts).loss,
        metrics: Object.fromEntries(metrics.map(([name]) => [name, found[name]!])),
      };
    },
    notes,
    async release() {
      await whole.release();
      await rest.release();
    },
  };
}

/** Measures of samples, so many at once, and the mean of them. */
async function measuredParts(
  compiled: CompiledMeasures,
  data: Dataset,
  { runtime, count, size: atOnce }: { runtime: Runtime; count: number; size: number },
): Promise<Omit<Measuring, "notes">> {
  const parts: { size: number; data: DeviceTensors }[] = [];
  for (let from = 0; from < count; from += atOnce) {
    const size = Math.min(atOnce, count - from);
    await compiled.prepare(size);
    const which = Array.from({ length: size }, (_, i) => from + i);
    parts.push({ size, data: uploadTree(runtime, takeSamples(data, which)) as DeviceTensors });
  }
  return {
    async measure(at) {
      const found: MeasuredPart[] = [];
      for (const { size, data } of parts) found.push(await compiled.measure(size, { ...at, data }));
      return meanOf(found);
    },
    release: () => compiled.release(),
  };
}

/** What is no mean over samples, as messages name it. */
function noMeansOf({ loss, metrics }: Means): string[] {
  const others = Object.entries(metrics).flatMap(([name, isMean]) =>
    isMean === false ? [`the metric "${name}"`] : [],
  );
  return [...(loss === false ? ["the loss"] : []), ...others];
}

const remedy =
  "What is a mean over something else than samples, the sum of a mask say, can be measured in parts: let weigh of the task say over what.";

const areNoMeans = (none: readonly string[]) =>
  `${none.join(", ")} ${none.length === 1 ? "is not the mean" : "are not the means"} of what parts of them have`;

const atOnceNote = (none: readonly string[], count: number) =>
  `All ${count} samples are measured at once: ${areNoMeans(none)}. ${remedy}`;

const askedForNote = (none: readonly string[], size: number, option: string) =>
  `${size} samples are measured at once, as ${option} asks for, and the mean is taken. All samples together have another: ` +
  `${areNoMeans(none)}. Leave out ${option}. ${remedy}`;
