import { defaultStates } from "../chains/schedule.js";
import { RevortError } from "../core/errors.js";
import { showBytes } from "../core/size.js";
import { sizeOf } from "../core/tensor.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import { usualMaxSteps } from "../integrate/request.js";
import { isReversible } from "../methods/method.js";
import { type GradientMethod, type GradientRequest, gradientMethodOf, showGradientMethod } from "./method.js";
import { guardedGradient } from "./reconstruction-limit.js";

/** How a solve is differentiated, as it was decided. */
export interface GradientChoice {
  readonly gradient: GradientMethod;
  /** what was decided beyond what was asked for, and why: sentences */
  readonly notes: readonly string[];
}

/** What a choice depends on. */
export interface GradientTask {
  /** shape of the state, batch included */
  readonly state: readonly number[];
  /** of the solve; `null` where they are chosen by their error */
  readonly steps: number | null;
  /** what stored states may take, in bytes; 1 GB by default */
  readonly memoryBudget?: number | undefined;
  /** whether a reversible gradient stores states where its reconstruction would be lost; by default it does */
  readonly guarded?: boolean;
}

/** A budget of memory that is no positive number. */
export class MemoryBudgetError extends RevortError {}

/** Small beside the memory of any machine of today, and the same on each, so that a choice can be repeated. */
export const usualMemoryBudget = 1e9;

/**
 * Decides how a solve is differentiated: by what was asked for, with stored states where its reconstruction would be
 * lost; for "auto", by what is at stake.
 *
 * - A method that can be undone was chosen in order to be undone: reversible.
 * - Else backpropagation through stored steps, which is exact, where all states fit the budget.
 * - Else checkpoints, which are exact too and take the steps between them again.
 *
 * @throws {GradientMethodError} for a gradient that is not understood
 * @throws {MemoryBudgetError}
 */
export function chooseGradient(ode: NeuralOde, asked: GradientRequest, task: GradientTask): GradientChoice {
  const { gradient, notes } =
    asked === "auto" ? byStakes(ode, task) : { gradient: gradientMethodOf(asked), notes: [] };
  if (task.steps === null || task.guarded === false) return { gradient, notes };
  const guarded = guardedGradient(gradient, ode.method, ode.dtype, task.steps);
  return { gradient: guarded.gradient, notes: guarded.note === null ? notes : [...notes, guarded.note] };
}

function byStakes(
  ode: NeuralOde,
  { state, steps, memoryBudget = usualMemoryBudget }: GradientTask,
): GradientChoice {
  if (!(memoryBudget > 0)) {
    throw new MemoryBudgetError(
      `The memory budget must be a positive number of bytes, but ${memoryBudget} was given.`,
    );
  }
  const { method, dtype } = ode;
  if (isReversible(method)) {
    const coupled = method.coupling === null ? "" : `, coupled with λ = ${method.coupling},`;
    return chosen(
      { kind: "reversible" },
      `the steps of "${method.name}"${coupled} can be undone, so that their states need not be stored.`,
    );
  }
  const perState = sizeOf(state) * (dtype === "float64" ? 8 : 4);
  const most = steps ?? usualMaxSteps;
  // all arrays of each state, and y once more, where it is put together with the last one
  const all = perState * (method.width + 1) * (most + 1);
  const states = `${steps === null ? "up to " : ""}${most + 1} states of "${method.name}"`;
  if (all <= memoryBudget) {
    return chosen(
      { kind: "direct" },
      `exact backprop through stored steps; ${states} take ${showBytes(all)} of the memory budget, ${showBytes(memoryBudget)}.`,
    );
  }
  // those in slots, and those of the stretch that is gone through
  const room = Math.max(1, Math.floor(memoryBudget / (2 * perState * method.width)));
  const usual = defaultStates(most);
  const suffices = room >= usual;
  return chosen(
    steps === null && suffices
      ? { kind: "checkpoint" }
      : { kind: "checkpoint", states: Math.min(room, usual) },
    `exact backprop from ${Math.min(room, usual)} stored states, with the steps between them recomputed, since all ` +
      `${states} would take ${showBytes(all)}, more than the memory budget, ${showBytes(memoryBudget)}.`,
  );
}

function chosen(gradient: GradientMethod, why: string): GradientChoice {
  return { gradient, notes: [`The gradient is ${showGradientMethod(gradient)}: ${why}`] };
}
