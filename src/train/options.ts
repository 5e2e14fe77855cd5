import type { Control } from "../control/control.js";
import { RevortError } from "../core/errors.js";
import type { Tensor } from "../core/tensor.js";
import type { Tensors } from "../fields/field.js";
import type { GradientRequest } from "../gradients/method.js";
import type { SolveWarning } from "../integrate/solve-warning.js";
import type { Loss } from "../learning/losses.js";
import type { Optimiser } from "../learning/optimisers.js";
import type { Schedule } from "../learning/schedules.js";
import type { Runtime } from "../runtime/runtime.js";
import type { Threads } from "../runtime/threads.js";
import type { Checkpoint } from "./checkpoint.js";
import type { FitCheck } from "./fit-check.js";
import type { Stopped, UpdateReport } from "./run.js";
import type { TrainNote } from "./scheme.js";
import type { Ran } from "./updater.js";

export type { UpdateReport };

export interface TrainOptions {
  readonly runtime: Runtime;
  /**
   * runtimes in threads (`threadRuntime`), each of which takes a part of the batch beside `runtime`; the parts are added up,
   * so that sums are rounded otherwise than in one part
   */
  readonly helpers?: readonly Runtime[];
  /**
   * in how many parts a batch is gone through, one after the other where there are no helpers, so that no more than one of
   * them is in memory. Numbers depend on the parts, and not on who takes them. By default one for each helper and one more;
   * where there are threads, as many as pay by the work of an update alone, for a loss that is known to be a mean.
   */
  readonly parts?: number;
  /** threads that take parts of the batch, where there are no helpers and updates take long enough */
  readonly threads?: Threads;
  readonly loss?: Loss;
  readonly optimiser?: Optimiser;
  readonly schedule?: Schedule;
  /** number of updates in all, those before a resumption included */
  readonly steps: number;
  /**
   * "reversible" by default where the method can be undone, else "direct"; "auto" chooses by what is at stake
   * ({@link chooseGradient}). Where undoing steps does not give states back, states are stored on the way.
   */
  readonly gradient?: GradientRequest;
  /** what stored states may take where the gradient is chosen, in bytes; 1 GB by default */
  readonly memoryBudget?: number;
  /**
   * "auto" chooses λ of a coupled method by how the field damps, before the first update and anew on the way: after 8,
   * 16, 32 and 64 updates, and then each 128
   */
  readonly coupling?: "auto";
  /** whether what would be a warning about solves is an error */
  readonly strict?: boolean;
  /** called with what training decides by itself */
  readonly onNote?: (note: TrainNote) => void;
  /** how steps are chosen, anew for each update; by default all are as long as those of the equation */
  readonly control?: Control;
  /** of the initial parameters and the order of batches */
  readonly seed?: number;
  /** θ before the first update; drawn from the seed where not given */
  readonly parameters?: Tensors;
  /** whether the initial states are trained as well (only without mini-batches) */
  readonly trainY0?: boolean;
  /** trajectories per update; all of them by default */
  readonly batchSize?: number;
  /** largest ‖g‖; longer gradients are scaled down to it */
  readonly clip?: number;
  /** stop when the loss has not fallen for so many updates */
  readonly patience?: number;
  /** called after each update, and awaited */
  readonly onUpdate?: (report: UpdateReport) => void | Promise<void>;
  /** stops after the current update */
  readonly signal?: AbortSignal;
  /**
   * how many updates one run of a graph may do; by default as many as take some 50 to 100 ms. Numbers do not depend on
   * it. Reports come after the run, one for each update; a signal is heeded between runs, or in a report.
   */
  readonly updatesPerRun?: number;
  /** goes on from here instead of starting anew */
  readonly resume?: Checkpoint;
  /** whether to solve the trained field accurately at the end, and hold the fit against that; by default it is done */
  readonly check?: boolean;
}

export interface TrainResult {
  readonly parameters: Tensors;
  /** initial states, trained or given */
  readonly y0: Tensor;
  /** loss before each update */
  readonly losses: readonly number[];
  readonly seconds: number;
  /** evaluations of the field per update, forward and backward; of the last one, where steps are chosen */
  readonly evaluations: number;
  /** states kept for the backward pass */
  readonly storedStates: number;
  /** where the last update ran, and in how many threads */
  readonly ran: Ran;
  /** the gradient of the last update, as users type it: chosen, or with states stored where it was needed */
  readonly gradient: string;
  /** λ of the last update, of a coupled method */
  readonly coupling: number | null;
  /** what training decided by itself, in order */
  readonly notes: readonly TrainNote[];
  /** what is doubtful about the solves of its updates */
  readonly warnings: readonly SolveWarning[];
  readonly stopped: Exclude<Stopped, "exhausted">;
  readonly checkpoint: Checkpoint;
  /** the fit held against its own field, solved accurately; `null` if it was stopped, or the check was not wanted */
  readonly check: FitCheck | null;
}

/** @throws {RevortError} naming the option that is out of range */
export function checkNumbers({ steps, clip, patience, updatesPerRun, parts }: TrainOptions): void {
  if (!Number.isInteger(steps) || steps < 0) {
    throw new RevortError(`The number of updates must be a whole number, but ${steps} was given.`);
  }
  if (clip !== undefined && !(clip > 0)) {
    throw new RevortError(`The largest norm of a gradient (clip) must be positive, but ${clip} was given.`);
  }
  if (patience !== undefined && !(patience >= 1)) {
    throw new RevortError(`The patience must be 1 update or more, but ${patience} was given.`);
  }
  if (parts !== undefined && !(Number.isInteger(parts) && parts >= 1)) {
    throw new RevortError(
      `The number of parts of a batch must be a whole number of 1 or more, but ${parts} was given.`,
    );
  }
  if (updatesPerRun !== undefined && !(Number.isInteger(updatesPerRun) && updatesPerRun >= 1)) {
    throw new RevortError(
      `The number of updates per run must be a whole number of 1 or more, but ${updatesPerRun} was given.`,
    );
  }
}
