import { basename } from "node:path";
import type { FieldFile } from "../../experiments/series/chosen-field.js";
import { type SeriesExperiment, seriesExperiment } from "../../experiments/series/experiment.js";
import type {
  DataFile,
  PreparedTask,
  TaskExperiment,
  TrainedTask,
} from "../../experiments/task-experiment.js";
import { taskExperiments } from "../../experiments/tasks.js";
import { unpacked } from "../../storage/gzip.js";
import { decodeSafetensors } from "../../storage/safetensors.js";
import type { Console } from "../console.js";
import { importOptionsOf } from "../field-options.js";
import { hasRunFile, readRunFile, runFiles } from "../run-files.js";
import { RunFolderError } from "../run-folder.js";
import { openRuntime, type RuntimeName } from "../runtimes.js";
import { openTaskRun, type TaskRun } from "./folder.js";

/** A run of a task that has ended, with its data and the parameters that were kept. */
export interface LoadedTask {
  readonly experiment: TaskExperiment;
  readonly run: TaskRun;
  readonly prepared: PreparedTask;
  readonly trained: TrainedTask;
}

/**
 * The experiment of a run: one that has a name, or what files of trajectories make.
 *
 * @throws {RunFolderError} for a name that there is not
 */
export async function experimentOf(
  folder: string,
  run: Pick<TaskRun, "settings" | "data" | "field">,
): Promise<TaskExperiment & Partial<SeriesExperiment>> {
  const { settings } = run;
  if (settings.series !== null) return seriesExperiment(settings.series, filesOf(run), fieldFileOf(run));
  const found = taskExperiments.find(({ name }) => name === settings.experiment);
  if (found !== undefined) return found;
  throw new RunFolderError(
    `The run ${folder} belongs to the experiment ${settings.experiment}, which this version of revort does not have.`,
  );
}

/** The field of a run from a file, as its trajectories are fitted by it. */
export function fieldFileOf({ settings, field }: Pick<TaskRun, "settings" | "field">): FieldFile | null {
  const { series } = settings;
  return field === null || series === null ? null : { model: field.model, options: importOptionsOf(series) };
}

/** The data of a run, by the names that they were given with. */
export function filesOf({ settings, data }: Pick<TaskRun, "settings" | "data">): DataFile[] {
  return data.map((bytes, i) => ({ name: basename(settings.dataFiles[i]!).replace(/^data-/, ""), bytes }));
}

/** What an experiment makes of the settings and files of a run. @param shortened  how many times shorter steps are taken */
export function preparedFor(
  experiment: TaskExperiment,
  run: Pick<TaskRun, "settings" | "data">,
  shortened = 1,
): PreparedTask | Promise<PreparedTask> {
  const { settings } = run;
  const gradient = settings.gradient as TaskExperiment["protocol"]["gradient"];
  return experiment.prepare({
    shortened,
    protocol: { ...settings, gradient, stepSize: settings.stepSize / shortened },
    seed: settings.seed,
    files: filesOf(run).map(({ name, bytes }) => ({ name, bytes: unpacked(bytes, name) })),
  });
}

/** @throws {RunFolderError} for a run that has not ended yet */
export async function loadTask(
  folder: string,
  asked: RuntimeName | undefined,
  console: Console,
): Promise<LoadedTask> {
  const run = await openTaskRun(folder);
  const { settings } = run;
  const experiment = await experimentOf(folder, run);
  if (!(await hasRunFile(folder, runFiles.parameters))) {
    throw new RunFolderError(
      `The run ${folder} has not ended yet. Continue it with: revort train --resume ${folder}.`,
    );
  }
  const prepared = await preparedFor(experiment, run);
  const { tensors } = decodeSafetensors(await readRunFile(folder, runFiles.parameters));
  const { parameters, buffers = {} } = prepared.task.model as {
    parameters: Record<string, unknown>;
    buffers?: Record<string, unknown>;
  };
  const own = (names: Record<string, unknown>) =>
    Object.fromEntries(Object.entries(tensors).filter(([name]) => Object.hasOwn(names, name)));
  const runtime = await openRuntime(asked ?? settings.runtime, { say: console.note });
  return {
    ...{ experiment, run, prepared },
    trained: { runtime, dtype: settings.dtype, parameters: own(parameters), buffers: own(buffers) },
  };
}
