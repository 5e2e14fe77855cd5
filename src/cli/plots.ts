import type { Experiment } from "../experiments/experiment.js";
import {
  type FittedRun,
  fitChart,
  type IndependentSolution,
  lossChart,
  solutionToDraw,
} from "../experiments/fit-chart.js";
import { solveAccurately } from "../integrate/accurate.js";
import { type RenderedChart, renderChart } from "../plot/chart.js";
import type { TrainResult } from "../train/train.js";

export type { IndependentSolution };

/** What is drawn of a run. */
export interface RunToDraw extends Omit<FittedRun, "parameters" | "y0"> {
  readonly experiment: Experiment;
  readonly result: TrainResult;
  /** a second solution to draw beside the fit; by default that of the field itself, where the check of the fit warns */
  readonly independent?: IndependentSolution | null;
}

/** A chart, or why there is none. */
export type Drawn =
  | { readonly name: string; readonly chart: RenderedChart; readonly problem: null }
  | { readonly name: string; readonly chart: null; readonly problem: string };

/** The charts of a run: `losses`, and `fit` with data and solution over time. */
export async function* drawRun(run: RunToDraw): AsyncGenerator<Drawn> {
  for (const [name, draw] of [
    ["losses", drawLosses],
    ["fit", drawFit],
  ] as const) {
    try {
      yield { name, chart: await draw(run), problem: null };
    } catch (error) {
      yield { name, chart: null, problem: (error as Error).message };
    }
  }
}

function drawLosses({ experiment, result }: RunToDraw): Promise<RenderedChart> {
  return renderChart(lossChart(experiment, result.losses));
}

async function drawFit(run: RunToDraw): Promise<RenderedChart> {
  const { experiment, data, ode } = run;
  const { parameters, y0 } = run.result;
  const fit = await solutionToDraw({ ...run, parameters, y0 });
  const independent = run.independent === undefined ? await fieldItself(run, fit.times) : run.independent;
  return renderChart(fitChart(experiment, { field: ode.field, data, fit, independent }));
}

/** The solution of the field itself, where that is another than the fit. */
async function fieldItself(
  { ode, data, result, runtime }: RunToDraw,
  saveAt: readonly number[],
): Promise<IndependentSolution | null> {
  const { check } = result;
  if (check === null || check.warning === null || check.loss === null) return null;
  const { parameters, y0 } = result;
  const request = { runtime, parameters, y0, t0: data.t0, saveAt };
  const { ys, accuracy } = await solveAccurately(ode, { ...request, scale: check.atol / check.rtol });
  const name = `the field itself, by ${accuracy.method} at rtol ${accuracy.rtol}`;
  return { name, times: saveAt, states: ys };
}
