import { isFloat } from "../core/tensor.js";
import { type Model, shown } from "../graph/model.js";
import type { StoredArray } from "../import/stored.js";
import { isGathered, isMadeUp, isNameOfVariable } from "./array-names.js";
import { type Copy, copiesAmong } from "./copies.js";
import { type Dataflow, dataflowOf, type Flowing } from "./dataflow.js";
import { noted, recordedParameters } from "./records.js";
import { roleOf } from "./roles.js";
import { chooser, type TrainableOptions } from "./selection.js";
import { patternOf } from "./structure.js";

// Which of a file's numbers are parameters: those that the exporter wrote down as such, where it did, else those that
// are used like parameters. Users overrule both.

/** Whether a stored array is trained, and why. */
export interface Decision {
  readonly array: StoredArray;
  readonly trainable: boolean;
  /** a sentence without its subject */
  readonly reason: string;
  /** whether it may be a parameter although it is kept */
  readonly doubtful: boolean;
  /** number of nodes that read it */
  readonly readers: number;
  /** what it is a copy of, and trained as: one parameter stands for both */
  readonly copyOf: { readonly name: string; readonly how: Copy } | null;
  /** what looks wrong about training it; `null` if nothing does */
  readonly warning: string | null;
}

/**
 * Decides of each array that the model reads whether it is trained.
 *
 * @throws {UnmatchedPatternError} for a pattern that fits no array of floats
 */
export function decideTrainable(model: Model, options: TrainableOptions = {}): Decision[] {
  const flow = dataflowOf(model);
  const found = [...flow.stored].filter(([, value]) => value.uses.length > 0 || value.returned);
  const floats = found.flatMap(([array]) => (isFloat(array.value.dtype) ? [array.name] : []));
  const choose = chooser(model, floats, options);
  const recorded = recordedParameters(model);
  const judged = found.map(([array, value]) => {
    const verdict = judge(model, array, value, flow, recorded);
    return { array, verdict, chosen: isFloat(array.value.dtype) ? choose(array.name) : null, value };
  });
  const copies = copiesAmong(
    judged.filter(({ verdict, chosen }) => verdict.trainable || chosen === true).map(({ array }) => array),
    (name) => recorded?.has(name) === true || model.origins.get(name)?.kind === "PARAMETER",
  );
  const byName = new Map(judged.map((each) => [each.array.name, each]));
  return judged.map(({ array, verdict, chosen, value }): Decision => {
    // what holds of one copy holds of all
    const group = copies.get(array.name) ?? null;
    const choices = group === null ? [chosen] : group.members.map((name) => byName.get(name)!.chosen);
    const asked = choices.includes(false) ? false : choices.includes(true) ? true : null;
    const trainable = asked ?? verdict.trainable;
    const isRecorded = verdict.sure && verdict.trainable;
    const isBlock = trainable && !isRecorded && array.value.shape.filter((dim) => dim > 1).length > 1;
    const block = isBlock ? patternOf(array.value) : null;
    return {
      array,
      trainable,
      reason: asked === null ? verdict.reason : asked ? "was chosen" : "was not chosen",
      doubtful: !trainable && asked === null && verdict.doubtful,
      readers: new Set(value.uses.map(({ node }) => node)).size,
      copyOf: trainable && group !== null && group.members[0] !== array.name ? group.of(array.name) : null,
      warning: warningOf(array.name, block, asked === true && !flow.differentiated.has(value)),
    };
  });
}

function warningOf(name: string, block: string | null, isInert: boolean): string | null {
  if (isInert) {
    return `${shown(name)} was chosen, but no derivative of the output passes to it: it will not change.`;
  }
  if (block === null) return null;
  return `${shown(name)} is ${block} and will be trained: freeze it if it is a block of the program.`;
}

interface Verdict {
  readonly trainable: boolean;
  readonly reason: string;
  /** whether the file says so itself */
  readonly sure: boolean;
  readonly doubtful: boolean;
}

/** Judges an array by what the exporter noted, where it did, else by its use; where that tells nothing, by its name. */
function judge(
  model: Model,
  array: StoredArray,
  value: Flowing,
  flow: Dataflow,
  recorded: ReadonlySet<string> | null,
): Verdict {
  const verdict = (trainable: boolean, reason: string, more: Partial<Verdict> = {}): Verdict => ({
    ...{ trainable, reason, sure: false, doubtful: false },
    ...more,
  });
  const { name, value: tensor } = array;
  if (!isFloat(tensor.dtype)) return verdict(false, `is ${tensor.dtype}`);
  if (tensor.data.length === 0) return verdict(false, "is empty");
  const fromRecord = noted(model, array, recorded);
  if (fromRecord !== null) return verdict(fromRecord.trainable, fromRecord.reason, { sure: true });

  const role = roleOf(model, array, value, flow);
  const named = !isMadeUp(name);
  const ofModule = named && isNameOfVariable(model, name);
  if (isGathered(name)) return verdict(false, "is a statistic that batch normalisation gathers");
  if (role.kind === "literal") {
    // an exponent that a module calls its own may be a parameter; what no derivative passes to is none
    return verdict(false, role.reason, { doubtful: ofModule && flow.differentiated.has(value) });
  }
  if (role.kind === "block" && !ofModule) return verdict(false, role.reason, { doubtful: true });
  if (array.kind === "constant") return verdict(false, "is a Constant of the program", { doubtful: true });
  if (role.kind === "open" && tensor.data.length === 1) {
    return named
      ? verdict(true, "is a single number with a name of its own")
      : verdict(false, "is a single number that the exporter named", { doubtful: true });
  }
  return verdict(true, role.kind === "block" ? "has the name of a variable" : role.reason);
}
