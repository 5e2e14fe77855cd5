import { equationStart } from "../../experiments/series/equation-start.js";
import { partsIn, trainsStarts } from "../../experiments/series/experiment.js";
import type { SeriesSet } from "../../experiments/series/series-set.js";
import { readParameters, startNote } from "../equations.js";
import { isModelFile } from "../run-settings.js";
import type { KeptSeries, SeriesOptions } from "./settings.js";

/**
 * The settings of a fit by equations with the values that it starts from: guesses that were given, and for the rest what the
 * training data suggest. Other settings are as they were.
 */
export async function withEquations(
  series: KeptSeries,
  set: SeriesSet,
  { parameter = [], seed = 0, trainY0 }: SeriesOptions,
): Promise<{ readonly series: KeptSeries; readonly notes: readonly string[] }> {
  const { field } = series;
  if (field === null || isModelFile(field)) return { series, notes: [] };
  const { training } = partsIn(set, series, seed);
  const given = Object.fromEntries(readParameters(parameter));
  const { parameters, startStates, open, fromData } = await equationStart(set, field, training, given);
  const isTrained = trainsStarts(set, series);
  return {
    series: {
      ...series,
      parameters: { ...parameters },
      startStates: isTrained ? startStates.map((state) => (state === null ? null : [...state])) : null,
    },
    notes: [
      startNote(parameters, open, fromData),
      ...(isTrained && trainY0 === undefined
        ? [
            "Initial states are trained as well, since first rows have errors like the others; --no-train-y0 takes them as exact.",
          ]
        : []),
    ],
  };
}
