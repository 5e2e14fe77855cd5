import { checkpointTurns, refreshTurns, type Schedule } from "../chains/tables.js";
import type { Shape, ValueType } from "../graph/graph.js";
import { adjointNamed, type GraphGradient } from "./adjoints.js";
import type { Setting } from "./inputs.js";
import { inputType } from "./program.js";

/** The types of the tables of a schedule; `null` for a gradient that has none. */
export function scheduleTypes(
  { saves }: Pick<Setting, "saves">,
  gradient: GraphGradient,
): Schedule<ValueType> | null {
  const { plan, undoes } = adjointNamed(gradient);
  if (plan === undefined) return null;
  const table = (...shape: Shape) => inputType("int64", shape);
  const columns = Object.keys(undoes ? refreshTurns : checkpointTurns).length;
  return {
    bounds: table("bounds"),
    legs: table("legs"),
    places: table("places"),
    saves: table(saves, 2),
    slots: undoes ? null : table("slots"),
    stores: undoes ? null : table("legs"),
    turns: table("turns", columns),
    arrivals: table("states"),
  };
}
