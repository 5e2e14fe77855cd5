import { RevortError } from "../core/errors.js";
import {
  DTypeError,
  type FloatDType,
  isFloat,
  ShapeError,
  showShape,
  sizeOf,
  type Tensor,
  tensor,
} from "../core/tensor.js";

/** Data that cannot be trained on. */
export class TrainingDataError extends RevortError {}

/** Observed trajectories: N of them at the same times. */
export interface Trajectories {
  readonly t0: number;
  /** times of the observations, from t0 on */
  readonly times: readonly number[];
  /** initial states, [N, …] */
  readonly y0: Tensor;
  /** observations, [times, N, …]; NaN where there is none */
  readonly observations: Tensor;
}

/** Observations with the gaps filled: what a loss takes. */
export interface Targets {
  /** observations, 0 where there is none */
  readonly target: Tensor;
  /** 1 where there is an observation, 0 elsewhere; `null` if nothing is missing */
  readonly weight: Tensor | null;
}

/**
 * Checks trajectories and splits them into values and weights.
 *
 * @throws {TrainingDataError} naming the first infinite value, or a trajectory without a single observation
 * @throws {ShapeError | DTypeError} if observations and initial states do not belong together
 */
export function targetsOf({ times, y0, observations }: Trajectories, dtype: FloatDType): Targets {
  const expected = [times.length, ...y0.shape];
  if (!isFloat(observations.dtype)) {
    throw new DTypeError(`Observations must be float32 or float64, but are ${observations.dtype}.`);
  }
  if (observations.shape.join() !== expected.join()) {
    throw new ShapeError(
      `Observations at ${times.length} times of states ${showShape(y0.shape)} must have shape ${showShape(expected)}, ` +
        `but have ${showShape(observations.shape)}.`,
    );
  }
  const values = observations.data as Float64Array;
  const infinite = values.findIndex((value) => Math.abs(value) === Number.POSITIVE_INFINITY);
  if (infinite >= 0) {
    throw new TrainingDataError(
      `Observation ${infinite} (at t = ${times[Math.floor((infinite * times.length) / values.length)]}) is infinite. ` +
        "Leave out what was not measured: NaN, or an empty cell.",
    );
  }
  const seen = values.map((value) => (Number.isNaN(value) ? 0 : 1));
  const missing = seen.some((one) => one === 0);
  const count = y0.shape[0]!;
  const size = sizeOf(y0.shape) / count;
  const observed = new Set<number>();
  for (const [at, one] of seen.entries()) if (one === 1) observed.add(Math.floor(at / size) % count);
  if (observed.size === 0) {
    throw new TrainingDataError("There is not one observation to train on: every value is missing.");
  }
  if (observed.size < count) {
    const empty = Array.from({ length: count }, (_, i) => i).find((i) => !observed.has(i));
    throw new TrainingDataError(
      `Trajectory ${empty} of ${count} has not one observation: every value is missing. Leave it out.`,
    );
  }
  return {
    target: tensor(
      dtype,
      expected,
      missing ? values.map((value) => (Number.isNaN(value) ? 0 : value)) : values,
    ),
    weight: missing ? tensor(dtype, expected, seen) : null,
  };
}
