import { checkOptions, OptionError } from "../core/options.js";
import type { FitOptions as StrictFitOptions } from "../models/fit.js";
import type { Asked } from "./threads.js";

/** What {@link fit} takes beside the data. */
export interface FitOptions extends Omit<StrictFitOptions, "threads"> {
  /**
   * most threads that take parts of the batch, started where updates take long enough: "auto" by default, one for each core
   * in Node. Numbers do not depend on it.
   */
  readonly threads?: Asked;
}

const fitNames = {
  ...{
    runtime: true,
    helpers: true,
    threads: true,
    parts: true,
    steps: true,
    batchSize: true,
    optimiser: true,
    schedule: true,
  },
  ...{
    clip: true,
    dtype: true,
    seed: true,
    parameters: true,
    validation: true,
    validationTask: true,
    validateEvery: true,
  },
  ...{ validationBatchSize: true },
  ...{ patience: true, onUpdate: true, onValidation: true, onNote: true, signal: true, updatesPerRun: true },
  ...{ resume: true },
} satisfies Record<keyof FitOptions, true>;

const toOptimiser = "it belongs to the optimiser, adamw({ learningRate: 1e-3 })";
const elsewhere = {
  ...{ learningRate: toOptimiser, lr: toOptimiser, weightDecay: toOptimiser, optimizer: "spelled optimiser" },
  ...{ epochs: "the number of updates is steps", iterations: "the number of updates is steps" },
  ...{ loss: "it belongs to the task, defineTask({ model, targets, loss })", callback: "say onUpdate" },
  ...{
    accumulate: "say parts",
    microBatches: "say parts",
    gradient: "it belongs to odeSolve",
  },
  ...{ augment: "it belongs to the task, defineTask({ model, targets, loss, augment })" },
};

/** @throws {OptionError} for what makes no sense, by name */
export function checkFitOptions(given: unknown): void {
  checkOptions("fit", given, fitNames, elsewhere);
  if ((given as Partial<FitOptions>).steps === undefined) {
    throw new OptionError("fit needs the number of updates, steps: 1000.");
  }
}
