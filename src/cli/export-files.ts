import { type ConstantStep, constantStep, type Pid, pid } from "../control/control.js";
import { encodeSolve } from "../deploy/solve-file.js";
import { tfjsField, tfjsSolve } from "../deploy/tfjs-file.js";
import {
  encodeTrainStart,
  encodeTrainStep,
  type TrainStartOptions,
  trainStart,
  trainStepGradient,
} from "../deploy/train-step-file.js";
import { metadataOf } from "../experiments/metadata.js";
import type { Tensors } from "../fields/field.js";
import type { GradientRequest } from "../gradients/method.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import { constant } from "../learning/schedules.js";
import { methodNamed } from "../methods/named.js";
import type { Checkpoint } from "../train/checkpoint.js";
import { parametersOf } from "../train/train.js";
import { type ExportKind, exportKinds } from "./export-kinds.js";
import type { Problem } from "./problem.js";
import { encodeRunField } from "./run-results.js";
import type { RunSettings } from "./run-settings.js";
import { optionFlag, parseTimes, UsageError } from "./usage.js";

export interface ExportOptions {
  readonly what?: ExportKind;
  readonly out: string;
  /** the parameters with the lowest loss instead of the last ones */
  readonly best?: boolean;
  /** a solver that chooses its steps, or `true` for the usual one */
  readonly adaptive?: string | true;
  readonly rtol?: number;
  readonly atol?: number;
  readonly stepSize?: number;
  readonly maxSteps?: number;
  /** times, as users type them */
  readonly saveAt?: string;
  /** false: what could be left out must be given */
  readonly defaults?: boolean;
  /** parameters may be given when a solver runs */
  readonly openParameters?: boolean;
  /** training starts where the run started, not where it is */
  readonly fresh?: boolean;
  /** as users type it, `direct` */
  readonly gradient?: string;
  /** updates per run, where there are to be several */
  readonly updates?: number;
  readonly json?: boolean;
}

/** A run, opened to be exported. */
export interface ExportedRun {
  readonly settings: RunSettings;
  readonly problem: Problem;
  readonly checkpoint: Checkpoint;
  /** the parameters before the first update, where they were not drawn from the seed */
  readonly init: Tensors | null;
}

/** What else each kind of file takes. */
const optionsOf: Readonly<Record<ExportKind, readonly (keyof ExportOptions)[]>> = {
  field: ["best"],
  solve: ["best", "adaptive", "rtol", "atol", "stepSize", "maxSteps", "defaults", "openParameters"],
  "train-step": ["gradient", "updates", "fresh"],
  tfjs: ["best"],
  "tfjs-solve": ["best", "stepSize", "saveAt"],
  "state-dict": ["best"],
  ...{ model: ["best"], cell: ["best"] },
};

/** @throws {UsageError} for an option that says nothing about what is exported */
export function checkOptions({ what = "field", ...options }: ExportOptions): void {
  for (const name of new Set(Object.values(optionsOf).flat())) {
    const usual = name === "defaults" ? true : undefined;
    if ((options[name as keyof typeof options] ?? usual) === usual || optionsOf[what].includes(name))
      continue;
    const kinds = exportKinds.filter((kind) => optionsOf[kind].includes(name));
    const flag = name === "defaults" ? "--no-defaults" : optionFlag(name);
    throw new UsageError(
      `${flag} is for --what ${kinds.join(" or ")}, not for --what ${what}. Leave it out.`,
    );
  }
}

export function fieldFile({ problem, checkpoint }: ExportedRun, { best }: ExportOptions): Uint8Array {
  return encodeRunField(problem, parametersOf((best ? checkpoint.best : checkpoint).trained));
}

export function solveFile({ problem, checkpoint }: ExportedRun, options: ExportOptions): Uint8Array {
  const { best, maxSteps, defaults, openParameters } = options;
  const { ode, control } = solverOf(problem, options);
  return encodeSolve(ode, parametersOf((best ? checkpoint.best : checkpoint).trained), {
    control,
    ...(maxSteps === undefined ? {} : { maxSteps }),
    ...(defaults === undefined ? {} : { defaults }),
    ...(openParameters === undefined ? {} : { openParameters }),
    metadata: metadataOf(problem.experiment),
  });
}

