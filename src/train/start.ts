import { RevortError } from "../core/errors.js";
import { type Branch, byPath } from "../core/tree.js";
import type { Tensors } from "../fields/field.js";
import { memoryOf } from "../programs/update.js";
import { type Checkpoint, emptyMemory, treeFrom } from "./checkpoint.js";
import type { UpdaterOptions } from "./updater.js";

/** Where a run starts: anew, or where one has stopped. */
export interface Start {
  /** on the host */
  readonly trained: Branch;
  readonly buffers: Branch;
  readonly memory: Branch;
  /** what was trained when the loss was lowest, where updates keep that */
  readonly best: Branch;
  readonly resume: Checkpoint | undefined;
}

/**
 * Where a run starts: the memory and what was best anew, or where one has stopped.
 *
 * @param keepsBest  whether what was trained when the loss was lowest is kept
 * @throws {RevortError} for a checkpoint of another optimiser, or of other arrays
 */
export function startOf(
  { trained, buffers, resume }: Pick<Start, "trained" | "buffers" | "resume">,
  { optimiser, dtype, keepsBest }: Pick<UpdaterOptions, "optimiser" | "dtype" | "keepsBest">,
): Start {
  const memory = emptyMemory(memoryOf(optimiser, trained), dtype);
  const best = keepsBest ? trained : {};
  if (resume === undefined) return { trained, buffers, memory, best, resume };
  const names = (tensors: Tensors) => Object.keys(tensors).sort().join();
  if (names(resume.memory) !== names(byPath(memory, "memory"))) {
    throw new RevortError(
      `The run to go on from was one of another optimiser than ${optimiser.name}, or trained other arrays. ` +
        "Give the optimiser and the settings that it was started with.",
    );
  }
  return {
    ...{ trained, buffers, resume },
    memory: treeFrom(memory, resume.memory, "memory"),
    best: treeFrom(best, resume.best.trained),
  };
}
