// Burgers' equation by the substitution that makes it the heat equation, whose solutions are sums of decaying waves.

export interface Burgers {
  readonly viscosity: number;
  /** of the period */
  readonly length: number;
}

/** A function of mean 0 with a period, as its waves: Σₖ aₖ cos(2πkx/L) + bₖ sin(2πkx/L), k from 1 on. */
export interface Waves {
  readonly cosines: readonly number[];
  readonly sines: readonly number[];
}

/** Points and waves of the heat equation; smooth solutions need far fewer. */
const resolution = 256;

/**
 * u(t, x) of u_t + u u_x = ν u_xx, exactly but for rounding:
 *
 *   φ(0, x) = exp(−∫ u(0, x) dx / 2ν),   φ_t = ν φ_xx,   u = −2ν φ_x / φ
 *
 * φ has the period of u, since u has mean 0, and each of its waves decays by e^(−ν (2πk/L)² t). The waves of φ(0) are found on
 * 256 points.
 *
 * @returns  for each time the values at `points` points, from x = 0 on
 * @see Cole 1951, Hopf 1950
 */
export function coleHopf(
  { cosines, sines }: Waves,
  { viscosity, length }: Burgers,
  times: readonly number[],
  points: number,
): number[][] {
  const unit = (2 * Math.PI) / length;
  // −∫ u / 2ν
  const potential = (x: number) =>
    cosines.reduce((sum, a, k) => {
      const w = unit * (k + 1);
      return sum + (a * Math.sin(w * x) - sines[k]! * Math.cos(w * x)) / w;
    }, 0) /
    (-2 * viscosity);
  const start = Array.from({ length: resolution }, (_, i) => Math.exp(potential((i * length) / resolution)));
  const [real, imaginary] = wavesOf(start);
  return times.map((t) =>
    Array.from({ length: points }, (_, i) => {
      const x = (i * length) / points;
      let [phi, slope] = [real[0]!, 0];
      for (let k = 1; k < real.length; k++) {
        const w = unit * k;
        const decay = Math.exp(-viscosity * w * w * t);
        if (decay === 0) break;
        const [c, s] = [Math.cos(w * x), Math.sin(w * x)];
        phi += decay * (real[k]! * c + imaginary[k]! * s);
        slope += decay * w * (imaginary[k]! * c - real[k]! * s);
      }
      return (-2 * viscosity * slope) / phi;
    }),
  );
}

/** The cosine and sine coefficients of a function on points of its period, up to half as many as there are. */
function wavesOf(values: readonly number[]): [cosines: number[], sines: number[]] {
  const n = values.length;
  const of = (wave: (angle: number) => number) =>
    Array.from({ length: n / 2 }, (_, k) => {
      const sum = values.reduce(
        (total, value, i) => total + value * wave((2 * Math.PI * ((i * k) % n)) / n),
        0,
      );
      return (sum * (k === 0 ? 1 : 2)) / n;
    });
  return [of(Math.cos), of(Math.sin)];
}
