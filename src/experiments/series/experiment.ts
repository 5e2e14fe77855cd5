import type { AdjointSpec } from "../../chains/adjoints.js";
import { RevortError } from "../../core/errors.js";
import { importedField } from "../../fields/imported.js";
import { isSymbolic, type SymbolicField } from "../../fields/symbolic/symbolic-field.js";
import { withinBounds } from "../../learning/bounds.js";
import { losses } from "../../learning/losses.js";
import type { Optimiser } from "../../learning/optimisers.js";
import { cosine } from "../../learning/schedules.js";
import type { Runtime } from "../../runtime/runtime.js";
import { methodOf } from "../protocol-solver.js";
import type {
  DataFile,
  PreparedTask,
  TaskContext,
  TaskExperiment,
  TaskProtocol,
  TrainedTask,
} from "../task-experiment.js";
import { chosenField, type FieldFile, hiddenScales, isFieldFile } from "./chosen-field.js";
import { fieldFiles } from "./files.js";
import { errorsOf, fitChart } from "./findings.js";
import { forecastOf } from "./forecast.js";
import { heldStarts, startsOfOthers } from "./held-starts.js";
import { type SeriesModel, trajectoryTask } from "./model.js";
import { namedEstimates } from "./named-estimates.js";
import { newStretches } from "./new-series.js";
import { type ReadSet, readSet } from "./read-set.js";
import { firstValue, mostSteps, type SampleShape, type Stretch, samplesOf } from "./samples.js";
import { type Search, type SearchedStart, searchedStart, untrained } from "./searched-start.js";
import { medianGap, type Scale, type SeriesSet, scalesOf } from "./series-set.js";
import type { SeriesSettings } from "./settings.js";
import { type Parts, parseSplit, partsOf } from "./split.js";
import { startsWithinBounds } from "./start-bounds.js";
import { stepCheck } from "./step-check.js";
import { warmLearningRate } from "./warm-learning-rate.js";
import { usualStages, warmStart } from "./warm-start.js";
import { windowsOf } from "./windows.js";

/** A fit to trajectories that is asked for something impossible. */
export class SeriesError extends RevortError {}

/** A few crowded times among far ones must not make every update slow. */
const mostOfAllSteps = 10_000;

/** An experiment on files, with what there is to say of how they were read. */
export interface SeriesExperiment extends TaskExperiment, Pick<ReadSet, "notes" | "warnings"> {}

/**
 * A user's trajectories as an experiment: each with its own times, initial state and length, solved with steps of its own.
 *
 * @throws {DataError} for files that are no trajectories
 */
export async function seriesExperiment(
  settings: SeriesSettings,
  files: readonly DataFile[],
  field: FieldFile | null = null,
): Promise<SeriesExperiment> {
  return experimentOn(await readSet(files, settings), settings, field, files.length);
}

/** The same, of trajectories that have been read. @param field  where it comes from a file */
export function experimentOn(
  read: ReadSet,
  settings: SeriesSettings,
  field: FieldFile | null,
  files: number,
): SeriesExperiment {
  const { set } = read;
  const span = Math.max(...set.series.map(({ times }) => times.at(-1)! - times[0]!));
  return {
    name: "series",
    about: aboutOf(set),
    data: { what: "files of trajectories", files, needed: true },
    protocol: {
      ...{ solver: "rk4", coupling: 0.999, gradient: "direct" },
      dtype: field === null ? "float64" : importedField(field.model, field.options).dtype!,
      stepSize: Math.max(medianGap(set.series) / 2, span / mostOfAllSteps),
      ...{
        steps: 600,
        batchSize: null,
        optimiser: "adamw",
        // what a warm start has found is not to be left again
        learningRate: stagesOf(set, settings).length > 0 ? warmLearningRate(set.series, scalesIn(set)) : 1e-2,
        weightDecay: 0,
      },
      ...{ clip: 10, validateEvery: 50 },
    },
    full: {},
    prepare: (context) => prepared(read, settings, field, context),
    notes: read.notes,
    warnings: read.warnings,
  };
}

