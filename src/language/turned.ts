import type { FloatDType, Tensor } from "../core/tensor.js";
import type { Tensors, Values } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import type { ValueType } from "../graph/graph.js";
import type { Model } from "../models/model.js";
import { transpose } from "../ops/reshape.js";
import { inputType } from "../programs/program.js";

// The parameters of a model for one row at a time: xᵀW is read row by row of W, so matrices [out, in] are handed over turned.
// With one row to multiply that takes a third to a tenth of the time.

/** Matrices that rows are multiplied by; of the tables of embeddings, rows are taken. */
function isTurned(name: string, shape: readonly unknown[]): boolean {
  return shape.length === 2 && name !== "tokens.weight" && name !== "places.weight";
}

/** The parameters as inputs of a program, turned. */
export function turnedTypes(
  { parameters }: Pick<Model, "parameters">,
  dtype: FloatDType,
): Readonly<Record<string, ValueType>> {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, { shape }]) => [
      name,
      inputType(dtype, isTurned(name, shape) ? shape.toReversed() : shape),
    ]),
  );
}

/** The parameters as cells take them, from turned ones. */
export function upright(b: Builder, turned: Values): Values {
  return Object.fromEntries(
    Object.entries(turned).map(([name, value]) => [
      name,
      isTurned(name, value.shape) ? transpose(b, value, [1, 0]) : value,
    ]),
  );
}

/** The parameters on the host, turned. */
export function turned(parameters: Tensors): Tensors {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => [
      name,
      isTurned(name, value.shape) ? transposed(value) : value,
    ]),
  );
}

function transposed({ dtype, shape, data }: Tensor): Tensor {
  const [rows, columns] = shape as [number, number];
  const source = data as Float64Array;
  const result = new (source.constructor as Float64ArrayConstructor)(source.length);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) result[j * rows + i] = source[i * columns + j]!;
  }
  return { dtype, shape: [columns, rows], data: result } as Tensor;
}
