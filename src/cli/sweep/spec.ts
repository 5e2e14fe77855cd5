import type { Option } from "commander";
import { z } from "zod";
import { readText } from "../../storage/read.js";
import { UsageError } from "../usage.js";
import { type GridAxis, parseAxis, parseSeeds, unknownOption } from "./grid.js";

/** An option of `revort train` as a sweep keeps it. */
export type OptionValue = string | boolean | readonly string[];

/** What is trained, and over which values. */
export interface SweepSpec {
  /** an experiment or a file of data */
  readonly subject: string;
  /** options of all its runs, by their names without dashes */
  readonly options: Readonly<Record<string, OptionValue>>;
  readonly seeds: readonly number[];
  readonly grid: readonly GridAxis[];
}

/** What the command line says of a sweep. */
export interface SpecOptions {
  readonly seeds?: string;
  readonly grid?: readonly string[];
  /** options for `train` */
  readonly train: Readonly<Record<string, OptionValue>>;
}

const scalar = z.union([z.string(), z.number(), z.boolean()]);

const specFile = z.strictObject({
  train: z.string(),
  options: z.record(z.string(), z.union([scalar, z.array(z.string())])).default({}),
  seeds: z.union([z.string(), z.array(z.number().int().min(0))]).optional(),
  grid: z.record(z.string(), z.array(scalar).min(1)).default({}),
});

/**
 * The sweep that is asked for: of a SPEC.json, or of a subject, with what the command line adds.
 *
 * @param known  the options that runs may have, by their names without dashes
 * @throws {UsageError | StorageError}
 */
export async function specFor(
  subject: string,
  asked: SpecOptions,
  known: ReadonlyMap<string, Option>,
): Promise<SweepSpec> {
  const file = /\.json$/i.test(subject) ? await readSpec(subject) : null;
  const axes = (asked.grid ?? []).map(parseAxis);
  const fromFile = Object.entries(file?.grid ?? {}).map(([option, values]) => ({
    option: option.replace(/^--/, ""),
    values: values.map(String),
  }));
  const own = fromFile.filter(({ option }) => axes.every((axis) => axis.option !== option));
  const grid = [...own, ...axes];
  const given = Object.entries(file?.options ?? {}).map(
    ([name, value]) => [name.replace(/^--/, ""), typeof value === "number" ? String(value) : value] as const,
  );
  const options = { ...Object.fromEntries(given), ...asked.train };
  const seeds = asked.seeds ?? file?.seeds ?? "0:3";
  const spec = {
    ...{ subject: file?.train ?? subject, options, grid },
    seeds: typeof seeds === "string" ? parseSeeds(seeds) : seeds,
  };
  checkSpec(spec, known);
  return spec;
}

async function readSpec(path: string): Promise<z.infer<typeof specFile>> {
  const wrong = (why: string, cause?: unknown) =>
    new UsageError(
      `${path}: ${why}. A sweep reads { "train": "influenza", "options": { "steps": 500 }, "seeds": "0:10", ` +
        '"grid": { "learning-rate": [0.01, 0.001] } }.',
      { cause },
    );
  let json: unknown;
  try {
    json = JSON.parse(await readText(path));
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw wrong(`it is not JSON (${cause.message})`, cause);
  }
  const found = specFile.safeParse(json);
  if (found.success) return found.data;
  const [issue] = found.error.issues;
  throw wrong(`${issue!.path.join(".") || "it"}: ${issue!.message}`);
}

/** Every value is read as `train` would read it, before the first run begins. @throws {UsageError} */
function checkSpec({ options, grid, seeds }: SweepSpec, known: ReadonlyMap<string, Option>): void {
  if (seeds.length === 0) throw new UsageError("A sweep needs a seed: --seeds 0:3.");
  const names = new Set<string>();
  for (const { option } of grid) {
    if (names.has(option))
      throw new UsageError(`--grid ${option} is given twice; give all its values in one.`);
    names.add(option);
    if (Object.hasOwn(options, option)) {
      throw new UsageError(`--${option} is given both for all runs and in --grid; leave one out.`);
    }
  }
  for (const { option, values } of grid) for (const value of values) checkValue(option, value, known);
  for (const [option, value] of Object.entries(options)) checkValue(option, value, known);
}

function checkValue(name: string, value: OptionValue, known: ReadonlyMap<string, Option>): void {
  const option = known.get(name);
  if (option === undefined) throw unknownOption(name, [...known.keys()]);
  if (option.isBoolean() || option.negate) {
    if (["true", "false", true, false].includes(value as string)) return;
    throw new UsageError(
      `--${name} takes no value; in a grid or a file it is true or false, but ${value} was given.`,
    );
  }
  if (typeof value === "boolean") {
    if (option.optional) return;
    throw new UsageError(`--${name} takes a value, but ${value} was given.`);
  }
  for (const text of [value].flat()) option.parseArg?.(text as string, undefined);
}

/** Options as words of a command line. */
export function wordsOf(options: Readonly<Record<string, OptionValue>>): string[] {
  return Object.entries(options).flatMap(([name, value]) => {
    if (value === true || value === "true") return [`--${name}`];
    if (value === false || value === "false") return [];
    return [value].flat().map((text) => `--${name}=${text}`);
  });
}
