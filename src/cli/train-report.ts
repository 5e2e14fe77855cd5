import type { FloatDType } from "../core/tensor.js";
import { componentNames } from "../fields/components.js";
import type { VectorField } from "../fields/field.js";
import type { SolveWarning } from "../integrate/solve-warning.js";
import type { SentinelWarning } from "../storage/missing-values.js";
import type { EstimateReport } from "../train/estimate-report.js";
import type { FitCheck } from "../train/fit-check.js";
import type { TrainNote } from "../train/scheme.js";
import type { TrainResult } from "../train/train.js";
import type { Ran } from "../train/updater.js";
import type { ComponentError } from "./component-errors.js";
import type { Problem } from "./problem.js";
import type { RunSettings } from "./run-settings.js";
import type { RuntimeName } from "./runtimes.js";

/** What `train --json` prints, and a run's `result.json` holds. */
export interface TrainReport extends EstimateReport {
  readonly experiment: string;
  readonly solver: string;
  /** that of the last update: chosen, or with states stored where its reconstruction would be lost */
  readonly gradient: string;
  /** λ of the last update, where the solver is coupled */
  readonly coupling: number | null;
  /** what training decided by itself, and why */
  readonly notes: readonly TrainNote[];
  /** what is doubtful about its data, and about the solves of its updates */
  readonly warnings: readonly (SentinelWarning | SolveWarning)[];
  readonly runtime: RuntimeName;
  /** where the last update ran: on which runtime, and in how many threads */
  readonly ran: Ran;
  readonly dtype: FloatDType;
  readonly steps: number;
  readonly seed: number;
  readonly loss: { readonly first: number | null; readonly last: number | null; readonly min: number | null };
  readonly losses: readonly number[];
  readonly seconds: number;
  readonly secondsPerStep: number;
  readonly evaluations: number;
  readonly storedStates: number;
  readonly stopped: TrainResult["stopped"];
  /** the fit held against its own field, solved accurately; `null` for a run that was interrupted */
  readonly check: CheckReport | null;
  /** how far each component is from its observations, in their unit; `null` where that is not known */
  readonly errors: readonly ComponentError[] | null;
  /** the numbers a mechanistic field was fitted for: its scalar parameters */
  readonly fitted: Readonly<Record<string, number>>;
  readonly out: string;
}

/** As {@link FitCheck}, with the name of the component. */
export interface CheckReport extends Omit<FitCheck, "furthest"> {
  readonly furthest: {
    readonly time: number;
    readonly trajectory: number;
    readonly component: string;
  } | null;
}

export function reportOf(
  problem: Problem,
  settings: RunSettings,
  result: TrainResult,
  {
    errors,
    estimates,
  }: { readonly errors: readonly ComponentError[] | null; readonly estimates: EstimateReport },
  out: string,
): TrainReport {
  const { losses, seconds } = result;
  const fitted = Object.entries(result.parameters).flatMap(([name, { shape, data }]) =>
    shape.length === 0 ? [[name, Number(data[0])] as const] : [],
  );
  return {
    experiment: problem.experiment.name,
    solver: settings.solver,
    gradient: result.gradient,
    coupling: result.coupling,
    notes: result.notes,
    warnings: [...(problem.experiment.warnings ?? []), ...result.warnings],
    runtime: settings.runtime,
    ran: result.ran,
    dtype: settings.dtype,
    steps: result.checkpoint.step,
    seed: settings.seed,
    loss: {
      first: losses[0] ?? null,
      last: losses.at(-1) ?? null,
      min: losses.length === 0 ? null : losses.reduce((least, loss) => Math.min(least, loss)),
    },
    losses,
    seconds,
    secondsPerStep: losses.length === 0 ? 0 : seconds / losses.length,
    evaluations: result.evaluations,
    storedStates: result.storedStates,
    stopped: result.stopped,
    check: result.check && withNames(result.check, problem.ode.field),
    errors,
    fitted: Object.fromEntries(fitted),
    ...estimates,
    out,
  };
}

function withNames(check: FitCheck, field: VectorField): CheckReport {
  const { furthest } = check;
  return {
    ...check,
    furthest: furthest && { ...furthest, component: componentNames(field)[furthest.component]! },
  };
}
