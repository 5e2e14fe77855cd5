import { Random } from "../core/random.js";
import { type FloatDType, showShape, type Tensor, tensor } from "../core/tensor.js";
import type { Tensors } from "../fields/field.js";
import { ParameterError } from "../integrate/problem.js";
import { parameterName } from "../programs/names.js";
import type { Model } from "./model.js";
import { type AnyTask, bufferName, shapesOf } from "./task-program.js";

// Parameters and buffers of a model on the host: by the names that it has for them, and under program names.

/** Tensors under other names. */
export function named(tensors: Tensors, name: (own: string) => string): Tensors {
  return Object.fromEntries(Object.entries(tensors).map(([own, value]) => [name(own), value]));
}

/** Those under names that start so, by the rest of their names. */
function unnamed(tensors: Tensors, prefix: string): Tensors {
  return Object.fromEntries(
    Object.entries(tensors).flatMap(([name, value]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), value] as const] : [],
    ),
  );
}

/** Parameters and buffers, by the names that the model has for them. */
export function parted(values: Tensors): { readonly parameters: Tensors; readonly buffers: Tensors } {
  return { parameters: unnamed(values, parameterName("")), buffers: unnamed(values, bufferName("")) };
}

/**
 * Parameters and buffers before the first update, drawn in the order of their names in the model.
 *
 * @param given  parameters that are not drawn
 * @throws {ParameterError} for a parameter that there is not, or of another shape
 */
export function initialValues(
  { model }: { readonly model: Pick<Model, "name" | "parameters" | "buffers"> },
  { dtype, seed, given = {} }: { dtype: FloatDType; seed: number; given?: Tensors },
): Tensors {
  const random = Random.seeded(seed);
  const drawn = (record: Model["parameters"] = {}) =>
    Object.fromEntries(
      Object.entries(record).map(([name, { shape, initial }]) => [
        name,
        tensor(dtype, shape, initial(random)),
      ]),
    );
  const values = {
    ...named(drawn(model.parameters), parameterName),
    ...named(drawn(model.buffers), bufferName),
  };
  const own = named(given, parameterName);
  const unknown = Object.keys(own).find((name) => !Object.hasOwn(values, name));
  if (unknown !== undefined) {
    const names = Object.keys(model.parameters).join(", ") || "none";
    throw new ParameterError(
      `The model "${model.name}" has no parameter "${unknown.slice(parameterName("").length)}"; it has ${names}.`,
    );
  }
  return { ...values, ...cast(own, dtype) };
}

function cast(tensors: Tensors, dtype: FloatDType): Tensors {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { shape, data }]) => [
      name,
      tensor(dtype, shape, Array.from(data as Float64Array)) as Tensor,
    ]),
  );
}

/** @throws {ParameterError} unless all parameters and buffers are there, in their shapes */
export function checkValues(task: Pick<AnyTask, "model">, values: Tensors): void {
  const { trained, buffers } = shapesOf(task);
  for (const [name, shape] of Object.entries({ ...trained, ...buffers })) {
    const value = values[name];
    if (value !== undefined && value.shape.join() === shape.join()) continue;
    throw new ParameterError(
      `The model "${task.model.name}" takes ${name.replace("/", " ")} of shape ${showShape(shape)}, but ` +
        `${value === undefined ? "there is none" : `it has shape ${showShape(value.shape)}`}.`,
    );
  }
}
