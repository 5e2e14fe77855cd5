import { RevortError } from "./errors.js";
import { nearName } from "./near-name.js";

/** An option that there is not, that is missing, or that has a value it cannot have. */
export class OptionError extends RevortError {}

/** What is said of a name that is no option here, but has its place elsewhere. */
export type Elsewhere = Readonly<Record<string, string>>;

/**
 * Refuses what is no record of the known options: a misspelt name would otherwise be ignored.
 *
 * @param of  what the options are of, as it begins a sentence: "solve"
 * @throws {OptionError} naming the first unknown one, with the nearest that there is
 */
export function checkOptions(
  of: string,
  given: unknown,
  known: Readonly<Record<string, unknown>>,
  elsewhere: Elsewhere = {},
): void {
  if (typeof given !== "object" || given === null) {
    throw new OptionError(`${of} takes a record of options, but ${showValue(given)} was given.`);
  }
  for (const name in given) {
    if (Object.hasOwn(known, name)) continue;
    const names = Object.keys(known);
    const remedy = Object.hasOwn(elsewhere, name) ? elsewhere[name] : undefined;
    const near = alike(name, names);
    throw new OptionError(
      `${of} has no option "${name}"` +
        (remedy !== undefined ? `: ${remedy}.` : near !== undefined ? `; did you mean "${near}"?` : ".") +
        ` Its options are ${names.join(", ")}.`,
    );
  }
}

/** A value as it is shown in a message: short, and a function as what it probably is. */
export function showValue(value: unknown): string {
  if (typeof value === "function") return `the function ${value.name || "without a name"}`;
  if (typeof value === "bigint") return `${value}n`;
  if (ArrayBuffer.isView(value)) return `a ${value.constructor.name}`;
  if (Array.isArray(value) && value.length > 8) return `an array of ${value.length}`;
  const text = typeof value === "object" ? JSON.stringify(value) : undefined;
  if (text === undefined) return typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

/** The name meant by another spelling: other capitals and separators, or a letter or two wrong. */
function alike(name: string, candidates: readonly string[]): string | undefined {
  const bare = (text: string) => text.toLowerCase().replace(/[^a-z0-9]/g, "");
  return candidates.find((candidate) => bare(candidate) === bare(name)) ?? nearName(name, candidates);
}
