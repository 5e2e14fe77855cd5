import { basename } from "node:path";
import type { ImportOptions } from "../fields/imported.js";
import { type Decision, decideTrainable } from "../fields/trainable.js";
import type { Model } from "../graph/model.js";
import { UsageError } from "./usage.js";

/**
 * What is about to be trained of a field from a file: what, what else might be, and what looks wrong about it.
 *
 * @throws {UsageError} if nothing of it is, and the initial state is not either
 */
export function trainedOf(model: Model, options: ImportOptions, trainY0: boolean): string[] {
  const decisions = decideTrainable(model, options);
  const file = basename(model.source);
  const trained = decisions.filter((d) => d.trainable && d.copyOf === null);
  const doubtful = decisions.filter((d) => d.doubtful);
  if (trained.length === 0 && !trainY0) throw new UsageError(nothingToTrain(file, decisions));
  const count = trained.reduce((sum, { array }) => sum + array.value.data.length, 0);
  const copies = decisions.filter((d) => d.copyOf !== null);
  return [
    `Trained: ${numbersOf(count)} of ${file}, in ${listed(trained.map(({ array }) => array.name))}.`,
    ...(copies.length === 0
      ? []
      : [
          `Equal arrays are one parameter: ${listed(
            copies.map(
              ({ array, copyOf }) =>
                `${array.name} is ${copyOf!.name}${copyOf!.how === "transposed" ? " transposed" : ""}`,
            ),
          )}.`,
        ]),
    ...(doubtful.length === 0
      ? []
      : [`Kept, though they might be parameters: ${listed(doubtful.map(shownArray))}. ${remedy(file)}`]),
    ...decisions.flatMap(({ warning }) => (warning === null ? [] : [`Warning: ${warning}`])),
  ];
}

function nothingToTrain(file: string, decisions: readonly Decision[]): string {
  const floats = decisions.filter(({ array }) => /^float/.test(array.value.dtype));
  const what = `Nothing of ${file} is trained`;
  if (floats.length === 0) return `${what}: it has no initializers or Constants of floating-point numbers.`;
  const doubtful = floats.filter((d) => d.doubtful);
  const [kind, choice] =
    doubtful.length === 0
      ? ["what it holds are numbers of the program", floats]
      : ["none of its arrays is a parameter for sure", doubtful];
  return `${what}: ${kind}. Choose with --trainable PATTERN among ${listed(choice.map(shownArray))}; revort inspect says why.`;
}

function remedy(file: string): string {
  return `--trainable PATTERN trains them; revort inspect ${file} lists all, and why.`;
}

function numbersOf(count: number): string {
  return count === 1 ? "1 number" : `${count} numbers`;
}

/** `k = 1.3`, or `W [2, 2]` */
function shownArray({ array: { name, value } }: Decision): string {
  return value.data.length === 1 ? `${name} = ${value.data[0]}` : `${name} [${value.shape.join(", ")}]`;
}

/** At most a handful of names. */
function listed(names: readonly string[]): string {
  const shown = names.slice(0, 8).map((name) => (name.length > 80 ? `${name.slice(0, 80)}…` : name));
  return names.length > shown.length
    ? `${shown.join(", ")} and ${names.length - shown.length} more`
    : shown.join(", ");
}
