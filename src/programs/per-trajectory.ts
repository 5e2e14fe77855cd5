import { RevortError } from "../core/errors.js";
import type { FloatDType } from "../core/tensor.js";
import type { VectorField } from "../fields/field.js";
import { Builder } from "../graph/builder.js";
import { sameShape, type Value } from "../graph/graph.js";
import { scan } from "../ops/control.js";
import { reshape, squeeze, unsqueeze } from "../ops/reshape.js";
import { parameterInputs } from "./inputs.js";

/**
 * A field that takes a time for each trajectory, of shape [batch, 1, …].
 *
 * Where the field's own graph broadcasts such a time against the state, it is the field itself. Where it does not (a
 * model that was exported with time as a scalar, say), each trajectory is evaluated by itself, in a Scan.
 */
export function perTrajectory(field: VectorField, dtype: FloatDType, state: readonly number[]): VectorField {
  if (broadcastsTime(field, dtype, state)) return field;
  return {
    ...field,
    apply(b, parameters, t, y) {
      const times = reshape(b, t, [state[0]!]);
      const { scans } = scan(b, { carried: [], inputs: [times, y] }, (inner, _, [time, row]) => ({
        carried: [],
        scans: [squeeze(inner, field.apply(inner, parameters, time!, unsqueeze(inner, row!, [0])), [0])],
      }));
      return scans[0]!;
    },
  };
}

function broadcastsTime(field: VectorField, dtype: FloatDType, state: readonly number[]): boolean {
  const b = new Builder();
  const parameters = parameterInputs(b, { field, dtype });
  const t = b.input("t", dtype, [state[0]!, ...state.slice(1).map(() => 1)]);
  const y = b.input("y", dtype, state);
  let slope: Value;
  try {
    slope = field.apply(b, parameters, t, y);
  } catch (error) {
    if (error instanceof RevortError) return false;
    throw error;
  }
  return sameShape(slope.shape, state);
}
