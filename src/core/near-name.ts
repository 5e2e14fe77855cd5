/** The candidate closest to a mistyped name, if one is within two edits of it. */
export function nearName(name: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = 3;
  for (const candidate of candidates.toSorted()) {
    if (Math.abs(candidate.length - name.length) >= least) continue;
    const distance = editDistance(name, candidate);
    if (distance < least && distance < Math.max(name.length, candidate.length)) {
      best = candidate;
      least = distance;
    }
  }
  return best;
}

/** Levenshtein distance: the fewest insertions, deletions and replacements of a character that turn a into b. */
export function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(replaced, previous[j]! + 1, current[j - 1]! + 1));
    }
    previous = current;
  }
  return previous[b.length]!;
}
