import { RevortError } from "../core/errors.js";
import type { Adjoint, AdjointMethod } from "./adjoint.js";

/** A gradient method that does not exist, or cannot be used with a solver. */
export class GradientMethodError extends RevortError {}

/**
 * An adjoint from what users type: its kind, and for some an option after a colon.
 *
 * @throws {GradientMethodError} naming what was not understood
 */
export function parseAmong<M extends AdjointMethod>(adjoints: readonly Adjoint<M>[], text: string): M {
  const [kind, option] = split(text.trim());
  const named = adjoints.filter(({ syntax }) => syntax.kind === kind);
  if (named.length === 0)
    throw new GradientMethodError(`There is no gradient "${text}". ${choices(adjoints)}`);
  for (const { syntax } of named) {
    const method = syntax.parse(option, text);
    if (method !== null) return method;
  }
  throw new GradientMethodError(`The gradient "${kind}" takes no option, but "${text}" was given.`);
}

/** A method as users type it. */
export function showAmong<M extends AdjointMethod>(adjoints: readonly Adjoint<M>[], method: M): string {
  const option = adjointAmong(adjoints, method).syntax.show(method);
  return option === null ? method.kind : `${method.kind}:${option}`;
}

/** The adjoint that a method asks for. @throws {GradientMethodError} if there is none */
export function adjointAmong<M extends AdjointMethod, A extends Adjoint<M>>(
  adjoints: readonly A[],
  method: M,
): A {
  const found = adjoints.find(
    ({ syntax }) => syntax.kind === method.kind && syntax.show(method) !== undefined,
  );
  if (found !== undefined) return found;
  throw new GradientMethodError(`There is no gradient "${method.kind}". ${choices(adjoints)}`);
}

/** The kinds of adjoints, each once. */
export function kindsOf<M extends AdjointMethod>(adjoints: readonly Adjoint<M>[]): M["kind"][] {
  return [...new Set(adjoints.map(({ syntax }) => syntax.kind))];
}

/** The options of adjoints: `checkpoint:8 for 8 stored states`. */
export function optionsOf<M extends AdjointMethod>(adjoints: readonly Adjoint<M>[]): string[] {
  return adjoints.flatMap(({ syntax: { example } }) =>
    example === undefined ? [] : [`${example.typed} for ${example.means}`],
  );
}

function choices(adjoints: readonly Adjoint[]): string {
  const options = optionsOf(adjoints);
  return (
    `Use one of ${kindsOf(adjoints).join(", ")} (where it may be left to revort, auto), ` +
    `with ${options.slice(0, -1).join(", ")}${options.length > 1 ? ", or " : ""}${options.at(-1)}.`
  );
}

function split(text: string): [string, string | null] {
  const at = text.indexOf(":");
  return at < 0 ? [text, null] : [text.slice(0, at).trim(), text.slice(at + 1).trim()];
}

/** @throws {GradientMethodError} unless an option is a positive whole number */
export function positive(option: string, text: string, example: string): number {
  if (/^[1-9]\d*$/.test(option)) return Number(option);
  throw new GradientMethodError(
    `A gradient takes a positive whole number after the colon, as in ${example}, but "${text}" was given.`,
  );
}
