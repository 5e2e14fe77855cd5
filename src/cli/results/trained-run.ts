import type { Tensor } from "../../core/tensor.js";
import type { Tensors } from "../../fields/field.js";
import type { Runtime } from "../../runtime/runtime.js";
import { parametersOf } from "../../train/train.js";
import type { Console } from "../console.js";
import { asTrained, type Problem, problemOf } from "../problem.js";
import { checkCheckpoint, loadCheckpoint, openRun, RunFolderError } from "../run-folder.js";
import type { RunSettings } from "../run-settings.js";
import { openRuntime, type RuntimeName } from "../runtimes.js";

/** A run of a fit to trajectories, as far as it has come. */
export interface TrainedRun {
  readonly folder: string;
  readonly settings: RunSettings;
  readonly problem: Problem;
  readonly parameters: Tensors;
  /** initial states, trained or those of the data */
  readonly y0: Tensor;
  /** updates that led to these parameters */
  readonly step: number;
  readonly runtime: Runtime;
}

export interface LoadOptions {
  /** the parameters with the lowest loss instead of the last ones */
  readonly best?: boolean;
  readonly runtime?: RuntimeName;
}

/** @throws {RunFolderError} for a run without a checkpoint, or of another kind */
export async function loadTrainedRun(
  folder: string,
  { best = false, runtime: asked }: LoadOptions,
  console: Console,
): Promise<TrainedRun> {
  const { settings, sources } = await openRun(folder);
  const runtime = await openRuntime(asked ?? settings.runtime, { say: console.note });
  const problem = await problemOf(settings, sources, runtime);
  const checkpoint = await loadCheckpoint(folder);
  if (checkpoint === null) {
    throw new RunFolderError(
      `The run ${folder} stopped before its first checkpoint. Continue it with: revort train --resume ${folder}.`,
    );
  }
  checkCheckpoint(problem.ode, checkpoint);
  const { trained, step } = best ? checkpoint.best : checkpoint;
  return {
    ...{ folder, settings, runtime, step },
    problem: asTrained(problem, checkpoint.scheme?.coupling),
    parameters: parametersOf(trained),
    y0: trained.y0 ?? problem.data.y0,
  };
}
