import { ControlError } from "../control/control.js";
import { numbers, scalar, type Tensor, tensor } from "../core/tensor.js";
import type { Tensors } from "../fields/field.js";
import { explicit } from "../methods/explicit.js";
import type { Method } from "../methods/method.js";
import { CouplingError, reversible } from "../methods/reversible.js";
import { dissipationProgram } from "../programs/dissipation.js";
import { compileProgram, uploadTree } from "../runtime/compile-program.js";
import type { Runtime } from "../runtime/runtime.js";
import type { CouplingChoice } from "./coupling-choice.js";
import type { NeuralOde } from "./neural-ode.js";
import type { CheckedRequest } from "./request.js";
import type { Solution } from "./solution.js";

/** States of a solution at which the field is looked at. */
const looks = 8;
/** λ = e^(−margin · damping · h): steps may be this much longer, or the damping this much faster. */
const margin = 2;
/** The published default, for problems that do not damp. */
const largest = 0.999;
const smallest = 0.5;

/**
 * The largest of 0.999 and what is stable: on a part of the solution that decays as e^(−a t), a coupled method needs
 * a h ≤ −ln λ. The damping is looked for along a solution by the plain method, and λ chosen for twice of it.
 *
 * @param plain  solves the same problem by another method
 * @throws {CouplingError} for a method that has no coupling
 */
export async function chooseCoupling(
  ode: NeuralOde,
  runtime: Runtime,
  { parameters, y0, spans }: Pick<CheckedRequest, "parameters" | "y0" | "spans">,
  plain: (ode: NeuralOde, times: readonly number[]) => Promise<Pick<Solution, "ys" | "ts" | "grid">>,
): Promise<CouplingChoice> {
  const { tableau, linear } = ode.method;
  if (linear !== undefined) {
    throw new ControlError(
      `The damping by which a coupling is chosen is that of the whole field, of which "${ode.method.name}" solves a part ` +
        "exactly. Give a coupling, 0.999 as a rule.",
    );
  }
  if (tableau === undefined) {
    throw new ControlError(
      `The method "${ode.method.name}" has no coupling to choose. Couple a tableau: reversible(${ode.method.name}).`,
    );
  }
  const { t0, saveAt } = spans[0]!;
  const end = saveAt.at(-1)!;
  const times = Array.from({ length: looks - 1 }, (_, i) => t0 + ((end - t0) * (i + 1)) / (looks - 1));
  const solution = await plain({ ...ode, method: explicit(tableau) }, times);
  const states = [y0, ...rowsOf(solution.ys)];
  const damping = Math.max(
    0,
    ...(await dampingAlong(ode, runtime, parameters, [t0, ...solution.ts], states)),
  );
  const steps = solution.grid.times.length - 1;
  const stepSize = Math.abs(end - t0) / Math.max(1, steps);
  const wanted = Math.exp(-margin * damping * stepSize);
  const coupling = Number(Math.min(largest, Math.max(smallest, wanted)).toPrecision(4));
  const show = (x: number) => Number(x.toPrecision(3));
  return {
    coupling,
    damping,
    stepSize,
    message:
      `λ = ${coupling} for damping at a rate of up to ${show(damping)} and steps of about ${show(stepSize)}` +
      (wanted < smallest
        ? `: for such steps it should be ${show(wanted)}, which no reconstruction survives; steps will have to be smaller.`
        : wanted > largest
          ? ": the usual value is small enough."
          : `: e^(−${margin} · ${show(damping)} · ${show(stepSize)}).`),
  };
}

/** The method with another λ. @throws {CouplingError} unless 0 < λ ≤ 1 */
export function recoupled(method: Method, coupling: number): Method {
  if (method.tableau === undefined) throw new CouplingError(coupling);
  return reversible(method.tableau, { coupling });
}

/** How fast the field damps at each of some states, per unit of time. */
export async function dampingAlong(
  { field, dtype, cache }: NeuralOde,
  runtime: Runtime,
  parameters: Tensors,
  times: readonly number[],
  states: readonly Tensor[],
): Promise<number[]> {
  const state = states[0]!.shape;
  const make = () => compileProgram(runtime, dissipationProgram({ field, dtype, state }));
  return cache.use([dissipationProgram, runtime, field, dtype, state.join()], make, async (program) => {
    const own = uploadTree(runtime, parameters);
    const rates: number[] = [];
    for (const [i, y] of states.entries()) {
      const at = uploadTree(runtime, { t: scalar(dtype, times[i]!), y });
      const { damping } = await program.run({ parameters: own, ...at });
      rates.push(numbers(await runtime.download(damping))[0]!);
    }
    return rates;
  });
}

/** The elements along the leading axis. */
export function rowsOf(all: Tensor): Tensor[] {
  const [count, ...shape] = all.shape as [number, ...number[]];
  const size = all.data.length / Math.max(1, count);
  return Array.from({ length: count }, (_, i) =>
    tensor(all.dtype, shape, (all.data as Float64Array).slice(i * size, (i + 1) * size)),
  );
}