/** What a fit is warmed up by; nothing where trajectories are too short for windows, or the field knows something already. */
export function stagesOf(
  { series }: SeriesSet,
  { warmStart, field }: Pick<SeriesSettings, "warmStart" | "field">,
) {
  return warmStart ?? (field === null ? usualStages(series.map(({ times }) => times.length - 1)) : []);
}

function aboutOf({ series, observed, inputs, time }: SeriesSet): string {
  const lengths = series.map(({ times }) => times.length);
  const [least, most] = [Math.min(...lengths), Math.max(...lengths)];
  const rows = least === most ? `${most}` : `${least} to ${most}`;
  return (
    `${series.length} ${series.length === 1 ? "trajectory" : "trajectories"} of ${rows} times of ${observed.join(", ")}` +
    `${inputs.length === 0 ? "" : `, driven by ${inputs.join(", ")}`} over ${time.name} (${time.unit})`
  );
}

/** Whether initial states are trained: where that is asked for or they have gaps, and by equations, for the first row has errors as well. */
export function trainsStarts({ series }: SeriesSet, { trainY0, field, window }: SeriesSettings): boolean {
  const isOfEquations = field !== null && !isFieldFile(field) && window === null;
  return trainY0 ?? (isOfEquations || series.some(({ values }) => values[0]!.some(Number.isNaN)));
}

/** Where equations with states that are not observed may start, as far as nobody has said it. */
export function startSearched(
  runtime: Runtime,
  read: ReadSet,
  settings: SeriesSettings,
  search: Search,
): Promise<SearchedStart | null> {
  const { set } = read;
  const { protocol } = experimentOn(read, settings, null, 1);
  const setting = settingOf(set, settings, null, {
    // as it is: no gradient undoes its steps
    ...{ protocol: { ...protocol, coupling: null }, seed: search.seed, files: [] },
  });
  const { training } = partsIn(set, settings, search.seed);
  return searchedStart(
    setting,
    training,
    shapeOf(set, setting, protocol),
    untrained(setting, runtime, search.seed),
    search,
  );
}

function shapeOf(
  set: SeriesSet,
  { scales }: SeriesModel,
  { stepSize, dtype }: TaskProtocol,
): Omit<SampleShape, "steps"> {
  return {
    ...{ stepSize, dtype, observed: set.observed.length, inputs: set.inputs.length },
    deviations: scales.map(({ deviation }) => deviation),
  };
}

/** The parts of the data that settings say. @param seed  of the trajectories that are drawn for a share */
export function partsIn(set: SeriesSet, settings: SeriesSettings, seed: number): Parts {
  return partsOf(set.series, {
    validation: settings.validation === null ? null : parseSplit("--validation", settings.validation),
    test: settings.test === null ? null : parseSplit("--test", settings.test),
    ...{ seed, countsFirst: trainsStarts(set, settings) },
  });
}

