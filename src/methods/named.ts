import { RevortError } from "../core/errors.js";
import { nearName } from "../core/near-name.js";
import { shown } from "../core/printable.js";
import { alf } from "./alf.js";
import { effectivelySymmetric } from "./effectively-symmetric.js";
import { explicit } from "./explicit.js";
import { lawson } from "./lawson.js";
import { leapfrogMidpoint } from "./leapfrog-midpoint.js";
import type { Method } from "./method.js";
import { reversible } from "./reversible.js";
import { reversibleHeun } from "./reversible-heun.js";
import { semiImplicitEuler } from "./semi-implicit-euler.js";
import { symmetricTableaux, type Tableau, tableaux } from "./tableaux.js";

/** Solvers of equations of Itô, which solve no ordinary ones here. */
export const ofItoAlone: readonly string[] = ["euler-maruyama", "milstein"];

/** A name that no solver has. */
export class UnknownSolverError extends RevortError {
  constructor(
    readonly solver: string,
    names: readonly string[] = solverNames,
  ) {
    const near = nearName(solver, names);
    if (ofItoAlone.includes(solver)) {
      super(
        `The solver "${solver}" is for stochastic equations of Itô alone. The solvers here are ${names.join(", ")}.`,
      );
      return;
    }
    super(
      `There is no solver ${shown(solver)}${near === undefined ? "." : `; did you mean "${near}"?`} ` +
        `The solvers are ${names.join(", ")}.`,
    );
  }
}

/** An option that the solver does not have. */
export class SolverOptionError extends RevortError {}

export interface SolverOptions {
  /** couples an explicit Runge–Kutta method to a second state, so that it can be undone; implied by `coupling` */
  readonly reversible?: boolean;
  /** λ in (0, 1] of the coupled method */
  readonly coupling?: number;
  /** η of the asynchronous leapfrog */
  readonly damping?: number;
}

const byTableau: ReadonlyMap<string, Tableau> = new Map(tableaux.map((tableau) => [tableau.name, tableau]));

/** Methods that can be undone as they are. */
const others = new Map<string, (options: SolverOptions) => Method>([
  ["alf", ({ damping }) => alf(damping === undefined ? {} : { damping })],
  ["reversible-heun", reversibleHeun],
  ["leapfrog-midpoint", leapfrogMidpoint],
  ["semi-implicit-euler", semiImplicitEuler],
  ...symmetricTableaux.map((tableau) => [tableau.name, () => effectivelySymmetric(tableau)] as const),
]);

/** All names that {@link methodNamed} takes. */
export const solverNames: readonly string[] = [...byTableau.keys(), ...others.keys()];

/**
 * A method by the name that users type: a tableau's, plain or coupled, or one of the methods that are reversible as
 * they are (`alf`, `reversible-heun`, `leapfrog-midpoint`, `semi-implicit-euler`, `ees25`, `ees27`), for which `reversible` says nothing.
 *
 * `lawson:NAME:RATES` is such a method with a linear part of the field solved exactly: `lawson:rk4:-50`, or with a rate for
 * each component, `lawson:rk4:-50,-1`.
 *
 * @throws {UnknownSolverError} for a name not among {@link solverNames}
 * @throws {SolverOptionError} for rates that are not numbers, and for an option that the solver does not have
 * @throws {CouplingError} unless 0 < λ ≤ 1
 * @throws {DampingError} unless 0 < η ≤ 1 and η ≠ ½
 */
export function methodNamed(name: string, options: SolverOptions = {}): Method {
  if (name.startsWith("lawson:")) return lawsonNamed(name, options);
  const { coupling, damping } = options;
  if (damping !== undefined && name !== "alf" && solverNames.includes(name)) {
    throw new SolverOptionError(`The solver "${name}" has no damping; only "alf" has. Leave it out.`);
  }
  const other = others.get(name);
  if (other !== undefined) {
    if (coupling === undefined) return other(options);
    throw new SolverOptionError(
      `The solver "${name}" is reversible without a coupling. Leave the coupling out, or couple a tableau (${[...byTableau.keys()].join(", ")}).`,
    );
  }
  const tableau = byTableau.get(name);
  if (tableau === undefined) throw new UnknownSolverError(name);
  const { reversible: coupled = coupling !== undefined } = options;
  if (coupled) return reversible(tableau, coupling === undefined ? {} : { coupling });
  if (coupling === undefined) return explicit(tableau);
  throw new SolverOptionError(
    `A coupling was given for "${name}" along with reversible: false. Leave one of the two out.`,
  );
}

/** `lawson:NAME:RATES` */
function lawsonNamed(text: string, options: SolverOptions): Method {
  const [, name = "", rates = "", ...more] = text.split(":");
  const numbers = rates.split(",").map((rate) => (rate.trim() === "" ? Number.NaN : Number(rate)));
  if (more.length > 0 || !numbers.every(Number.isFinite)) {
    throw new SolverOptionError(
      `${shown(text)} is not understood. Write lawson:NAME:RATE, as lawson:rk4:-50, or a rate for each component: ` +
        "lawson:rk4:-50,-1.",
    );
  }
  return lawson(methodNamed(name, options), { rates: numbers.length === 1 ? numbers[0]! : numbers });
}
