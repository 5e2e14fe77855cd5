import type { Option } from "commander";
import type { OptionValue } from "./spec.js";

/** The options of a sweep itself, which its runs do not have. */
const own = ["--seeds", "--grid", "--jobs", "--threads", "--by", "--highest", "--out", "--json", "--debug"];

/** The options for its runs that a command line gives, by their names without dashes. */
export function givenOptions(
  values: Readonly<Record<string, unknown>>,
  options: readonly Option[],
): Record<string, OptionValue> {
  return Object.fromEntries(
    options.flatMap((option) => {
      const value = values[option.attributeName()];
      if (value === undefined || own.includes(option.long!)) return [];
      // --train-y0 and --no-train-y0 have one value between them
      if (typeof value === "boolean" && value === option.negate) return [];
      const kept = Array.isArray(value)
        ? value.map(String)
        : typeof value === "boolean"
          ? true
          : String(value);
      return [[option.long!.replace(/^--/, ""), kept as OptionValue]];
    }),
  );
}
