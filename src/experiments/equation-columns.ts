import { RevortError } from "../core/errors.js";
import { shown } from "../core/printable.js";
import type { Values } from "../fields/field.js";
import type { NetworkScaling } from "../fields/symbolic/network-scaling.js";
import { parseEquations, timeName } from "../fields/symbolic/parse.js";
import {
  type SymbolicField,
  type SymbolicFieldOptions,
  symbolicField,
} from "../fields/symbolic/symbolic-field.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";

/** Equations that are not those of the columns of their data. */
export class EquationColumnsError extends RevortError {}

/** What equations are to be fitted to. */
export interface EquationColumns {
  /** the columns that are states, in their order */
  readonly states: readonly string[];
  /** how many states have no column, because they were not observed; 0 by default */
  readonly hidden?: number;
  /** what the column of time is called */
  readonly time: string;
  /** how large the states are, for networks among the terms */
  readonly scaling?: NetworkScaling;
  /** columns that drive the equations, and their values at t, [batch, columns] */
  readonly inputs?: {
    readonly columns: readonly string[];
    readonly at: (b: Builder, theta: Values, t: Value) => Value;
  };
}

/**
 * The field of equations, its states in the order of the columns of its data, to which they belong by name; then those that
 * were not observed.
 *
 * @throws {EquationColumnsError} for other states than columns, and for inputs that the equations do not use
 * @throws {EquationError | OptionError} for equations that cannot be read
 */
export function equationsOf(
  text: string,
  { states: columns, hidden = 0, time, scaling, inputs }: EquationColumns,
  options: Pick<SymbolicFieldOptions, "parameters" | "activation">,
): SymbolicField {
  const { equations, parameters } = parseEquations(text);
  const states = columns.map((column) => nameOf(column, [...equations.keys()]));
  const unseen = withoutColumn(text, columns);
  if (unseen.length !== hidden || states.some((state) => state === null)) {
    throw new EquationColumnsError(
      `The equations are those of ${[...equations.keys()].join(", ")}, but the data have ${columns.map(shown).join(", ")}` +
        `${hidden === 0 ? "" : `, and --hidden ${hidden} says how many have no column`}. ` +
        "Write one equation for each column, with the name of the column; --observe names the columns that are states" +
        `${unseen.length > 0 && unseen.length !== hidden && !states.includes(null) ? `; if ${unseen.join(", ")} ${unseen.length === 1 ? "was" : "were"} not observed, --hidden ${unseen.length}` : ""}.`,
    );
  }
  if (time !== timeName && parameters.has(time)) {
    throw new EquationColumnsError(
      `Time is called t in equations, whatever its column is: write t in place of ${shown(time)}.`,
    );
  }
  const driving = inputs?.columns.map((column) => {
    const name = nameOf(column, [...parameters.keys()]);
    if (name !== null) return name;
    throw new EquationColumnsError(
      `The equations do not use the input ${shown(column)}. Write its name into them, or leave it out.`,
    );
  });
  return symbolicField(text, {
    ...options,
    ...(scaling === undefined ? {} : { scaling }),
    ...(driving === undefined || driving.length === 0 ? {} : { inputs: { names: driving, at: inputs!.at } }),
    order: [...(states as string[]), ...unseen],
  });
}

/** The states of equations that have no column, in their order. @throws {EquationError} */
export function withoutColumn(text: string, columns: readonly string[]): string[] {
  const all = [...parseEquations(text).equations.keys()];
  const seen = columns.map((column) => nameOf(column, all));
  return all.filter((state) => !seen.includes(state));
}

/** What a column is called in equations: by its name, or by the name before a unit, `x [km]`. */
function nameOf(column: string, names: readonly string[]): string | null {
  const bare = /^\p{L}[\p{L}\p{N}_]*/u.exec(column)?.[0];
  return names.find((name) => name === column) ?? names.find((name) => name === bare) ?? null;
}
