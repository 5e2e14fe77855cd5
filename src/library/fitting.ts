import { checkOptions, OptionError } from "../core/options.js";
import type { Optimiser, optimisers } from "../learning/optimisers.js";
import { type DataStream, isStream } from "../models/data-stream.js";
import type { Dataset } from "../models/dataset.js";
import type { FitOptions as StrictFitOptions } from "../models/fit.js";
import type { AnyTask } from "../models/task.js";
import { type DatasetLike, datasetOf } from "./datasets.js";
import { checkRuntime, type ParametersLike, tensorsOf } from "./equation.js";
import { checkFloat, checkTask } from "./measuring.js";
import type { Asked } from "./threads.js";
import { checkResume, checkSchedule, optimiserOf } from "./training.js";

/** What {@link fit} takes beside the data. */
export interface FitOptions
  extends Omit<StrictFitOptions, "threads" | "optimiser" | "parameters" | "validation"> {
  /** adamw() by default */
  readonly optimiser?: Optimiser | keyof typeof optimisers;
  /** parameters before the first update, all or some; drawn from the seed where not given */
  readonly parameters?: ParametersLike;
  /** data that are not trained on, to be measured now and then */
  readonly validation?: DatasetLike;
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

/**
 * Data and options of a fit, as it takes them.
 *
 * @throws {OptionError} for what makes no sense, by name
 */
export function fitArguments(
  task: AnyTask,
  data: DatasetLike | DataStream,
  given: Omit<FitOptions, "runtime">,
): {
  readonly data: Dataset | DataStream;
  readonly options: Omit<StrictFitOptions, "runtime" | "threads">;
} {
  checkOptions("fit", given, fitNames, elsewhere);
  if (given.steps === undefined) {
    throw new OptionError("fit needs the number of updates, steps: 1000.");
  }
  checkTask("fit", task);
  const { parameters, optimiser, validation, schedule, resume, threads: _, ...rest } = given;
  const { dtype = "float64", validationTask = task } = rest;
  checkFloat("fit", dtype);
  checkRuntime("fit", (given as Partial<FitOptions>).runtime);
  checkSchedule(schedule);
  checkResume(resume);
  const arrays = (what: string, of: unknown, { model, targets }: AnyTask) =>
    datasetOf(what, of, { ...model.inputs, ...targets }, dtype);
  return {
    data: isStream(data) ? data : arrays("The training data", data, task),
    options: {
      ...rest,
      ...(schedule === undefined ? {} : { schedule }),
      ...(resume === undefined ? {} : { resume }),
      ...(optimiser === undefined ? {} : { optimiser: optimiserOf(optimiser) }),
      ...(parameters === undefined ? {} : { parameters: tensorsOf(parameters, dtype) }),
      ...(validation === undefined
        ? {}
        : { validation: arrays("The validation data", validation, validationTask) }),
    },
  };
}
