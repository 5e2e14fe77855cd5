import type { ReversibleMethod } from "../methods/method.js";
import { isReversible } from "../methods/method.js";
import { methodNamed } from "../methods/named.js";

/** A scheme whose steps are undone, under the name that it has in figures and tables. */
export interface Scheme {
  readonly name: string;
  /** as users type it */
  readonly solver: string;
  /** λ; `null` for what is reversible without a coupling */
  readonly coupling: number | null;
}

export interface SchemeOptions {
  /** λ of the coupled schemes */
  readonly coupling: number;
  /** what of a field is solved exactly after Lawson's change of variables, as users type it: `-1`, or a rate for each component, `0,-1` */
  readonly rates: string;
}

/** What figures compare: the midpoint rule coupled to a second state, and the schemes of order 2 that are undone otherwise. */
export function reversibleSchemes({ coupling, rates }: SchemeOptions): readonly [Scheme, ...Scheme[]] {
  return [
    { name: "midpoint, coupled", solver: "midpoint", coupling },
    { name: "ALF (MALI)", solver: "alf", coupling: null },
    { name: "reversible Heun", solver: "reversible-heun", coupling: null },
    { name: "EES25", solver: "ees25", coupling: null },
    { name: "EES27", solver: "ees27", coupling: null },
    { name: "midpoint, coupled, after Lawson (Rex)", solver: `lawson:midpoint:${rates}`, coupling },
  ];
}

/** The method of a scheme. */
export function methodOf({ solver, coupling }: Pick<Scheme, "solver" | "coupling">): ReversibleMethod {
  const method = methodNamed(solver, coupling === null ? {} : { coupling });
  if (!isReversible(method)) throw new TypeError(`${solver} is not reversible without a coupling.`);
  return method;
}
