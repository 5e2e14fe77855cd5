import { tensor } from "../../core/tensor.js";
import type { Tensors } from "../../fields/field.js";
import type { TrainedTask } from "../task-experiment.js";
import { seriesEstimate } from "./estimates.js";
import { type SeriesModel, startNames } from "./model.js";
import type { SampleShape, Stretch } from "./samples.js";

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
  const dim = setting.scales.length;
  const isRich = (one: Stretch) => setting.hidden === 0 && observationsOf(one) > dim;
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
    if (found === null) poor.push(...some);
    else parameters = next;
  }
  const estimated = rich.filter((one) => !poor.includes(one));
  return { parameters, note: [estimatedNote(estimated), firstRowNote(poor)].filter(Boolean).join(" ") };
}

/** No changes of initial states yet, for as many trajectories. */
export function unchangedStarts({ scales, hidden, dtype }: SeriesModel, count: number): Tensors {
  const dim = scales.length + hidden;
  return { [startNames.change]: tensor(dtype, [count, dim], new Float64Array(count * dim)) };
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
  return `The ${initialStates(of)} the first rows, whose errors are part of the loss there: nothing better can be estimated.`;
}

const named = 6;

function initialStates(of: readonly Stretch[]): string {
  const names = of.slice(0, named).map(({ series }) => series.id);
  const list = `${names.join(", ")}${of.length > named ? `, … (${of.length})` : ""}`;
  return of.length === 1 ? `initial state of ${list} is` : `initial states of ${list} are`;
}
