import { add } from "../ops/arithmetic.js";
import { tableauDense } from "./dense.js";
import { embeddedError, increment } from "./increment.js";
import type { Method } from "./method.js";
import { plainMatrix } from "./stability.js";
import type { Tableau } from "./tableaux.js";

/** The method of a tableau as it is: y1 = y0 + Ψ_h(t0, y0). */
export function explicit(tableau: Tableau): Method {
  const { name, order, b, error } = tableau;
  return {
    name,
    order,
    coupling: null,
    width: 1,
    evaluations: b.length,
    start: (_system, _t0, y0) => [y0],
    step: (system, { t0, h }, [y0]) => [add(system.b, y0, increment(system, tableau, h, t0, y0))],
    ...(error && {
      error: {
        order: error.order,
        evaluations: error.weights.length - b.length,
        of: (system, interval, [y0], [y1]) => embeddedError(system, tableau, { ...interval, y0, y1 })!,
      },
    }),
    dense: (system, interval, [y0], [y1]) => tableauDense(system, tableau, { ...interval, y0, y1 }),
    stepMatrix: plainMatrix(tableau),
  };
}
