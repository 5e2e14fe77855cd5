import type { FloatDType } from "../core/tensor.js";
import type { Parameter } from "../fields/field.js";
import type { ValueType } from "../graph/graph.js";
import { type SampledType, sampledType } from "../programs/objective.js";
import { inputType } from "../programs/program.js";
import { dtypeOf, type SampleTypes } from "./model.js";
import type { AnyTask } from "./task.js";

/** Types or values of a task, by the names that its model and its data have for them. */
export type Named<X> = Readonly<Record<string, X>>;

/** The types of the parameters of a model, and of its buffers. */
export function parameterTypesOf(
  { parameters, buffers = {} }: Pick<AnyTask["model"], "parameters" | "buffers">,
  dtype: FloatDType,
): { readonly parameters: Named<ValueType>; readonly buffers: Named<ValueType> } {
  const types = (record: Named<Parameter>) =>
    Object.fromEntries(Object.entries(record).map(([name, { shape }]) => [name, inputType(dtype, shape)]));
  return { parameters: types(parameters), buffers: types(buffers) };
}

/** The types of so many samples: inputs of the model, and targets. */
export function dataTypesOf(
  { model, targets }: Pick<AnyTask, "model" | "targets">,
  dtype: FloatDType,
  samples: number,
): Named<SampledType> {
  const types = { ...model.inputs, ...targets } as SampleTypes;
  return Object.fromEntries(
    Object.entries(types).map(([name, type]) => [
      name,
      sampledType(dtypeOf(type, dtype), [samples, ...type.shape], 0),
    ]),
  );
}
