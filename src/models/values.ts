import { Random } from "../core/random.js";
import { castTensor, type FloatDType, showShape, type Tensor, tensor } from "../core/tensor.js";
import { type Branch, mapTree } from "../core/tree.js";
import type { Tensors } from "../fields/field.js";
import type { ValueType } from "../graph/graph.js";
import { ParameterError } from "../integrate/solve-inputs.js";
import { type Checkpoint, parametersOf } from "../train/checkpoint.js";
import type { Model } from "./model.js";
import { parameterTypesOf } from "./task-types.js";

// Parameters and buffers of a model on the host, by the names that it has for them.

type Parts = Pick<Model, "name" | "parameters" | "buffers">;

/** Parameters and buffers. */
export interface ModelValues {
  readonly parameters: Tensors;
  readonly buffers: Tensors;
}

/**
 * Parameters and buffers before the first update, drawn in the order of their names in the model.
 *
 * @param given  parameters that are not drawn
 * @throws {ParameterError} for a parameter that there is not, or of another shape
 */
export function initialValues(
  { name: model, parameters, buffers = {} }: Parts,
  { dtype, seed, given = {} }: { dtype: FloatDType; seed: number; given?: Tensors },
): ModelValues {
  const random = Random.seeded(seed);
  const drawn = (record: Model["parameters"]): Tensors =>
    Object.fromEntries(
      Object.entries(record).map(([name, { shape, initial }]) => [
        name,
        tensor(dtype, shape, initial(random)),
      ]),
    );
  const values = { parameters: drawn(parameters), buffers: drawn(buffers) };
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(parameters, name));
  if (unknown !== undefined) {
    const names = Object.keys(parameters).join(", ") || "none";
    throw new ParameterError(`The model "${model}" has no parameter "${unknown}"; it has ${names}.`);
  }
  const all = { ...values, parameters: { ...values.parameters, ...given } };
  return checkValues({ name: model, parameters, buffers }, all, dtype);
}

/**
 * Parameters and buffers, all there, in their shapes and cast to a dtype.
 *
 * @throws {ParameterError} naming the one that is not
 */
export function checkValues(
  model: Parts,
  given: { readonly parameters: Tensors; readonly buffers?: Tensors },
  dtype: FloatDType,
): ModelValues {
  const all: Branch = { parameters: given.parameters, buffers: given.buffers ?? {} };
  const check = (kind: "parameters" | "buffers") =>
    mapTree(parameterTypesOf(model, dtype)[kind], (leaf, name) => {
      const { shape } = leaf as ValueType;
      const value = (all[kind] as Tensors)[name];
      if (value !== undefined && value.shape.join() === shape.join()) return castTensor(value, dtype);
      throw new ParameterError(
        `The model "${model.name}" takes ${kind} ${name} of shape ${showShape(shape)}, but ` +
          `${value === undefined ? "there is none" : `it has shape ${showShape(value.shape)}`}.`,
      );
    }) as Readonly<Record<string, Tensor>>;
  return { parameters: check("parameters"), buffers: check("buffers") };
}

/** Parameters and buffers where a run has stopped. @throws {ParameterError} for a run of another model */
export function resumedValues(
  model: Parts,
  { trained, buffers = {} }: Pick<Checkpoint, "trained" | "buffers">,
  dtype: FloatDType,
): ModelValues {
  return checkValues(model, namesIn({ trained, buffers }), dtype);
}

/** Parameters and buffers of a checkpoint, by the names that the model has for them. */
export function namesIn({ trained, buffers = {} }: Pick<Checkpoint, "trained" | "buffers">): ModelValues {
  const start = "buffers/".length;
  return {
    parameters: parametersOf(trained),
    buffers: Object.fromEntries(Object.entries(buffers).map(([name, value]) => [name.slice(start), value])),
  };
}
