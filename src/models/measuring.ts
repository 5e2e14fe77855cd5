import { type FloatDType, numbers, type Tensor } from "../core/tensor.js";
import type { Tensors } from "../fields/field.js";
import type { Value } from "../graph/graph.js";
import { pick, upload } from "../integrate/problem.js";
import { dataName, parameterName } from "../programs/names.js";
import type { DeviceTensors, Executable, Runtime } from "../runtime/runtime.js";
import { checkDataset, type Dataset, takeSamples } from "./dataset.js";
import type { Model, SampleTypes } from "./model.js";
import type { Task } from "./task.js";
import { type AnyTask, bufferName, predictionProgram, taskMeasuresProgram } from "./task-program.js";
import { checkValues, named } from "./values.js";

/** Loss and metrics of a dataset, means over its samples. */
export interface Measures {
  readonly loss: number;
  readonly metrics: Readonly<Record<string, number>>;
}

export interface EvaluateOptions {
  readonly runtime: Runtime;
  readonly parameters: Tensors;
  readonly buffers?: Tensors;
  readonly dtype?: FloatDType;
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
  { runtime, parameters, buffers = {}, dtype = "float64" }: EvaluateOptions,
): Promise<Measures> {
  const task = given as AnyTask;
  const compiled = await measuring(task, data, { runtime, dtype, what: "The data" });
  try {
    const values = { ...named(parameters, parameterName), ...named(buffers, bufferName) };
    checkValues(task, values);
    return await compiled.measure(upload(runtime, values));
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
  const values = { ...named(parameters, parameterName), ...named(buffers, bufferName) };
  checkValues({ model: model as Model }, values);
  const executable = await runtime.compile(predictionProgram({ model: model as Model, dtype }, count));
  try {
    const given = upload(runtime, { ...named(data, dataName), ...values });
    const results = await executable.run(pick(given, executable.inputs));
    const entries = Object.entries(results).map(
      async ([name, value]) => [name, await runtime.download(value)] as const,
    );
    return Object.fromEntries(await Promise.all(entries)) as Record<keyof Outputs & string, Tensor>;
  } finally {
    await executable.release();
  }
}

/** Samples that are measured at once. */
const samplesAtOnce = 256;

/** Compiled loss and metrics of a dataset. */
export interface Measuring {
  /** @param values  parameters and buffers under program names */
  readonly measure: (values: DeviceTensors) => Promise<Measures>;
  readonly release: () => Promise<void>;
}

/** Compiles loss and metrics of a dataset, taken in parts and averaged over its samples. */
export async function measuring(
  task: AnyTask,
  given: Dataset,
  { runtime, dtype, what }: { runtime: Runtime; dtype: FloatDType; what: string },
): Promise<Measuring> {
  const { data, count } = checkDataset(what, given, { ...task.model.inputs, ...task.targets }, dtype);
  const parts: { executable: Executable; inputs: DeviceTensors; share: number }[] = [];
  const compiled = new Map<number, Executable>();
  for (let from = 0; from < count; from += samplesAtOnce) {
    const size = Math.min(samplesAtOnce, count - from);
    let executable = compiled.get(size);
    if (executable === undefined) {
      executable = await runtime.compile(taskMeasuresProgram({ task, dtype }, size));
      compiled.set(size, executable);
    }
    const part = takeSamples(
      data,
      Array.from({ length: size }, (_, i) => from + i),
    );
    parts.push({ executable, inputs: upload(runtime, named(part, dataName)), share: size / count });
  }
  return {
    async measure(values) {
      const sums: Record<string, number> = {};
      for (const { executable, inputs, share } of parts) {
        const results = await executable.run(pick({ ...inputs, ...values }, executable.inputs));
        for (const name in results) {
          sums[name] = (sums[name] ?? 0) + share * numbers(await runtime.download(results[name]!))[0]!;
        }
      }
      const { loss, ...metrics } = sums;
      return {
        loss: loss!,
        metrics: Object.fromEntries(
          Object.entries(metrics).map(([name, value]) => [name.slice("metrics/".length), value]),
        ),
      };
    },
    async release() {
      for (const executable of compiled.values()) await executable.release();
    },
  };
}
