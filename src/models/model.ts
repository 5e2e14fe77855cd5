import { checkOptions, showValue } from "../core/options.js";
import { type DType, type FloatDType, showShape } from "../core/tensor.js";
import type { Values } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import { isValue, showType, type Value } from "../graph/graph.js";
import type { Parametrised, Training } from "../nn/layer.js";
import {
  checkFunction,
  checkParameterDefinitions,
  checkSampleTypes,
  ModelDefinitionError,
} from "./check-definition.js";
import { reading } from "./named-reads.js";

export { ModelDefinitionError };

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

const partNames = {
  ...{ name: true, parameters: true, buffers: true, inputs: true, apply: true },
} satisfies Record<keyof Model, true>;

const elsewhere = {
  ...{ outputs: "they are what apply returns, by name", forward: "say apply", call: "say apply" },
  ...{ loss: "it belongs to the task, defineTask({ model, targets, loss })", input: "say inputs" },
  ...{ targets: "they belong to the task, defineTask({ model, targets, loss })" },
};

/**
 * The model itself; for its types, which are those of what it is made of.
 *
 * @throws {OptionError} for a part that there is not, that is missing, or that is something else
 * @throws {ModelDefinitionError} for a model without inputs
 */
export function defineModel<
  const Inputs extends SampleTypes,
  Outputs extends Readonly<Record<string, Value>>,
>(model: Model<Inputs, Outputs>): Model<Inputs, Outputs> {
  checkOptions("defineModel", model, partNames, elsewhere);
  const of = `The model ${showValue(model.name)}`;
  checkFunction(of, "apply", model.apply, "(b, theta, inputs) => ({ y })");
  checkParameterDefinitions(of, model.parameters);
  checkParameterDefinitions(of, model.buffers ?? {});
  checkSampleTypes(of, "inputs", model.inputs);
  if (Object.keys(model.inputs).length === 0) {
    throw new ModelDefinitionError(
      `The model "${model.name}" has no inputs. Name them: { x: { shape: [3] } }.`,
    );
  }
  return model;
}

/**
 * Applies a model.
 *
 * @throws {ModelDefinitionError} if it reads an input that it does not have, or gives nothing, or something else than values by
 *   name
 */
export function applied<Inputs extends SampleTypes, Outputs extends Readonly<Record<string, Value>>>(
  b: Builder,
  model: Model<Inputs, Outputs>,
  theta: Values,
  inputs: Named<Inputs>,
  training: Training | null,
): Outputs {
  const inputsRead = { kind: "the input", there: "its inputs are", values: inputs };
  const outputs = reading<[Named<Inputs>], Outputs>(`The model "${model.name}"`, [inputsRead], (read) =>
    model.apply(b, theta, read, training),
  );
  if (isValue(outputs) || typeof outputs !== "object" || outputs === null) {
    const found = isValue(outputs) ? `one value, ${showType(outputs)}` : showValue(outputs);
    throw new ModelDefinitionError(
      `The model "${model.name}" gives ${found}. Return its outputs by name: { y }.`,
    );
  }
  const wrong = Object.entries(outputs).find(([, output]) => !isValue(output));
  if (wrong !== undefined) {
    throw new ModelDefinitionError(
      `The output "${wrong[0]}" of the model "${model.name}" is ${showValue(wrong[1])}, but must be a value of the graph.`,
    );
  }
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
  if (!isValue(value)) {
    throw new ModelDefinitionError(
      `${what} must be one number of the graph, but is ${showValue(value)}. Return a value, as reduceMean(b, …) gives it.`,
    );
  }
  if (value.shape.length === 0) return;
  throw new ModelDefinitionError(
    `${what} must be one number, but is ${showType(value)}. Take its mean: reduceMean(b, …).`,
  );
}

export function showSample(name: string, { shape, type = "float" }: SampleType): string {
  return `${name} ${type}${showShape(shape)}`;
}
