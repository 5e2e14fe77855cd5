import type { FloatDType } from "../core/tensor.js";
import type { Values } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import type { Training } from "../nn/layer.js";
import { cast } from "../ops/reshape.js";
import { programOf } from "../programs/program.js";
import { standard } from "../programs/updates.js";
import { applied, checkScalar, type Named, type SampleTypes } from "./model.js";
import { reading } from "./named-reads.js";
import type { AnyTask } from "./task.js";
import { dataTypesOf, parameterTypesOf } from "./task-types.js";

/** What the loss of samples is a mean over; `null` where that is their number. */
export function weightOf(
  b: Builder,
  { weigh, model }: AnyTask,
  dtype: FloatDType,
  data: Values,
): Value | null {
  if (weigh === undefined) return null;
  const weight = weigh(b, data as never);
  checkScalar(`What the loss of a task with the model "${model.name}" is a mean over`, weight);
  return cast(b, weight, dtype);
}

/** A loss and metrics at given parameters and buffers. */
export function measured(b: Builder, task: AnyTask, theta: Values, data: Values, training: Training | null) {
  const part = (types: SampleTypes): Values =>
    Object.fromEntries(Object.keys(types).map((name) => [name, data[name]!]));
  const inputs = part(task.model.inputs) as Named<SampleTypes>;
  const outputs = applied(b, task.model, theta, inputs, training);
  const compared = { outputs, inputs, targets: part(task.targets) as Named<SampleTypes> };
  const measure = (what: string, of: AnyTask["loss"]): Value => {
    const records = [
      { kind: "the output", there: "the model gives", values: compared.outputs },
      { kind: "the input", there: "those of the model are", values: compared.inputs },
      { kind: "the target", there: "those of the task are", values: compared.targets },
    ] as const;
    const value = reading<[Values, Values, Values], Value>(what, records, (outputs, inputs, targets) =>
      of(b, { outputs, inputs, targets, theta }, training),
    );
    checkScalar(what, value);
    return value;
  };
  const loss = measure(`The loss of a task with the model "${task.model.name}"`, task.loss);
  const metrics: Record<string, Value> = {};
  if (training === null) {
    for (const [name, metric] of Object.entries(task.metrics ?? {}) as [string, AnyTask["loss"]][]) {
      metrics[name] = measure(`The metric "${name}"`, metric);
    }
  }
  return { loss, metrics };
}

/** The graph that maps parameters, buffers and inputs of so many samples to the outputs of a model, as after training. */
export function predictionProgram(model: AnyTask["model"], dtype: FloatDType, samples: number) {
  const data = dataTypesOf({ model, targets: {} }, dtype, samples);
  const inputs = { ...parameterTypesOf(model, dtype), data };
  return standard(
    programOf(model.name, inputs, (b, values): Readonly<Record<string, Value>> => {
      const theta = { ...values.parameters, ...values.buffers };
      return applied(b, model, theta, values.data as Named<SampleTypes>, null);
    }),
  );
}

/** The graph that maps parameters, buffers and so many samples to loss and metrics, as after training, and their weight. */
export function measuresProgram(task: AnyTask, dtype: FloatDType, samples: number) {
  const inputs = { ...parameterTypesOf(task.model, dtype), data: dataTypesOf(task, dtype, samples) };
  return standard(
    programOf("measures", inputs, (b, { parameters, buffers, data }) => ({
      ...measured(b, task, { ...parameters, ...buffers }, data, null),
      weight: weightOf(b, task, dtype, data),
    })),
  );
}
