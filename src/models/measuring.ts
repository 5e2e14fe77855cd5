import { type FloatDType, numbers, type Tensor } from "../core/tensor.js";
import { mapLeaves } from "../core/tree.js";
import type { Tensors } from "../fields/field.js";
import { sharesOf } from "../gradients/parts.js";
import type { Value } from "../graph/graph.js";
import { compileProgram, downloadTree, uploadTree } from "../runtime/compile-program.js";
import type { DeviceTensors, Runtime } from "../runtime/runtime.js";
import type { Measures } from "../train/checkpoint.js";
import { checkDataset, type Dataset, DatasetError, takeSamples } from "./dataset.js";
import type { Model, SampleTypes } from "./model.js";
import type { AnyTask, Task } from "./task.js";
import { measuresProgram, predictionProgram } from "./task-measures.js";
import { checkValues } from "./values.js";

export type { Measures };

export interface EvaluateOptions {
  readonly runtime: Runtime;
  readonly parameters: Tensors;
  readonly buffers?: Tensors;
  readonly dtype?: FloatDType;
  /** samples that are measured at once; 256 by default */
  readonly atOnce?: number;
}

/**
 * Loss and metrics of a model on data, as after training.
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
): Promise<Measures> {
  const task = given as AnyTask;
  const compiled = await measuring(task, data, { runtime, dtype, what: "The data", atOnce });
  try {
    return await compiled.measure(
      uploadTree(runtime, checkValues(task.model, { parameters, buffers }, dtype)),
    );
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
  readonly measure: (values: OnDevice) => Promise<Measures>;
  readonly release: () => Promise<void>;
}

/** Parameters and buffers on a device. */
interface OnDevice {
  readonly parameters: DeviceTensors;
  readonly buffers: DeviceTensors;
}

/**
 * Compiles loss and metrics of a dataset, taken in parts and averaged over its samples, or over what the task says.
 *
 * @throws {DatasetError} for data that do not fit the task, or a number of samples that is none
 */
export async function measuring(
  task: AnyTask,
  given: Dataset,
  {
    runtime,
    dtype,
    what,
    atOnce = usualAtOnce,
  }: { runtime: Runtime; dtype: FloatDType; what: string; atOnce?: number | undefined },
): Promise<Measuring> {
  const { data, count } = checkDataset(what, given, { ...task.model.inputs, ...task.targets }, dtype);
  if (!Number.isInteger(atOnce) || atOnce < 1) {
    throw new DatasetError(`${what} are measured 1 or more samples at once, but ${atOnce} were asked for.`);
  }
  const compile = (size: number) => compileProgram(runtime, measuresProgram(task, dtype, size));
  const compiled = new Map<number, Awaited<ReturnType<typeof compile>>>();
  const parts: { size: number; data: DeviceTensors }[] = [];
  for (let from = 0; from < count; from += atOnce) {
    const size = Math.min(atOnce, count - from);
    if (!compiled.has(size)) compiled.set(size, await compile(size));
    const which = Array.from({ length: size }, (_, i) => from + i);
    parts.push({ size, data: uploadTree(runtime, takeSamples(data, which)) });
  }
  return {
    async measure({ parameters, buffers }) {
      const found: { weight: number; loss: number; metrics: Record<string, number> }[] = [];
      for (const { size, data } of parts) {
        const results = await compiled.get(size)!.run({ parameters, buffers, data });
        const { loss, metrics, weight } = mapLeaves(
          await downloadTree(runtime, results),
          (leaf) => numbers(leaf as Tensor)[0]!,
        );
        found.push({ weight: weight ?? size, loss, metrics });
      }
      const shares = sharesOf(found.map(({ weight }) => weight));
      // a part in which nothing was observed has no mean: 0 / 0
      const mean = (of: (part: (typeof found)[number]) => number) =>
        found.reduce((sum, part, k) => (shares[k] === 0 ? sum : sum + shares[k]! * of(part)), 0);
      const names = Object.keys(found[0]!.metrics);
      return {
        loss: mean(({ loss }) => loss),
        metrics: Object.fromEntries(names.map((name) => [name, mean(({ metrics }) => metrics[name]!)])),
      };
    },
    async release() {
      for (const one of compiled.values()) await one.release();
    },
  };
}
