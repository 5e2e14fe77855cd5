import { componentNames } from "../fields/components.js";
import { isSymbolic } from "../fields/symbolic/symbolic-field.js";
import { parameterName, y0Name } from "../programs/names.js";
import type { Runtime } from "../runtime/runtime.js";
import { type Estimate, estimate } from "../train/estimate.js";
import { checkFit } from "../train/fit-check.js";
import type { TrainResult } from "../train/train.js";

import type { Problem } from "./problem.js";
import type { RunSettings } from "./run-settings.js";

/** A named scalar in `train --json`. */
export interface ParameterReport {
  readonly value: number;
  readonly interval: readonly [number, number] | null;
  readonly standardError: number | null;
  readonly unit: string | null;
}

/** What `train --json` says of named scalars. */
export interface EstimateReport {
  readonly parameters: Readonly<Record<string, ParameterReport>>;
  readonly intervals: {
    readonly level: number;
    /** standard deviation of the errors of measurement, in the unit of each component */
    readonly noise: Readonly<Record<string, number | null>>;
    /** why there are none, or what they leave out; `null` where there is nothing to say */
    readonly problem: string | null;
  };
  /** what Gauss–Newton made of the last update; `null` where it was not applied */
  readonly refinement: {
    readonly before: number;
    readonly after: number;
    readonly iterations: number;
  } | null;
}

const level = 0.95;
/** A last step, in standard errors, past which a fit has not come to its minimum. */
const reached = 0.1;

/**
 * The named scalars of a fit, with intervals where there can be. Equations without networks are brought to the minimum of
 * least squares first, by a few steps of Levenberg–Marquardt from where the updates ended.
 *
 * @param asked  whether intervals are wanted of a field that is no equations
 */
export async function estimated(
  problem: Problem,
  settings: RunSettings,
  result: TrainResult,
  runtime: Runtime,
  asked: boolean,
): Promise<{ readonly result: TrainResult; readonly report: EstimateReport }> {
  const { ode, data, loss, control, experiment } = problem;
  const { field } = ode;
  const names = Object.keys(field.parameters).filter((name) => field.parameters[name]!.shape.length === 0);
  const values = names.map((name) => [name, Number(result.parameters[name]!.data[0])] as const);
  const without = (why: string | null) => ({
    result,
    report: {
      parameters: Object.fromEntries(
        values.map(([name, value]) => [name, { value, ...nothing(problem, name) }]),
      ),
      intervals: { level, noise: {}, problem: why },
      refinement: null,
    },
  });
  const symbolic = isSymbolic(field);
  if (names.length === 0) return without(null);
  const obstacle = obstacleTo(problem, settings, result, names, symbolic || asked);
  if (obstacle !== null) return without(obstacle);
  const found = await estimate(ode, data, {
    ...{ runtime, names, parameters: result.parameters, y0: result.y0 },
    ...{ ofStart: settings.trainY0, refine: symbolic, level },
    ...(symbolic ? { bounds: field.named } : {}),
    ...(experiment.lossScale === undefined ? {} : { scale: experiment.lossScale }),
    ...(control === null ? {} : { control }),
  });
  if (found === null) return without("With the parameters of the last update the equation has no solution.");
  const report = reportOf(problem, found, symbolic);
  if (!symbolic) return { result, report };
  const { parameters, y0 } = found;
  const check = await checkFit(ode, data, {
    runtime,
    loss,
    parameters,
    y0,
    ...(control === null ? {} : { control }),
  });
  return { result: { ...refined(result, settings, found), check }, report };
}

function nothing({ ode: { field } }: Problem, name: string) {
  const unit = isSymbolic(field) ? (field.named[name]?.unit ?? null) : null;
  return { interval: null, standardError: null, unit };
}

/** Why there are no intervals; `null` if there can be. */
function obstacleTo(
  { ode: { field }, data }: Problem,
  { loss }: RunSettings,
  { stopped }: TrainResult,
  names: readonly string[],
  wanted: boolean,
): string | null {
  if (!wanted) return "Ask for them with --intervals.";
  if (stopped === "aborted")
    return "The training was stopped; intervals are those of a fit that came to its end.";
  if (loss !== null && loss !== "mse") {
    return `Intervals by the Gauss–Newton matrix are those of least squares; with --loss ${loss} there are none.`;
  }
  if (names.length < Object.keys(field.parameters).length) {
    return (
      "A network can take over what the parameters explain, so that the Gauss–Newton matrix has no intervals for them. " +
      "Train over seeds (revort sweep) and see how far they spread, or leave the network out."
    );
  }
  if (field.state.length !== 2 || data.y0.shape.length !== 2 || typeof field.state[0] !== "string") {
    return "Intervals are for states [batch, components].";
  }
  return null;
}

function reportOf(problem: Problem, found: Estimate, symbolic: boolean): EstimateReport {
  const { field } = problem.ode;
  const { named, noise, before, after, iterations, remaining } = found;
  const far =
    remaining !== null && remaining > reached
      ? `The fit has not come to its minimum: a step of Gauss–Newton would go on by ${remaining.toPrecision(2)} standard errors, so ` +
        "that the intervals lie beside where they should. Train further (--steps)."
      : null;
  return {
    parameters: Object.fromEntries(
      Object.entries(named).map(([name, one]) => [name, { ...nothing(problem, name), ...one }]),
    ),
    intervals: {
      level,
      noise: Object.fromEntries(componentNames(field).map((name, i) => [name, noise[i] ?? null])),
      problem: [found.problem, far].filter((text) => text !== null).join(" ") || null,
    },
    refinement: symbolic ? { before, after, iterations } : null,
  };
}

/** The result as if the last update had led to the minimum: so it is kept, exported, and goes on. */
function refined(
  result: TrainResult,
  { trainY0 }: RunSettings,
  { parameters, y0, after }: Estimate,
): TrainResult {
  const trained = {
    ...result.checkpoint.trained,
    ...Object.fromEntries(Object.entries(parameters).map(([name, value]) => [parameterName(name), value])),
    ...(trainY0 ? { [y0Name]: y0 } : {}),
  };
  const { best } = result.checkpoint;
  return {
    ...result,
    parameters,
    y0,
    checkpoint: {
      ...result.checkpoint,
      trained,
      best: after <= best.loss ? { ...best, step: result.checkpoint.step, loss: after, trained } : best,
    },
  };
}
