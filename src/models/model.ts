import { RevortError } from "../core/errors.js";
import { type DType, type FloatDType, showShape } from "../core/tensor.js";
import type { Values } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import { showType, type Value } from "../graph/graph.js";
import type { Parametrised, Training } from "../nn/layer.js";

/** A model or a task that makes no sense, or is given what does not fit it. */
export class ModelDefinitionError extends RevortError {}

/** An array of each sample. */
export interface SampleType {
  /** without the batch; [] for one number */
  readonly shape: readonly number[];
  /** "float", the type that the model is used in, unless it is said to be integers */
  readonly type?: "float" | "int64";
  /** whether numbers may be NaN, which were not observed; otherwise data with any are refused */
  readonly missing?: boolean;
}

export type SampleTypes = Readonly<Record<string, SampleType>>;

/** Values by the names of sample types, each with a batch in front. */
export type Named<Types> = { readonly [Name in keyof Types]: Value };

/**
 * A function with parameters, from named inputs to named outputs: an encoder, a solve and a readout, say. It builds a graph
 * of whatever layers and solves it likes.
 */
export interface Model<
  Inputs extends SampleTypes = SampleTypes,
  Outputs extends Readonly<Record<string, Value>> = Readonly<Record<string, Value>>,
> extends Parametrised {
  readonly name: string;
  readonly inputs: Inputs;
  /**
   * @param theta  parameters and buffers by name
   * @param inputs  each [batch, …]
   * @param training  what layers need while they are trained; `null` afterwards
   */
  readonly apply: (b: Builder, theta: Values, inputs: Named<Inputs>, training: Training | null) => Outputs;
}

/** The model itself; for its types, which are those of what it is made of. */
export function defineModel<
  const Inputs extends SampleTypes,
  Outputs extends Readonly<Record<string, Value>>,
>(model: Model<Inputs, Outputs>): Model<Inputs, Outputs> {
  if (Object.keys(model.inputs).length === 0) {
    throw new ModelDefinitionError(
      `The model "${model.name}" has no inputs. Name them: { x: { shape: [3] } }.`,
    );
  }
  return model;
}

/** Applies a model. @throws {ModelDefinitionError} if it gives nothing */
export function applied<Inputs extends SampleTypes, Outputs extends Readonly<Record<string, Value>>>(
  b: Builder,
  model: Model<Inputs, Outputs>,
  theta: Values,
  inputs: Named<Inputs>,
  training: Training | null,
): Outputs {
  const outputs = model.apply(b, theta, inputs, training);
  if (Object.keys(outputs).length === 0) {
    throw new ModelDefinitionError(
      `The model "${model.name}" gives nothing. Return its outputs by name: { y }.`,
    );
  }
  return outputs;
}

/** The element type of a sample's array. */
export function dtypeOf({ type = "float" }: SampleType, float: FloatDType): DType {
  return type === "float" ? float : type;
}

/** Declares arrays of so many samples as inputs. @param batch  a number, or the name of an open dimension */
export function sampleInputs<Types extends SampleTypes>(
  b: Builder,
  types: Types,
  float: FloatDType,
  batch: number | string,
  named: (name: string) => string = (name) => name,
): Named<Types> {
  return Object.fromEntries(
    Object.entries(types).map(([name, type]) => [
      name,
      b.input(named(name), dtypeOf(type, float), [batch, ...type.shape]),
    ]),
  ) as Named<Types>;
}

/** @throws {ModelDefinitionError} unless a loss or a metric is one number */
export function checkScalar(what: string, value: Value): void {
  if (value.shape.length === 0) return;
  throw new ModelDefinitionError(
    `${what} must be one number, but is ${showType(value)}. Take its mean: reduceMean(b, …).`,
  );
}

export function showSample(name: string, { shape, type = "float" }: SampleType): string {
  return `${name} ${type}${showShape(shape)}`;
}
