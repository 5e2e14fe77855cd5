import { isReversible } from "../methods/method.js";
import { methodNamed } from "../methods/named.js";
import { readBytes, readText } from "../storage/read.js";
import type { ControlOptions } from "./control-options.js";
import { readParameters } from "./equations.js";
import type { FieldOptions } from "./field-options.js";
import type { Sources } from "./problem.js";
import { copyNames, modelInputs, readInit, readInputs } from "./run-inputs.js";
import { isModelFile, type RunSettings } from "./run-settings.js";
import { isDataFile, type ProblemOptions } from "./settings.js";
import { optionFlag, UsageError } from "./usage.js";
import { parseStages } from "./warm-start-option.js";

/** A run that is to go on. */
export interface EarlierRun {
  readonly folder: string;
  readonly settings: RunSettings;
  readonly sources: Sources;
}

/** Options that are kept as they are among the settings. */
const sameName = [
  "activation",
  "solver",
  "coupling",
  "gradient",
  "memoryBudget",
  "stepSize",
  "dtype",
  "runtime",
  "optimiser",
  "learningRate",
  "weightDecay",
  "schedule",
  "loss",
  "clip",
  "patience",
  "trainY0",
  "seed",
] as const satisfies readonly (keyof ProblemOptions & keyof RunSettings)[];

/** Options that are kept among those of a field from a file. */
const fieldNames = [
  "timeInput",
  "stateInput",
  "outputName",
  "trainable",
  "freeze",
] as const satisfies readonly (keyof FieldOptions)[];

/** Options that are kept among those of the control of steps. */
const controlNames = [
  "controller",
  "rtol",
  "atol",
  "dt0",
  "dtmin",
] as const satisfies readonly (keyof ControlOptions)[];

/**
 * A resumed run keeps its settings: what the command line says besides --steps must be what the run has.
 *
 * @throws {UsageError} naming what differs
 */
export async function checkUnchanged(
  run: EarlierRun,
  subject: string | undefined,
  options: ProblemOptions,
): Promise<void> {
  const { folder, settings } = run;
  const refuse = (what: string, is: string): never => {
    throw new UsageError(
      `The run ${folder} ${is}, and a resumed run keeps its settings; leave out ${what} (only --steps may change), ` +
        "or start a new run.",
    );
  };
  if (subject !== undefined && !(await isSubject(run, subject))) {
    refuse(subject, `trains on ${settings.experiment ?? run.sources.data!.name}`);
  }
  for (const name of sameName) {
    const [asked, has] = [options[name], settings[name]];
    const isChosen = settings.chosen.some((chosen) => chosen === name);
    if (asked === undefined || asked === has || (asked === "auto" && (isChosen || name === "runtime")))
      continue;
    const flag = optionFlag(name);
    refuse(
      typeof asked === "boolean" ? flag : `${flag} ${asked}`,
      has === null || typeof has === "boolean"
        ? `was started without ${flag}`
        : `was started with ${flag} ${has}`,
    );
  }
  const missing = options.missing?.join();
  if (missing !== undefined && missing !== settings.missing.join()) {
    refuse(
      `--missing ${missing}`,
      `was started with${settings.missing.length === 0 ? "out --missing" : ` --missing ${settings.missing.join()}`}`,
    );
  }
  for (const name of controlNames) {
    const [asked, has] = [options[name], settings.control?.[name]];
    if (asked === undefined || asked === (has ?? (name === "controller" ? "constant" : undefined))) continue;
    const flag = optionFlag(name);
    refuse(
      `${flag} ${asked}`,
      has === undefined ? `was started without ${flag}` : `was started with ${flag} ${has}`,
    );
  }
  for (const name of fieldNames) {
    const words = (value: string | readonly string[] | undefined) =>
      value === undefined ? undefined : [value].flat().join(" ");
    const [asked, has] = [words(options[name]), words(settings.fromFile?.[name])];
    if (asked === undefined || asked === has) continue;
    const flag = optionFlag(name);
    refuse(
      `${flag} ${asked}`,
      has === undefined ? `was started without ${flag}` : `was started with ${flag} ${has}`,
    );
  }
  for (const [name, asked] of readParameters(options.parameter ?? [])) {
    const has = settings.parameters?.[name];
    const differs = (["guess", "low", "high", "unit"] as const).some(
      (key) => asked[key] !== undefined && asked[key] !== has?.[key],
    );
    if (differs)
      refuse(`--parameter ${name}`, `was started with another start or bounds of ${name}, or without it`);
  }
  if (options.warmStart !== undefined) {
    const asked = JSON.stringify(parseStages(options.warmStart));
    if (asked !== JSON.stringify(settings.warmStart))
      refuse(`--warm-start ${options.warmStart}`, "began otherwise");
  }
  if (options.autonomous && settings.time) refuse("--autonomous", "was started without --autonomous");
  if (options.reversible && !settings.reversible && !isReversible(methodNamed(settings.solver))) {
    refuse("--reversible", "was started without --reversible");
  }
  if (options.data !== undefined && (await readText(options.data)) !== run.sources.data?.text) {
    refuse(`--data ${options.data}`, "was started with other data");
  }
  if (options.field !== undefined && !(await isField(run, options.field))) {
    refuse(`--field ${options.field}`, `was started with the field ${settings.field}`);
  }
  if (options.init !== undefined && !same(await readBytes(options.init), await readInit(folder, settings))) {
    refuse(`--init ${options.init}`, "was started with other parameters");
  }
}

async function isSubject({ settings, sources }: EarlierRun, subject: string): Promise<boolean> {
  if (settings.experiment !== null || !isDataFile(subject)) return settings.experiment === subject;
  return (await readText(subject)) === sources.data!.text;
}

async function isField({ folder, settings }: EarlierRun, field: string): Promise<boolean> {
  if (!isModelFile(field)) return settings.field === field;
  const [given, kept] = [await modelInputs(field), await readInputs(folder, settings)];
  const name = copyNames.field(field);
  return [...given].every(([file, bytes]) =>
    same(bytes, kept.get(file === name ? settings.field : file) ?? null),
  );
}

function same(a: Uint8Array | string, b: Uint8Array | string | null): boolean {
  return b !== null && Buffer.from(a).equals(Buffer.from(b));
}
