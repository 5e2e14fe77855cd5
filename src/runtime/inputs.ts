import { showShape } from "../core/tensor.js";
import { showType, type ValueType } from "../graph/graph.js";
import { type DeviceTensors, InputError } from "./runtime.js";

/** @throws {InputError} unless the inputs are exactly those of the graph, with its types */
export function checkInputs(expected: Readonly<Record<string, ValueType>>, given: DeviceTensors): void {
  for (const name in expected) {
    const type = expected[name]!;
    const value = given[name];
    if (value === undefined) {
      throw new InputError(`Input "${name}" (${showType(type)}) is missing; given were ${list(given)}.`);
    }
    const fits =
      value.shape.length === type.shape.length &&
      type.shape.every((dim, axis) => typeof dim === "string" || dim === value.shape[axis]);
    if (value.dtype !== type.dtype || !fits) {
      throw new InputError(
        `Input "${name}" must be ${showType(type)}, but ${value.dtype}${showShape(value.shape)} was given.`,
      );
    }
  }
  for (const name in given) {
    if (!(name in expected))
      throw new InputError(`There is no input "${name}"; the graph takes ${list(expected)}.`);
  }
}

function list(named: object): string {
  const names = Object.keys(named);
  return names.length === 0 ? "none" : names.map((name) => `"${name}"`).join(", ");
}
