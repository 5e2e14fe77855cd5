import { tensor } from "../core/tensor.js";
import type { Tensors } from "../fields/field.js";
import { scheduleNames } from "../programs/backward-names.js";
import { type Grid, stepsOf } from "../programs/grid.js";
import { checkpointTurns, refreshTurns } from "../programs/schedule.js";
import type { GradientMethod } from "./method.js";
import { type Plan, planOf } from "./plan.js";

/** The tables of a gradient's schedule over a grid, as programs take them; none where it has no schedule. */
export function scheduleTensors(method: GradientMethod, grid: Grid): Tensors {
  const plan = planOf(method, stepsOf(grid));
  if (plan === null) return {};
  const way = forwardWay(grid, plan.stores);
  const table = (rows: readonly (readonly number[])[], columns: number) =>
    tensor("int64", [rows.length, columns], rows.flat());
  const list = (values: readonly number[]) => tensor("int64", [values.length], values);
  const places = way.legs[0]!.length - 1;
  const common = {
    [scheduleNames.bounds]: list([0, ...way.legs.flatMap(([, ...ends]) => ends)]),
    [scheduleNames.legs]: list(way.legs.map((_, leg) => leg * places)),
    [scheduleNames.places]: list(Array.from({ length: places }, (_, place) => place)),
    [scheduleNames.saves]: table(way.saves, 2),
    [scheduleNames.arrivals]: list(arrivalsOf(grid)),
  };
  if (plan.kind === "refresh") {
    const endingAt = new Map(way.legs.map((leg, i) => [leg.at(-1)!, i]));
    const turns = undoTurns(plan, endingAt);
    return { ...common, [scheduleNames.turns]: table(turns, Object.keys(refreshTurns).length) };
  }
  const slotOf = new Map(plan.stores.map((at, slot) => [at, slot]));
  const stores = way.legs.map(([from]) => slotOf.get(from!) ?? plan.slots);
  return {
    ...common,
    [scheduleNames.slots]: list(new Array<number>(plan.slots + 1).fill(0)),
    [scheduleNames.stores]: list(stores),
    [scheduleNames.turns]: table(reverseTurns(plan), Object.keys(checkpointTurns).length),
  };
}

/** Where the solve goes. */
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
function forwardWay({ times, offsets }: Grid, stores: readonly number[]): ForwardWay {
  const steps = times.length - 1;
  const saves = offsets.slice(1);
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
function arrivalsOf({ times, offsets }: Grid): number[] {
  const saves = offsets.slice(1);
  const arrivals = new Array<number>(times.length).fill(saves.length);
  for (const [save, at] of saves.entries()) arrivals[at] = save;
  return arrivals;
}

/** The turns of a gradient that takes steps again. */
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

/** The turns of a gradient that undoes steps. @param endingAt  the legs by the states that they end with */
function undoTurns({ actions }: Plan, endingAt: ReadonlyMap<number, number>): number[][] {
  const turns: number[][] = [];
  for (const action of actions()) {
    if (action.kind === "undo") turns.push([endingAt.get(action.to)!, action.from, action.to]);
  }
  return turns;
}
