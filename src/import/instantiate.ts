import { type FloatDType, isFloat, ShapeError } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import { sameShape, showType, type Value } from "../graph/graph.js";
import { type Model, ModelError, type ModelValue, shown } from "../graph/model.js";
import { Replay } from "./replay.js";
import { Scope } from "./scope.js";

export interface InstantiateOptions {
  /** values that take the place of initializers, by the initializers' names */
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
  checkNames(model, inputs, options.parameters ?? {});
  const dims = new Map<string, number | string>();
  for (const declared of model.graph.inputs) {
    const value = inputs[declared.name]!;
    checkInput(model, declared, value, float, dims);
    scope.bind(declared.name, value);
  }
  for (const [name, value] of Object.entries({ ...inputs, ...options.parameters })) {
    const initializer = model.graph.initializers.get(name);
    if (initializer === undefined) continue;
    const dtype = float !== null && isFloat(initializer.dtype) ? float : initializer.dtype;
    if (value.dtype !== dtype || !sameShape(value.shape, initializer.shape)) {
      throw new ShapeError(
        `${model.source}: the value for the initializer ${shown(name)} is ${showType(value)}, ` +
          `but the model's is ${showType({ dtype, shape: initializer.shape })}.`,
      );
    }
    scope.bind(name, value);
  }
  const replay = new Replay(model, float);
  const outputs = replay.graph(b, model.graph, scope);
  return Object.fromEntries(model.graph.outputs.map(({ name }, i) => [name, outputs[i]!]));
}

function checkNames(model: Model, inputs: object, parameters: object): void {
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
  for (const name of Object.keys(parameters)) {
    if (graph.initializers.has(name)) continue;
    throw new ModelError(
      `${source}: there is no initializer ${shown(name)}; \`revort inspect\` lists the model's parameters.`,
    );
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
