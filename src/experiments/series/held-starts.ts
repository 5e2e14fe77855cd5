import { numbers, tensor } from "../../core/tensor.js";
import type { Tensors } from "../../fields/field.js";
import type { TrainedTask } from "../task-experiment.js";
import { seriesEstimate } from "./estimates.js";
import { type SeriesModel, startNames } from "./model.js";
import type { SampleShape, Stretch } from "./samples.js";
import { searchedStart } from "./searched-start.js";

/** Parameters with the initial states of trajectories that were set apart, and what to say of these. */
export interface HeldStarts {
  readonly parameters: Tensors;
  readonly note: string;
}

/** Trajectories whose initial states are estimated at once. */
const mostAtOnce = 16;

/**
 * The initial states of trajectories that a field was not trained on, where those of the others were trained: estimated by least
 * squares from their own observations, the parameters of the field held. So they are measured as the others are. From a first row
 * the loss would contain its error, for it goes along with the solution.
 *
 * A trajectory with no more observations than its state has components keeps its first row, which would otherwise fit anything.
 */
export async function heldStarts(
  setting: SeriesModel,
  stretches: readonly Stretch[],
  shape: Omit<SampleShape, "steps">,
  trained: TrainedTask,
): Promise<HeldStarts> {
  const dim = setting.scales.length + setting.hidden;
  const isKnown = setting.hidden === 0 || setting.ownHidden !== undefined;
  const isRich = (one: Stretch) => isKnown && observationsOf(one) > dim;
  const rich = stretches.filter(isRich);
  const poor = stretches.filter((one) => !isRich(one));
  let { parameters } = trained;
  for (let from = 0; from < rich.length; from += mostAtOnce) {
    const some = rich.slice(from, from + mostAtOnce);
    const asked = { names: [], refine: true };
    const { found, parameters: next } = await seriesEstimate(
      setting,
      some,
      shape,
      { ...trained, parameters },
      asked,
    );
    if (found !== null) parameters = next;
    else {
      // from a first row there may be no solution, where another state is no further from the observations
      for (const one of some) {
        const search = { seed: 0, open: [], openHidden: [], points: 200 };
        const other = await searchedStart(setting, [one], shape, { ...trained, parameters }, search);
        if (other === null) poor.push(one);
        else parameters = other.tensors;
      }
    }
  }
  const estimated = rich.filter((one) => !poor.includes(one));
  return { parameters, note: [estimatedNote(estimated), firstRowNote(poor)].filter(Boolean).join(" ") };
}

/** First rows for as many trajectories that were not seen, and hidden components as they are in those that were, in the mean. */
export function startsOfOthers(
  { scales, hidden, dtype }: SeriesModel,
  parameters: Tensors,
  count: number,
): Tensors {
  const dim = scales.length + hidden;
  const known = numbers(parameters[startNames.change]!);
  const rows = known.length / dim;
  const mean = Array.from({ length: dim }, (_, j) =>
    j < scales.length ? 0 : known.reduce((sum, value, i) => (i % dim === j ? sum + value / rows : sum), 0),
  );
  const changes = Array.from({ length: count }, () => mean).flat();
  return { [startNames.change]: tensor(dtype, [count, dim], changes) };
}

const observationsOf = ({ series, measured }: Stretch) =>
  measured.reduce((sum, k) => sum + series.values[k]!.filter((value) => !Number.isNaN(value)).length, 0);

function estimatedNote(of: readonly Stretch[]): string | null {
  if (of.length === 0) return null;
  return (
    `The ${initialStates(of)} estimated from ${of.length === 1 ? "its" : "their"} own observations, as in training: the loss there is ` +
    "that of the field, without the error of a first row."
  );
}

function firstRowNote(of: readonly Stretch[]): string | null {
  if (of.length === 0) return null;
  const [names, rows] = [initialStates(of), of.length === 1 ? "its first row" : "their first rows"];
  return `The ${names} ${rows}, whose errors are part of the loss there: nothing better can be estimated.`;
}

const named = 6;

function initialStates(of: readonly Stretch[]): string {
  const names = of.slice(0, named).map(({ series }) => series.id);
  const list = `${names.join(", ")}${of.length > named ? `, … (${of.length})` : ""}`;
  return of.length === 1 ? `initial state of ${list} is` : `initial states of ${list} are`;
}
