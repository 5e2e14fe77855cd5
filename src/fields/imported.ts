import { checkOptions } from "../core/options.js";
import { type DType, type FloatDType, isFloat, ShapeError } from "../core/tensor.js";
import { Builder } from "../graph/builder.js";
import { type Shape, sameShape, showType, type Value } from "../graph/graph.js";
import { type Model, shown } from "../graph/model.js";
import { instantiate } from "../import/instantiate.js";
import { Expand, expand } from "../ops/broadcast.js";
import { cast, reshape, ShapeOp, transpose } from "../ops/reshape.js";
import { concat } from "../ops/slicing.js";
import type { Parameter, Values, VectorField } from "./field.js";
import type { TrainableOptions } from "./selection.js";
import { NotAFieldError, type SignatureOptions, signatureOf, stateShape, timeShape } from "./signature.js";
import { type Decision, decideTrainable } from "./trainable.js";

export interface ImportOptions extends SignatureOptions, TrainableOptions {
  /** by default the name of the model's graph */
  readonly name?: string;
  /** the float type to work in; by default the one that the state has in the file */
  readonly float?: FloatDType;
}

/**
 * A model f(t, y) or f(y) as a vector field, with parameters under the names that they have in the file and the values
 * that they have there. It can be solved and trained in either float type. Which of the file's arrays are parameters
 * their use decides, unless the file or the options say it; `inspectModel` tells of each, and why.
 *
 * @throws {NotAFieldError} if the model is no vector field, or it is not plain how it is one
 * @throws {UnmatchedPatternError} for a pattern that fits no array
 * @throws {ModelError} if a node cannot be built: UnsupportedOperatorError for an unknown operator
 * @throws {ShapeError} if dy/dt does not have the shape of y
 */
export function importedField(model: Model, options: ImportOptions = {}): VectorField {
  checkOptions("importedField", options, optionNames, { parameters: "say trainable" });
  const signature = signatureOf(model, options);
  const state = stateShape(model, signature.state);
  const time = timeShape(model, signature);
  const dtype = options.float ?? floatOf(signature.state.dtype);
  const parameters: Record<string, Parameter> = {};
  const copies: Decision[] = [];
  for (const decision of decideTrainable(model, options)) {
    const { array, trainable, copyOf } = decision;
    if (!trainable) continue;
    if (copyOf !== null) copies.push(decision);
    else {
      const { shape, data } = array.value;
      parameters[array.name] = { shape, initial: () => data as ArrayLike<number> };
    }
  }
  const name = options.name ?? (model.graph.name === "" ? "imported" : model.graph.name);
  const field: VectorField = {
    name,
    state,
    parameters,
    dtype,
    apply(b, given, t, y) {
      const inputs: Record<string, Value> = { [signature.state.name]: y };
      if (time !== null) inputs[signature.time!.name] = timeLike(b, t, y, time);
      // one float type throughout: what the file has is only the type that it was exported in
      const float = y.dtype as FloatDType;
      const own = Object.fromEntries(Object.keys(parameters).map((key) => [key, given[key]!]));
      for (const { array, copyOf } of copies) {
        const original = own[copyOf!.name]!;
        own[array.name] =
          copyOf!.how === "transposed"
            ? transpose(b, original, [1, 0])
            : reshape(b, original, array.value.shape as number[]);
      }
      const output = instantiate(b, model, inputs, { parameters: own, float })[signature.derivative.name]!;
      if (!isFloat(output.dtype) || !sameShape(output.shape, y.shape)) {
        throw new ShapeError(
          `${model.source}: dy/dt must have the type of the state, ${showType(y)}, ` +
            `but the output ${shown(signature.derivative.name)} is ${showType(output)}. ` +
            "Export a module whose output has the shape of its state.",
        );
      }
      return cast(b, output, y.dtype);
    },
  };
  check(field, dtype);
  return field;
}

const optionNames: Readonly<Record<keyof ImportOptions, true>> = {
  ...{
    name: true,
    float: true,
    timeInput: true,
    stateInput: true,
    output: true,
    trainable: true,
    freeze: true,
  },
};

function floatOf(dtype: DType | null): FloatDType {
  return dtype === "float64" ? "float64" : "float32";
}

/** Time in the shape that the model takes it in. */
function timeLike(b: Builder, t: Value, y: Value, shape: Shape): Value {
  if (shape[0] !== "batch") return shape.length === 0 ? t : reshape(b, t, shape as number[]);
  const batch = y.shape[0]!;
  const rest = shape.slice(1) as number[];
  if (typeof batch === "number") return expand(b, t, [batch, ...rest]);
  const rows = b.apply(ShapeOp, [y], { start: 0, end: 1 });
  return b.apply(Expand, [t, rest.length === 0 ? rows : concat(b, [rows, b.ints(rest)], 0)]);
}

/** Builds the field once, so that what is wrong with a model is said when it is loaded. */
function check(field: VectorField, dtype: FloatDType): void {
  try {
    trial(field, field.state, dtype);
  } catch (error) {
    // some models compute with the size of the batch, and need to know it
    if (typeof field.state[0] !== "string") throw error;
    try {
      trial(field, [2, ...field.state.slice(1)], dtype);
    } catch {
      throw error;
    }
  }
}

function trial(field: VectorField, state: Shape, dtype: FloatDType): void {
  const b = new Builder();
  const parameters: Values = Object.fromEntries(
    Object.entries(field.parameters).map(([name, { shape }], i) => [name, b.input(`${i}`, dtype, shape)]),
  );
  field.apply(b, parameters, b.input("t", dtype, []), b.input("y", dtype, state));
}

export { NotAFieldError };
