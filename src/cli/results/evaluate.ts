import { basename } from "node:path";
import { printable } from "../../core/printable.js";
import { numbers, sizeOf, type Tensor } from "../../core/tensor.js";
import type { MeasuredData, PreparedTask } from "../../experiments/task-experiment.js";
import type { Tensors } from "../../fields/field.js";
import type { Dataset } from "../../models/dataset.js";
import { evaluate } from "../../models/measuring.js";
import { readBytes } from "../../storage/read.js";
import type { Measures } from "../../train/checkpoint.js";
import type { Trajectories } from "../../train/data.js";
import { estimate } from "../../train/estimate.js";
import { checkFit } from "../../train/fit-check.js";
import { componentErrors } from "../component-errors.js";
import { type Console, table } from "../console.js";
import { exitCodes } from "../exit-codes.js";
import { checkHoldsRun, RunFolderError } from "../run-folder.js";
import { runKind } from "../run-kind.js";
import { holdsSweep } from "../sweep/folder.js";
import { loadTask } from "../tasks/load.js";
import { UsageError } from "../usage.js";
import type { EvaluateCommandOptions, Evaluation } from "./evaluation.js";
import { givenState, trajectoryOf } from "./new-data.js";
import { newSeries } from "./new-series.js";
import { loadTrainedRun, type TrainedRun } from "./trained-run.js";

/** `revort evaluate`: loss and metrics of a run, on its own data or on new ones. @returns the exit code */
export async function evaluateCommand(
  folder: string,
  options: EvaluateCommandOptions,
  console: Console,
): Promise<number> {
  const evaluation = await evaluationOf(folder, options, console);
  if (options.json) console.json(evaluation);
  else console.stdout.write(`${shown(evaluation)}\n`);
  if (evaluation.start !== null) console.note(evaluation.start);
  if (evaluation.warning !== null) console.note(`Warning: ${evaluation.warning}`);
  return exitCodes.done;
}

async function evaluationOf(
  folder: string,
  options: EvaluateCommandOptions,
  console: Console,
): Promise<Evaluation> {
  if (await holdsSweep(folder)) {
    throw new RunFolderError(
      `${folder} is the folder of a sweep, whose numbers are in its runs.csv. Name one of its runs: ${folder}/….`,
    );
  }
  await checkHoldsRun(folder);
  if (options.missing !== undefined && options.data === undefined) {
    throw new UsageError("--missing is about new data; give --data with it, or leave it out.");
  }
  const kind = await runKind(folder);
  if (kind === "trajectories") return ofTrajectories(folder, options, console);
  for (const name of ["y0", "best"] as const) {
    if (options[name] !== undefined) {
      throw new UsageError(`--${name} is for fits to trajectories, which ${folder} is not; leave it out.`);
    }
  }
  if (kind === "task") return ofTask(folder, options, console);
  const { evaluateLanguage } = await import("../language/evaluate.js");
  return evaluateLanguage(folder, options, console);
}

async function ofTrajectories(
  folder: string,
  { data: path, y0: asked, missing, ...options }: EvaluateCommandOptions,
  console: Console,
): Promise<Evaluation> {
  const run = await loadTrainedRun(folder, options, console);
  const { problem, parameters, runtime, step } = run;
  if (asked !== undefined && path === undefined) {
    throw new UsageError("--y0 is where new data start; give --data with it.");
  }
  const own = asked === undefined ? null : givenState(problem, asked);
  const isEstimated = path !== undefined && own === null && run.settings.trainY0;
  const data =
    path === undefined
      ? problem.data
      : trajectoryOf(problem, await newSeries(run, path, missing ?? [], console.note), path, own, {
          countsFirst: isEstimated || own !== null,
        });
  const estimated = isEstimated ? await estimatedStart(run, data) : null;
  const y0 = path === undefined ? run.y0 : (estimated ?? data.y0);
  const start = isEstimated ? startNote(path, estimated !== null) : null;
  const measured = { ...problem, data };
  const { control, loss } = problem;
  const check = await checkFit(problem.ode, data, {
    ...{ runtime, loss, parameters, y0 },
    ...(control && { control }),
  });
  const errors = await componentErrors(measured, { parameters, y0 }, runtime);
  const exact = check.loss === null ? {} : { "loss solved accurately": check.loss };
  return {
    ...{ run: folder, experiment: problem.experiment.name, step, errors, warning: check.warning },
    ...{ lossUnit: problem.experiment.lossUnit ?? null, start },
    measures: {
      [path === undefined ? "training data" : basename(path)]: {
        loss: check.trainedLoss ?? Number.NaN,
        metrics: exact,
      },
    },
  };
}

