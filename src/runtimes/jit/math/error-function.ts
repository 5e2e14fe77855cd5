import type { Push } from "../wasm/index.js";
import { expOf } from "./exponential.js";
import type { Vectors } from "./vectors.js";

/** (erf(x) / x − 2/√π) / x² in x², for |x| ≤ 1, to 1e−19 */
const nearTail = [
  -0.3761263890318375, 0.11283791670954937, -0.026866170645085674, 0.005223977624892451,
  -0.0008548326984649001, 0.00012055331238496823, -1.492559808775628e-5, 1.6461042813696223e-6,
  -1.6350735861637464e-7, 1.4662475805454279e-8, -1.1382801326436507e-9, 5.973291027530054e-11,
];
/** 2/√π − 1 */
const slope = 0.1283791670955126;

/** exp(x²) (1 − erf x) in s = (x − 2) / (x + 2), for 1 ≤ x ≤ 6, to 5e−19 once multiplied by exp(−x²) */
const farTail = [
  0.25539567631050575, -0.4271858474139568, 0.2416581942424688, -0.07897858101641561, 0.0037328923985397136,
  0.006997461785664143, -0.0008471425905096823, -0.0009819764795507078, 4.353615970907323e-5,
  0.00017428847109840837, 2.7623189695264877e-5, -2.6611475868823255e-5, -1.2644093449352841e-5,
];

/**
 * erf x = x + x (2/√π − 1 + x² P(x²)) up to 1, beyond it 1 − e^(−x²) R(s), in which the error of the exponential
 * counts for little; from 6 on it is 1.
 */
export function erf(p: Vectors, x: Push): Push {
  const z = p.let(p.mul(x, x));
  const inner = p.add(p.number(slope), p.mul(z, p.polynomial(nearTail, z)));
  const near = p.let(p.add(x, p.mul(x, inner)));
  const size = p.let(p.apply("f64x2.pmin", p.abs(x), p.number(6)));
  const s = p.let(p.div(p.sub(size, p.number(2)), p.add(size, p.number(2))));
  const rest = p.polynomial(farTail, s);
  const square = p.let(p.apply("f64x2.neg", p.mul(size, size)));
  const far = p.withSign(p.sub(p.number(1), p.mul(expOf(p, square, null), rest)), x);
  return p.select(p.apply("f64x2.le", p.abs(x), p.number(1)), near, far);
}
