import { columnScale } from "../experiments/own-data.js";
import type { SeriesModel } from "../experiments/series/model.js";
import { medianGap, type Series } from "../experiments/series/series-set.js";
import { warmStart } from "../experiments/series/warm-start.js";
import { componentNames } from "../fields/components.js";
import type { Tensors } from "../fields/field.js";
import { TrainingError } from "../gradients/training-error.js";
import { mse } from "../learning/losses.js";
import type { Runtime } from "../runtime/runtime.js";
import { parseTimeSeries } from "../storage/csv.js";
import { encodeSafetensors } from "../storage/safetensors.js";
import type { Checkpoint } from "../train/checkpoint.js";
import type { Console } from "./console.js";
import type { Problem, Sources } from "./problem.js";
import { progress } from "./progress.js";
import { writeRunFile } from "./run-files.js";
import { writeSettings } from "./run-folder.js";
import { copyNames } from "./run-inputs.js";
import type { RunSettings } from "./run-settings.js";

/** What a fit begins with. */
interface Begun {
  readonly settings: RunSettings;
  readonly parameters: Tensors | null;
  readonly checkpoint: Checkpoint | null;
}

/** Where it is kept, and on what it runs. */
interface WarmPlace {
  readonly folder: string;
  readonly runtime: Runtime;
  readonly console: Console;
}

/**
 * A run with parameters that its field has learnt from windows of the series. They are kept with it as if they had been given
 * by --init, so that it goes on from them to the same bits. Who interrupts it begins anew the next time.
 */
export async function warmStarted<R extends Begun>(
  run: R,
  problem: Problem,
  { data }: Sources,
  { folder, runtime, console }: WarmPlace,
): Promise<R> {
  const { settings } = run;
  const { warmStart: stages } = settings;
  if (stages.length === 0 || data === null || settings.init !== null || (run.checkpoint?.step ?? 0) > 0) {
    return run;
  }
  const total = stages.reduce((sum, { updates }) => sum + updates, 0);
  const bar = progress({ stream: console.bar, total, label: "warm start" });
  bar.update(0);
  try {
    const { setting, series, stepSize } = seriesOf(problem, data, settings);
    const measured = series.times
      .map((_, k) => k)
      .filter((k) => series.values[k]!.some((x) => !Number.isNaN(x)));
    const shape = { stepSize, observed: setting.scales.length, inputs: 0, dtype: setting.dtype };
    const found = await warmStart(
      setting,
      [{ series, trajectory: 0, from: 0, measured }],
      { ...shape, deviations: setting.scales.map(({ deviation }) => deviation) },
      {
        ...{ runtime, stages, continuity: 1, learningRate: 1e-2, restarts: 1, seed: settings.seed },
        signal: console.stopSignal(),
        onUpdate: (done, loss) => bar.update(done, { loss }),
      },
    );
    if (found === null) return run;
    const kept = { ...settings, init: copyNames.init };
    await writeRunFile(folder, copyNames.init, encodeSafetensors(found.parameters));
    await writeSettings(folder, kept);
    return { ...run, settings: kept, parameters: found.parameters, checkpoint: null };
  } catch (error) {
    if (!(error instanceof TrainingError)) throw error;
    console.note(
      `The warm start failed, so the fit begins with parameters drawn from the seed: ${error.message}`,
    );
    return run;
  } finally {
    bar.finish();
  }
}

/** The series of a run with all its rows, as windows are cut from it. */
function seriesOf(
  { ode, control }: Problem,
  data: NonNullable<Sources["data"]>,
  { dtype, missing }: RunSettings,
) {
  const table = parseTimeSeries(data.text, { source: data.name, missing });
  const { shift, scale } = columnScale(table);
  const { times, values, columns } = table;
  const series: Series = {
    ...{ id: data.name, times: [...times], errors: null, inputs: Array.from(times, () => []) },
    values: Array.from(times, (_, i) => Array.from(values.subarray(i * columns, (i + 1) * columns))),
  };
  const setting: SeriesModel = {
    ...{ name: ode.field.name, field: ode.field, method: ode.method, adjoint: "direct", dtype },
    ...{ loss: mse(), hidden: 0, inputs: 0, starts: 0 },
    scales: componentNames(ode.field).map((_, j) => ({ mean: shift[j]!, deviation: scale[j]! })),
  };
  // steps that are chosen by their error are chosen for the whole; windows take a few of one size
  return { setting, series, stepSize: control === null ? ode.stepSize : medianGap([series]) / 2 };
}
