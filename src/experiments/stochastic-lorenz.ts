import { Random } from "../core/random.js";
import { type FloatDType, type Tensor, tensor } from "../core/tensor.js";

/** σ, ρ, β of Lorenz's equations, and the sizes of the noise on x, y, z. */
const [sigma, rho, beta] = [10, 28, 8 / 3];
const noise = [0.1, 0.28, 0.3] as const;

/** The longest step in which paths are simulated. */
const fine = 5e-3;

export interface LorenzOptions {
  readonly seed: number;
  /** of what is observed, in the units of the data */
  readonly deviation: number;
  readonly dtype: FloatDType;
}

/**
 * Paths of Lorenz's equations with noise that grows with the state, from N(0, I) by Euler and Maruyama's method,
 *
 *   dx = σ (y − x) dt + 0.1 x dW₁,   dy = (x (ρ − z) − y) dt + 0.28 y dW₂,   dz = (x y − β z) dt + 0.3 z dW₃
 *
 * brought to mean 0 and deviation 1 in each component over paths and times, and observed with noise.
 *
 * @returns [paths, times, 3]
 * @see Li et al. 2020, "Scalable gradients for stochastic differential equations", arXiv:2001.01328
 */
export function lorenzPaths(
  count: number,
  times: readonly number[],
  { seed, deviation, dtype }: LorenzOptions,
): Tensor {
  // the same units whatever the seed, so that test data have those of the training data
  const reference = Random.seeded(0);
  const scale = scaleOf(Array.from({ length: 100 }, () => onePath(times, reference)).flat());
  const random = Random.seeded(seed);
  const rows = Array.from({ length: count }, () =>
    onePath(times, random).map((row) =>
      row.map((x, k) => (x - scale[k]!.mean) / scale[k]!.deviation + deviation * random.normal()),
    ),
  );
  return tensor(dtype, [count, times.length, 3], rows.flat(2));
}

/** A path at times, of which the first is where it starts. */
function onePath(times: readonly number[], random: Random): number[][] {
  let state = noise.map(() => random.normal());
  return times.map((time, k) => {
    const length = time - (times[k - 1] ?? time);
    const steps = Math.ceil(length / fine - 1e-9);
    const h = length / steps;
    for (let i = 0; i < steps; i++) {
      const [x, y, z] = state as [number, number, number];
      const drift = [sigma * (y - x), x * (rho - z) - y, x * y - beta * z];
      state = state.map((s, j) => s + drift[j]! * h + noise[j]! * s * Math.sqrt(h) * random.normal());
    }
    return state;
  });
}

function scaleOf(rows: readonly (readonly number[])[]) {
  return noise.map((_, k) => {
    const mean = rows.reduce((sum, row) => sum + row[k]!, 0) / rows.length;
    const variance = rows.reduce((sum, row) => sum + (row[k]! - mean) ** 2, 0) / rows.length;
    return { mean, deviation: Math.sqrt(variance) };
  });
}
