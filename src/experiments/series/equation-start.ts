import { tensor } from "../../core/tensor.js";
import type { NamedParameter, SymbolicField } from "../../fields/symbolic/symbolic-field.js";
import { drivenBy } from "../../models/own-steps.js";
import { type ObservedStates, startingValues } from "../../train/starting-values.js";
import { equationsOfSet, SeriesFieldError } from "./chosen-field.js";
import { firstValue, inputAt, type Stretch } from "./samples.js";
import { type SeriesSet, scalesOf } from "./series-set.js";
import type { KeptParameter } from "./settings.js";

/** What was said of equations before they are fitted. */
export interface GivenStart {
  /** of parameters: those without a guess are found */
  readonly parameters: Readonly<Record<string, Partial<NamedParameter>>>;
  /** of the initial values of states that are not observed, by the names of these; those without a guess are the size of what is */
  readonly hiddenStarts: Readonly<Record<string, Partial<NamedParameter>>>;
  /** states that are not observed */
  readonly hidden: number;
}

/** Where a fit of equations starts, as far as nobody has said it. */
export interface EquationStart {
  readonly parameters: Readonly<Record<string, KeptParameter>>;
  /** of states that are not observed */
  readonly hiddenStarts: Readonly<Record<string, KeptParameter>>;
  /** of each trajectory; `null` for those that are not learnt from */
  readonly startStates: readonly (readonly number[] | null)[];
  /** parameters that were not given */
  readonly open: readonly string[];
  /** whether the data have told anything of them */
  readonly fromData: boolean;
}

/**
 * Values that a fit of equations starts from, found from the training data alone. Where states are not observed the data are put
 * into nothing: {@link searchedStart} goes on from here.
 *
 * @throws {EquationColumnsError | EquationError | OptionError} for equations that are not those of the data
 */
export async function equationStart(
  set: SeriesSet,
  text: string,
  training: readonly Stretch[],
  { parameters: given, hiddenStarts, hidden }: GivenStart,
): Promise<EquationStart> {
  const scales = scalesOf(
    set.series.flatMap(({ values }) => values),
    set.observed.length,
  );
  const scaling = {
    shift: [...scales.map(({ mean }) => mean), ...Array<number>(hidden).fill(0)],
    scale: [...scales.map(({ deviation }) => deviation), ...Array<number>(hidden).fill(1)],
    time: 1,
  };
  const field = equationsOfSet(set, { text, parameters: given, hidden }, scaling);
  const unseen = field.components.slice(set.observed.length);
  checkHiddenStarts(hiddenStarts, unseen, field);
  const open = Object.keys(field.named).filter((name) => given[name]?.guess === undefined);
  const observed = training.map((one) => observedIn(one, set.inputs.length));
  const found = hidden > 0 ? null : await startingValues(field, observed, open);
  const size = Math.max(...scales.map(({ mean, deviation }) => Math.hypot(mean, deviation)));
  const kept = Object.fromEntries(
    unseen.map((name) => {
      const {
        low = -Infinity,
        high = Infinity,
        guess = within(size, low, high),
        unit = null,
      } = hiddenStarts[name] ?? {};
      return [name, keptOf({ guess, low, high, unit })];
    }),
  );
  const starts = set.series.map((): readonly number[] | null => null);
  for (const [i, { trajectory, series, from }] of training.entries()) {
    const first = () => scales.map((_, j) => firstValue(series, from, j));
    starts[trajectory] =
      hidden > 0 ? [...first(), ...unseen.map((name) => kept[name]!.guess)] : (found?.y0[i] ?? null);
  }
  const parameters = Object.entries(field.named).map(([name, one]) => [
    name,
    keptOf({ ...one, guess: found?.parameters[name] ?? one.guess }),
  ]);
  return {
    ...{ parameters: Object.fromEntries(parameters), hiddenStarts: kept, startStates: starts },
    ...{ open, fromData: found !== null },
  };
}

const within = (value: number, low: number, high: number) => Math.min(high, Math.max(low, value));

function keptOf({ guess, low, high, unit }: NamedParameter): KeptParameter {
  return { guess, low: Number.isFinite(low) ? low : null, high: Number.isFinite(high) ? high : null, unit };
}

/** @throws {SeriesFieldError} for initial values of what has none to estimate, or with guesses beyond their bounds */
function checkHiddenStarts(
  given: GivenStart["hiddenStarts"],
  unseen: readonly string[],
  { named }: SymbolicField,
): void {
  const clash = unseen.find((name) => Object.hasOwn(named, `${name}0`));
  if (clash !== undefined) {
    throw new SeriesFieldError(
      `${clash}0 is the initial value of ${clash}, which is not observed, and a parameter of the equations. Call the parameter otherwise.`,
    );
  }
  for (const [name, { guess, low = -Infinity, high = Infinity }] of Object.entries(given)) {
    if (low < high && (guess === undefined || (guess >= low && guess <= high))) continue;
    throw new SeriesFieldError(
      `The initial value ${name}0 needs a guess between its bounds ${low} and ${high}, the lower one first, but ${guess} was given.`,
    );
  }
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
