/** The largest of any number of numbers, NaN if one is; −∞ of none. (A call, as of Math.max, takes only so many arguments.) */
export function largestOf(values: Iterable<number>): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (const value of values) largest = Math.max(largest, value);
  return largest;
}
