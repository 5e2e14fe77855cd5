import { type FloatDType, type Tensor, tensor } from "../core/tensor.js";
import { type Grid, stepsOf } from "../programs/grid.js";
import type { TimeShares } from "../programs/solve-adjoint.js";

/**
 * Gradient of a loss in the times of a solve. The steps between two of them keep their proportions when one moves.
 */
export interface TimeGradient {
  /** ∂L/∂t0; together with that of a first save at t0, which is the same time */
  readonly t0: number;
  /** ∂L/∂tₖ for each save time; 0 for a save at t0 */
  readonly saves: readonly number[];
}

/** Where each step starts and ends between the times around it, and which save it leads to, as programs take them. */
export function shareTensors(grid: Grid, dtype: FloatDType): TimeShares<Tensor> {
  const n = stepsOf(grid);
  const { times, offsets } = grid;
  const [start, end, leadsTo] = [new Float64Array(n), new Float64Array(n), new Float64Array(n)];
  for (let save = 0; save + 1 < offsets.length; save++) {
    const [first, last] = [offsets[save]!, offsets[save + 1]!];
    const from = times[first]!;
    const length = times[last]! - from;
    for (let i = first; i < last; i++) {
      start[i] = (times[i]! - from) / length;
      end[i] = (times[i + 1]! - from) / length;
      leadsTo[i] = save;
    }
  }
  return {
    start: tensor(dtype, [n], start),
    end: tensor(dtype, [n], end),
    leadsTo: tensor("int64", [n], Array.from(leadsTo)),
  };
}

/** The gradient of the times out of what programs give, [saves + 1]. */
export function timeGradient(grid: Grid, cotangents: readonly number[]): TimeGradient {
  const [first, ...saves] = cotangents as [number, ...number[]];
  if (grid.offsets[1] !== 0) return { t0: first, saves };
  return { t0: first + saves[0]!, saves: [0, ...saves.slice(1)] };
}
