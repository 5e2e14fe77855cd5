import { componentNames } from "../fields/components.js";
import type { VectorField } from "../fields/field.js";
import { isSymbolic } from "../fields/symbolic/symbolic-field.js";
import { parameterName, y0Name } from "../programs/names.js";
import type { Runtime } from "../runtime/runtime.js";
import { type Estimate, estimate } from "../train/estimate.js";
import {
  besideCheck,
  type EstimateReport,
  estimateReport,
  noScalars,
  withoutIntervals,
} from "../train/estimate-report.js";
import { checkFit } from "../train/fit-check.js";
import type { TrainResult } from "../train/train.js";
import type { AskedIntervals } from "./intervals-option.js";
import type { Problem } from "./problem.js";
import type { RunSettings } from "./run-settings.js";

/**
 * The named scalars of a fit, with intervals where there can be. Equations without networks are brought to the minimum of
 * least squares first, by a few steps of Levenberg–Marquardt from where the updates ended.
 *
 * @param asked  how intervals are wanted; `null` where nothing was said of them, so that only equations have them
 */
export async function estimated(
  problem: Problem,
  settings: RunSettings,
  result: TrainResult,
  runtime: Runtime,
  asked: AskedIntervals | null,
): Promise<{ readonly result: TrainResult; readonly report: EstimateReport }> {
  const { ode, data, loss, control, experiment } = problem;
  const { field } = ode;
  const names = Object.keys(field.parameters).filter((name) => field.parameters[name]!.shape.length === 0);
  const values = names.map((name) => [name, Number(result.parameters[name]!.data[0])] as const);
  const symbolic = isSymbolic(field);
  const { method = "gauss-newton", bootstrap = null } = asked ?? {};
  const about = { method, units: unitsOf(field) };
  const without = (why: string | null) => ({
    result,
    report: withoutIntervals(Object.fromEntries(values), about, why),
  });
  if (names.length === 0) return without(asked === null ? null : noScalars);
  const obstacle = obstacleTo(problem, settings, result, names, symbolic || asked !== null);
  if (obstacle !== null) return without(obstacle);
  const found = await estimate(ode, data, {
    ...{ runtime, names, parameters: result.parameters, y0: result.y0 },
    ...{ ofStart: settings.trainY0, refine: symbolic },
    ...(symbolic ? { bounds: field.named } : {}),
    ...(experiment.lossScale === undefined ? {} : { scale: experiment.lossScale }),
    ...(control === null ? {} : { control }),
    ...(bootstrap === null ? {} : { bootstrap }),
  });
  if (found === null) return without("With the parameters of the last update the equation has no solution.");
  const report = estimateReport(found, { ...about, components: componentNames(field), refined: symbolic });
  if (!symbolic) return { result, report };
  const { parameters, y0 } = found;
  const check = await checkFit(ode, data, {
    runtime,
    loss,
    parameters,
    y0,
    ...(control === null ? {} : { control }),
  });
  return { result: { ...refined(result, settings, found), check }, report: besideCheck(report, check) };
}

/** What named parameters of equations are measured in. */
export function unitsOf(field: VectorField): Readonly<Record<string, string | null>> {
  if (!isSymbolic(field)) return {};
  return Object.fromEntries(Object.entries(field.named).map(([name, { unit }]) => [name, unit]));
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
    return `Intervals are those of least squares; with --loss ${loss} there are none.`;
  }
  if (names.length < Object.keys(field.parameters).length) {
    return (
      "A network can take over what the parameters explain, so that there are no intervals for them. " +
      "Train over seeds (revort sweep) and see how far they spread, or leave the network out."
    );
  }
  if (field.state.length !== 2 || data.y0.shape.length !== 2 || typeof field.state[0] !== "string") {
    return "Intervals are for states [batch, components].";
  }
  return null;
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
