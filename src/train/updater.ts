import type { FloatDType } from "../core/tensor.js";
import type { Branch } from "../core/tree.js";
import type { Optimiser } from "../learning/optimisers.js";
import type { AnyObjective, Observed } from "../programs/objective.js";
import type { Changing } from "../programs/updates.js";
import type { Runtime } from "../runtime/runtime.js";
import type { Threads } from "../runtime/threads.js";

/** Everything that updates change, on the device. */
export interface Standing extends Changing {
  /** what was trained when the loss was lowest, where that is kept; else nothing */
  readonly best: Branch;
}

/** The samples of an update: named among all there are, or brought along. */
export interface Batch {
  readonly which: readonly number[];
  /** where samples are not all on the device: their arrays, on the host */
  readonly data?: Branch;
}

/** An update that is to be done. */
export interface Planned extends Batch {
  /** its number, from 1 */
  readonly count: number;
  readonly learningRate: number;
}

/** What updates report, one number for each of them. Numbers that are not finite mean that those from there on are of no use. */
export interface Reports {
  readonly losses: readonly number[];
  readonly gradientNorms: readonly number[];
  /** what they saw of themselves */
  readonly observed: Observed<readonly number[]>;
}

/** Updates that were done. */
export interface Updated extends Reports {
  readonly after: Standing;
}

/** Where updates run. */
export interface Ran {
  /** the runtime of their gradients: of those to choose from, the one that was chosen */
  readonly runtime: string;
  /** how many threads took parts of a batch, that of the caller included */
  readonly threads: number;
  /** in how many parts a batch is gone through; numbers depend on it, and not on the threads */
  readonly parts: number;
  /** why there are no other threads, where they would have paid and could not be started */
  readonly failure?: string;
}

/** Compiled updates. */
export interface Updater {
  /** how many updates one run can do */
  readonly most: number;
  /** where the last run was */
  readonly ran: Ran;
  /** Does the planned updates, `most` of them at most. @param lowest  the lowest loss so far */
  readonly run: (from: Standing, lowest: number, plan: readonly Planned[]) => Promise<Updated>;
  readonly release: () => Promise<void>;
}

/** All samples, on the host: trees of tensors in the form of an objective's data. */
export interface Resident {
  readonly samples: Branch;
  readonly count: number;
}

/** What updates of an objective are compiled for. */
export interface UpdaterOptions {
  readonly runtime: Runtime;
  /** runtimes that take parts of the batch beside it */
  readonly helpers: readonly Runtime[];
  /** the objective over so many samples */
  readonly objectiveOf: (batchSize: number) => AnyObjective;
  /** what is the same for all samples, on the host */
  readonly setup: Branch;
  /** `null` where batches bring their samples along */
  readonly resident: Resident | null;
  /** samples per update */
  readonly batchSize: number;
  /** in how many parts a batch is gone through; `null` for as many as there are helpers, or as pay where there are threads */
  readonly parts: number | null;
  /** those that may take parts where there are no helpers */
  readonly threads: Threads | null;
  /** updates that are to be done */
  readonly updates: number;
  /** whether the loss of a batch is the mean of that of so many parts, so that parts may be chosen */
  readonly isMean: (parts: number) => boolean | Promise<boolean>;
  readonly optimiser: Optimiser;
  readonly clip: number | null;
  /** whether what was trained when the loss was lowest is kept */
  readonly keepsBest: boolean;
  readonly dtype: FloatDType;
}
