/**
 * What a backward pass does, as data. States are named by the number of steps before them: state i lies before step i.
 * There is one working state; the others are in slots.
 */
export type Action =
  /** the working state goes forward */
  | { readonly kind: "advance"; readonly from: number; readonly to: number }
  /** the working state is copied to a slot */
  | { readonly kind: "store"; readonly slot: number; readonly at: number }
  /** a slot becomes the working state; `last` frees it */
  | { readonly kind: "restore"; readonly slot: number; readonly at: number; readonly last: boolean }
  /**
   * Cotangents go back through the steps to − 1 … from, of which the working state is the first. All states between
   * are kept meanwhile: to − from − 1 of them.
   */
  | { readonly kind: "reverse"; readonly from: number; readonly to: number }
  /** cotangents go back through the steps to − 1 … from, which are undone from the working state, after them */
  | { readonly kind: "undo"; readonly from: number; readonly to: number };

/** Number of states that suffices to do each step again at most once (the default of diffrax). */
export function defaultStates(steps: number): number {
  return Math.max(1, Math.floor(-1.5 + Math.sqrt(2 * steps + 0.25)) + 1);
}

/**
 * Where a solve of known length stores states on its way, the initial one first. With `reversal`, this is the binomial
 * schedule, which takes the fewest steps that any schedule with so many states can take:
 *
 *   t(n, s) = r n − β(s + 1, r − 1),   β(s, r) = (s + r)! / (s! r!),   r the least with β(s, r) ≥ n
 *
 * steps beside those through which cotangents are pulled, the first sweep to state n − 1 among them.
 *
 * @param states  number of slots, the initial state's among them
 * @see Griewank & Walther 2000, "Algorithm 799: revolve"
 */
export function binomialStores(steps: number, states: number): number[] {
  const stores = [0];
  for (let from = 0; ; ) {
    const free = states - stores.length;
    if (free === 0 || fits(steps - from, free)) return stores;
    from += split(steps - from, free + 1);
    stores.push(from);
  }
}

/**
 * The way back through all steps, from states stored on the way there: slot k holds state `stores[k]`.
 *
 * @param stores  ascending, the first 0
 * @param states  number of slots
 */
export function* reversal(stores: readonly number[], steps: number, states: number): Generator<Action> {
  const pending = stores.map((from, slot) => ({ from, to: stores[slot + 1] ?? steps, slot }));
  while (pending.length > 0) {
    const { from, to, slot } = pending.pop()!;
    const free = states - slot - 1;
    if (fits(to - from, free)) {
      yield { kind: "restore", slot, at: from, last: true };
      if (to > from) yield { kind: "reverse", from, to };
    } else if (free === 0) {
      yield { kind: "restore", slot, at: from, last: false };
      yield { kind: "advance", from, to: to - 1 };
      yield { kind: "reverse", from: to - 1, to };
      pending.push({ from, to: to - 1, slot });
    } else {
      const middle = from + split(to - from, free + 1);
      yield { kind: "restore", slot, at: from, last: false };
      yield { kind: "advance", from, to: middle };
      yield { kind: "store", slot: slot + 1, at: middle };
      pending.push({ from, to: middle, slot }, { from: middle, to, slot: slot + 1 });
    }
  }
}

/** Whether a stretch can be reversed at once: all its states but the first and the working one need free slots. */
function fits(length: number, free: number): boolean {
  return length <= free + 2;
}

/**
 * How far to go before the next state is stored. Of the choices that are optimal, the one that goes farthest: it needs
 * the fewest stores.
 *
 * @param length  steps left, more than states + 1
 * @param states  slots, that of the first state among them; at least 2
 */
function split(length: number, states: number): number {
  let r = 1;
  while (binomial(states, r) < length) r++;
  return Math.min(binomial(states, r - 1), length - binomial(states - 1, r - 1));
}

/** β(s, r) = (s + r)! / (s! r!): the longest solve that s states reverse with r repetitions of each step. */
function binomial(s: number, r: number): number {
  let value = 1;
  for (let k = 1; k <= r; k++) value = (value * (s + k)) / k;
  return value;
}

/** States stored where a solve is brought back from every so many steps, the last one first needed: K, 2K, … n. */
export function refreshStores(steps: number, every: number): number[] {
  const stores: number[] = [];
  for (let at = every; at < steps; at += every) stores.push(at);
  return [...stores, steps];
}

/** The way back by undoing steps, from a stored state whenever there is one. */
export function* undoing(stores: readonly number[]): Generator<Action> {
  for (let slot = stores.length - 1; slot >= 0; slot--) {
    yield { kind: "restore", slot, at: stores[slot]!, last: true };
    yield { kind: "undo", from: stores[slot - 1] ?? 0, to: stores[slot]! };
  }
}

/** What a way back costs. */
export interface ReversalCost {
  /** steps taken forward again before cotangents are pulled through them */
  readonly advanced: number;
  /** the most states held at a time beside the working one */
  readonly states: number;
}

/** Counts the cost of a way back from states stored before. */
export function reversalCost(stores: readonly number[], actions: Iterable<Action>): ReversalCost {
  const held = new Set(stores.keys());
  let advanced = 0;
  let states = held.size;
  let workingIsHeld = false;
  for (const action of actions) {
    switch (action.kind) {
      case "advance":
        advanced += action.to - action.from;
        workingIsHeld = false;
        break;
      case "store":
        held.add(action.slot);
        workingIsHeld = true;
        break;
      case "restore":
        if (action.last) held.delete(action.slot);
        workingIsHeld = !action.last;
        break;
      case "reverse": {
        const after = Math.max(0, action.to - action.from - 1);
        advanced += after;
        // the first state, where no slot has it, and those after it; one of them is the working one
        states = Math.max(states, held.size + (workingIsHeld ? 0 : 1) + after - 1);
        break;
      }
      case "undo":
        break;
    }
    states = Math.max(states, held.size);
  }
  return { advanced, states };
}

/** A state stored while it is not known how many steps there will be. */
export interface OnlineStore {
  readonly at: number;
  /** how often the place of this state was passed on */
  readonly level: number;
}

/** What is stored before the first step: the initial state, for good. */
export const onlineStart: readonly OnlineStore[] = [{ at: 0, level: Number.POSITIVE_INFINITY }];

/**
 * What is stored after one more step of a solve of unknown length, given what was stored before it:
 *
 * - while there is a free slot, the new state takes it, at level 0;
 * - else it takes the place of a state that has a later one of higher level after it, at level 0;
 * - else that of the latest, one level above it.
 *
 * However long the solve turns out, no step is repeated more than once oftener than by the binomial schedule with as
 * many states, and all of them together less than half as often again (measured up to 1500 steps).
 *
 * @param at  number of steps done, one more than at the last call
 * @param states  number of slots, at least 2
 * @see Wang, Moin & Iaccarino 2009, "Minimal repetition dynamic checkpointing algorithm for unsteady adjoint
 *   calculation", SIAM J. Sci. Comput. 31
 * @see Stumm & Walther 2010, "New algorithms for optimal online checkpointing", SIAM J. Sci. Comput. 32
 */
export function storeOnline(
  held: readonly OnlineStore[],
  at: number,
  states: number,
): readonly OnlineStore[] {
  if (held.length < states) return [...held, { at, level: 0 }];
  let highest = -1;
  for (let i = held.length - 1; i > 0; i--) {
    const { level } = held[i]!;
    if (level < highest) return [...held.toSpliced(i, 1), { at, level: 0 }];
    highest = Math.max(highest, level);
  }
  return [...held.slice(0, -1), { at, level: held.at(-1)!.level + 1 }];
}
