import { add } from "../ops/arithmetic.js";
import { increment } from "./increment.js";
import type { Method } from "./method.js";
import type { Tableau } from "./tableaux.js";

/** The method of a tableau as it is: y1 = y0 + Ψ_h(t0, y0). */
export function explicit(tableau: Tableau): Method {
  return {
    name: tableau.name,
    order: tableau.order,
    coupling: null,
    width: 1,
    evaluations: tableau.c.length,
    start: (_system, _t0, y0) => [y0],
    step: (system, { t0, h }, [y0]) => [add(system.b, y0, increment(system, tableau, h, t0, y0))],
  };
}
