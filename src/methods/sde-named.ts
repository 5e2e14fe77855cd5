import { eulerMaruyama, milstein } from "./ito.js";
import { methodNamed, SolverOptionError, solverNames, UnknownSolverError } from "./named.js";
import { CalculusError, lackingFor, type SdeKind, type SdeMethod, showKind } from "./sde-method.js";
import { lackingForStratonovich, reversibleHeunSde, stratonovich } from "./stratonovich.js";
import { symmetricTableaux, tableaux } from "./tableaux.js";

const own = {
  "euler-maruyama": eulerMaruyama,
  milstein,
  "reversible-heun": reversibleHeunSde,
} as const satisfies Record<string, () => SdeMethod>;

const isOwn = (name: string): name is keyof typeof own => Object.hasOwn(own, name);

/** The names of methods for stochastic differential equations: those above, and explicit methods of order 2 or more. */
export const sdeMethodNames: readonly string[] = [
  ...Object.keys(own),
  ...[...tableaux, ...symmetricTableaux].filter(({ order }) => order >= 2).map(({ name }) => name),
];

/**
 * A method for stochastic differential equations by the name that users type.
 *
 * @param options.coupling  λ in (0, 1] of an explicit method for equations of Stratonovich that is to be undone
 * @throws {UnknownSolverError} for a name not among {@link sdeMethodNames}
 * @throws {CalculusError} for a method that tends to no solution
 * @throws {SolverOptionError | CouplingError} for a coupling that it does not have, or that is not in (0, 1]
 */
export function sdeMethodNamed(name: string, options: { readonly coupling?: number } = {}): SdeMethod {
  if (!isOwn(name)) {
    if (!solverNames.includes(name) && !name.startsWith("lawson:"))
      throw new UnknownSolverError(name, sdeMethodNames);
    return stratonovich(methodNamed(name, options));
  }
  const method = own[name]();
  if (options.coupling === undefined) return method;
  throw new SolverOptionError(
    method.calculus === "ito"
      ? `The method "${name}" takes the noise of a step at its beginning, and at its end when it goes back, so that a state ` +
          'coupled to it would solve another equation. Couple a method of Stratonovich: "heun", "midpoint".'
      : `The method "${name}" is reversible without a coupling. Leave the coupling out.`,
  );
}

/** The names of methods for equations of a kind. */
export function sdeMethodNamesFor(kind: SdeKind): readonly string[] {
  return sdeMethodNames.filter((name) => lackingIn(name, kind) === null);
}

/**
 * A method by its name, for equations of a kind.
 *
 * @param of  what has the equations, for messages
 * @throws {CalculusError} for a method that is none for them, naming those that are
 * @throws {UnknownSolverError | SolverOptionError | CouplingError} as {@link sdeMethodNamed} does
 */
export function sdeMethodFor(
  name: string,
  kind: SdeKind,
  of: string,
  options: { readonly coupling?: number } = {},
): SdeMethod {
  const isKnown = isOwn(name) || name.startsWith("lawson:") || solverNames.includes(name);
  const names = sdeMethodNamesFor(kind);
  if (!isKnown) throw new UnknownSolverError(name, names);
  const lacking = lackingIn(name, kind);
  if (lacking === null) return sdeMethodNamed(name, options);
  throw new CalculusError(
    `The equations of ${of} ${showKind(kind)}. The solver "${name}" ${lacking}. Take ${names.join(", ")}, or one of the ` +
      "Runge–Kutta methods among these as lawson:NAME:RATE.",
  );
}

function lackingIn(name: string, kind: SdeKind): string | null {
  return (
    (isOwn(name) ? null : lackingForStratonovich(methodNamed(name))) ?? lackingFor(sdeMethodNamed(name), kind)
  );
}
