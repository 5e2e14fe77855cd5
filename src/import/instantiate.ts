import { type FloatDType, isFloat, ShapeError, type Tensor } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import { sameShape, showType, type Value } from "../graph/graph.js";
import { type Model, ModelError, type ModelValue, shown } from "../graph/model.js";
import { Replay } from "./replay.js";
import { type Replacements, Scope } from "./scope.js";
import { type StoredArray, storedArrays } from "./stored.js";

export interface InstantiateOptions {
  /** values that take the place of stored arrays, by their names (see `storedArrays`) */
  readonly parameters?: Readonly<Record<string, Value>>;
  /** makes every float type of the model this one: a float32 file can be solved in float64 */
  readonly float?: FloatDType;
}

/**
 * Builds what a model computes into a graph, from values for its inputs, and returns its outputs by name. With
 * concrete shapes, the arithmetic on shapes that exporters write folds away.
 *
 * @throws {ModelError} if an input does not fit, or a node cannot be built
 * @throws {UnsupportedOperatorError} for an operator, or a form of one, that revort does not know
 */
export function instantiate(
  b: Builder,
  model: Model,
  inputs: Readonly<Record<string, Value>>,
  options: InstantiateOptions = {},
): Record<string, Value> {
  const float = options.float ?? null;
  const scope = new Scope();
  checkNames(model, inputs);
  const dims = new Map<string, number | string>();
  for (const declared of model.graph.inputs) {
    const value = inputs[declared.name]!;
    checkInput(model, declared, value, float, dims);
    scope.bind(declared.name, value);
  }
  for (const [name, value] of Object.entries(inputs)) {
    const initializer = model.graph.initializers.get(name);
    if (initializer === undefined) continue;
    checkStored(model, name, initializer, value, float);
    scope.bind(name, value);
  }
  const replay = new Replay(model, float, replacements(model, options.parameters ?? {}, float));
  const outputs = replay.graph(b, model.graph, scope);
  model.graph.outputs.forEach((declared, i) => {
    checkOutput(model, declared, outputs[i]!, float);
  });
  return Object.fromEntries(model.graph.outputs.map(({ name }, i) => [name, outputs[i]!]));
}

/** What takes the place of which stored array. */
function replacements(
  model: Model,
  parameters: Readonly<Record<string, Value>>,
  float: FloatDType | null,
): Replacements {
  const replaced = new Map<StoredArray["place"], Value>();
  const names = Object.keys(parameters);
  if (names.length === 0) return replaced;
  const { initializers } = model.graph;
  // most are initializers of the main graph, where names are enough
  const others = names.every((name) => initializers.has(name))
    ? null
    : new Map(storedArrays(model).map((array) => [array.name, array]));
  for (const [name, value] of Object.entries(parameters)) {
    const initializer = initializers.get(name);
    const found = initializer === undefined ? others?.get(name) : { place: initializer, value: initializer };
    if (found === undefined) {
      throw new ModelError(
        `${model.source}: there is no initializer ${shown(name)}; \`revort inspect\` lists the model's parameters.`,
      );
    }
    checkStored(model, name, found.value, value, float);
    replaced.set(found.place, value);
  }
  return replaced;
}

/** @throws {ShapeError} if a value is not of the type of the array whose place it takes */
function checkStored(
  model: Model,
  name: string,
  stored: Tensor,
  value: Value,
  float: FloatDType | null,
): void {
  const dtype = float !== null && isFloat(stored.dtype) ? float : stored.dtype;
  if (value.dtype === dtype && sameShape(value.shape, stored.shape)) return;
  throw new ShapeError(
    `${model.source}: the value for the initializer ${shown(name)} is ${showType(value)}, ` +
      `but the model's is ${showType({ dtype, shape: stored.shape })}.`,
  );
}

/** @throws {ModelError} if an output is of another element type than the file says */
function checkOutput(
  { source }: Model,
  { name, dtype }: ModelValue,
  value: Value,
  float: FloatDType | null,
): void {
  const declared = dtype !== null && float !== null && isFloat(dtype) ? float : dtype;
  if (declared === null || declared === value.dtype) return;
  throw new ModelError(
    `${source}: the output ${shown(name)} is said to be ${declared}, but its node computes ${showType(value)}. ` +
      "Export the model again.",
  );
}

function checkNames(model: Model, inputs: object): void {
  const { graph, source } = model;
  const known = new Set(graph.inputs.map(({ name }) => name));
  const list = [...known].map(shown).join(", ");
  for (const name of known) {
    if (Object.hasOwn(inputs, name)) continue;
    throw new ModelError(`${source}: the input ${shown(name)} is missing; the model takes ${list}.`);
  }
  for (const name of Object.keys(inputs)) {
    if (known.has(name) || graph.initializers.has(name)) continue;
    throw new ModelError(`${source}: there is no input ${shown(name)}; the model takes ${list || "none"}.`);
  }
}

/** @throws {ShapeError} if a value is not of the declared type; one name must stand for one size throughout */
function checkInput(
  model: Model,
  { name, dtype, shape }: ModelValue,
  value: Value,
  float: FloatDType | null,
  dims: Map<string, number | string>,
): void {
  const wanted = dtype !== null && float !== null && isFloat(dtype) ? float : dtype;
  const fits =
    shape === null ||
    (shape.length === value.shape.length &&
      shape.every((dim, axis) => {
        const given = value.shape[axis]!;
        if (dim === null) return true;
        if (typeof dim === "number") return dim === given;
        const known = dims.get(dim);
        dims.set(dim, known ?? given);
        return known === undefined || known === given;
      }));
  if ((wanted === null || value.dtype === wanted) && fits) return;
  const declared = `${wanted ?? ""}[${shape === null ? "…" : shape.map((dim) => dim ?? "?").join(", ")}]`;
  throw new ShapeError(
    `${model.source}: the input ${shown(name)} must be ${declared}, but ${showType(value)} was given.`,
  );
}
