import { readParameters } from "../equations.js";
import { fieldNames } from "../field-options.js";
import { isModelFile } from "../run-settings.js";
import { presets } from "./presets.js";
import {
  type KeptSeries,
  type SeriesOptions,
  seriesFlags,
  seriesOwn,
  seriesSettingsFor,
} from "./settings.js";

/** What of the settings options decide that are not called as they are. */
const decided: Readonly<Record<string, readonly (keyof KeptSeries)[]>> = {
  ...{ input: ["inputs"], error: ["errors"], autonomous: ["seesTime"], field: ["field", "widths"] },
  ...Object.fromEntries(fieldNames.map((name) => [name, ["fromFile"] as const])),
};

/** Options that are about how trajectories are read and fitted. */
export const aboutSeries: readonly string[] = [...seriesFlags, ...seriesOwn, ...fieldNames];

/**
 * An option that asks for something else than what a run on trajectories has; `null` where all say what it has anyway.
 *
 * @throws {UsageError} for an option that cannot be read
 */
export function differingOption(kept: KeptSeries, options: SeriesOptions): string | null {
  const given = Object.entries(options).filter(([name]) => aboutSeries.includes(name));
  if (given.length === 0) return null;
  const field = kept.field ?? `mlp:${kept.widths.join()}`;
  const { parameter, ...rest } = Object.fromEntries(given) as SeriesOptions;
  const asked = seriesSettingsFor({ field, ...rest });
  const isSame = (key: keyof KeptSeries) => JSON.stringify(asked[key]) === JSON.stringify(kept[key]);
  const keysOf = (name: string): readonly (keyof KeptSeries)[] => {
    if (name !== "preset") return decided[name] ?? [name as keyof KeptSeries];
    const { field: own, ...others } = presets[options.preset!].series as Record<string, unknown>;
    return [...(Object.keys(others) as (keyof KeptSeries)[]), ...(own === undefined ? [] : decided.field!)];
  };
  const differing = Object.keys(rest).find((name) => !keysOf(name).every(isSame));
  if (differing !== undefined) return differing;
  return parameter !== undefined && differs(kept, parameter) ? "parameter" : null;
}

function differs({ parameters, hiddenStarts, field }: KeptSeries, texts: readonly string[]): boolean {
  if (field === null || isModelFile(field)) return true;
  return [...readParameters(texts)].some(([name, asked]) => {
    // the initial value of S is called S0
    const has = parameters?.[name] ?? hiddenStarts?.[name.replace(/0$/, "")];
    return (["guess", "low", "high", "unit"] as const).some(
      (key) => asked[key] !== undefined && asked[key] !== has?.[key],
    );
  });
}
