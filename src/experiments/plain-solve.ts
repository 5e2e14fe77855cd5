/** dy/dt = f(t, y) on plain numbers. */
export type PlainField = (t: number, y: readonly number[]) => number[];

/**
 * States at equal distances in time by the classic method of order 4, in plain numbers: data that do not come from what is
 * to be trained on them.
 *
 * @param stepSize  the largest; intervals are cut into equal steps
 * @returns the start, and so many states after it
 */
export function plainSolve(
  f: PlainField,
  start: readonly number[],
  { interval, count, stepSize }: { interval: number; count: number; stepSize: number },
): number[][] {
  const steps = Math.ceil(interval / stepSize - 1e-9);
  const h = interval / steps;
  const states = [[...start]];
  for (let i = 0; i < count; i++) {
    let y: readonly number[] = states.at(-1)!;
    for (let k = 0; k < steps; k++) y = step(f, i * interval + k * h, y, h);
    states.push([...y]);
  }
  return states;
}

/** One step of the classic method of order 4. */
function step(f: PlainField, t: number, y: readonly number[], h: number): number[] {
  const moved = (k: readonly number[], by: number) => y.map((value, i) => value + by * k[i]!);
  const k1 = f(t, y);
  const k2 = f(t + h / 2, moved(k1, h / 2));
  const k3 = f(t + h / 2, moved(k2, h / 2));
  const k4 = f(t + h, moved(k3, h));
  return y.map((value, i) => value + (h / 6) * (k1[i]! + 2 * k2[i]! + 2 * k3[i]! + k4[i]!));
}
