import { type FloatDType, sizeOf, type Tensor, tensor } from "../core/tensor.js";
import type { VectorField } from "../fields/field.js";
import { parameterTypes } from "../programs/inputs.js";
import { inputType, programOf } from "../programs/program.js";
import { compileProgram, uploadTree } from "../runtime/compile-program.js";
import type { DeviceTensors, Runtime } from "../runtime/runtime.js";
import type { Row } from "./dense-solution.js";

/** Where a field is to be looked at. */
export interface Place {
  /** of the shape that the field takes */
  readonly t: Tensor;
  readonly y: Row;
  readonly state: readonly number[];
  readonly parameters: DeviceTensors;
  /** which trajectory of the batch, if one of them alone is looked at */
  readonly track?: number;
}

/** The program that evaluates a field. */
function fieldProgram(
  field: VectorField,
  dtype: FloatDType,
  time: readonly number[],
  state: readonly number[],
) {
  const parameters = parameterTypes({ field, dtype });
  const inputs = { parameters, t: inputType(dtype, time), y: inputType(dtype, state) };
  return programOf("field", inputs, (b, { parameters, t, y }) => ({
    slope: field.apply(b, parameters, t, y),
  }));
}

/** The first component of f(t, y; θ) that is not a finite number; `null` if all are. */
export async function firstNonFinite(
  runtime: Runtime,
  field: VectorField,
  dtype: FloatDType,
  { t, y, state, parameters, track = 0 }: Place,
): Promise<number | null> {
  const program = await compileProgram(runtime, fieldProgram(field, dtype, t.shape, state));
  try {
    const at = uploadTree(runtime, { t, y: tensor(dtype, state, y) });
    const { slope } = await program.run({ parameters, ...at });
    const values = (await runtime.download(slope)).data as Row;
    const own = values.length / Math.max(1, sizeOf(t.shape));
    const found = values.slice(track * own, (track + 1) * own).findIndex((value) => !Number.isFinite(value));
    return found < 0 ? null : found;
  } finally {
    await program.release();
  }
}
