import { type FloatDType, isFloat, showShape } from "../core/tensor.js";
import { Builder } from "../graph/builder.js";
import { symbolNamed } from "../graph/dimension.js";
import type { Dim, Graph, Shape } from "../graph/graph.js";
import { type Model, ModelError, type ModelValue, shown } from "../graph/model.js";
import { instantiate } from "./instantiate.js";

export interface ToGraphOptions {
  /** shapes of inputs, by name, where the model leaves them open or they are to be fixed */
  readonly shapes?: Readonly<Record<string, Shape>>;
  readonly float?: FloatDType;
}

/**
 * A model as a graph of its own.
 *
 * @throws {ModelError} if a shape is open but for the leading dimension, or a node cannot be built
 */
export function toGraph(model: Model, { shapes = {}, float }: ToGraphOptions = {}): Graph {
  const b = new Builder();
  const inputs = model.graph.inputs.map((declared) => {
    const { name } = declared;
    const shape = Object.hasOwn(shapes, name) ? shapes[name]! : openShape(model, declared);
    if (declared.dtype === null) {
      throw new ModelError(`${model.source}: the input ${shown(name)} has no element type. Export it again.`);
    }
    const dtype = float !== undefined && isFloat(declared.dtype) ? float : declared.dtype;
    return [name, b.input(name, dtype, shape)] as const;
  });
  const outputs = instantiate(b, model, Object.fromEntries(inputs), float === undefined ? {} : { float });
  return b.graph(outputs, model.graph.name === "" ? "model" : model.graph.name);
}

/** The declared shape, with at most a symbolic leading dimension. */
function openShape(model: Model, { name, shape }: ModelValue): Dim[] {
  const fixed = shape?.every((dim, axis) => typeof dim === "number" || axis === 0) === true;
  if (shape !== null && fixed) {
    return shape.map((dim) => (typeof dim === "string" ? symbolNamed(dim) : (dim ?? "batch")));
  }
  const given = shape === null ? "no shape" : `the shape ${showShape(shape.map((dim) => dim ?? "?"))}`;
  throw new ModelError(
    `${model.source}: the input ${shown(name)} has ${given}, but all dimensions except the leading one must be known. ` +
      `Give its shape as \`shapes: { ${JSON.stringify(name)}: [...] }\`.`,
  );
}
