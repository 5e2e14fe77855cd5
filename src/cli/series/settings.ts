import { z } from "zod";
import { timeUnits } from "../../experiments/series/clock.js";
import type { SeriesSettings } from "../../experiments/series/settings.js";
import { parseSplit } from "../../experiments/series/split.js";
import { activations } from "../../fields/activations.js";
import { losses } from "../../learning/losses.js";
import { isEquations, refuseParameters } from "../equations.js";
import { fieldSettings } from "../field-options.js";
import { hiddenWidths } from "../problem.js";
import { copyNames } from "../run-inputs.js";
import { fileSettings, isModelFile, parameterSettings } from "../run-settings.js";
import type { ProblemOptions } from "../settings.js";
import { optionFlag, UsageError } from "../usage.js";
import { parseStages } from "../warm-start-option.js";
import { type Preset, presets } from "./presets.js";

const keysOf = <K extends string>(record: Readonly<Record<K, unknown>>) => Object.keys(record) as [K, ...K[]];
const count = () => z.number().int().positive();

/** What decides how a run reads trajectories and fits them; kept with its other settings. */
export const seriesSettings = z.strictObject({
  trajectory: z.string().nullable(),
  time: z.string().nullable(),
  observe: z.array(z.string()).nullable(),
  inputs: z.array(z.string()),
  errors: z.record(z.string(), z.string()),
  field: z.string().nullable().default(null),
  parameters: parameterSettings.nullable().default(null),
  hiddenStarts: parameterSettings.nullable().default(null),
  startStates: z.array(z.array(z.number()).nullable()).nullable().default(null),
  /** what its inputs are and what of it is trained, where it is a file and that was said */
  fromFile: fileSettings.nullable().default(null),
  timeUnit: z.enum(keysOf(timeUnits)).nullable(),
  decimalComma: z.boolean().nullable(),
  missing: z.array(z.number()).default([]),
  widths: z.array(count()),
  activation: z.enum(keysOf(activations)),
  seesTime: z.boolean(),
  hidden: z.number().int().min(0),
  validation: z.string().nullable(),
  test: z.string().nullable(),
  trainY0: z.boolean().nullable(),
  window: count().nullable(),
  warmStart: z.array(z.strictObject({ size: count(), updates: count() })).nullable(),
  restarts: count(),
  loss: z.enum(keysOf(losses)),
}) satisfies z.ZodType<SeriesSettings>;

/** The same, as run.json has them. */
export type KeptSeries = z.infer<typeof seriesSettings>;

/** Options of `train` that are about trajectories, as the command line has them. */
export interface SeriesOptions extends ProblemOptions {
  readonly trajectory?: string;
  readonly time?: string;
  readonly observe?: string;
  readonly input?: string;
  readonly error?: string;
  readonly timeUnit?: SeriesSettings["timeUnit"] & string;
  readonly decimalComma?: boolean;
  readonly hidden?: number;
  readonly validation?: string;
  readonly test?: string;
  readonly window?: number;
  readonly restarts?: number;
  readonly preset?: keyof typeof presets;
  readonly seesTime?: boolean;
}

type FieldKind = "perceptron" | "equations" | "file";

/** Options that make a file of data one of trajectories. */
export const seriesFlags = [
  ...["trajectory", "time", "observe", "input", "error", "timeUnit", "decimalComma", "hidden"],
  ...["validation", "test", "window", "restarts", "preset", "seesTime"],
] as const;

/** Options that single trajectories have as well, and that are kept with how others are read and fitted. */
export const seriesOwn = [
  ...["field", "parameter", "activation", "autonomous", "warmStart", "trainY0", "loss", "missing"],
] as const;

/** The settings that a command line asks for. @throws {UsageError} */
export function seriesSettingsFor(options: SeriesOptions): KeptSeries {
  const preset: Preset["series"] = options.preset === undefined ? {} : presets[options.preset].series;
  const { field = preset.field ?? "mlp:32,32" } = options;
  for (const name of ["validation", "test"] as const) {
    if (options[name] !== undefined) parseSplit(`--${name}`, options[name]);
  }
  const kind: FieldKind = isEquations(field) ? "equations" : isModelFile(field) ? "file" : "perceptron";
  checkField(kind, field, options);
  // of a field that knows nothing yet
  const warm: Preset["series"] = kind === "perceptron" ? preset : {};
  return {
    ...{ trajectory: options.trajectory ?? null, time: options.time ?? null },
    observe: options.observe === undefined ? null : namesIn("--observe", options.observe),
    inputs: options.input === undefined ? [] : namesIn("--input", options.input),
    errors: options.error === undefined ? {} : errorsIn(options.error),
    ...{ timeUnit: options.timeUnit ?? null, decimalComma: options.decimalComma ?? null },
    missing: [...(options.missing ?? [])],
    field: kind === "perceptron" ? null : kind === "file" ? copyNames.field(field) : field,
    ...{
      parameters: null,
      hiddenStarts: null,
      startStates: null,
      fromFile: fieldSettings(options, kind === "file"),
    },
    ...{ widths: kind === "perceptron" ? hiddenWidths(field) : [], activation: options.activation ?? "tanh" },
    seesTime: options.seesTime ?? (options.autonomous ? false : preset.seesTime) ?? false,
    hidden: options.hidden ?? 0,
    ...{ validation: options.validation ?? null, test: options.test ?? null },
    trainY0: options.trainY0 ?? preset.trainY0 ?? null,
    window: options.window ?? preset.window ?? null,
    warmStart:
      options.warmStart === undefined
        ? (warm.warmStart?.map((stage) => ({ ...stage })) ?? null)
        : parseStages(options.warmStart),
    restarts: options.restarts ?? warm.restarts ?? 1,
    loss: options.loss ?? preset.loss ?? "mse",
  };
}

/** What a kind of field has no use for is refused, rather than ignored. @throws {UsageError} */
function checkField(kind: FieldKind, field: string, options: SeriesOptions): void {
  if (options.autonomous && options.seesTime)
    throw new UsageError("Give either --autonomous or --sees-time.");
  if (kind !== "equations") refuseParameters(options.parameter);
  if (kind === "perceptron") return;
  const what = kind === "equations" ? "equations" : `the field of ${field}`;
  const unused = (
    [
      ["autonomous", true],
      ["seesTime", true],
      ["activation", kind === "file" || !/\bmlp\b/.test(field)],
      ["warmStart", kind === "equations"],
      ["restarts", options.warmStart === undefined],
      ["input", kind === "file"],
    ] as const
  ).find(([name, isUnused]) => isUnused && options[name] !== undefined);
  if (unused === undefined) return;
  throw new UsageError(`${optionFlag(unused[0])} has no use beside ${what}; leave it out.`);
}

function namesIn(option: string, text: string): string[] {
  const names = text.split(",").map((name) => name.trim());
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (names.every((name) => name !== "") && twice === undefined) return names;
  throw new UsageError(`${option} takes names of columns with commas, each once, but "${text}" was given.`);
}

function errorsIn(text: string): Record<string, string> {
  const pairs = namesIn("--error", text).map((pair) => pair.split("="));
  if (pairs.every((pair) => pair.length === 2 && pair.every((name) => name !== ""))) {
    return Object.fromEntries(pairs as [string, string][]);
  }
  throw new UsageError(
    `--error takes COLUMN=COLUMN_OF_ITS_ERROR,…, as x=x_sd,v=v_sd, but "${text}" was given.`,
  );
}
