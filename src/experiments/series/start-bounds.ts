import { tensor } from "../../core/tensor.js";
import { componentNames } from "../../fields/components.js";
import { inGroups } from "../../learning/groups.js";
import type { Optimiser } from "../../learning/optimisers.js";
import { maximum, minimum } from "../../ops/extrema.js";
import { changeUnits, type SeriesModel, startNames } from "./model.js";

/** An optimiser that puts initial values of hidden components back between their bounds after each update. */
export function startsWithinBounds(optimiser: Optimiser, setting: SeriesModel): Optimiser {
  const { field, scales, hiddenStarts = {}, dtype } = setting;
  const names = componentNames(field);
  const units = changeUnits(setting);
  // observed components have none
  const ends = units.map((unit, j) => {
    const { low, high } = (j < scales.length ? null : hiddenStarts[names[j]!]) ?? { low: null, high: null };
    return { low: low === null ? -Infinity : low / unit, high: high === null ? Infinity : high / unit };
  });
  if (ends.every(({ low, high }) => low === -Infinity && high === Infinity)) return optimiser;
  const row = (end: "low" | "high") =>
    tensor(
      dtype,
      [units.length],
      ends.map((one) => one[end]),
    );
  return inGroups(optimiser, [
    {
      match: (name) => name === startNames.change,
      project: (b, change) => minimum(b, maximum(b, change, b.constant(row("low"))), b.constant(row("high"))),
    },
  ]);
}