/** The initial state of new data by least squares, as that of the training data was trained; `null` where they do not determine it. */
async function estimatedStart(
  { problem, parameters, runtime }: TrainedRun,
  data: Trajectories,
): Promise<Tensor | null> {
  const { ode, control, experiment } = problem;
  const { state } = ode.field;
  const observations = numbers(data.observations).filter((value) => !Number.isNaN(value)).length;
  if (state.length !== 2 || typeof state[0] !== "string" || observations <= sizeOf(data.y0.shape))
    return null;
  const found = await estimate(ode, data, {
    ...{ runtime, parameters, y0: data.y0, names: [], ofStart: true, refine: true },
    ...(experiment.lossScale === undefined ? {} : { scale: experiment.lossScale }),
    ...(control === null ? {} : { control }),
  });
  return found?.y0 ?? null;
}

function startNote(path: string, isEstimated: boolean): string {
  return isEstimated
    ? `The initial state of ${basename(path)} is estimated from its own observations, as in training; --y0 says otherwise.`
    : `The initial state of ${basename(path)} is its first row, whose errors are part of the loss: nothing better can be estimated.`;
}

async function ofTask(
  folder: string,
  { data: path, runtime, missing }: EvaluateCommandOptions,
  console: Console,
): Promise<Evaluation> {
  const { experiment, run, prepared, trained } = await loadTask(folder, runtime, console);
  if (missing !== undefined && run.settings.series === null) {
    throw new UsageError(`--missing is for trajectories, which ${folder} is not a run on; leave it out.`);
  }
  const { training, validation, test, task, newData } = prepared;
  if (path !== undefined && newData === undefined) {
    throw new UsageError(
      `The experiment ${experiment.name} cannot be measured on other data than its own; leave out --data.`,
    );
  }
  const measures: Record<string, Measures> = {};
  const measure = async (name: string, by: PreparedTask["task"], data: Dataset, parameters?: Tensors) => {
    const { notes, ...found } = await evaluate(by, data, { ...trained, ...(parameters && { parameters }) });
    for (const note of notes) console.note(`${name}: ${note}`);
    measures[name] = found;
  };
  let start: string | null = null;
  if (path !== undefined) {
    const name = basename(path);
    const given = newData!({ name, bytes: await readBytes(path), ...(missing && { missing }) }, trained);
    const own: MeasuredData = given instanceof Promise ? await given : { task, data: given };
    start = own.note ?? null;
    for (const { message } of own.warnings ?? []) console.note(`Warning: ${message}`);
    await measure(name, own.task, own.data, own.parameters);
  } else {
    await measure("training data", task, training);
    for (const [name, data] of Object.entries({ "validation data": validation, "test data": test })) {
      if (data !== null) await measure(name, prepared.measured ?? task, data);
    }
  }
  const none = { step: null, lossUnit: null, errors: null, warning: null, start };
  return { run: folder, experiment: experiment.name, measures, ...none };
}

function shown({ measures, errors, lossUnit }: Evaluation): string {
  const digits = (value: number) => String(Number(value.toPrecision(6)));
  const unit = lossUnit === null ? "" : ` (${lossUnit})`;
  const rows = Object.entries(measures).flatMap(([of, { loss, metrics }]) =>
    Object.entries({ loss, ...metrics }).map(([name, value]): [string, string] => [
      `${name}, ${printable(of)}${name === "loss" ? unit : ""}`,
      digits(value),
    ]),
  );
  const apart = (errors ?? []).map(({ component, rootMeanSquare, inDeviations }): [string, string] => [
    `root mean square error of ${printable(component)}`,
    digits(rootMeanSquare) +
      (inDeviations === null ? "" : ` (${Number(inDeviations.toPrecision(2))} standard deviations)`),
  ]);
  return table([...rows, ...apart]);
}
