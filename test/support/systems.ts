// Twelve systems of every temper, as data: decaying, oscillating, stiff, chaotic and conservative ones. Solved here by
// RK4 in plain JavaScript with 400 steps from row to row, and by nothing of what is tested.

type State = readonly number[];

export interface KnownSystem {
  readonly temper: "decaying" | "oscillating" | "stiff" | "chaotic" | "conservative";
  readonly derivative: (t: number, y: State) => State;
  readonly y0: State;
  readonly end: number;
  /** rows after the first */
  readonly rows: number;
}

export const systems: Readonly<Record<string, KnownSystem>> = {
  "a reversible reaction chain": {
    temper: "decaying",
    derivative: (_, [a, b]) => [0.5 * b! - 2 * a!, 2 * a! - 1.5 * b!, 0.8 * b!],
    ...{ y0: [1, 0, 0], end: 6, rows: 60 },
  },
  "cooling in a forced environment": {
    temper: "decaying",
    derivative: (t, [x]) => [Math.sin(t) - x!],
    ...{ y0: [2], end: 12, rows: 60 },
  },
  "a damped oscillator": {
    temper: "decaying",
    derivative: (_, [x, v]) => [v!, -4 * x! - 0.4 * v!],
    ...{ y0: [1, 0], end: 10, rows: 80 },
  },
  "Van der Pol's oscillator": {
    temper: "oscillating",
    derivative: (_, [x, v]) => [v!, (1 - x! ** 2) * v! - x!],
    ...{ y0: [0.5, 0], end: 14, rows: 100 },
  },
  "FitzHugh and Nagumo's neuron": {
    temper: "oscillating",
    derivative: (_, [v, w]) => [v! - v! ** 3 / 3 - w! + 0.5, 0.08 * (v! + 0.7 - 0.8 * w!)],
    ...{ y0: [-1, 1], end: 80, rows: 120 },
  },
  "a fast variable that follows a forcing": {
    temper: "stiff",
    derivative: (t, [x, y]) => [-50 * (x! - Math.cos(t)), x! - y!],
    ...{ y0: [0, 0], end: 6, rows: 120 },
  },
  "Van der Pol's relaxation oscillations": {
    temper: "stiff",
    derivative: (_, [x, v]) => [v!, 5 * (1 - x! ** 2) * v! - x!],
    ...{ y0: [2, 0], end: 16, rows: 160 },
  },
  "Lorenz's attractor": {
    temper: "chaotic",
    derivative: (_, [x, y, z]) => [10 * (y! - x!), x! * (28 - z!) - y!, x! * y! - (8 / 3) * z!],
    ...{ y0: [1, 1, 1], end: 6, rows: 200 },
  },
  "Rössler's attractor": {
    temper: "chaotic",
    derivative: (_, [x, y, z]) => [-y! - z!, x! + 0.2 * y!, 0.2 + z! * (x! - 5.7)],
    ...{ y0: [1, 1, 0], end: 30, rows: 200 },
  },
  "Lotka and Volterra's populations": {
    temper: "conservative",
    derivative: (_, [x, y]) => [1.1 * x! - 0.4 * x! * y!, 0.1 * x! * y! - 0.4 * y!],
    ...{ y0: [10, 5], end: 20, rows: 80 },
  },
  "a pendulum": {
    temper: "conservative",
    derivative: (_, [q, p]) => [p!, -Math.sin(q!)],
    ...{ y0: [2, 0], end: 20, rows: 100 },
  },
  "a planet on an ellipse": {
    temper: "conservative",
    derivative: (_, [x, y, u, v]) => [u!, v!, ...[x!, y!].map((q) => -q / Math.hypot(x!, y!) ** 3)],
    ...{ y0: [0.7, 0, 0, Math.sqrt(1.3 / 0.7)], end: 12, rows: 120 },
  },
};

/** The rows of a system, [time, ...state]. */
export async function rowsOf({ derivative, y0, end, rows }: KnownSystem): Promise<number[][]> {
  const times = Array.from({ length: rows + 1 }, (_, i) => (i * end) / rows);
  const states = await rungeKutta(async (t, y) => derivative(t, y), y0, times, 400);
  return times.map((t, i) => [t, ...states[i]!]);
}

/** The classical Runge–Kutta method through given times, each stretch cut into as many steps. */
export async function rungeKutta(
  derivative: (t: number, y: State) => Promise<State>,
  y0: State,
  times: readonly number[],
  steps: number,
): Promise<State[]> {
  const states: State[] = [y0];
  let y = y0;
  for (const [i, end] of times.slice(1).entries()) {
    const h = (end - times[i]!) / steps;
    for (let step = 0; step < steps; step++) {
      const t = times[i]! + step * h;
      const along = (k: State, by: number) => y.map((value, j) => value + by * h * k[j]!);
      const k1 = await derivative(t, y);
      const k2 = await derivative(t + h / 2, along(k1, 1 / 2));
      const k3 = await derivative(t + h / 2, along(k2, 1 / 2));
      const k4 = await derivative(t + h, along(k3, 1));
      y = y.map((value, j) => value + (h / 6) * (k1[j]! + 2 * k2[j]! + 2 * k3[j]! + k4[j]!));
    }
    states.push(y);
  }
  return states;
}
