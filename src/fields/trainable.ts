import { RevortError } from "../core/errors.js";
import { exactness, fitsPattern } from "../core/name-pattern.js";
import { isFloat } from "../core/tensor.js";
import { type Model, shown } from "../graph/model.js";
import type { StoredArray } from "../import/stored.js";
import { type Dataflow, dataflowOf, type Flowing } from "./dataflow.js";
import { roleOf } from "./roles.js";
import { type Copy, copyKey, copyOf, patternOf } from "./structure.js";

// Which of a file's numbers are parameters: those that the exporter wrote down as such, where it did, else those that
// are used like parameters. Users overrule both.

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

/** A pattern that fits no array of the model. */
export class UnmatchedPatternError extends RevortError {}

/** Where the metadata of a field that revort exported have the names of its parameters, as a JSON array. */
export const parametersKey = "revort.parameters";

/** Names that exporters make up for numbers that have none: `val_3`, `onnx::Mul_9`, `/net/Constant_output_0`. */
const madeUp = [
  /^val_\d+$/,
  /^onnx::/,
  /^\//,
  /^\d+$/,
  /^_?scalar_tensor_default/,
  /^lifted_tensor/,
  /(^|[/_.])const(ant)?([_.\d]|$)/i,
  /_cast(_\d+)?$/,
  // TensorFlow's operands that are numbers of the program, and what skl2onnx and jax2onnx number
  /\/[xy](:0)?$/,
  /cst\d*$/,
  /^(ipow_exp|dot_bias|dpa_scale)_\d+$/,
];

/** Statistics that batch normalisation gathers: buffers of a module, never parameters. */
const gathered = /(^|\.)(running_mean|running_var|num_batches_tracked)$/;

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
  const named = !madeUp.some((pattern) => pattern.test(name));
  const ofModule = named && isNameOfVariable(model, name);
  if (gathered.test(name)) return verdict(false, "is a statistic that batch normalisation gathers");
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

/** Whether a name is that of a variable in the program that was exported: PyTorch's of modules, TensorFlow's of reads. */
function isNameOfVariable({ producer }: Model, name: string): boolean {
  if (/^pytorch\b/.test(producer)) return /^[A-Za-z_]\w*(\.\w+)*$/.test(name);
  return /^tf2onnx\b/.test(producer) && name.includes("ReadVariableOp");
}

/** What the file says of an array; `null` if it says nothing. */
function noted(
  model: Model,
  { name, kind: place, body }: StoredArray,
  recorded: ReadonlySet<string> | null,
): Pick<Verdict, "trainable" | "reason"> | null {
  if (recorded !== null) {
    return recorded.has(name)
      ? { trainable: true, reason: "is a parameter of the exported field" }
      : { trainable: false, reason: "is no parameter of the exported field" };
  }
  const kind = body === null && place === "initializer" ? model.origins.get(name)?.kind : undefined;
  if (kind === "PARAMETER") return { trainable: true, reason: "is a parameter of the exported module" };
  if (kind !== undefined) {
    return {
      trainable: false,
      reason: `is a ${kind.toLowerCase().replace(/_/g, " ")} of the exported module`,
    };
  }
  if (model.parameterNames === null) return null;
  const source = parameterBehind(model, name);
  return source === null
    ? { trainable: false, reason: "is no parameter of the exported module, nor computed from one" }
    : { trainable: true, reason: `was computed from the parameter "${source}" when the model was exported` };
}

/** A parameter that a value was computed from before it was stored, following what the exporter noted. */
function parameterBehind(model: Model, name: string, seen: Set<string> = new Set()): string | null {
  if (model.parameterNames!.has(name)) return name;
  if (seen.has(name)) return null;
  seen.add(name);
  for (const source of model.origins.get(name)?.foldedFrom ?? []) {
    const found = parameterBehind(model, source, seen);
    if (found !== null) return found;
  }
  return null;
}

/**
 * The parameters that revort wrote down when it exported the field; `null` if it did not, or if the file no longer has
 * them under these names, because another program has rewritten it.
 */
function recordedParameters({ metadata, graph }: Model): ReadonlySet<string> | null {
  let names: unknown;
  try {
    names = JSON.parse(metadata[parametersKey] ?? "null");
  } catch {
    return null;
  }
  const holds = (name: unknown) => typeof name === "string" && graph.initializers.has(name);
  return Array.isArray(names) && names.every(holds) ? new Set(names) : null;
}

/** What the options say of a name: that it is trained, that it is kept, or nothing. */
function chooser(
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

/** Arrays that hold the same numbers, the one that stands for all first. */
interface Copies {
  readonly members: readonly string[];
  readonly of: (name: string) => { readonly name: string; readonly how: Copy };
}

/** The copies among arrays, by the name of each member. @param isSure  whether the file says that one is a parameter of its own */
function copiesAmong(
  arrays: readonly StoredArray[],
  isSure: (name: string) => boolean,
): ReadonlyMap<string, Copies> {
  // the names that exporters make up come last: those of a module say what is trained
  const ordered = [...arrays].sort((a, b) => rank(a) - rank(b));
  const groups = new Map<string, { first: StoredArray; copies: Map<string, Copy> }[]>();
  for (const array of ordered) {
    const key = copyKey(array.value);
    const alike = groups.get(key) ?? [];
    groups.set(key, alike);
    const original = alike.find(
      ({ first }) => !(isSure(first.name) && isSure(array.name)) && copyOf(first.value, array.value) !== null,
    );
    if (original === undefined) alike.push({ first: array, copies: new Map() });
    else original.copies.set(array.name, copyOf(original.first.value, array.value)!);
  }
  const found = new Map<string, Copies>();
  for (const { first, copies } of [...groups.values()].flat()) {
    if (copies.size === 0) continue;
    const members = [first.name, ...copies.keys()];
    const of = (name: string) => ({ name: first.name, how: copies.get(name)! });
    for (const name of members) found.set(name, { members, of });
  }
  return found;
}

function rank({ name }: StoredArray): number {
  return madeUp.some((pattern) => pattern.test(name)) || /^const_fold/.test(name) ? 1 : 0;
}
