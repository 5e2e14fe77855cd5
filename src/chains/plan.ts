import {
  type Action,
  binomialStores,
  defaultStates,
  type ReversalCost,
  refreshStores,
  reversal,
  reversalCost,
  undoing,
} from "./schedule.js";

/** Which states an adjoint stores on its way, and how it comes back from them. */
export interface Plan {
  /** whether it takes steps again between stored states, or undoes them */
  readonly kind: "checkpoint" | "refresh";
  /** states stored on the way, ascending, by the number of steps before them */
  readonly stores: readonly number[];
  /** for how many states there is room; the k-th of those stored is in slot k */
  readonly slots: number;
  readonly actions: () => Iterable<Action>;
}

/** Recursive checkpointing over so many steps; by default with enough states to take each step again but once. */
export function checkpointPlan(steps: number, states = defaultStates(steps)): Plan {
  const stores = binomialStores(steps, states);
  const own = Math.max(1, Math.min(states, steps));
  return { kind: "checkpoint", stores, slots: own, actions: () => reversal(stores, steps, states) };
}

/** Steps undone from a state that is stored every so many. */
export function refreshPlan(steps: number, every: number): Plan {
  const stores = refreshStores(steps, every);
  return { kind: "refresh", stores, slots: stores.length, actions: () => undoing(stores) };
}

/** What a plan costs. */
export function planCost({ stores, actions }: Plan): ReversalCost {
  return reversalCost(stores, actions());
}