/** The files of a folder that TensorFlow.js loads: the field, or its solve at the times of the data. */
export function tfjsFiles(
  { problem, checkpoint }: ExportedRun,
  { what, best, stepSize, saveAt }: ExportOptions,
): ReadonlyMap<string, Uint8Array> {
  const { data, ode } = problem;
  const parameters = parametersOf((best ? checkpoint.best : checkpoint).trained);
  const metadata = metadataOf(problem.experiment);
  if (what === "tfjs") return tfjsField(ode, parameters, metadata);
  const stepped = stepSize === undefined ? ode : { ...ode, stepSize };
  const times = saveAt === undefined ? data.times : parseTimes("--save-at", saveAt);
  return tfjsSolve(stepped, parameters, { t0: data.t0, saveAt: times, metadata });
}

/** How the equation of a run is solved: as in training, unless steps are to be chosen. */
export function solverOf(
  { ode, control }: Pick<Problem, "ode" | "control">,
  { adaptive, rtol, atol, stepSize }: ExportOptions,
): { ode: NeuralOde; control: Pid | ConstantStep } {
  const tolerances = { ...(rtol === undefined ? {} : { rtol }), ...(atol === undefined ? {} : { atol }) };
  const longest = stepSize === undefined ? {} : { dtmax: stepSize };
  // those of training are not what the error asks for
  const free = { ...ode, stepSize: Number.POSITIVE_INFINITY };
  if (adaptive === undefined && control?.kind === "pid") {
    return { ode: free, control: pid({ ...control, ...tolerances, ...longest }) };
  }
  if (adaptive === undefined && rtol === undefined && atol === undefined) {
    return { ode, control: constantStep(stepSize ?? ode.stepSize) };
  }
  const method = methodNamed(typeof adaptive === "string" ? adaptive : "dopri5");
  return { ode: { ...free, method }, control: pid({ ...tolerances, ...longest }) };
}

/** What was decided about the gradient of a training step beyond what was asked for. */
export function trainStepNotes(exported: ExportedRun, options: ExportOptions): readonly string[] {
  const { ode, data, optimiser, schedule } = exported.problem;
  const { notes } = trainStepGradient(ode, data, trainOptions(exported, options));
  if (!hasEnded(exported, options)) return notes;
  const { step } = exported.checkpoint;
  const ended = optimiser.learningRate * schedule.factor(step);
  return [
    ...notes,
    `After ${step} updates the run's learning rate has ended at ${Number(ended.toPrecision(2))}, with which nothing would be ` +
      `learnt: the training step starts with the base rate, ${optimiser.learningRate}. It is an input: give another to change it.`,
  ];
}

/** Whether the schedule of a run has brought its learning rate to nothing, next to what it is of. */
function hasEnded({ problem, checkpoint }: ExportedRun, { fresh = false }: ExportOptions): boolean {
  return !fresh && problem.schedule.factor(checkpoint.step) < 1e-2;
}

export function trainStepFile(exported: ExportedRun, options: ExportOptions): Uint8Array {
  const { ode, data } = exported.problem;
  return encodeTrainStep(ode, data, trainOptions(exported, options));
}

export function trainStartFile(exported: ExportedRun, options: ExportOptions): Uint8Array {
  const { ode, data } = exported.problem;
  return encodeTrainStart(trainStart(ode, data, trainOptions(exported, options)));
}

function trainOptions(exported: ExportedRun, options: ExportOptions): TrainStartOptions {
  const { settings, problem, checkpoint, init } = exported;
  const { gradient = settings.gradient, updates, fresh = false } = options;
  const { loss, optimiser, control } = problem;
  const schedule = hasEnded(exported, options) ? constant() : problem.schedule;
  return {
    ...{ loss, optimiser, schedule, trainY0: settings.trainY0, seed: settings.seed },
    ...(fresh ? {} : { resume: checkpoint }),
    ...(init === null ? {} : { parameters: init }),
    gradient: gradient as GradientRequest,
    ...(control === null ? {} : { control }),
    ...(settings.clip === null ? {} : { clip: settings.clip }),
    ...(updates === undefined ? {} : { many: true, updates }),
    metadata: metadataOf(problem.experiment),
  };
}
