import type { Tensor } from "../../src/core/tensor.js";
import type { GradientTask } from "../gradient-task.js";

/**
 * A task as the scripts of the peers read it: see task.py.
 *
 * @param asked.updates  whether updates by an optimiser are wanted beside gradients
 * @param asked.scheme  `coupled` or `midpoint`, where one alone is wanted
 * @param asked.library  `diffrax` or `JAX`, likewise
 */
export function writtenTask(
  { ode, fit, parameters, time }: GradientTask,
  asked: { readonly updates?: boolean; readonly scheme?: string; readonly library?: string } = {},
): string {
  const layers = Object.keys(parameters).filter((name) => name.endsWith(".weight"));
  return JSON.stringify({
    dtype: ode.dtype,
    time,
    updates: asked.updates ?? false,
    scheme: asked.scheme ?? null,
    library: asked.library ?? null,
    layers: layers.map((name) => [
      nested(parameters[name]!),
      nested(parameters[name.replace(".weight", ".bias")]!),
    ]),
    y0: nested(fit.y0),
    target: nested(fit.target),
    times: fit.grid.times,
    everyStep: fit.grid.offsets.length > 2,
  });
}

/** A tensor as lists in lists. */
function nested({ shape, data }: Tensor): unknown {
  const build = (axis: number, at: number): unknown => {
    if (axis === shape.length) return Number(data[at]);
    const stride = shape.slice(axis + 1).reduce((p, d) => p * d, 1);
    return Array.from({ length: shape[axis]! }, (_, i) => build(axis + 1, at + i * stride));
  };
  return build(0, 0);
}
