import { equationsOf } from "../experiments/equation-columns.js";
import type { Experiment } from "../experiments/experiment.js";
import { columnScale } from "../experiments/own-data.js";
import {
  type SymbolicField,
  type SymbolicFieldOptions,
  symbolicField,
} from "../fields/symbolic/symbolic-field.js";
import type { TimeSeries } from "../storage/csv.js";
import { startingValues } from "../train/starting-values.js";
import type { RunSettings } from "./run-settings.js";
import { number, UsageError } from "./usage.js";

// Fields that are written as equations on the command line: --field "dx = a*x - b*x*y; …", with --parameter a=0.5:0:2.

/** Whether `--field` is equations rather than mlp:… or a file. */
export function isEquations(field: string | undefined): field is string {
  return field !== undefined && /=/.test(field);
}

/** What `--parameter a=0.5:0:2 1/day` says; what it leaves out is missing. */
export interface ParameterOption {
  readonly guess?: number;
  readonly low?: number;
  readonly high?: number;
  readonly unit?: string;
}

const shapeOfOption =
  "NAME=GUESS, NAME=GUESS:LOW:HIGH or NAME=GUESS:LOW:HIGH UNIT, where each number may be left out";

/** One more `--parameter`, which is looked at at once. @throws {UsageError} */
export function parameterOption(text: string, before: readonly string[] = []): string[] {
  const all = [...before, text];
  readParameters(all);
  return all;
}

/** What the options say, by the names of parameters. @throws {UsageError} for one that cannot be read, or is given twice */
export function readParameters(texts: readonly string[]): ReadonlyMap<string, ParameterOption> {
  const found = new Map<string, ParameterOption>();
  for (const text of texts) {
    const [, name, numbers, unit] =
      /^\s*(\p{L}[\p{L}\p{N}_]*)\s*=\s*([^\s]*)(?:\s+(.*\S))?\s*$/u.exec(text) ?? [];
    const parts = numbers?.split(":") ?? [];
    if (name === undefined || numbers === "" || ![1, 3].includes(parts.length)) {
      throw new UsageError(`--parameter takes ${shapeOfOption}, but "${text}" was given.`);
    }
    if (found.has(name)) throw new UsageError(`--parameter ${name} was given twice. Give it once.`);
    const one = number(`--parameter ${name}`, Number.isFinite, "numbers");
    const [guess, low, high] = parts.map((part) => (part === "" ? undefined : one(part)));
    found.set(name, {
      ...(guess === undefined ? {} : { guess }),
      ...(low === undefined ? {} : { low }),
      ...(high === undefined ? {} : { high }),
      ...(unit === undefined ? {} : { unit }),
    });
  }
  return found;
}

/** @throws {UsageError} for --parameter without equations */
export function refuseParameters(given: readonly string[] | undefined): void {
  if (given === undefined) return;
  throw new UsageError('--parameter is for a field of equations (--field "dx = -k*x"). Leave it out.');
}

type Parameters = NonNullable<RunSettings["parameters"]>;

/** What is found of the equations that a run is asked for. */
export interface Chosen {
  readonly parameters: Parameters;
  /** the initial state to start from; `null` for the first row */
  readonly y0: number[] | null;
  /** what to say of it before training */
  readonly note: string;
}

/**
 * The parameters of a run's equations, with a value to start from for each: the guess that was given, or one that
 * its data suggest.
 *
 * @throws {EquationError | OptionError | UsageError} for equations that cannot be read or do not fit the data
 */
export async function chosenParameters(
  text: string,
  given: readonly string[] | undefined,
  experiment: Experiment,
  series: TimeSeries | null,
): Promise<Chosen> {
  const options: Readonly<Record<string, ParameterOption>> = Object.fromEntries(readParameters(given ?? []));
  const field = inOrder(text, experiment, series, { parameters: options });
  const open = Object.keys(field.named).filter((name) => options[name]?.guess === undefined);
  const found = series === null ? null : await startingValues(field, [series], open);
  const parameters = Object.fromEntries(
    Object.entries(field.named).map(([name, { guess, low, high, unit }]) => [
      name,
      {
        guess: found?.parameters[name] ?? guess,
        low: Number.isFinite(low) ? low : null,
        high: Number.isFinite(high) ? high : null,
        unit,
      },
    ]),
  );
  return {
    parameters,
    y0: found === null ? null : [...found.y0[0]!],
    note: startNote(parameters, open, found !== null),
  };
}

/** What is said of it before the first update. */
export function startNote(parameters: Parameters, open: readonly string[], fromData: boolean): string {
  const names = Object.keys(parameters);
  if (names.length === 0) return "The equations have no parameters.";
  const list = names.map((name) => `${name} = ${Number(parameters[name]!.guess.toPrecision(4))}`).join(", ");
  const how =
    open.length === 0
      ? ""
      : fromData
        ? `; ${open.length === names.length ? "all" : open.join(", ")} estimated from the data, --parameter NAME=GUESS says otherwise`
        : `; nothing was said of ${open.join(", ")}, --parameter NAME=GUESS does`;
  return `Parameters start at ${list}${how}.`;
}

/** Equations to solve: each parameter has the value that was given. @throws {UsageError} for one that has none */
export function equationsToSolve(text: string, given: readonly string[]): SymbolicField {
  if (!isEquations(text)) {
    throw new UsageError(
      `--field takes equations ("dx = -k*x") here, but "${text}" was given; name a file without it.`,
    );
  }
  const values: Readonly<Record<string, ParameterOption>> = Object.fromEntries(readParameters(given));
  const field = symbolicField(text, { parameters: values });
  const open = Object.keys(field.named).filter((name) => values[name]?.guess === undefined);
  if (open.length > 0) {
    throw new UsageError(
      `The equations need a value of ${open.join(", ")}. Give each: --parameter ${open[0]}=1.`,
    );
  }
  if (field.hasNetworks) {
    throw new UsageError(
      "mlp:… is 0 until it is trained. Leave it out, or train first and solve the field.onnx of the run.",
    );
  }
  return field;
}

/** The field of a run's equations, its states in the order of the data. */
export function equationField(
  { field, parameters, activation }: Pick<RunSettings, "field" | "parameters" | "activation">,
  experiment: Experiment,
  series: TimeSeries | null,
): SymbolicField {
  const given = Object.fromEntries(
    Object.entries(parameters ?? {}).map(([name, { guess, low, high, unit }]) => [
      name,
      { guess, low: low ?? -Infinity, high: high ?? Infinity, unit },
    ]),
  );
  return inOrder(field, experiment, series, { parameters: given, activation });
}

function inOrder(
  text: string,
  experiment: Experiment,
  series: TimeSeries | null,
  options: Pick<SymbolicFieldOptions, "parameters" | "activation">,
): SymbolicField {
  const states = series?.names ?? experiment.field().components ?? [];
  const scaling =
    series === null
      ? {}
      : { scaling: { ...columnScale(series), time: series.times.at(-1)! - series.times[0]! } };
  return equationsOf(text, { states, time: experiment.time.name, ...scaling }, options);
}
