/**
 * Whether a name fits a pattern, in which `*` stands for any characters, also none, and `?` for any one; all others
 * stand for themselves. In time proportional to the product of the lengths, whatever the pattern.
 */
export function fitsPattern(name: string, pattern: string): boolean {
  let [at, i] = [0, 0];
  // where the last star is, and up to where it has taken characters
  let [star, taken] = [-1, 0];
  while (at < name.length) {
    if (i < pattern.length && pattern[i] === "*") {
      [star, taken] = [i++, at];
    } else if (i < pattern.length && (pattern[i] === "?" || pattern[i] === name[at])) {
      [at, i] = [at + 1, i + 1];
    } else if (star >= 0) {
      taken += 1;
      [at, i] = [taken, star + 1];
    } else return false;
  }
  while (pattern[i] === "*") i++;
  return i === pattern.length;
}

/** How much of a name a pattern says: the number of its characters that stand for themselves. */
export function exactness(pattern: string): number {
  return pattern.replace(/[*?]/g, "").length;
}
