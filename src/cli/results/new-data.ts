import { nearName } from "../../core/near-name.js";
import { type Tensor, tensor } from "../../core/tensor.js";
import { componentNames } from "../../fields/components.js";
import { stateOf } from "../../fields/field.js";
import type { TimeSeries } from "../../storage/csv.js";
import type { Trajectories } from "../../train/data.js";
import type { Problem } from "../problem.js";
import { parseState, UsageError } from "../usage.js";

/** An initial state from the command line. @throws {UsageError | ShapeError} */
export function givenState({ ode }: Pick<Problem, "ode">, text: string): Tensor {
  return stateOf(ode.field, parseState("--y0", text, ode.dtype));
}

/**
 * A series that a run was not trained on, as what it is measured on: columns go by their names, and the first row is the
 * initial state unless one is given.
 *
 * @param source  the name of the file, for messages
 * @param countsFirst  whether the first row is an observation as well, as where the initial state is estimated
 * @throws {UsageError} for columns that the run does not have, or a first row that is no state
 */
export function trajectoryOf(
  { ode }: Pick<Problem, "ode">,
  series: TimeSeries,
  source: string,
  y0: Tensor | null,
  { countsFirst = y0 !== null }: { readonly countsFirst?: boolean } = {},
): Trajectories {
  const names = componentNames(ode.field);
  const unknown = series.names.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    const near = nearName(unknown, names);
    throw new UsageError(
      `${source} has a column "${unknown}", which the run does not have${near === undefined ? "" : ` (did you mean "${near}"?)`}; ` +
        `its columns are ${names.join(", ")}. Rename it, or remove it.`,
    );
  }
  const places = names.map((name) => series.names.indexOf(name));
  const row = (i: number) =>
    places.map((column) => (column < 0 ? Number.NaN : series.values[i * series.columns + column]!));
  const first = row(0);
  const gap = first.findIndex(Number.isNaN);
  if (y0 === null && gap >= 0) {
    throw new UsageError(
      `The first row of ${source} has no ${names[gap]}, so it is no initial state. Give one: --y0 ${names.join(",")} as numbers.`,
    );
  }
  const kept = Array.from({ length: series.rows }, (_, i) => i).slice(countsFirst ? 0 : 1);
  if (kept.length === 0) {
    throw new UsageError(`${source} has one row, which is the initial state; add rows to compare with.`);
  }
  const state = y0 ?? stateOf(ode.field, tensor("float64", [1, names.length], first));
  return {
    t0: series.times[0]!,
    times: kept.map((i) => series.times[i]!),
    y0: state,
    observations: tensor("float64", [kept.length, ...state.shape], kept.flatMap(row)),
  };
}
