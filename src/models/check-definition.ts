import { RevortError } from "../core/errors.js";
import { OptionError, showValue } from "../core/options.js";
import type { Parameter } from "../fields/field.js";

// What definitions of models, tasks and equations are made of, held against what is wanted there.

/** A model or a task that makes no sense, or is given what does not fit it. */
export class ModelDefinitionError extends RevortError {}

/** @throws {OptionError} unless a part of a definition is a function, saying how it reads */
export function checkFunction(of: string, name: string, given: unknown, example: string): void {
  if (typeof given === "function") return;
  const found = given === undefined ? "" : `, but ${name} is ${showValue(given)}`;
  throw new OptionError(`${of} needs ${name}: ${example}${found}.`);
}

/** @throws {OptionError} for what is no parameter, naming it and how it is written */
export function checkParameterDefinitions(of: string, parameters: unknown): void {
  if (typeof parameters !== "object" || parameters === null) {
    throw new OptionError(
      `${of} needs parameters, { w: { shape: [2], initial: () => [1, 1] } }, or {} where there are none` +
        (parameters === undefined ? "." : `, but they are ${showValue(parameters)}.`),
    );
  }
  for (const [name, given] of Object.entries(parameters)) {
    const { shape, initial } = (given ?? {}) as Partial<Parameter>;
    if (isShape(shape) && typeof initial === "function") continue;
    const example = typeof given === "number" ? `{ shape: [], initial: () => [${given}] }` : undefined;
    throw new OptionError(
      `${of} has the parameter "${name}" as ${showValue(given)}, but a parameter has a shape and an initial value: ` +
        `${example ?? "{ shape: [2], initial: (random) => [random.normal(), 0] }"}.`,
    );
  }
}

/** @throws {OptionError} for what is no record of arrays of a sample */
export function checkSampleTypes(of: string, what: "inputs" | "targets", types: unknown): void {
  const article = what === "inputs" ? "an input" : "a target";
  if (typeof types !== "object" || types === null) {
    throw new OptionError(
      `${of} needs ${what} by name, ${what}: { x: { shape: [3] } }${what === "targets" ? ", or {} where the loss takes none" : ""}` +
        (types === undefined ? "." : `, but they are ${showValue(types)}.`),
    );
  }
  for (const [name, given] of Object.entries(types)) {
    const { shape, type = "float" } = (given ?? {}) as { shape?: unknown; type?: unknown };
    if (isShape(shape) && (type === "float" || type === "int64")) continue;
    throw new OptionError(
      `${of} has ${article} "${name}" as ${showValue(given)}, but each has the shape of one sample, without the batch: ` +
        `${name}: { shape: [3] }, with type: "int64" for whole numbers.`,
    );
  }
}

function isShape(shape: unknown): boolean {
  return Array.isArray(shape) && shape.every((size) => Number.isInteger(size) && size >= 0);
}
