import type { Tensor } from "../core/tensor.js";
import type { StoredArray } from "../import/stored.js";
import { isMadeUp } from "./array-names.js";
import { patternOf } from "./structure.js";

// Arrays that a file holds twice: one parameter stands for all of them.

/** How one array is another one: as it is in another shape, or transposed. */
export type Copy = "reshaped" | "transposed";

/** How b is a copy of a; `null` if it is none. Blocks and single numbers are copies of nothing. */
function copyOf(a: Tensor, b: Tensor): Copy | null {
  if (a.dtype !== b.dtype || a.data.length !== b.data.length || patternOf(a) !== null || a.data.length < 2) {
    return null;
  }
  if (a.data.every((value, i) => value === b.data[i])) return "reshaped";
  if (a.shape.length !== 2 || b.shape.length !== 2) return null;
  const [rows, columns] = a.shape as [number, number];
  if (b.shape[0] !== columns || b.shape[1] !== rows) return null;
  const isIt = a.data.every((value, i) => value === b.data[(i % columns) * rows + Math.floor(i / columns)]);
  return isIt ? "transposed" : null;
}

/** What copies have in common: equal keys are no more than a hint. */
function copyKey({ dtype, data }: Tensor): string {
  return `${dtype} ${data.length} ${data[0]} ${data[data.length - 1]}`;
}

/** Arrays that hold the same numbers, the one that stands for all first. */
export interface Copies {
  readonly members: readonly string[];
  readonly of: (name: string) => { readonly name: string; readonly how: Copy };
}

/** The copies among arrays, by the name of each member. @param isSure  whether the file says that one is a parameter of its own */
export function copiesAmong(
  arrays: readonly StoredArray[],
  isSure: (name: string) => boolean,
): ReadonlyMap<string, Copies> {
  // the names that exporters make up come last: those of a module say what is trained
  const ordered = [...arrays].sort((a, b) => rank(a) - rank(b));
  const groups = new Map<string, { first: StoredArray; copies: Map<string, Copy> }[]>();
  for (const array of ordered) {
    const key = copyKey(array.value);
    const alike = groups.get(key) ?? [];
    groups.set(key, alike);
    const original = alike.find(
      ({ first }) => !(isSure(first.name) && isSure(array.name)) && copyOf(first.value, array.value) !== null,
    );
    if (original === undefined) alike.push({ first: array, copies: new Map() });
    else original.copies.set(array.name, copyOf(original.first.value, array.value)!);
  }
  const found = new Map<string, Copies>();
  for (const { first, copies } of [...groups.values()].flat()) {
    if (copies.size === 0) continue;
    const members = [first.name, ...copies.keys()];
    const of = (name: string) => ({ name: first.name, how: copies.get(name)! });
    for (const name of members) found.set(name, { members, of });
  }
  return found;
}

function rank({ name }: StoredArray): number {
  return isMadeUp(name) || /^const_fold/.test(name) ? 1 : 0;
}
