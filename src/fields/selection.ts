import { RevortError } from "../core/errors.js";
import { exactness, fitsPattern } from "../core/name-pattern.js";
import { type Model, shown } from "../graph/model.js";

// What users say is trained, by the names of arrays.

/** Names of arrays: patterns, in which `*` stands for any characters and `?` for one, or what says it of each. */
export type Selection = string | readonly string[] | ((name: string) => boolean);

export interface TrainableOptions {
  /**
   * Patterns: what is trained beside what is found to be a parameter. A function: what is trained, alone.
   * Single numbers, values of Constants and arrays in the bodies of Loop and If can be named too.
   */
  readonly trainable?: Selection;
  /** what is kept as it is; of two patterns for an array the one that says more of its name counts */
  readonly freeze?: Selection;
}

/** A pattern that fits no array of the model. */
export class UnmatchedPatternError extends RevortError {}

/** What the options say of a name: that it is trained, that it is kept, or nothing. */
export function chooser(
  model: Model,
  names: readonly string[],
  { trainable, freeze }: TrainableOptions,
): (name: string) => boolean | null {
  const [wanted, kept] = [trainable, freeze].map((selection) => matcher(model, names, selection));
  return (name) => {
    const [yes, no] = [wanted!(name), kept!(name)];
    if (yes < 0 && no < 0) return typeof trainable === "function" ? false : null;
    return yes > no;
  };
}

/** How much of a name a selection says; −1 if it does not have the name. */
function matcher(
  model: Model,
  names: readonly string[],
  selection: Selection | undefined,
): (name: string) => number {
  if (typeof selection === "function") return (name) => (selection(name) ? name.length : -1);
  const patterns = selection === undefined ? [] : [selection].flat();
  for (const pattern of patterns) {
    if (names.some((name) => fitsPattern(name, pattern))) continue;
    const list = names.slice(0, 20).map(shown).join(", ");
    throw new UnmatchedPatternError(
      names.length === 0
        ? `${model.source} holds no floating-point numbers, so ${shown(pattern)} fits none of them.`
        : `${model.source}: no array of floats is called ${shown(pattern)}. There ${names.length === 1 ? "is" : "are"} ` +
            `${list}${names.length > 20 ? ` and ${names.length - 20} more, which \`revort inspect\` lists` : ""}; ` +
            "* stands for any characters.",
    );
  }
  return (name) =>
    patterns.reduce(
      (most, pattern) => (fitsPattern(name, pattern) ? Math.max(most, exactness(pattern)) : most),
      -1,
    );
}
