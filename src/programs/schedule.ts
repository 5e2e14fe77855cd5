import type { Builder } from "../graph/builder.js";
import type { Value, ValueType } from "../graph/graph.js";
import { leadsToName, scheduleNames } from "./backward-names.js";
import type { GraphGradient, ScheduledGradient } from "./gradient.js";
import type { Setting } from "./inputs.js";
import { inputType } from "./program.js";

/** Which states a gradient stores on its way, and how it comes back from them: tables of indices, int64. */
export interface ScheduleValues {
  /**
   * [legs · places + 1]: numbers of steps, in order, between which the solve goes. As many places make a leg: it has a
   * state stored, the one at its start or at its end. At the end of a place there is a save, or nothing.
   */
  readonly bounds: Value;
  /** [legs]: the bound at which each leg starts */
  readonly legs: Value;
  /** [places]: that at which each place of a leg starts, from there */
  readonly places: Value;
  /** [saves, 2]: the leg and the place at the end of which each save lies */
  readonly saves: Value;
  /** where steps are taken again: the slots */
  readonly slots: SlotValues | null;
  /**
   * What is done on the way back, turn by turn, as in `checkpointTurns` [turns, 5] or `refreshTurns` [turns, 3].
   */
  readonly turns: Value;
  /** [steps + 1]: the save at each state; their number where there is none */
  readonly arrivals: Value;
  /** [steps]: the save that each step leads to, where times have a gradient */
  readonly leadsTo: Value | null;
}

/** The places for states, where they come and go on the way back. */
export interface SlotValues {
  /** [slots + 1] zeros, as all slots hold the first state at first; one more than there are takes what nobody reads */
  readonly first: Value;
  /** [legs]: the slot that takes the state at the start of each leg */
  readonly stores: Value;
}

/** The columns of the turns of a gradient that takes steps again. */
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

/** The columns of the turns of a gradient that undoes steps. */
export const refreshTurns = {
  /** the leg whose state becomes the working one */
  leg: 0,
  /** as far as steps are undone, and cotangents go back */
  from: 1,
  /** how many steps lie before the working state */
  to: 2,
} as const;

function isScheduled(gradient: GraphGradient): gradient is ScheduledGradient {
  return gradient === "checkpoint" || gradient === "refresh";
}

/** The types of the schedule of a gradient that has one, by the names of its inputs. */
export function scheduleTypes({ saves }: Pick<Setting, "saves">, gradient: GraphGradient) {
  if (!isScheduled(gradient)) return null;
  const takesAgain = gradient === "checkpoint";
  const columns = Object.keys(takesAgain ? checkpointTurns : refreshTurns).length;
  const indices = (...shape: ValueType["shape"]) => inputType("int64", shape);
  return {
    ...{
      bounds: indices("bounds"),
      legs: indices("legs"),
      places: indices("places"),
      saves: indices(saves, 2),
    },
    ...(takesAgain ? { slots: indices("slots"), stores: indices("legs") } : {}),
    ...{ turns: indices("turns", columns), arrivals: indices("states") },
  };
}

/** The schedule of a gradient that has one, among inputs. */
export function scheduleOf(
  values: Readonly<Record<Exclude<keyof typeof scheduleNames, "slots" | "stores">, Value>> & {
    readonly slots?: Value;
    readonly stores?: Value;
  },
): ScheduleValues {
  const { slots, stores, ...rest } = values;
  return {
    ...rest,
    slots: slots === undefined || stores === undefined ? null : { first: slots, stores },
    leadsTo: null,
  };
}

/** Declares the schedule of a gradient that has one. */
export function scheduleInputs(
  b: Builder,
  { saves }: Pick<Setting, "saves">,
  gradient: GraphGradient,
  times: boolean,
): ScheduleValues | null {
  if (!isScheduled(gradient)) return null;
  const takesAgain = gradient === "checkpoint";
  const columns = Object.keys(takesAgain ? checkpointTurns : refreshTurns).length;
  return {
    bounds: b.input(scheduleNames.bounds, "int64", ["bounds"]),
    legs: b.input(scheduleNames.legs, "int64", ["legs"]),
    places: b.input(scheduleNames.places, "int64", ["places"]),
    saves: b.input(scheduleNames.saves, "int64", [saves, 2]),
    slots: takesAgain
      ? {
          first: b.input(scheduleNames.slots, "int64", ["slots"]),
          stores: b.input(scheduleNames.stores, "int64", ["legs"]),
        }
      : null,
    turns: b.input(scheduleNames.turns, "int64", ["turns", columns]),
    arrivals: b.input(scheduleNames.arrivals, "int64", ["states"]),
    leadsTo: times ? b.input(leadsToName, "int64", ["steps"]) : null,
  };
}
