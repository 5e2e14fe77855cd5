import {
  type Action,
  binomialStores,
  defaultStates,
  refreshStores,
  reversal,
  undoing,
} from "../chains/schedule.js";
import type { GraphGradient } from "../programs/gradient.js";
import type { GradientMethod } from "./method.js";

/** Which states a gradient stores on its way, and how it comes back from them. */
export interface Plan {
  /** whether it takes steps again between stored states, or undoes them */
  readonly kind: "checkpoint" | "refresh";
  /** states stored in the solve, ascending, by the number of steps before them */
  readonly stores: readonly number[];
  /** for how many states there is room; the k-th of those stored is in slot k */
  readonly slots: number;
  readonly actions: () => Iterable<Action>;
}

/** The plan of a gradient over so many steps: recursive checkpointing, or a stored state every so many; `null` for others. */
export function planOf(method: GradientMethod, steps: number): Plan | null {
  if (method.kind === "checkpoint") {
    const slots = method.states ?? defaultStates(steps);
    const stores = binomialStores(steps, slots);
    const own = Math.max(1, Math.min(slots, steps));
    return { kind: "checkpoint", stores, slots: own, actions: () => reversal(stores, steps, slots) };
  }
  if (method.kind === "reversible" && method.refresh !== undefined) {
    const stores = refreshStores(steps, method.refresh);
    return { kind: "refresh", stores, slots: stores.length, actions: () => undoing(stores) };
  }
  return null;
}

/** What the graph of a gradient is to do. */
export function graphGradientOf(method: GradientMethod): GraphGradient {
  return method.kind === "reversible" && method.refresh !== undefined ? "refresh" : method.kind;
}
