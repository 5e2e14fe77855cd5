import { OptionError, showValue } from "../../core/options.js";
import { tensor } from "../../core/tensor.js";
import type { Builder } from "../../graph/builder.js";
import type { Value } from "../../graph/graph.js";
import { div, mul, sub } from "../../ops/arithmetic.js";

/** How large the states of equations are, for the networks in them. */
export interface NetworkScaling {
  /** a typical value of each state, in the order of the equations */
  readonly shift: readonly number[];
  /** by how much each differs from it */
  readonly scale: readonly number[];
  /** the time that passes while they do */
  readonly time: number;
}

/** (y − m) / s into a network, and s / T times what comes out of it. */
export function scaledStates(scaling: NetworkScaling | undefined, states: number) {
  if (scaling === undefined) {
    return { inputs: (_: Builder, y: Value) => y, outputs: (_: Builder, z: Value, __: number | null) => z };
  }
  const { shift, scale, time } = scaling;
  if (shift.length !== states || scale.length !== states || !scale.every((s) => s > 0) || !(time > 0)) {
    throw new OptionError(
      `The scaling of ${states} states needs ${states} shifts, ${states} positive scales and a positive time, but ` +
        `${showValue(scaling)} was given.`,
    );
  }
  const row = (b: Builder, like: Value, values: readonly number[]) =>
    b.constant(tensor(like.dtype, [values.length], values));
  return {
    inputs: (b: Builder, y: Value) => div(b, sub(b, y, row(b, y, shift)), row(b, y, scale)),
    outputs: (b: Builder, z: Value, of: number | null) =>
      mul(
        b,
        z,
        row(
          b,
          z,
          (of === null ? scale : [scale[of]!]).map((s) => s / time),
        ),
      ),
  };
}
