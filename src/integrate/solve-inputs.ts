import { RevortError } from "../core/errors.js";
import { castTensor, ShapeError, showShape, type Tensor } from "../core/tensor.js";
import { stateOf, type Tensors, type VectorField } from "../fields/field.js";
import { type Grid, type GridTree, savesEveryStep } from "../programs/grid.js";
import type { Setting } from "../programs/inputs.js";
import { parameterName } from "../programs/names.js";
import type { DeviceTensor, DeviceTensors, Runtime } from "../runtime/runtime.js";
import type { NeuralOde } from "./neural-ode.js";

// What goes into a solve: checked, named as programs name it, and on the device.

/** A parameter that is missing, unknown or of another shape than the field's. */
export class ParameterError extends RevortError {}

/** What a solve on a grid takes, on the device. */
export interface OnDevice extends GridTree<DeviceTensor> {
  readonly parameters: DeviceTensors;
  readonly y0: DeviceTensor;
}

/** What programs need to know of a solve. */
export function settingOf(ode: NeuralOde, state: readonly number[], grid: Grid): Setting {
  const { field, method, dtype } = ode;
  return { field, method, dtype, state, saves: grid.offsets.length - 1, everyStep: savesEveryStep(grid) };
}

/** The initial state in the dtype of the equation. @throws {ShapeError} */
export function checkState(ode: NeuralOde, y0: Tensor): Tensor {
  const state = castTensor(stateOf(ode.field, y0), ode.dtype);
  const bad = (state.data as Float64Array).findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw new ShapeError(
      `The initial state must be finite, but component ${bad} of ${showShape(state.shape)} is not.`,
    );
  }
  return state;
}

/** The parameters of a field, all there and cast to a dtype. @throws {ParameterError} */
export function checkParameters(
  field: Pick<VectorField, "name" | "parameters">,
  given: Tensors,
  { dtype }: Pick<NeuralOde, "dtype">,
): Tensors {
  const expected = Object.keys(field.parameters);
  const unknown = Object.keys(given).filter((name) => !expected.includes(name));
  if (unknown.length > 0) {
    throw new ParameterError(
      `The field "${field.name}" has no parameter "${unknown[0]}"; its parameters are ${expected.join(", ") || "none"}.`,
    );
  }
  const checked: Record<string, Tensor> = {};
  for (const name of expected) {
    const { shape } = field.parameters[name]!;
    const value = given[name];
    if (value === undefined) {
      throw new ParameterError(
        `The parameter "${name}" ${showShape(shape)} of the field "${field.name}" is missing.`,
      );
    }
    if (value.shape.length !== shape.length || value.shape.some((dim, axis) => dim !== shape[axis])) {
      throw new ParameterError(
        `The parameter "${name}" of the field "${field.name}" must have shape ${showShape(shape)}, ` +
          `but has ${showShape(value.shape)}.`,
      );
    }
    checked[name] = castTensor(value, dtype);
  }
  return checked;
}

/** Parameters under the names they have in programs. */
export function named(parameters: Tensors): Tensors {
  const renamed: Record<string, Tensor> = {};
  for (const name in parameters) renamed[parameterName(name)] = parameters[name]!;
  return renamed;
}

export function upload(runtime: Runtime, tensors: Tensors): DeviceTensors {
  const uploaded: Record<string, DeviceTensor> = {};
  for (const name in tensors) uploaded[name] = runtime.upload(tensors[name]!);
  return uploaded;
}

/** The inputs that a graph takes, out of those there are. */
export function pick(inputs: DeviceTensors, wanted: object): DeviceTensors {
  return Object.fromEntries(Object.keys(wanted).map((name) => [name, inputs[name]!]));
}
