import { shown } from "../core/printable.js";

// What is said of columns that are perhaps not what they are taken for.

/** Of a first column that is taken for the times, beside one that is called as times are. */
export function takenForTime(taken: string, other: string): string {
  return `Times are those of the first column, ${shown(taken)}, so that ${shown(other)} is a state; --time ${shown(other)} says otherwise.`;
}

/** Of columns that have one value throughout, of which `valuesOf` has all. */
export function steadyNotes(
  names: readonly string[],
  valuesOf: (column: number) => readonly number[],
): string[] {
  const steady = names.filter((_, j) => isSteady(valuesOf(j)));
  // where nothing changes at all, that is what is fitted
  if (steady.length === 0 || steady.length === names.length) return [];
  const [are, them] = steady.length === 1 ? ["has the same value", "it"] : ["have the same values", "them"];
  return [
    `${steady.map(shown).join(", ")} ${are} at all times, which anything fits: the loss is a mean over ${them} as well. ` +
      `--observe ${names.filter((name) => !steady.includes(name)).join(",")} leaves ${them} out.`,
  ];
}

function isSteady(values: readonly number[]): boolean {
  const seen = values.filter((value) => !Number.isNaN(value));
  return seen.length > 1 && seen.every((value) => value === seen[0]);
}
