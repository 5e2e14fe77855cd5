import type { FloatDType } from "../core/tensor.js";
import type { Tensors } from "../fields/field.js";
import type { GradientRequest } from "../gradients/method.js";
import type { Optimiser } from "../learning/optimisers.js";
import type { SdeKind } from "../methods/sde-method.js";
import type { Dataset } from "../models/dataset.js";
import type { AnyTask } from "../models/task.js";
import type { Chart } from "../plot/chart.js";
import type { Runtime } from "../runtime/runtime.js";
import type { BootstrapOptions } from "../train/bootstrap.js";
import type { EstimateReport, IntervalMethod } from "../train/estimate-report.js";
import type { ForecastTime } from "./forecast-times.js";
import type { ScheduleOver, TaskScheduleName } from "./task-schedule.js";

/** How an experiment is trained; what is not said to be otherwise can be overridden on the command line. */
export interface TaskProtocol {
  readonly solver: string;
  /** λ of a coupled solver; `null` for the plain one, or for a solver that is reversible by itself */
  readonly coupling: number | null;
  readonly gradient: GradientRequest & string;
  readonly stepSize: number;
  readonly dtype: FloatDType;
  readonly steps: number;
  /** samples of an update; `null` for all */
  readonly batchSize: number | null;
  readonly optimiser: string;
  readonly learningRate: number;
  readonly weightDecay: number;
  /** how the learning rate goes over the updates, where not as the experiment has it by itself; not an option of its own */
  readonly schedule?: TaskScheduleName | null;
  readonly clip: number | null;
  /** updates from one validation to the next; `null` for an epoch */
  readonly validateEvery: number | null;
  /** most of the samples to train on, where an experiment has many; `null` for all */
  readonly samples?: number | null;
  /** which of its networks, where an experiment has several */
  readonly network?: string | null;
}

export interface DataFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** of new data: further numbers that stand for missing values in it */
  readonly missing?: readonly number[];
}

/** What an experiment is made for. */
export interface TaskContext {
  readonly protocol: TaskProtocol;
  readonly seed: number;
  /** those given with --data */
  readonly files: readonly DataFile[];
  /**
   * how many times shorter the steps are than those of the run that this is a look at, 1 by default: what else follows from
   * a step size, as a grid does, is that of the run
   */
  readonly shortened?: number;
}

/** What is known after training. */
export interface TrainedTask {
  readonly runtime: Runtime;
  readonly dtype: FloatDType;
  /** those where the loss of the validation data was lowest; the last ones without such data */
  readonly parameters: Tensors;
  readonly buffers: Tensors;
}

/** A task, its data, and what is made of it when it is trained. */
export interface PreparedTask {
  readonly task: AnyTask;
  readonly training: Dataset;
  readonly validation: Dataset | null;
  /** what is doubtful about the data */
  readonly warnings?: readonly { readonly code?: string; readonly message: string }[];
  /** measured once, at the end, and never trained on or chosen by */
  readonly test: Dataset | null;
  /** data of a file that the run was not trained on, to be measured; where that can be */
  readonly newData?: (file: DataFile, trained: TrainedTask) => Dataset | Promise<MeasuredData>;
  /** what validation and test data are measured by, where their arrays are of other shapes than those of training */
  readonly measured?: AnyTask;
  /** of the learning rate over so many updates, where the protocol names none; constant by default */
  readonly schedule?: ScheduleOver;
  /** parameters to start from, found before the first update; `null` where that was interrupted */
  readonly warmStart?: (context: WarmStartContext) => Promise<Tensors | null>;
  /** the named scalars of a trained model, brought to the minimum where they can be, and what is known of them */
  readonly estimates?: (trained: TrainedTask, asked: EstimatesRequest) => Promise<NamedEstimates>;
  /** what belongs to samples that were set apart, found when all else is trained: their initial states, say */
  readonly held?: (trained: TrainedTask) => Promise<{ readonly parameters: Tensors; readonly note: string }>;
  /** states over time, past the data, where the model has such */
  readonly forecast?: (trained: TrainedTask, request: SeriesForecastRequest) => Promise<SeriesForecast>;
  /** what is made of the optimiser that is asked for: some parameters updated otherwise, say */
  readonly optimiser?: (asked: Optimiser) => Optimiser;
  /** files that are written of a trained model, as bytes by name: `sample.onnx` */
  readonly files: (trained: TrainedTask) => Readonly<Record<string, Uint8Array>>;
  /** what else is found out about a trained model, as it goes into `result.json` */
  readonly findings?: (trained: TrainedTask) => Promise<Readonly<Record<string, unknown>>>;
  /** charts by name, drawn from the trained model */
  readonly charts?: (trained: TrainedTask) => Promise<Readonly<Record<string, Chart>>>;
}

