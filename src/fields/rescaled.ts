import { ShapeError, tensor } from "../core/tensor.js";
import type { Value } from "../graph/graph.js";
import { div, mul, sub } from "../ops/arithmetic.js";
import type { VectorField } from "./field.js";

export interface Scaling {
  /** m, one number per component of the last axis */
  readonly shift: readonly number[];
  /** s, likewise; positive */
  readonly scale: readonly number[];
  /** t at which the inner field's time is 0 */
  readonly start?: number;
  /** 1/T: how much of the inner field's time passes in one unit of t */
  readonly rate?: number;
  /** τ: the time in which a state changes by s where the inner field is 1; 1/rate unless given */
  readonly timescale?: number;
}

/**
 * A field that was made for numbers of order one, used in the units of the data:
 *
 *   f(t, y) = s g((t − t₀) / T, (y − m) / s) / τ,   τ = T unless given
 *
 * @throws {ShapeError} unless there is a positive scale and a shift for each component
 */
export function rescaled(
  field: VectorField,
  { shift, scale, start = 0, rate = 1, timescale = 1 / rate }: Scaling,
): VectorField {
  const dim = field.state.at(-1);
  if (shift.length !== dim || scale.length !== dim || !scale.every((s) => s > 0)) {
    throw new ShapeError(
      `Rescaling "${field.name}" needs ${dim} shifts and ${dim} positive scales, ` +
        `but got [${shift}] and [${scale}].`,
    );
  }
  return {
    ...field,
    apply(b, theta, t, y, inside) {
      const constant = (values: readonly number[]) => b.constant(tensor(y.dtype, [values.length], values));
      const inner = div(b, sub(b, y, constant(shift)), constant(scale));
      const own = (time: Value) => mul(b, start === 0 ? time : sub(b, time, start), rate);
      const slope = field.apply(b, theta, own(t), inner, inside && own(inside));
      return mul(b, slope, constant(scale.map((s) => s / timescale)));
    },
  };
}
