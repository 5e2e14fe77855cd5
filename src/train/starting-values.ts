import { Random } from "../core/random.js";
import { numbers, tensor } from "../core/tensor.js";
import { initialParameters, type Tensors } from "../fields/field.js";
import type { SymbolicField } from "../fields/symbolic/symbolic-field.js";
import { Builder } from "../graph/builder.js";
import { leastSquares, type Residuals } from "./least-squares.js";

/** One trajectory as it was observed: every state at every time, NaN where it was not. */
export interface ObservedStates {
  readonly times: ArrayLike<number>;
  /** [times, states], row by row */
  readonly values: ArrayLike<number>;
  /** what drives the field at given times, by the names under which it reads that: a row for each time */
  readonly driven?: (times: readonly number[]) => Tensors;
}

/** Where a fit of equations may start. */
export interface Start {
  readonly parameters: Readonly<Record<string, number>>;
  /** the initial state of each trajectory, of each state a number; `null` for one of which a state was never observed */
  readonly y0: readonly (readonly number[] | null)[];
}

/** What a search starts with, in multiples of the guess. */
const starts = [1, 0.1, 10];

/** A trajectory without gaps. */
interface Whole {
  readonly times: ArrayLike<number>;
  /** [states][times] */
  readonly columns: readonly (readonly number[])[];
  /** standard deviation of each state, over all trajectories */
  readonly scale: readonly number[];
  readonly driven: (times: readonly number[]) => Tensors;
}

/**
 * Values of parameters near those that fit, found without solving anything: states that were observed are put into
 * the equations, whose integral over time should give them back,
 *
 *   y(tₖ) ≈ c + ∫ f(t, y(t); θ) dt   from t₀ to tₖ,
 *
 * with trapezia between observations, linear interpolation across gaps, and the θ of least squares, with a c for each trajectory.
 * With noise or few observations that is only near: a start, and no result. The initial state is that of a few which fits best: the
 * first row, c, or the first row with a small positive number where noise made less than nothing of a quantity that
 * is nearly always positive, since many mechanisms have no solution from there.
 *
 * @param observed  one trajectory or more
 * @param free  the parameters to find; the others are held at their guesses
 * @returns `null` where nothing came of it
 * @see Dattner & Klaassen 2015, Electron. J. Statist. 9, 1939: integral estimators
 */
export async function startingValues(
  field: SymbolicField,
  observed: readonly ObservedStates[],
  free: readonly string[],
): Promise<Start | null> {
  const all = observed.map((one) => interpolated(one, field.components.length));
  const scale = field.components.map((_, i) => deviationOf(all.flatMap((columns) => columns?.[i] ?? [])));
  const trajectories = observed.map(({ times, driven = () => ({}) }, n): Whole | null => {
    const columns = all[n]!;
    return columns === null ? null : { times, columns, scale, driven };
  });
  const whole = trajectories.filter((one) => one !== null);
  if (whole.length === 0) return null;
  const given = initialParameters(field, Random.seeded(0), "float64");
  const parametersAt = (x: readonly number[]): Tensors => ({
    ...given,
    ...Object.fromEntries(free.map((name, j) => [name, tensor("float64", [], [x[j]!])])),
  });
  const left = (x: readonly number[], one: Whole) =>
    withoutIntegral(slopesAt(field, parametersAt(x), one), one);
  const residuals = (x: readonly number[]) =>
    whole.flatMap((one) =>
      left(x, one).flatMap((values, i) => {
        const mean = meanOf(values);
        return values.map((value) => (value - mean) / scale[i]!);
      }),
    );
  const [low, high] = [
    free.map((name) => field.named[name]!.low),
    free.map((name) => field.named[name]!.high),
  ];
  let best: { readonly x: readonly number[]; readonly cost: number } | null = null;
  for (const factor of free.length === 0 ? [] : starts) {
    const start = free.map((name) => field.named[name]!.guess * factor);
    const found = await leastSquares((x) => withDifferences(residuals, x), start, { low, high });
    if (found !== null && (best === null || found.cost < best.cost)) best = found;
  }
  const x = best?.x ?? free.map((name) => field.named[name]!.guess);
  const initial = trajectories.map((one) => {
    if (one === null) return null;
    const first = one.columns.map((column) => column[0]!);
    const candidates = [first, positive(first, one), left(x, one).map(meanOf)];
    const costs = candidates.map((y0) => costOfSolution(field, parametersAt(x), one, y0));
    const least = costs.reduce((least, cost) => Math.min(least, cost));
    return { y0: candidates[Math.max(0, costs.indexOf(least))]!, isSolved: Number.isFinite(least) };
  });
  if (best === null && free.length > 0 && !initial.some((one) => one?.isSolved)) return null;
  return {
    parameters: Object.fromEntries(free.map((name, j) => [name, x[j]!])),
    y0: initial.map((one) => one?.y0 ?? null),
  };
}

/** The share of a quantity that must be positive for it to count as one, and what it starts with in place of less. */
const [mostlyPositive, smallShare] = [0.8, 0.01];

