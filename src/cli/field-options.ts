import type { ImportOptions } from "../fields/imported.js";
import type { RunSettings } from "./run-settings.js";
import { UsageError } from "./usage.js";

/** Options of the commands that take a field from a file: what its inputs are. */
export interface SignatureFlags {
  readonly timeInput?: string;
  readonly stateInput?: string;
  readonly outputName?: string;
}

/** Options of the commands that train it: what of it. */
export interface FieldOptions extends SignatureFlags {
  readonly trainable?: readonly string[];
  readonly freeze?: readonly string[];
}

/** The same as the library takes it. */
export function importOptions({
  timeInput,
  stateInput,
  outputName,
  trainable,
  freeze,
}: FieldOptions): ImportOptions {
  return {
    ...(timeInput === undefined ? {} : { timeInput }),
    ...(stateInput === undefined ? {} : { stateInput }),
    ...(outputName === undefined ? {} : { output: outputName }),
    ...(trainable === undefined ? {} : { trainable }),
    ...(freeze === undefined ? {} : { freeze }),
  };
}

/** What the settings of a run say of its field. */
export function importOptionsOf(settings: FieldSettings): ImportOptions {
  const given = Object.entries(settings.fromFile ?? {}).filter(([, value]) => value !== undefined);
  return importOptions(Object.fromEntries(given));
}

type FieldSettings = Pick<RunSettings, "fromFile">;

/** What these options are called. */
export const fieldNames = ["timeInput", "stateInput", "outputName", "trainable", "freeze"] as const;

/**
 * The options as they are kept with a run; `null` where there are none.
 *
 * @throws {UsageError} for options of a field that comes from no file
 */
export function fieldSettings(options: FieldOptions, isFile: boolean): RunSettings["fromFile"] {
  const given = fieldNames.flatMap((name) =>
    options[name] === undefined ? [] : [[name, options[name]] as const],
  );
  if (given.length === 0) return null;
  if (isFile) return Object.fromEntries(given) as RunSettings["fromFile"];
  const flags = given.map(([name]) => `--${name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`);
  throw new UsageError(
    `${flags.join(" and ")} ${flags.length === 1 ? "is" : "are"} for a field from a file (--field FILE.onnx).`,
  );
}
