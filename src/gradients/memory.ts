import { bytesIn } from "../core/tensor.js";
import { solveNeeds } from "../integrate/memory.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import { checkMemory } from "../runtime/memory.js";
import type { Runtime } from "../runtime/runtime.js";
import type { Fit, GradientCost } from "./differentiator.js";
import { type GradientMethod, showGradientMethod } from "./method.js";

/**
 * Estimates what a gradient keeps, before anything of it is made.
 *
 * @throws {SizeError} if that is more memory than there is
 */
export function checkGradientMemory(
  ode: NeuralOde,
  runtime: Runtime,
  gradient: GradientMethod,
  { fit, steps, storedStates }: { readonly fit: Fit } & Pick<GradientCost, "steps" | "storedStates">,
): void {
  const { shape } = fit.y0;
  const saves = fit.grid.offsets.length - 1;
  // all arrays of each state, and y once more, where it is put together with the last one
  const bytes = storedStates * (ode.method.width + 1) * bytesIn({ dtype: ode.dtype, shape });
  checkMemory(
    `The gradient "${showGradientMethod(gradient)}"`,
    runtime,
    [...solveNeeds(ode, { state: shape, steps, saves }), { what: `${storedStates} stored states`, bytes }],
    "Use one that stores fewer states (--gradient checkpoint, or reversible), take larger steps, or train on fewer " +
      "trajectories at once.",
  );
}
