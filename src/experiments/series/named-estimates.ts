import { componentNames } from "../../fields/components.js";
import { isSymbolic } from "../../fields/symbolic/symbolic-field.js";
import { estimateReport, noScalars, withoutIntervals } from "../../train/estimate-report.js";
import type { EstimatesRequest, NamedEstimates, TrainedTask } from "../task-experiment.js";
import { hiddenValues, seriesEstimate } from "./estimates.js";
import type { SeriesModel } from "./model.js";
import type { SampleShape, Stretch } from "./samples.js";

/**
 * The named scalars of a fit to trajectories, with intervals where there can be. Equations without networks are brought to the
 * minimum of least squares first.
 */
export async function namedEstimates(
  setting: SeriesModel,
  stretches: readonly Stretch[],
  shape: Omit<SampleShape, "steps">,
  trained: TrainedTask,
  asked: EstimatesRequest & { readonly loss: string },
): Promise<NamedEstimates> {
  const { field } = setting;
  const { method, bootstrap } = asked;
  const names = Object.keys(field.parameters).filter((name) => field.parameters[name]!.shape.length === 0);
  const values = names.map((name) => [name, Number(trained.parameters[name]!.data[0])] as const);
  const named = isSymbolic(field) ? field.named : {};
  const units = Object.fromEntries(Object.entries(named).map(([name, { unit }]) => [name, unit]));
  const without = (why: string | null): NamedEstimates => ({
    parameters: trained.parameters,
    report: withoutIntervals(
      { ...Object.fromEntries(values), ...hiddenValues(setting, stretches, trained) },
      { method, units },
      why,
    ),
  });
  if (names.length === 0 && setting.ownHidden === undefined) return without(asked.isAsked ? noScalars : null);
  const obstacle = obstacleTo(setting, names, asked);
  if (obstacle !== null) return without(obstacle);
  const { found, problem, parameters } = await seriesEstimate(setting, stretches, shape, trained, {
    ...{ names, refine: isSymbolic(field) },
    ...(isSymbolic(field) ? { bounds: field.named } : {}),
    ...(bootstrap === undefined ? {} : { bootstrap }),
  });
  if (found === null) return without(problem);
  const components = componentNames(field);
  const given = components.filter((_, i) =>
    stretches.some(({ series }) => series.errors?.some((row) => !Number.isNaN(row[i] ?? Number.NaN))),
  );
  return {
    parameters,
    report: estimateReport(found, { method, components, units, given, refined: isSymbolic(field) }),
  };
}

/** Why there are no intervals; `null` if there can be. */
function obstacleTo(
  { field, hidden, ownHidden }: SeriesModel,
  names: readonly string[],
  { isAsked, isStopped, loss }: EstimatesRequest & { readonly loss: string },
): string | null {
  if (!isAsked && !isSymbolic(field)) return "Ask for them with --intervals.";
  if (isStopped) return "The training was stopped; intervals are those of a fit that came to its end.";
  if (loss !== "mse") return `Intervals are those of least squares; with --loss ${loss} there are none.`;
  if (names.length < Object.keys(field.parameters).length) {
    return (
      "A network can take over what the parameters explain, so that there are no intervals for them. " +
      "Train over seeds (revort sweep) and see how far they spread, or leave the network out."
    );
  }
  return hidden === 0 || ownHidden !== undefined
    ? null
    : "Intervals are for states that are all observed; with --hidden there are none.";
}
