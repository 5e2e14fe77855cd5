import { add, div, mul, sub } from "../ops/arithmetic.js";
import { sqrt } from "../ops/elementwise.js";
import { everyNoise, type SdeMethod } from "./sde-method.js";

// Methods that take the noise of a step at its beginning, and so solve equations of Itô.

/**
 * y1 = y0 + f(t0, y0) h + g(t0, y0) ΔW
 *
 * Strong order ½, 1 with additive noise; weak order 1.
 *
 * @see Maruyama 1955
 */
export function eulerMaruyama(): SdeMethod {
  return {
    ...{ name: "euler-maruyama", calculus: "ito", noises: everyNoise, strongOrder: 0.5, coupling: null },
    start: (y0) => [y0],
    step: ({ b, t0, h, dW, drift, diffuse }, [y0]) => [
      add(b, add(b, y0, mul(b, drift(t0, y0), h)), diffuse(t0, y0, dW)),
    ],
  };
}

/**
 * Milstein's method with a difference in place of the derivative,
 *
 *   y1 = y0 + f h + g ΔW + (g(t0, ŷ) − g) (ΔW² − h) / (2 √h),   ŷ = y0 + f h + g √h
 *
 * Strong order 1: for diagonal noise if gᵢ depends on yᵢ alone. With additive noise it is Euler and Maruyama's.
 *
 * @see Kloeden & Platen 1992, "Numerical solution of stochastic differential equations", 11.1
 */
export function milstein(): SdeMethod {
  return {
    ...{ name: "milstein", calculus: "ito", strongOrder: 1, coupling: null },
    noises: ["scalar", "diagonal", "additive"],
    start: (y0) => [y0],
    step({ b, t0, h, dW, drift, diffusion, diffuse, noise }, [y0]) {
      const predicted = add(b, y0, mul(b, drift(t0, y0), h));
      const euler = add(b, predicted, diffuse(t0, y0, dW));
      if (noise === "additive") return [euler];
      const g = diffusion(t0, y0);
      const root = sqrt(b, h);
      const difference = sub(b, diffusion(t0, add(b, predicted, mul(b, g, root))), g);
      const weight = div(b, sub(b, mul(b, dW, dW), h), mul(b, root, 2));
      return [add(b, euler, mul(b, difference, weight))];
    },
  };
}