/** How intervals of named scalars are wanted. */
export interface EstimatesRequest {
  readonly method: IntervalMethod;
  /** whether they were asked for; equations have them anyway */
  readonly isAsked: boolean;
  /** whether the training was interrupted */
  readonly isStopped: boolean;
  readonly bootstrap?: BootstrapOptions;
}

/** Named scalars, and the parameters of a model that they are part of. */
export interface NamedEstimates {
  readonly parameters: Tensors;
  readonly report: EstimateReport;
}

/** Data with the task that measures them. */
export interface MeasuredData {
  readonly task: AnyTask;
  readonly data: Dataset;
  /** where some are the data's own; those of the run without */
  readonly parameters?: Tensors;
  /** how they are measured, where that has to be said */
  readonly note?: string;
  /** what is doubtful about them */
  readonly warnings?: readonly { readonly message: string }[];
}

/** What a warm start runs on, and tells of itself. */
export interface WarmStartContext {
  readonly runtime: Runtime;
  readonly seed: number;
  readonly signal: AbortSignal;
  /** called before the first update, and after each */
  readonly onUpdate: (done: number, of: number, loss: number | null) => void;
  readonly note: (text: string) => void;
}

/** What is to be predicted: from where, and when. */
export interface SeriesForecastRequest {
  /** a trajectory of the data by its name; the first by default */
  readonly trajectory?: string;
  /** data that the run has not seen, whose first row is the initial state */
  readonly file?: DataFile;
  /** observed components of the initial state */
  readonly y0?: readonly number[];
  readonly from?: ForecastTime;
  readonly to?: ForecastTime;
  readonly every?: number;
  readonly note: (text: string) => void;
}

/** States over time, and what was observed meanwhile. */
export interface SeriesForecast {
  readonly components: readonly string[];
  readonly time: { readonly name: string; readonly unit: string };
  readonly unit: string;
  readonly times: readonly number[];
  /** [components][times] */
  readonly states: readonly (readonly number[])[];
  readonly observed: {
    readonly times: readonly number[];
    readonly values: readonly (readonly number[])[];
  } | null;
}

/** A number that others have published, beside which ours is printed. */
export interface Published {
  readonly value: number;
  readonly source: string;
}

/** What an experiment takes as --data. */
export interface TaskData {
  readonly what: string;
  /** how many files, where they are named one by one */
  readonly files: number;
  readonly needed: boolean;
  /** which files of a folder, where that is what is given. @throws {DataError} where they are not there */
  readonly filesIn?: (names: readonly string[], folder: string) => readonly string[];
}

/** An experiment whose model is more than a vector field: a task with its data and protocol. */
export interface TaskExperiment {
  readonly name: string;
  /** one line on what it is and where it comes from */
  readonly about: string;
  /** what --data is, where there may be any: so many files, separated by commas */
  readonly data: TaskData | null;
  /** minutes on two cores */
  readonly protocol: TaskProtocol;
  /** what the published protocol has otherwise: with --full */
  readonly full: Partial<TaskProtocol>;
  /** its networks by the names that users type, where there are several */
  readonly networks?: readonly string[];
  /** options that it has no use for, beside those that no task has */
  readonly unused?: readonly string[];
  /** its equations are stochastic, and of this kind: their solvers are others, and other steps would draw other paths */
  readonly sde?: SdeKind;
  readonly prepare: (context: TaskContext) => PreparedTask | Promise<PreparedTask>;
  /** published values for its own data, of losses and metrics by what they are of: "test accuracy", "training loss" */
  readonly published?: Readonly<Record<string, Published>>;
}