function prepared(
  read: ReadSet,
  settings: SeriesSettings,
  field: FieldFile | null,
  context: TaskContext,
): PreparedTask {
  const { set } = read;
  const readNew = ({ missing = [], ...file }: DataFile) =>
    readSet([file], {
      ...{ ...settings, missing: [...settings.missing, ...missing] },
      clock: { origin: set.time.origin ?? null, unit: set.time.unit },
    });
  const { protocol, seed } = context;
  const setting = settingOf(set, settings, field, context);
  const parts = partsIn(set, settings, seed);
  checkWindow(settings, setting);
  checkValidation(settings, parts);
  const training: readonly Stretch[] =
    settings.window === null
      ? parts.training
      : windowsOf(parts.training, settings.window)
          .map(laterOf)
          .filter(({ measured }) => measured.length > 0);
  const shape = shapeOf(set, setting, protocol);
  const steps = mostSteps(training, shape.stepSize);
  const all = [...parts.training, ...parts.validation, ...parts.test];
  const allSteps = mostSteps(all, shape.stepSize);
  const stages = stagesOf(set, settings);
  const held = (stretches: readonly Stretch[]) =>
    stretches.length === 0 ? null : samplesOf(stretches, { ...shape, steps: allSteps });
  const learnt = new Set(parts.training.map(({ trajectory }) => trajectory));
  const unseen = [...parts.validation, ...parts.test].filter(({ trajectory }) => !learnt.has(trajectory));
  return {
    task: trajectoryTask(setting, steps),
    training: samplesOf(training, { ...shape, steps }),
    // while it is trained the initial states of trajectories set apart are their first rows
    ...{ validation: held(parts.validation.map(laterOf)), test: held(parts.test) },
    measured: trajectoryTask(setting, allSteps),
    schedule: (updates) => cosine({ steps: Math.max(1, updates) }),
    ...(isSymbolic(setting.field)
      ? {
          optimiser: (asked: Optimiser) =>
            startsWithinBounds(withinBounds(asked, setting.field as SymbolicField), setting),
        }
      : {}),
    estimates: (trained, asked) =>
      namedEstimates(setting, training, shape, trained, { loss: settings.loss, ...asked }),
    ...(setting.starts === 0 || unseen.length === 0
      ? {}
      : { held: (trained: TrainedTask) => heldStarts(setting, unseen, shape, trained) }),
    ...(stages.length === 0
      ? {}
      : {
          async warmStart({ runtime, seed: from, signal, onUpdate, note }) {
            const each = stages.reduce((sum, { updates }) => sum + updates, 0);
            const of = each * settings.restarts;
            onUpdate(0, of, null);
            const found = await warmStart(setting, parts.training, shape, {
              ...{ runtime, stages, signal, seed: from, restarts: settings.restarts },
              ...{ continuity: 1, learningRate: 1e-2 },
              onUpdate: (done, loss) => onUpdate(done, of, loss),
            });
            if (found !== null) note(warmStartNote(stages, found.losses));
            return found?.parameters ?? null;
          },
        }),
    newData: async (file, trained) => {
      const isEstimated = setting.starts > 0;
      const countsFirst = isEstimated && !setting.exactFirst;
      const { set: given, warnings } = await readNew(file);
      const stretches = newStretches(given, set, file.name, { countsFirst });
      const own = { ...setting, starts: isEstimated ? stretches.length : 0 };
      const most = mostSteps(stretches, shape.stepSize);
      const measured = {
        warnings,
        task: trajectoryTask(own, most),
        data: samplesOf(stretches, { ...shape, steps: most }),
      };
      if (!isEstimated) return measured;
      const parameters = {
        ...trained.parameters,
        ...startsOfOthers(own, trained.parameters, stretches.length),
      };
      return { ...measured, ...(await heldStarts(own, stretches, shape, { ...trained, parameters })) };
    },
    files: (trained) => fieldFiles(set, setting, protocol, trained),
    findings: async (trained) => ({
      scales: Object.fromEntries(set.observed.map((name, j) => [name, setting.scales[j]])),
      parts: Object.fromEntries(Object.entries(parts).map(([name, list]) => [name, namesOf(list)])),
      errors: await errorsOf(set, setting, parts, shape, trained),
      check: await stepCheck(setting, parts.training, shape, trained),
    }),
    charts: async (trained) => ({ fit: await fitChart(set, setting, parts, shape, trained) }),
    forecast: (trained, request) => forecastOf({ set, setting, shape, readFile: readNew }, trained, request),
  };
}

const namesOf = (stretches: Parts["training"]) => stretches.map(({ series }) => series.id);

/** A window is solved from its first observation, which then says nothing of the fit. */
function laterOf({ series, trajectory, from, measured }: Stretch): Stretch {
  const isSeen = (k: number) => series.values[k]!.some((value) => !Number.isNaN(value));
  return { series, trajectory, from, measured: measured.filter((k) => k > from && isSeen(k)) };
}

