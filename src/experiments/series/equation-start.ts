import { tensor } from "../../core/tensor.js";
import type { NamedParameter } from "../../fields/symbolic/symbolic-field.js";
import { drivenBy } from "../../models/own-steps.js";
import { type ObservedStates, startingValues } from "../../train/starting-values.js";
import { equationsOfSet } from "./chosen-field.js";
import { inputAt, type Stretch } from "./samples.js";
import { type SeriesSet, scalesOf } from "./series-set.js";
import type { KeptParameter } from "./settings.js";

/** Where a fit of equations starts, as far as nobody has said it. */
export interface EquationStart {
  readonly parameters: Readonly<Record<string, KeptParameter>>;
  /** of each trajectory; `null` for those that are not learnt from */
  readonly startStates: readonly (readonly number[] | null)[];
  /** parameters that were not given */
  readonly open: readonly string[];
  /** whether the data have told anything of them */
  readonly fromData: boolean;
}

/**
 * Values that a fit of equations starts from, found from the training data alone.
 *
 * @param given  what was said of parameters: those without a guess are found
 * @throws {EquationColumnsError | EquationError | OptionError} for equations that are not those of the data
 */
export async function equationStart(
  set: SeriesSet,
  text: string,
  training: readonly Stretch[],
  given: Readonly<Record<string, Partial<NamedParameter>>>,
): Promise<EquationStart> {
  const scales = scalesOf(
    set.series.flatMap(({ values }) => values),
    set.observed.length,
  );
  const scaling = {
    shift: scales.map(({ mean }) => mean),
    scale: scales.map(({ deviation }) => deviation),
    time: 1,
  };
  const field = equationsOfSet(set, { text, parameters: given }, scaling);
  const open = Object.keys(field.named).filter((name) => given[name]?.guess === undefined);
  const observed = training.map((one) => observedIn(one, set.inputs.length));
  const found = await startingValues(field, observed, open);
  const starts = set.series.map((): readonly number[] | null => null);
  for (const [i, { trajectory }] of training.entries()) starts[trajectory] = found?.y0[i] ?? null;
  const parameters = Object.entries(field.named).map(([name, { guess, low, high, unit }]) => [
    name,
    {
      guess: found?.parameters[name] ?? guess,
      low: Number.isFinite(low) ? low : null,
      high: Number.isFinite(high) ? high : null,
      unit,
    },
  ]);
  return { parameters: Object.fromEntries(parameters), startStates: starts, open, fromData: found !== null };
}

/** What is learnt from a trajectory, up to its last observation that counts. */
function observedIn({ series, measured }: Stretch, inputs: number): ObservedStates {
  const rows = measured.at(-1)! + 1;
  return {
    times: series.times.slice(0, rows),
    values: series.values.slice(0, rows).flat(),
    ...(inputs === 0
      ? {}
      : {
          driven: (times) => {
            const size = [times.length, inputs];
            const at = times.flatMap((t) => Array.from({ length: inputs }, (_, j) => inputAt(series, j, t)));
            return {
              [drivenBy.start]: tensor("float64", size, at),
              [drivenBy.slope]: tensor(
                "float64",
                size,
                at.map(() => 0),
              ),
              [drivenBy.from]: tensor("float64", [times.length, 1], times),
            };
          },
        }),
  };
}
