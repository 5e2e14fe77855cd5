import { writeAtomic } from "../storage/atomic.js";
import { parametersOf } from "../train/train.js";
import type { Console } from "./console.js";
import { exitCodes } from "./exit-codes.js";
import { problemOf } from "./problem.js";
import { loadCheckpoint, openRun, RunFolderError } from "./run-folder.js";
import { encodeRunField } from "./run-results.js";
import { openRuntime } from "./runtimes.js";

export interface ExportOptions {
  readonly out: string;
  /** the parameters with the lowest loss instead of the last ones */
  readonly best?: boolean;
  readonly json?: boolean;
}

/**
 * `revort export`: the trained field of a run as one `.onnx`.
 *
 * @returns the exit code
 */
export async function exportCommand(run: string, options: ExportOptions, console: Console): Promise<number> {
  const { settings, sources } = await openRun(run);
  const problem = await problemOf(settings, sources, await openRuntime(settings.runtime));
  const checkpoint = await loadCheckpoint(run);
  if (checkpoint === null) {
    throw new RunFolderError(
      `The run ${run} stopped before its first checkpoint. Continue it with --resume ${run}.`,
    );
  }
  const { trained } = options.best ? checkpoint.best : checkpoint;
  const bytes = encodeRunField(problem, parametersOf(trained));
  await writeAtomic(options.out, bytes);
  if (options.json)
    console.stdout.write(`${JSON.stringify({ run, out: options.out, bytes: bytes.length })}\n`);
  else console.stderr.write(`Written to ${options.out} (${bytes.length} bytes)\n`);
  return exitCodes.done;
}