function settingOf(
  set: SeriesSet,
  settings: SeriesSettings,
  file: FieldFile | null,
  { protocol }: TaskContext,
): SeriesModel {
  const { series, inputs } = set;
  const scales = scalesIn(set);
  const isTrained = trainsStarts(set, settings);
  const ownHidden = hasOwnHidden(settings);
  return {
    ...{ name: "trajectories", method: methodOf(protocol), dtype: protocol.dtype, scales },
    field: chosenField(set, settings, scales, { file, dtype: protocol.dtype }),
    adjoint: adjointOf(protocol.gradient),
    loss: losses[settings.loss](),
    ...{ hidden: settings.hidden, inputs: inputs.length },
    starts: isTrained || ownHidden ? series.length : 0,
    ...(ownHidden
      ? {
          ownHidden: hiddenScales(settings, scales.length),
          ...{ exactFirst: !isTrained, hiddenStarts: settings.hiddenStarts ?? {} },
        }
      : {}),
    ...changesOf(set, settings, scales),
  };
}

/** Mean and deviation of each observed column. */
function scalesIn({ series, observed }: SeriesSet): Scale[] {
  return scalesOf(
    series.flatMap(({ values }) => values),
    observed.length,
  );
}

/** How far the states that a fit starts from are from first observations, in deviations. */
function changesOf({ series }: SeriesSet, settings: SeriesSettings, scales: readonly Scale[]) {
  const { startStates } = settings;
  if (startStates === null) return {};
  // a trajectory that is set apart starts with hidden components as they are in the others
  const known = startStates.filter((state) => state !== null);
  const units = hiddenScales(settings, scales.length);
  const startChange = series.flatMap((one, n) => [
    ...scales.map(({ deviation }, j) => {
      const start = startStates[n]?.[j];
      return start === undefined ? 0 : (start - firstValue(one, 0, j)) / deviation;
    }),
    ...units.map((unit, k) => {
      const at = scales.length + k;
      const mean = known.reduce((sum, state) => sum + state[at]! / known.length, 0);
      return (startStates[n]?.[at] ?? mean) / unit;
    }),
  ]);
  return { startChange };
}

/** Whether states that are not observed start differently in each trajectory: those of equations. */
const hasOwnHidden = ({ hidden, field }: SeriesSettings) =>
  hidden > 0 && field !== null && !isFieldFile(field);

/** @throws {SeriesError} for a gradient that chains of steps do not have */
function adjointOf(gradient: string): AdjointSpec {
  if (gradient === "auto") return "direct";
  if (/^(direct|reversible|checkpoint)(:\d+)?$/.test(gradient)) return gradient as AdjointSpec;
  throw new SeriesError(
    `Trajectories with times of their own are differentiated by direct, checkpoint:8 or reversible, but --gradient ${gradient} was given.`,
  );
}

/** @throws {SeriesError} for windows whose initial states are to be trained, of which there is no end */
function checkWindow({ window }: SeriesSettings, { starts, hidden }: SeriesModel): void {
  if (window === null || (starts === 0 && hidden === 0)) return;
  throw new SeriesError(
    "--window takes windows from their first observations on, so that initial states are not trained, have no gaps and nothing " +
      "is hidden. Leave out --window, --train-y0 or --hidden.",
  );
}

/** @throws {SeriesError} for validation from initial values that nobody knows until the end */
function checkValidation(settings: SeriesSettings, { training, validation }: Parts): void {
  const learnt = new Set(training.map(({ trajectory }) => trajectory));
  const unseen = validation.find(({ trajectory }) => !learnt.has(trajectory));
  if (!hasOwnHidden(settings) || unseen === undefined) return;
  throw new SeriesError(
    `The trajectory ${unseen.series.id} cannot be validated by: the initial values of its hidden states would have to be estimated ` +
      "anew each time. Set its end apart (--validation time=…), or measure it at the end (--test).",
  );
}

function warmStartNote(
  stages: readonly { readonly size: number; readonly updates: number }[],
  found: readonly number[],
): string {
  const said = stages
    .map(({ size, updates }) => `${updates} updates on windows of ${size + 1} observations`)
    .join(", then ");
  const tries =
    found.length === 1
      ? ""
      : `; the best of ${found.length} attempts (losses ${found.map((loss) => loss.toPrecision(3)).join(", ")})`;
  return `Warm start: ${said}${tries}. Loss of the windows at the end: ${Math.min(...found).toPrecision(4)}.`;
}
