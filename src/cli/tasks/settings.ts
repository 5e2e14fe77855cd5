import { z } from "zod";
import type { TaskExperiment, TaskProtocol } from "../../experiments/task-experiment.js";
import { taskSchedules } from "../../experiments/task-schedule.js";
import { parseGradientRequest } from "../../gradients/method.js";
import { type Optimiser, optimisers } from "../../learning/optimisers.js";
import type { Method } from "../../methods/method.js";
import { methodNamed } from "../../methods/named.js";
import type { SdeMethod } from "../../methods/sde-method.js";
import { sdeMethodFor } from "../../methods/sde-named.js";
import type { IntervalMethod } from "../../train/estimate-report.js";
import { type RuntimeName, runtimeNames, usualRuntime } from "../runtimes.js";
import { type Preset, presets } from "../series/presets.js";
import { type KeptSeries, type SeriesOptions, seriesSettings } from "../series/settings.js";
import type { Asked } from "../threads.js";
import { optionFlag, UsageError } from "../usage.js";

const keysOf = <K extends string>(record: Readonly<Record<K, unknown>>) => Object.keys(record) as [K, ...K[]];
const count = () => z.number().int().positive();

/** Everything that decides what the run of a task computes; kept beside its results, so that it can go on. */
export const taskSettings = z.strictObject({
  experiment: z.string(),
  /** copies of the files given with --data, in the run's folder */
  dataFiles: z.array(z.string()),
  /** whether it starts from parameters that were given */
  init: z.boolean().default(false),
  solver: z.string(),
  coupling: z.number().nullable(),
  gradient: z.string(),
  stepSize: z.number().positive(),
  dtype: z.enum(["float32", "float64"]),
  runtime: z.enum(runtimeNames as [RuntimeName, ...RuntimeName[]]),
  steps: z.number().int().min(0),
  batchSize: count().nullable(),
  optimiser: z.enum(keysOf(optimisers)),
  learningRate: z.number().positive(),
  weightDecay: z.number().min(0),
  schedule: z.enum(keysOf(taskSchedules)).nullable().default(null),
  clip: z.number().positive().nullable(),
  validateEvery: count().nullable(),
  patience: count().nullable(),
  seed: z.number().int().min(0),
  /** how trajectories of files are read and fitted, where it is a fit of those */
  series: seriesSettings.nullable().default(null),
  samples: count().nullable().default(null),
  network: z.string().nullable().default(null),
});
export type TaskSettings = z.infer<typeof taskSettings>;

/** Options of `train NAME`, as the command line has them. */
export interface TaskOptions extends SeriesOptions {
  readonly batchSize?: number;
  readonly validateEvery?: number;
  /** most of the samples to train on */
  readonly samples?: number;
  readonly network?: string;
  /** the published protocol instead of the quick one */
  readonly full?: boolean;
  readonly threads?: Asked;
  readonly resume?: string;
  readonly out?: string;
  readonly overwrite?: boolean;
  readonly checkpointEvery?: number;
  readonly json?: boolean;
  /** how intervals of named scalars are wanted; `true` for the usual way */
  readonly intervals?: IntervalMethod | true;
  /** warnings are failures */
  readonly strict?: boolean;
}

/** Options that these experiments take; others are of trajectories alone. */
const taken = {
  ...{ data: true, solver: true, coupling: true, reversible: true, gradient: true, stepSize: true },
  ...{ dtype: true, runtime: true, steps: true, batchSize: true, optimiser: true, learningRate: true },
  ...{
    weightDecay: true,
    schedule: true,
    clip: true,
    validateEvery: true,
    patience: true,
    seed: true,
    full: true,
    init: true,
  },
  ...{ samples: true, network: true, threads: true, strict: true },
  ...{ resume: true, out: true, overwrite: true, checkpointEvery: true, json: true },
} satisfies Partial<Record<keyof TaskOptions, true>>;

/** What decides which options an experiment takes. */
type Taking = Pick<TaskExperiment, "name" | "networks" | "unused"> & {
  readonly protocol?: Partial<TaskProtocol>;
};

/**
 * @param more  options that it takes beside those of all
 * @throws {UsageError} naming an option that the experiment has no use for, or a network that it has not
 */
