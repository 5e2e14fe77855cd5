import { type Tensor, tensor } from "../core/tensor.js";
import type { Plan } from "./plan.js";

/**
 * A plan as tables of indices, int64: which states an adjoint stores on its way, and how it comes back from them. As
 * they go into the graph, one graph serves any number of steps and of states.
 */
export type Schedule<T> = {
  /**
   * [legs · places + 1]: numbers of steps, in order, between which the chain goes. As many places make a leg: it has a
   * state stored, the one at its start or at its end. At the end of a place there is a save, or nothing.
   */
  readonly bounds: T;
  /** [legs]: the bound at which each leg starts */
  readonly legs: T;
  /** [places]: that at which each place of a leg starts, from there */
  readonly places: T;
  /** [saves, 2]: the leg and the place at the end of which each save lies */
  readonly saves: T;
  /** [steps + 1]: the save at each state; their number where there is none */
  readonly arrivals: T;
  /** What is done on the way back, turn by turn, as in `checkpointTurns` [turns, 5] or `refreshTurns` [turns, 3]. */
  readonly turns: T;
  /**
   * [slots + 1] zeros, as all slots hold the first state at first; one more than there are takes what nobody reads.
   * `null` where steps are undone.
   */
  readonly slots: T | null;
  /** [legs]: the slot that takes the state at the start of each leg; `null` where steps are undone */
  readonly stores: T | null;
};

/** The columns of the turns of an adjoint that takes steps again. */
export const checkpointTurns = {
  /** the slot that the working state comes out of */
  slot: 0,
  /** how many steps lie before it */
  from: 1,
  /** as far as it is taken forward */
  at: 2,
  /** the slot that it goes into there */
  store: 3,
  /** where cotangents start that go back to it; `at` where none do */
  to: 4,
} as const;

/** The columns of the turns of an adjoint that undoes steps. */
export const refreshTurns = {
  /** the leg whose state becomes the working one */
  leg: 0,
  /** as far as steps are undone, and cotangents go back */
  from: 1,
  /** how many steps lie before the working state */
  to: 2,
} as const;

/**
 * The tables of a plan.
 *
 * @param offsets  how many steps lie before each save, ascending
 */
export function tablesOf(plan: Plan, steps: number, offsets: readonly number[]): Schedule<Tensor> {
  const way = forwardWay(steps, offsets, plan.stores);
  const table = (rows: readonly (readonly number[])[], columns: number) =>
    tensor("int64", [rows.length, columns], rows.flat());
  const list = (values: readonly number[]) => tensor("int64", [values.length], values);
  const places = way.legs[0]!.length - 1;
  const common = {
    bounds: list([0, ...way.legs.flatMap(([, ...ends]) => ends)]),
    legs: list(way.legs.map((_, leg) => leg * places)),
    places: list(Array.from({ length: places }, (_, place) => place)),
    saves: table(way.saves, 2),
    arrivals: list(arrivalsOf(steps, offsets)),
  };
  if (plan.kind === "refresh") {
    const endingAt = new Map(way.legs.map((leg, i) => [leg.at(-1)!, i]));
    const turns = table(undoTurns(plan, endingAt), Object.keys(refreshTurns).length);
    return { ...common, turns, slots: null, stores: null };
  }
  const slotOf = new Map(plan.stores.map((at, slot) => [at, slot]));
  const stores = way.legs.map(([from]) => slotOf.get(from!) ?? plan.slots);
  return {
    ...common,
    turns: table(reverseTurns(plan), Object.keys(checkpointTurns).length),
    slots: list(new Array<number>(plan.slots + 1).fill(0)),
    stores: list(stores),
  };
}

/** Where a chain goes. */
interface ForwardWay {
  /** bounds of each leg, as many for all of them */
  readonly legs: readonly (readonly number[])[];
  /** leg and place of each save */
  readonly saves: readonly (readonly number[])[];
}

/**
 * From store to store, reporting y at each save on the way. Reports of all legs are stacked, so each has as many: where
 * there are fewer saves, those after the last are of nothing. Legs with many saves are cut, so that there is little of
 * that.
 */
function forwardWay(steps: number, saves: readonly number[], stores: readonly number[]): ForwardWay {
  const cuts = [...stores.filter((at) => at > 0 && at < steps), steps];
  const stretches: { from: number; points: number[]; firstSave: number; saves: number }[] = [];
  let save = 0;
  let from = 0;
  for (const to of cuts) {
    const firstSave = save;
    while (save < saves.length && saves[save]! <= to) save++;
    const points = saves.slice(firstSave, save);
    if (points.at(-1) !== to) points.push(to);
    stretches.push({ from, points, firstSave, saves: save - firstSave });
    from = to;
  }
  const places = placesPerLeg(stretches.map(({ points }) => points.length));
  const legs: number[][] = [];
  const found: number[][] = [];
  for (const stretch of stretches) {
    const { points } = stretch;
    for (let k = 0; k < stretch.saves; k++) found.push([legs.length + Math.floor(k / places), k % places]);
    let start = stretch.from;
    for (let at = 0; at < points.length; at += places) {
      const own = points.slice(at, at + places);
      const end = own.at(-1)!;
      legs.push([start, ...own, ...new Array<number>(places - own.length).fill(end)]);
      start = end;
    }
  }
  return { legs, saves: found };
}

/** How many places a leg has, so that stored states and reports are fewest: a power of two, or the most there are. */
function placesPerLeg(points: readonly number[]): number {
  const most = points.reduce((longest, count) => Math.max(longest, count));
  const rows = (places: number) =>
    points.reduce((legs, count) => legs + Math.ceil(count / places), 0) * (places + 1);
  let best = most;
  for (let places = 1; places < most; places *= 2) if (rows(places) < rows(best)) best = places;
  return best;
}

/** The save at each state; the row after the last, of zeros, where there is none. */
function arrivalsOf(steps: number, saves: readonly number[]): number[] {
  const arrivals = new Array<number>(steps + 1).fill(saves.length);
  for (const [save, at] of saves.entries()) arrivals[at] = save;
  return arrivals;
}

/** The turns of an adjoint that takes steps again. */
function reverseTurns({ slots, actions }: Plan): number[][] {
  const turns: { slot: number; from: number; at: number; store: number; to: number }[] = [];
  for (const action of actions()) {
    if (action.kind === "restore") {
      const { slot, at } = action;
      turns.push({ slot, from: at, at, store: slots, to: at });
      continue;
    }
    const turn = turns.at(-1)!;
    if (action.kind === "advance") {
      turn.at = action.to;
      turn.to = action.to;
    } else if (action.kind === "store") turn.store = action.slot;
    else turn.to = action.to;
  }
  return turns.map(({ slot, from, at, store, to }) => [slot, from, at, store, to]);
}

/** The turns of an adjoint that undoes steps. @param endingAt  the legs by the states that they end with */
function undoTurns({ actions }: Plan, endingAt: ReadonlyMap<number, number>): number[][] {
  const turns: number[][] = [];
  for (const action of actions()) {
    if (action.kind === "undo") turns.push([endingAt.get(action.to)!, action.from, action.to]);
  }
  return turns;
}
