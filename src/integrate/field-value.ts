import { type FloatDType, sizeOf, type Tensor, tensor } from "../core/tensor.js";
import type { VectorField } from "../fields/field.js";
import { Builder } from "../graph/builder.js";
import { parameterInputs } from "../programs/inputs.js";
import { y0Name } from "../programs/names.js";
import type { DeviceTensors, Runtime } from "../runtime/runtime.js";
import type { Row } from "./dense-solution.js";
import { pick } from "./problem.js";

/** Where a field is to be looked at. */
export interface Place {
  /** of the shape that the field takes */
  readonly t: Tensor;
  readonly y: Row;
  readonly state: readonly number[];
  /** under the names that programs have for them */
  readonly parameters: DeviceTensors;
  /** which trajectory of the batch, if one of them alone is looked at */
  readonly track?: number;
}

/** The first component of f(t, y; θ) that is not a finite number; `null` if all are. */
export async function firstNonFinite(
  runtime: Runtime,
  field: VectorField,
  dtype: FloatDType,
  { t, y, state, parameters, track = 0 }: Place,
): Promise<number | null> {
  const b = new Builder();
  const values = parameterInputs(b, { field, dtype });
  const slope = field.apply(b, values, b.input("t", dtype, t.shape), b.input(y0Name, dtype, state));
  const executable = await runtime.compile(b.graph({ slope }, "field"));
  try {
    const inputs = {
      ...parameters,
      t: runtime.upload(t),
      [y0Name]: runtime.upload(tensor(dtype, state, y)),
    };
    const results = await executable.run(pick(inputs, executable.inputs));
    const values = (await runtime.download(results.slope!)).data as Row;
    const own = values.length / Math.max(1, sizeOf(t.shape));
    const found = values.slice(track * own, (track + 1) * own).findIndex((value) => !Number.isFinite(value));
    return found < 0 ? null : found;
  } finally {
    await executable.release();
  }
}
