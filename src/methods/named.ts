import { RevortError } from "../core/errors.js";
import { nearName } from "../storage/near-name.js";
import { explicit } from "./explicit.js";
import type { Method } from "./method.js";
import { reversible } from "./reversible.js";
import { type Tableau, tableaux } from "./tableaux.js";

/** A name that no solver has. */
export class UnknownSolverError extends RevortError {
  constructor(readonly solver: string) {
    const near = nearName(solver, solverNames);
    super(
      `There is no solver "${solver}"${near === undefined ? "." : `; did you mean "${near}"?`} ` +
        `The solvers are ${solverNames.join(", ")}.`,
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
  /** η of the damped asynchronous leapfrog */
  readonly damping?: number;
}

const byName: ReadonlyMap<string, Tableau> = new Map(tableaux.map((tableau) => [tableau.name, tableau]));

/** All names that {@link methodNamed} takes. */
export const solverNames: readonly string[] = [...byName.keys()];

/**
 * A method by the name that users type: `rk4`, plain or coupled.
 *
 * @throws {UnknownSolverError} for a name not among {@link solverNames}
 * @throws {SolverOptionError} for an option that the solver does not have
 * @throws {CouplingError} unless 0 < λ ≤ 1
 */
export function methodNamed(name: string, options: SolverOptions = {}): Method {
  const tableau = byName.get(name);
  if (tableau === undefined) throw new UnknownSolverError(name);
  const { coupling, reversible: coupled = coupling !== undefined } = options;
  if (!coupled && coupling !== undefined) {
    throw new SolverOptionError(
      `A coupling was given for "${name}", but reversible is false. Leave one of them out.`,
    );
  }
  if (!coupled) return explicit(tableau);
  return reversible(tableau, coupling === undefined ? {} : { coupling });
}
