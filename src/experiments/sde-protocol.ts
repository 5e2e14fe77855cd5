import type { AdjointSpec } from "../chains/adjoints.js";
import type { SdeMethod } from "../methods/sde-method.js";
import { sdeMethodNamed } from "../methods/sde-named.js";
import type { TaskProtocol } from "./task-experiment.js";

/** What a protocol says of the solver, for stochastic equations. */
export function sdeSolverOf({ solver, coupling, gradient }: TaskProtocol): {
  readonly method: SdeMethod;
  readonly gradient: AdjointSpec | "auto";
} {
  const method = sdeMethodNamed(solver, coupling === null ? {} : { coupling });
  // what a chain of steps cannot have (the continuous adjoint) is refused by the solve
  return { method, gradient: gradient as AdjointSpec | "auto" };
}
