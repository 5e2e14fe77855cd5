import { isReversible, type Method } from "../methods/method.js";
import { methodNamed } from "../methods/named.js";

type Metadata = Readonly<Record<string, string>>;

export interface SolverRequest {
  readonly solver?: string | undefined;
  readonly reversible?: boolean | undefined;
  readonly coupling?: number | "auto" | undefined;
}

/**
 * The solver that is asked for; by default the one that the field was trained with, or dopri5 where steps are to be
 * chosen by the error that it estimates.
 *
 * @throws {UnknownSolverError | SolverOptionError}
 */
export function solverFor(metadata: Metadata, asked: SolverRequest, adaptive: boolean): Method {
  const name = asked.solver ?? (adaptive ? "dopri5" : (metadata["revort.solver"] ?? "rk4"));
  const given = typeof asked.coupling === "number" ? asked.coupling : undefined;
  const coupling = given ?? numberIn(metadata, "revort.coupling");
  const plain = methodNamed(name);
  // which refuses a coupling
  if (isReversible(plain)) return methodNamed(name, given === undefined ? {} : { coupling: given });
  const asTrained =
    !adaptive && asked.solver === undefined && asked.reversible === undefined && coupling !== undefined;
  if (!(asked.reversible ?? (asked.coupling !== undefined || asTrained))) return plain;
  return methodNamed(name, coupling === undefined ? { reversible: true } : { coupling });
}

/** Size of the steps that a field was trained with, where its file says it. */
export function stepSizeIn(metadata: Metadata): number | undefined {
  return numberIn(metadata, "revort.stepSize");
}

function numberIn(metadata: Metadata, key: string): number | undefined {
  const value = Number(metadata[key] ?? Number.NaN);
  return Number.isFinite(value) ? value : undefined;
}
