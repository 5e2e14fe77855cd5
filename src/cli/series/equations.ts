import { withoutColumn } from "../../experiments/equation-columns.js";
import { type EquationStart, equationStart } from "../../experiments/series/equation-start.js";
import { partsIn, startSearched, trainsStarts } from "../../experiments/series/experiment.js";
import type { ReadSet } from "../../experiments/series/read-set.js";
import type { Console } from "../console.js";
import { type ParameterOption, readParameters, startNote } from "../equations.js";
import { isModelFile } from "../run-settings.js";
import { openRuntime } from "../runtimes.js";
import type { KeptSeries, SeriesOptions } from "./settings.js";

/**
 * The settings of a fit by equations with the values that it starts from: guesses that were given, and for the rest what the
 * training data suggest. Other settings are as they were.
 */
export async function withEquations(
  series: KeptSeries,
  read: ReadSet,
  { parameter = [], seed = 0, trainY0 }: SeriesOptions,
  { note }: Pick<Console, "note">,
): Promise<{ readonly series: KeptSeries; readonly notes: readonly string[] }> {
  const { field, hidden } = series;
  const { set } = read;
  if (field === null || isModelFile(field)) return { series, notes: [] };
  const { training } = partsIn(set, series, seed);
  const given = givenOf(parameter, field, set.observed, hidden);
  const begun = await equationStart(set, field, training, { ...given, hidden });
  const { parameters, startStates, hiddenStarts, open, fromData } = begun;
  const isTrained = trainsStarts(set, series);
  const isKept = isTrained || hidden > 0;
  const own: KeptSeries = {
    ...series,
    parameters: { ...parameters },
    hiddenStarts: hidden === 0 ? null : { ...hiddenStarts },
    startStates: isKept ? startStates.map((state) => (state === null ? null : [...state])) : null,
  };
  const notes = [
    ...(isTrained && trainY0 === undefined
      ? [
          "Initial states are trained as well, since first rows have errors like the others; --no-train-y0 takes them as exact.",
        ]
      : []),
  ];
  if (hidden === 0) return { series: own, notes: [startNote(parameters, open, fromData), ...notes] };
  const openHidden = Object.keys(hiddenStarts).filter(
    (name) => given.hiddenStarts[name]?.guess === undefined,
  );
  const found = await searched(own, begun, read, { seed, openHidden, note });
  return {
    series: found.series,
    notes: [
      startNote(found.series.parameters!, open, found.isFromData),
      hiddenNote(found.series, openHidden, found.isFromData),
      ...notes,
    ],
  };
}

/** What is said of parameters, and of the initial values of states that are not observed: `S0` is that of `S`. */
function givenOf(texts: readonly string[], field: string, observed: readonly string[], hidden: number) {
  const parameters: Record<string, ParameterOption> = {};
  const hiddenStarts: Record<string, ParameterOption> = {};
  const unseen = hidden === 0 ? [] : withoutColumn(field, observed);
  for (const [name, said] of readParameters(texts)) {
    const state = unseen.find((one) => name === `${one}0`);
    if (state === undefined) parameters[name] = said;
    else hiddenStarts[state] = said;
  }
  return { parameters, hiddenStarts };
}

/** A fit that starts where a search has led, as far as nothing else was said. */
async function searched(
  series: KeptSeries,
  { open }: EquationStart,
  read: ReadSet,
  {
    seed,
    openHidden,
    note,
  }: { readonly seed: number; readonly openHidden: readonly string[] } & Pick<Console, "note">,
) {
  if (open.length === 0 && openHidden.length === 0) return { series, isFromData: false };
  const runtime = await openRuntime("jit", { say: note });
  const found = await startSearched(runtime, read, series, { seed, open, openHidden });
  if (found === null) return { series, isFromData: false };
  const { training } = partsIn(read.set, series, seed);
  const startStates = series.startStates!.map((state, trajectory) => {
    const at = training.findIndex((one) => one.trajectory === trajectory);
    return state === null || at < 0 ? null : [...found.states[at]!];
  });
  const parameters = Object.fromEntries(
    Object.entries(series.parameters!).map(([name, one]) => [
      name,
      open.includes(name) ? { ...one, guess: found.parameters[name]! } : one,
    ]),
  );
  return { series: { ...series, parameters, startStates }, isFromData: true };
}

function hiddenNote(
  { hiddenStarts, startStates }: KeptSeries,
  open: readonly string[],
  isFromData: boolean,
): string {
  const unseen = Object.keys(hiddenStarts!);
  const first = startStates!.find((state) => state !== null)!;
  const list = unseen.map(
    (name, k) => `${name}0 = ${Number(first[first.length - unseen.length + k]!.toPrecision(4))}`,
  );
  const how =
    open.length === 0
      ? ""
      : `${isFromData ? "; searched for" : ""}; --parameter ${open[0]}0=GUESS:LOW:HIGH says otherwise`;
  return `${unseen.join(", ")} ${unseen.length === 1 ? "is" : "are"} not observed: initial values start at ${list.join(", ")}, and are estimated${how}.`;
}
