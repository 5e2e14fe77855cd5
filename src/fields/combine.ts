import { ShapeError, showShape } from "../core/tensor.js";
import { sameShape } from "../graph/graph.js";
import { add } from "../ops/arithmetic.js";
import type { Parameter, Values, VectorField } from "./field.js";

/** Fields by the names that prefix their parameters. */
export type Fields = Readonly<Record<string, VectorField>>;

/**
 * The sum of fields on one state, f(t, y) = Σᵢ fᵢ(t, y): a mechanism with a neural residual, say, which makes a
 * universal differential equation. Parameters are prefixed with the names given: `residual.layers.0.weight`.
 *
 * @throws {ShapeError} if the fields have states of different shapes
 * @see Rackauckas et al. 2020, arXiv:2001.04385
 */
export function sumOf(fields: Fields, name?: string): VectorField {
  const parts = checked("A sum", fields);
  return {
    ...common(fields, name ?? parts.map(([part]) => part).join("+")),
    apply: (b, theta, t, y, inside) =>
      parts
        .map(([prefix, field]) => field.apply(b, partOf(prefix, field, theta), t, y, inside))
        .reduce((total, term) => add(b, total, term)),
  };
}

/**
 * Fields one after the other, f(t, y) = f_n(t, … f_1(t, y)), in the order given.
 *
 * @throws {ShapeError} if the fields have states of different shapes
 */
export function chainOf(fields: Fields, name?: string): VectorField {
  const parts = checked("A chain", fields);
  return {
    ...common(fields, name ?? parts.map(([part]) => part).join("-")),
    apply: (b, theta, t, y, inside) =>
      parts.reduce((x, [prefix, field]) => field.apply(b, partOf(prefix, field, theta), t, x, inside), y),
  };
}

function checked(what: string, fields: Fields): [string, VectorField][] {
  const parts = Object.entries(fields);
  const [first] = parts;
  if (first === undefined) throw new ShapeError(`${what} of fields needs at least one field.`);
  for (const [name, field] of parts) {
    if (!sameShape(field.state, first[1].state)) {
      throw new ShapeError(
        `${what} of fields needs one shape of state, but "${first[0]}" has ${showShape(first[1].state)} ` +
          `and "${name}" has ${showShape(field.state)}.`,
      );
    }
  }
  return parts;
}

function common(fields: Fields, name: string): Omit<VectorField, "apply"> {
  const parameters: Record<string, Parameter> = {};
  for (const [prefix, field] of Object.entries(fields)) {
    for (const [own, parameter] of Object.entries(field.parameters))
      parameters[`${prefix}.${own}`] = parameter;
  }
  const [first] = Object.values(fields);
  const components = Object.values(fields).find((field) => field.components !== undefined)?.components;
  const jumps = Object.values(fields).some((field) => field.jumps === true);
  return {
    ...{ name, state: first!.state, parameters },
    ...(jumps ? { jumps } : {}),
    ...(components === undefined ? {} : { components }),
  };
}

function partOf(prefix: string, field: VectorField, theta: Values): Values {
  return Object.fromEntries(Object.keys(field.parameters).map((own) => [own, theta[`${prefix}.${own}`]!]));
}
