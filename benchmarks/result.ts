import { z } from "zod";
import { showNumber } from "../src/cli/bench/show-number.js";

export { showNumber };

// What a benchmark leaves behind, and what it was meant to show.

const cell = z.union([z.string(), z.number(), z.boolean(), z.null()]);

/** What a benchmark is to reach: a ratio of two measurements of one run, or a count of milliseconds or seconds. */
export const targetSchema = z.strictObject({
  /** by which the reasons in report/why.ts are found: `white-dwarf/c` */
  name: z.string().regex(/^[\w-]+(\/[\w-]+)+$/),
  /** what was asked for, as a sentence without its end */
  what: z.string().min(1),
  wanted: z.union([z.strictObject({ atLeast: z.number() }), z.strictObject({ atMost: z.number() })]),
  /** "" for a ratio */
  unit: z.enum(["", "ms", "s"]),
  /** `null` where it could not be measured */
  measured: z.number().nullable(),
  met: z.boolean().nullable(),
  /** what the number was made of; or why there is none */
  from: z.string().min(1),
});

export const resultSchema = z.strictObject({
  benchmark: z.string().regex(/^[\w-]+$/),
  date: z.iso.datetime(),
  command: z.string().min(1),
  machine: z.strictObject({
    cpu: z.string(),
    cores: z.int().positive(),
    platform: z.string(),
    /** of the minute before, by the operating system's count of processes that want to run */
    load: z.number().min(0),
  }),
  versions: z.record(z.string(), z.string()),
  /** what was the same for all rows */
  settings: z.record(z.string(), cell),
  rows: z.array(z.record(z.string(), cell)).min(1),
  /** of the first row, where scripts ask for one number */
  secondsPerGradient: z.number().positive().optional(),
  /** what could not be measured, with the reason */
  failures: z.array(z.string()),
  targets: z.array(targetSchema),
});

export type Cell = z.infer<typeof cell>;
export type Row = Readonly<Record<string, Cell>>;
export type Target = z.infer<typeof targetSchema>;
export type Result = z.infer<typeof resultSchema>;

interface Asked {
  readonly name: string;
  readonly what: string;
  readonly wanted: Target["wanted"];
  readonly unit?: Target["unit"];
}

/** A target with what was measured for it. */
export function target({ unit = "", ...asked }: Asked, measured: number, from: string): Target {
  return { ...asked, unit, measured, met: meets(asked.wanted, measured), from };
}

/** A target for which nothing could be measured. */
export function unmeasured({ unit = "", ...asked }: Asked, reason: string): Target {
  return { ...asked, unit, measured: null, met: null, from: reason };
}

function meets(wanted: Target["wanted"], measured: number): boolean {
  return "atLeast" in wanted ? measured >= wanted.atLeast : measured <= wanted.atMost;
}

/** `≥ 10`, `≤ 300 ms`. */
export function showWanted({ wanted, unit }: Target): string {
  const bound = "atLeast" in wanted ? `≥ ${wanted.atLeast}` : `≤ ${wanted.atMost}`;
  return unit === "" ? bound : `${bound} ${unit}`;
}

/** With as many digits as tell it from what was wanted. */
export function showMeasured({ measured, unit, wanted, met }: Target): string {
  if (measured === null) return "not measured";
  const tells = (text: string) => meets(wanted, Number(text)) === met;
  const more = [4, 5, 6].map((digits) => measured.toPrecision(digits));
  const shown = [showNumber(measured), ...more].find(tells) ?? String(measured);
  return unit === "" ? `${shown}×` : `${shown} ${unit}`;
}