export function checkOptions(
  { name, networks, protocol, unused = [] }: Taking,
  options: TaskOptions,
  more: readonly string[] = [],
): void {
  const own = Object.keys(taken).filter(
    (option) =>
      !unused.includes(option) &&
      (option !== "network" || networks !== undefined) &&
      (option !== "samples" || protocol?.samples !== undefined),
  );
  const all = [...own, ...more];
  const other = Object.keys(options).find((option) => !all.includes(option));
  if (other !== undefined) {
    throw new UsageError(
      `The experiment ${name} has no use for ${optionFlag(other)}; it takes ${all.map(optionFlag).join(", ")}.`,
    );
  }
  const { network } = options;
  if (network === undefined || networks!.includes(network)) return;
  throw new UsageError(
    `The experiment ${name} has no network ${JSON.stringify(network)}; --network takes ${networks!.join(", ")}.`,
  );
}

/**
 * The settings that a command line asks for.
 *
 * @param dataFiles  what the copies of the data are called
 * @throws {UsageError | UnknownSolverError | GradientMethodError}
 */
export function settingsFor(
  { name, protocol, full, sde }: TaskExperiment,
  options: TaskOptions,
  dataFiles: string[],
  series: KeptSeries | null = null,
): TaskSettings {
  const base: TaskProtocol = { ...protocol, ...(options.full ? full : {}), ...presetOf(options) };
  const solver = options.solver ?? base.solver;
  const named: Named = (coupled = {}) =>
    sde === undefined ? methodNamed(solver, coupled) : sdeMethodFor(solver, sde, name, coupled);
  const gradient = options.gradient ?? (isIto(named()) ? "auto" : base.gradient);
  if (options.coupling === "auto") {
    throw new UsageError(
      `The experiment ${name} takes a λ in (0, 1] as its coupling; it is chosen for trajectories alone.`,
    );
  }
  const optimiser = options.optimiser ?? (base.optimiser as keyof typeof optimisers);
  if (options.weightDecay !== undefined && !hasDecay(optimiser)) {
    throw new UsageError(`The optimiser ${optimiser} has no weight decay. Leave it out, or use adamw.`);
  }
  return taskSettings.parse({
    ...{ experiment: name, dataFiles, solver, gradient, optimiser, series },
    init: options.init !== undefined,
    coupling: couplingOf(named, gradient, base.coupling, options),
    ...{ stepSize: options.stepSize ?? base.stepSize, dtype: options.dtype ?? base.dtype },
    ...{ runtime: options.runtime ?? usualRuntime, steps: options.steps ?? base.steps },
    ...{
      batchSize: options.batchSize ?? base.batchSize,
      learningRate: options.learningRate ?? base.learningRate,
    },
    ...{
      weightDecay: options.weightDecay ?? base.weightDecay,
      schedule: options.schedule ?? base.schedule ?? null,
    },
    clip: options.clip ?? base.clip,
    ...{ validateEvery: options.validateEvery ?? base.validateEvery, patience: options.patience ?? null },
    ...{ seed: options.seed ?? 0, samples: options.samples ?? base.samples ?? null },
    network: options.network ?? base.network ?? null,
  } satisfies TaskSettings);
}

/** What a preset has in the place of the protocol. */
function presetOf({ preset }: TaskOptions): Partial<TaskProtocol> {
  if (preset === undefined) return {};
  const { options }: Preset = presets[preset];
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** The solver, plain or with a λ. */
type Named = (coupled?: { readonly coupling?: number }) => Method | SdeMethod;

/** Whether steps cannot be undone, nor coupled to be so. */
const isIto = (method: Method | SdeMethod) => "calculus" in method && method.calculus === "ito";

/** λ where the solver is coupled, because a gradient undoes its steps or that is asked for; else `null`. */
function couplingOf(
  named: Named,
  gradient: string,
  usual: number | null,
  { coupling, reversible }: TaskOptions,
): number | null {
  const plain = named();
  if ("undo" in plain || isIto(plain)) {
    // refused, with the reason
    const isRefused = coupling !== undefined || (reversible === true && isIto(plain));
    if (isRefused) named({ coupling: (coupling as number | undefined) ?? 0.999 });
    return null;
  }
  const request = parseGradientRequest(gradient);
  const undoes = request !== "auto" && request.kind === "reversible";
  return undoes || reversible === true || coupling !== undefined
    ? ((coupling as number | undefined) ?? usual ?? 0.999)
    : null;
}

const hasDecay = (name: keyof typeof optimisers) => "weightDecay" in optimisers[name]().settings;

export function optimiserOf({ optimiser, learningRate, weightDecay }: TaskSettings): Optimiser {
  return optimisers[optimiser]({ learningRate, ...(hasDecay(optimiser) ? { weightDecay } : {}) });
}
