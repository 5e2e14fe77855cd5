import { RevortError } from "../core/errors.js";
import type { FloatDType } from "../core/tensor.js";
import { mapTree } from "../core/tree.js";
import type { VectorField } from "../fields/field.js";
import { Builder } from "../graph/builder.js";
import { sameShape, type Value, type ValueType } from "../graph/graph.js";
import { scan } from "../ops/control.js";
import { reshape, squeeze, unsqueeze } from "../ops/reshape.js";
import { parameterTypes } from "./inputs.js";

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
    apply(b, parameters, t, y, inside) {
      const column = (time: Value) => reshape(b, time, [state[0]!]);
      const { perSample = [] } = field;
      const sides = inside === undefined ? [] : [column(inside)];
      const inputs = [column(t), ...sides, y, ...perSample.map((name) => parameters[name]!)];
      const { scans } = scan(b, { carried: [], inputs }, (inner, _, [time, ...others]) => {
        const [side] = others.slice(0, sides.length);
        const [row, ...own] = others.slice(sides.length).map((value) => unsqueeze(inner, value, [0]));
        const rest = Object.fromEntries(perSample.map((name, i) => [name, own[i]!]));
        const slope = field.apply(inner, { ...parameters, ...rest }, time!, row!, side);
        return { carried: [], scans: [squeeze(inner, slope, [0])] };
      });
      return scans[0]!;
    },
  };
}

function broadcastsTime(field: VectorField, dtype: FloatDType, state: readonly number[]): boolean {
  const b = new Builder();
  const types = { parameters: parameterTypes({ field, dtype }) };
  const { parameters } = mapTree(types, (leaf, path) => b.input(path, leaf.dtype, (leaf as ValueType).shape));
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
