import { numbers, tensor } from "../../core/tensor.js";
import type { Tensors } from "../../fields/field.js";
import { adamw } from "../../learning/optimisers.js";
import { cosine } from "../../learning/schedules.js";
import { fit } from "../../models/fit.js";
import type { Runtime } from "../../runtime/runtime.js";
import { type SeriesModel, startNames, windowTask } from "./model.js";
import { firstValue, mostSteps, type SampleShape, type Stretch } from "./samples.js";
import { guessedStarts, type Window, windowSamples, windowsOf } from "./windows.js";

/** Updates on windows of one length. */
export interface Stage {
  /** gaps between observations in a window */
  readonly size: number;
  readonly updates: number;
}

export interface WarmStartOptions {
  readonly runtime: Runtime;
  readonly stages: readonly Stage[];
  /** weight of the distances between where windows end and the next ones begin */
  readonly continuity: number;
  readonly learningRate: number;
  /** attempts, from this seed and those after it, of which the best is taken */
  readonly restarts: number;
  readonly seed: number;
  readonly signal?: AbortSignal;
  /** called after each update */
  readonly onUpdate?: (done: number, loss: number) => void;
  readonly onNote?: (note: string) => void;
}

/** What a warm start has found. */
export interface WarmStart {
  /** those of the field, and what is trained of initial states */
  readonly parameters: Tensors;
  /** loss of the windows at the end, of each attempt */
  readonly losses: readonly number[];
}

/** Windows in an update. */
const mostAtOnce = 64;

/**
 * Windows of a few observations, and then of a few more, as far as the trajectories are longer than that.
 *
 * @param lengths  gaps between observations in each of them
 */
export function usualStages(lengths: readonly number[]): Stage[] {
  const median = lengths.toSorted((a, b) => a - b)[Math.floor(lengths.length / 2)]!;
  return [
    { size: 8, updates: 400 },
    { size: 24, updates: 300 },
  ].filter(({ size }) => size <= median / 1.5);
}

/**
 * Parameters that a fit of whole trajectories can start from. A field that knows nothing yet solves a long oscillation by a
 * flat line, which no small change makes better; over a few observations it cannot. So it is first fitted to short windows,
 * whose initial states are trained with it, then to longer ones (multiple shooting, with a growing horizon).
 *
 * @throws as `fit` does; an abort gives `null`
 */
export async function warmStart(
  setting: SeriesModel,
  stretches: readonly Stretch[],
  shape: Omit<SampleShape, "steps">,
  options: WarmStartOptions,
): Promise<WarmStart | null> {
  const attempts: { loss: number; parameters: Tensors }[] = [];
  const each = options.stages.reduce((sum, { updates }) => sum + updates, 0);
  for (let attempt = 0; attempt < options.restarts; attempt++) {
    const found = await attempted(setting, stretches, shape, {
      ...options,
      seed: options.seed + attempt,
      onUpdate: (done, loss) => options.onUpdate?.(attempt * each + done, loss),
    });
    if (found === null) return null;
    attempts.push(found);
  }
  const best = attempts.reduce((one, other) => (other.loss < one.loss ? other : one));
  return { parameters: best.parameters, losses: attempts.map(({ loss }) => loss) };
}

async function attempted(
  setting: SeriesModel,
  stretches: readonly Stretch[],
  shape: Omit<SampleShape, "steps">,
  { runtime, stages, continuity, learningRate, seed, signal, onUpdate }: Omit<WarmStartOptions, "restarts">,
) {
  let field: Tensors = {};
  let last: { windows: readonly Window[]; starts: readonly number[]; loss: number } | null = null;
  let done = 0;
  for (const { size, updates } of stages) {
    const windows = windowsOf(stretches, size);
    const steps = mostSteps(windows, shape.stepSize);
    const initial = guessedStarts(windows, setting.scales, setting.hidden);
    const task = windowTask(setting, { steps, windows: windows.length, continuity, initial });
    const before = done;
    const result = await fit(task, windowSamples(windows, { ...shape, steps }), {
      ...{ runtime, seed, steps: updates, dtype: setting.dtype, parameters: field },
      batchSize: Math.min(mostAtOnce, windows.length),
      optimiser: adamw({ learningRate }),
      schedule: cosine({ steps: updates }),
      // a field that flies off does so in a step
      clip: 10,
      ...(signal === undefined ? {} : { signal }),
      onUpdate: ({ step, loss }) => onUpdate?.(before + step, loss),
    });
    if (result.stopped === "aborted") return null;
    done += updates;
    const { [startNames.windows]: table, ...rest } = result.parameters;
    field = rest;
    // of the last updates, for each sees some of the windows
    const tail = result.losses.slice(-20);
    last = {
      windows,
      starts: numbers(table!),
      loss: tail.reduce((sum, loss) => sum + loss / tail.length, 0),
    };
  }
  return { loss: last!.loss, parameters: { ...field, ...startsOf(setting, stretches, last!) } };
}

/** What the windows at the beginnings of trajectories say of their initial states. */
function startsOf(
  { scales, hidden, starts, dtype }: SeriesModel,
  stretches: readonly Stretch[],
  { windows, starts: table }: { readonly windows: readonly Window[]; readonly starts: readonly number[] },
): Tensors {
  const dim = scales.length + hidden;
  const own = stretches.map((stretch) => {
    const at = windows.findIndex(
      ({ trajectory, from }) => trajectory === stretch.trajectory && from === stretch.from,
    );
    return table.slice(at * dim, (at + 1) * dim);
  });
  const common = Array.from({ length: hidden }, (_, k) =>
    own.reduce((sum, state) => sum + state[scales.length + k]! / own.length, 0),
  );
  const change = new Float64Array(starts * dim);
  for (const [i, { series, from, trajectory }] of stretches.entries()) {
    if (starts === 0) break;
    const observed = scales.map(({ mean, deviation }, j) => (firstValue(series, from, j) - mean) / deviation);
    for (const [j, known] of [...observed, ...common].entries())
      change[trajectory * dim + j] = own[i]![j]! - known;
  }
  return {
    ...(hidden === 0 ? {} : { [startNames.hidden]: tensor(dtype, [hidden], common) }),
    ...(starts === 0 ? {} : { [startNames.change]: tensor(dtype, [starts, dim], change) }),
  };
}
