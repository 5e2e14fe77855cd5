import type { FloatDType } from "../core/tensor.js";
import * as strict from "../systems/control-path.js";
import { isTensor, type ObservationsLike, type TimesLike, tensorOf, timesOf } from "./given.js";

/**
 * The paths through observations at times that all samples share, values [batch, times, channels], as a tensor or nested
 * arrays; NaN (in arrays also `null`) is a value that was not observed. A CDE sees time only as a channel, so give it as one
 * (the first, by custom). Where each sample has times of its own, let them be that channel, and number the observations
 * 0, 1, … for `times`: a CDE does not depend on how its path is run through.
 *
 * A rectilinear path has the knots 0, 1, 2, …, 2 (n − 1) in place of the times: by turns time goes on, which is channel 0,
 * and the values change.
 *
 * @throws {PathError} for times that do not ascend, shapes that do not fit, infinite values, a channel without any value, or a
 *   kind of interpolation that there is not
 * @throws {OptionError} for an option that there is not, or what are no numbers
 * @see Kidger et al. 2020, "Neural controlled differential equations for irregular time series"
 */
export function controlPath(
  times: TimesLike,
  values: ObservationsLike,
  options: strict.ControlPathOptions = {},
): strict.ControlPath {
  const dtype: FloatDType = options?.dtype === "float32" ? "float32" : "float64";
  const observed = isTensor(values) ? values : tensorOf("The values along a path", values, dtype, true);
  return strict.controlPath(timesOf("controlPath", times), observed, options);
}
