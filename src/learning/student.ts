/**
 * The quantile of Student's t: the x that t with ν degrees of freedom exceeds with probability 1 − p, by bisection of
 *
 *   P(t > x) = ½ I(ν / (ν + x²); ν/2, ½)   for x ≥ 0
 *
 * @param p  between ½ and 1
 * @see DLMF 8.17 for the regularised incomplete beta function I
 */
export function studentQuantile(p: number, degrees: number): number {
  let [low, high] = [0, 1];
  while (upperTail(high, degrees) > 1 - p) high *= 2;
  for (let i = 0; i < 100 && high - low > 1e-14 * high; i++) {
    const middle = (low + high) / 2;
    if (upperTail(middle, degrees) > 1 - p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

function upperTail(x: number, degrees: number): number {
  return regularisedBeta(degrees / (degrees + x * x), degrees / 2, 0.5) / 2;
}

/** I(x; a, b), by its continued fraction on the side where that converges fast. */
function regularisedBeta(x: number, a: number, b: number): number {
  if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - regularisedBeta(1 - x, b, a);
  const front =
    Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x)) / a;
  return front * betaFraction(x, a, b);
}

/** 1/(1 + d₁/(1 + d₂/(1 + …))) of DLMF 8.17.22, by Lentz's method. */
function betaFraction(x: number, a: number, b: number): number {
  const tiny = 1e-300;
  let [c, d, h] = [1, 1 / nonZero(1 - ((a + b) * x) / (a + 1), tiny), 0];
  h = d;
  for (let m = 1; m < 1000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    let change = 1;
    for (const term of [even, odd]) {
      d = 1 / nonZero(1 + term * d, tiny);
      c = nonZero(1 + term / c, tiny);
      change = c * d;
      h *= change;
    }
    if (Math.abs(change - 1) < 1e-15) break;
  }
  return h;
}

function nonZero(value: number, tiny: number): number {
  return Math.abs(value) < tiny ? tiny : value;
}

/** log Γ(x) for x > 0: Stirling's series from x + 10 on, brought back by Γ(x + 1) = x Γ(x). */
function logGamma(x: number): number {
  let [z, shift] = [x, 0];
  for (; z < 10; z++) shift += Math.log(z);
  const w = 1 / (z * z);
  const series = (1 / 12 - w * (1 / 360 - w * (1 / 1260 - w * (1 / 1680 - w / 1188)))) / z;
  return (z - 0.5) * Math.log(z) - z + Math.log(2 * Math.PI) / 2 + series - shift;
}
