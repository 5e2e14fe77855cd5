import { tensor } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { add, mul, neg, sub } from "../ops/arithmetic.js";
import { pad, slice } from "../ops/slice.js";
import { concat } from "../ops/slicing.js";
import { type PlainField, plainSolve } from "./plain-solve.js";

// The Sabra shell model: one complex velocity for each shell of wave numbers, kₙ = 2ⁿ, coupled to its neighbours so that energy
// is handed down from the large scales, where it is put in, to the small ones, where it is lost to viscosity.

/** Shells of the whole flow, and those that are resolved by a coarse one. */
export const shells = { all: 12, resolved: 6 } as const;

const viscosity = 1e-4;
/** on the first shell, the same in its real and imaginary parts */
const force = 0.35;

/** A unit of time of the coarse flow, about the turnover of its last shell. */
export const timeUnit = 0.1;

const wave = (n: number) => 2 ** n;
/** Kolmogorov's size of a shell's velocity, in which coarse states are measured. */
export const sizeOfShell = (n: number) => 2 ** (-n / 3);

/**
 * The flow in plain numbers, all real parts and then all imaginary ones, in its own time:
 *
 *   uₙ' = i (kₙ₊₁ uₙ₊₁* uₙ₊₂ − ½ kₙ uₙ₋₁* uₙ₊₁ + ½ kₙ₋₁ uₙ₋₁ uₙ₋₂) − ν kₙ² uₙ + fₙ
 *
 * Without viscosity and force it keeps Σ |uₙ|².
 *
 * @see L'vov, Podivilov, Pomyalov, Procaccia & Vandembroucq 1998, "Improved shell model of turbulence", Phys. Rev. E 58
 */
export function plainSabra(count: number): PlainField {
  const constants = Array.from({ length: count }, (_, n) => ({
    ...{ a: wave(n + 1), b: -0.5 * wave(n), c: 0.5 * wave(n - 1), damping: viscosity * wave(n) ** 2 },
  }));
  // with two shells that are 0 at either end
  const [re, im] = [new Float64Array(count + 4), new Float64Array(count + 4)];
  return (_t, u) => {
    for (let n = 0; n < count; n++) {
      re[n + 2] = u[n]!;
      im[n + 2] = u[count + n]!;
    }
    const slope = new Array<number>(2 * count);
    for (let n = 0; n < count; n++) {
      const { a, b, c, damping } = constants[n]!;
      // a u₁* u₂ + b u₋₁* u₁ + c u₋₁ u₋₂
      const [r1, i1, r2, i2] = [re[n + 3]!, im[n + 3]!, re[n + 4]!, im[n + 4]!];
      const [p1, q1, p2, q2] = [re[n + 1]!, im[n + 1]!, re[n]!, im[n]!];
      const sumRe = a * (r1 * r2 + i1 * i2) + b * (p1 * r1 + q1 * i1) + c * (p1 * p2 - q1 * q2);
      const sumIm = a * (r1 * i2 - i1 * r2) + b * (p1 * i1 - q1 * r1) + c * (p1 * q2 + q1 * p2);
      const forced = n === 0 ? force : 0;
      slope[n] = forced - sumIm - damping * u[n]!;
      slope[count + n] = forced + sumRe - damping * u[count + n]!;
    }
    return slope;
  };
}

/**
 * The resolved shells of the whole flow, in units of their sizes, at equal distances in time after it has forgotten how it began.
 *
 * @param phase  of the start, by which flows differ
 * @returns [snapshots][2 × resolved]
 */
export function resolvedFlow({
  phase,
  interval,
  count,
}: {
  phase: number;
  interval: number;
  count: number;
}): number[][] {
  const { all, resolved } = shells;
  const start = [Math.cos, Math.sin].flatMap((part) =>
    Array.from({ length: all }, (_, n) => (n < 6 ? 0.3 * sizeOfShell(n) * part(phase + n * n) : 0)),
  );
  // the classic method is stable while ν k² h is below 2.78: here it is 0.4
  const stepSize = 1e-3;
  const forgotten = plainSolve(plainSabra(all), start, { interval: 20, count: 1, stepSize }).at(-1)!;
  const states = plainSolve(plainSabra(all), forgotten, {
    interval: interval * timeUnit,
    count: count - 1,
    stepSize,
  });
  return states.map((u) =>
    [0, all].flatMap((from) => Array.from({ length: resolved }, (_, n) => u[from + n]! / sizeOfShell(n))),
  );
}

/**
 * The slope of the resolved shells if there were no others, in units of their sizes and of the coarse time: [batch, 2 × resolved].
 */
export function coarseDrift(b: Builder, v: Value): Value {
  const { resolved: count } = shells;
  const row = (f: (n: number) => number) =>
    b.constant(
      tensor(
        v.dtype as "float64",
        [count],
        Array.from({ length: count }, (_, n) => f(n)),
      ),
    );
  const [re, im] = [0, 1].map((k) =>
    mul(b, slice(b, v, 1, k * count, (k + 1) * count), row(sizeOfShell)),
  ) as [Value, Value];
  const moved = ([x, y]: Complex, by: number): Complex => [shifted(b, x, by), shifted(b, y, by)];
  const u: Complex = [re, im];
  const [up, upper, down, lower] = [moved(u, 1), moved(u, 2), moved(u, -1), moved(u, -2)];
  const scaled = ([x, y]: Complex, f: (n: number) => number): Complex => [
    mul(b, x, row(f)),
    mul(b, y, row(f)),
  ];
  const sum = [
    scaled(product(b, conjugate(b, up), upper), (n) => wave(n + 1)),
    scaled(product(b, conjugate(b, down), up), (n) => -0.5 * wave(n)),
    scaled(product(b, down, lower), (n) => 0.5 * wave(n - 1)),
  ].reduce(([x, y], [p, q]) => [add(b, x, p), add(b, y, q)]);
  const damped = scaled(u, (n) => viscosity * wave(n) ** 2);
  const forced = row((n) => (n === 0 ? force : 0));
  const slope: Complex = [
    add(b, sub(b, neg(b, sum[1]), damped[0]), forced),
    add(b, sub(b, sum[0], damped[1]), forced),
  ];
  const [x, y] = scaled(slope, (n) => timeUnit / sizeOfShell(n));
  return concat(b, [x, y], 1);
}

/** A complex value by its real and imaginary parts. */
type Complex = readonly [re: Value, im: Value];

const conjugate = (b: Builder, [x, y]: Complex): Complex => [x, neg(b, y)];

const product = (b: Builder, [x, y]: Complex, [p, q]: Complex): Complex => [
  sub(b, mul(b, x, p), mul(b, y, q)),
  add(b, mul(b, x, q), mul(b, y, p)),
];

/** x of shell n + by in the place of n, 0 where there is none: [batch, shells]. */
function shifted(b: Builder, x: Value, by: number): Value {
  const count = x.shape[1] as number;
  const wider = pad(b, x, [0, Math.max(0, -by)], [0, Math.max(0, by)]);
  return by > 0 ? slice(b, wider, 1, by, by + count) : slice(b, wider, 1, 0, count);
}
