import { Random } from "../core/random.js";
import { initialParameters, type Tensors } from "../fields/field.js";
import { couplingFor } from "../integrate/solve.js";
import type { Runtime } from "../runtime/runtime.js";
import { type Problem, problemOf, type Sources } from "./problem.js";
import type { RunSettings } from "./run-settings.js";

/** The settings with the λ that suits the field as it is before training, and why it is that. */
export async function withChosenCoupling(
  settings: RunSettings,
  sources: Sources,
  problem: Problem,
  parameters: Tensors | null,
  runtime: Runtime,
): Promise<{ settings: RunSettings; problem: Problem; message: string }> {
  const { ode, data, control } = problem;
  const { coupling, message } = await couplingFor(ode, {
    runtime,
    parameters: parameters ?? initialParameters(ode.field, Random.seeded(settings.seed), ode.dtype),
    y0: data.y0,
    t0: data.t0,
    saveAt: data.times,
    ...(control === null ? {} : { control }),
  });
  const chosen = { ...settings, coupling };
  return { settings: chosen, problem: await problemOf(chosen, sources, runtime), message };
}