function positive(first: readonly number[], { columns, scale }: Whole): number[] {
  return first.map((value, i) => {
    const column = columns[i]!;
    const isPositive = column.filter((one) => one > 0).length >= mostlyPositive * column.length;
    return value <= 0 && isPositive ? smallShare * scale[i]! : value;
  });
}

/** Σ (y − data)² in standard deviations, of the solution by RK4 with two steps between observations. */
function costOfSolution(
  field: SymbolicField,
  parameters: Tensors,
  { times, columns, scale, driven }: Whole,
  y0: readonly number[],
): number {
  const slope = (t: number, y: readonly number[]) =>
    slopesAt(field, parameters, { times: [t], columns: y.map((value) => [value]), driven }).map(
      ([value]) => value!,
    );
  const moved = (y: readonly number[], h: number, k: readonly number[]) =>
    y.map((value, i) => value + h * k[i]!);
  let y: readonly number[] = y0;
  let cost = 0;
  for (let k = 0; k < times.length && Number.isFinite(cost); k++) {
    const h = k === 0 ? 0 : (times[k]! - times[k - 1]!) / 2;
    for (let half = 0; h > 0 && half < 2; half++) {
      const t = times[k - 1]! + half * h;
      const k1 = slope(t, y);
      const k2 = slope(t + h / 2, moved(y, h / 2, k1));
      const k3 = slope(t + h / 2, moved(y, h / 2, k2));
      const k4 = slope(t + h, moved(y, h, k3));
      y = y.map((value, i) => value + (h / 6) * (k1[i]! + 2 * k2[i]! + 2 * k3[i]! + k4[i]!));
    }
    cost += y.reduce((sum, value, i) => sum + ((value - columns[i]![k]!) / scale[i]!) ** 2, 0);
  }
  return Number.isFinite(cost) ? cost : Infinity;
}

/** Every state at every time, [states][times]; `null` for one that was never observed. */
function interpolated({ times, values }: ObservedStates, states: number): number[][] | null {
  const rows = Array.from({ length: times.length }, (_, k) => k);
  const columns = Array.from({ length: states }, (_, i) => {
    const seen = rows.filter((k) => !Number.isNaN(values[k * states + i]!));
    let next = 0;
    return rows.map((k) => {
      while (next < seen.length && seen[next]! < k) next++;
      const [before, after] = [seen[next - 1] ?? seen[next], seen[next] ?? seen[next - 1]];
      if (before === undefined || after === undefined) return Number.NaN;
      const at = (row: number) => values[row * states + i]!;
      if (before === after || after === k) return at(after === k ? k : before);
      const share = (times[k]! - times[before]!) / (times[after]! - times[before]!);
      return at(before) + share * (at(after) - at(before));
    });
  });
  return columns.some((column) => column.some(Number.isNaN)) ? null : columns;
}

/** f at every observation, [states][times]: a graph of constants, which its builder computes. */
function slopesAt(
  field: SymbolicField,
  parameters: Tensors,
  { times, columns, driven }: Omit<Whole, "scale">,
): number[][] {
  const b = new Builder();
  const [count, states] = [times.length, columns.length];
  const theta = Object.fromEntries(
    Object.entries({ ...parameters, ...driven(Array.from(times)) }).map(([name, value]) => [
      name,
      b.constant(value),
    ]),
  );
  const y = Array.from({ length: count * states }, (_, i) => columns[i % states]![Math.floor(i / states)]!);
  const slopes = field.apply(
    b,
    theta,
    b.constant(tensor("float64", [count, 1], Array.from(times))),
    b.constant(tensor("float64", [count, states], y)),
  );
  const flat = slopes.constant === null ? [] : numbers(slopes.constant);
  return columns.map((_, i) => Array.from({ length: count }, (__, k) => flat[k * states + i] ?? Number.NaN));
}

/** y − ∫ f dt, [states][times]: a constant for each state, where the parameters are right. */
function withoutIntegral(slopes: readonly (readonly number[])[], { times, columns }: Whole): number[][] {
  return columns.map((column, i) => {
    let integral = 0;
    return column.map((value, k) => {
      if (k > 0) integral += ((slopes[i]![k]! + slopes[i]![k - 1]!) / 2) * (times[k]! - times[k - 1]!);
      return value - integral;
    });
  });
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function deviationOf(values: readonly number[]): number {
  const mean = meanOf(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length) || 1;
}

/** Residuals with their central differences, good to ten digits where they are nearly linear. */
function withDifferences(at: (x: readonly number[]) => number[], x: readonly number[]): Residuals {
  const residuals = at(x);
  const jacobian = x.map((value, j) => {
    const h = 1e-5 * (Math.abs(value) || 1);
    const [up, down] = [h, -h].map((shift) => at(x.map((own, i) => (i === j ? own + shift : own))));
    return residuals.map((_, i) => (up![i]! - down![i]!) / (2 * h));
  });
  return { residuals, jacobian };
}
