import { byPath, leavesOf, pathsOf, withLeaves } from "../core/tree.js";
import { sameShape, showType, type Value } from "../graph/graph.js";
import { type Chain, ChainError, type ChainInputs } from "./chain.js";

/** @throws {ChainError} if the steps of a chain cannot be undone */
export function checkUndoes<S, P, X>({ name, undo }: Chain<S, P, X>): void {
  if (undo !== undefined) return;
  throw new ChainError(
    `The steps of the chain "${name}" cannot be undone, so it has no reversible adjoint. Give it an \`undo\`, or use ` +
      'the adjoint "checkpoint" or "direct".',
  );
}

/** Which leaves of a state are saved. */
export function reportedOf<S, P, X>({ name, report }: Chain<S, P, X>, start: S): number[] {
  const leaves = leavesOf<Value>(start);
  // equal values may stand in two places of a start, so that places are told apart by stand-ins
  const places = leaves.map((leaf) => ({ ...leaf }));
  const reported = leavesOf<Value>(report === undefined ? places : report(withLeaves(start, places) as S));
  return reported.map((leaf) => {
    const place = places.indexOf(leaf);
    if (place >= 0) return place;
    throw new ChainError(
      `The chain "${name}" reports a value ${showType(leaf)} that is no part of its state. \`report\` chooses among ` +
        "the parts; compute with what comes out.",
    );
  });
}

export function checkSteps<S, P, X>(name: string, { rows, steps }: ChainInputs<S, P, X>): void {
  if (typeof steps !== "number") {
    if (steps.dtype === "int64" && steps.shape.length === 0) return;
    throw new ChainError(
      `The chain "${name}" was given ${showType(steps)} for its number of steps, which must be an int64 scalar.`,
    );
  }
  if (!Number.isInteger(steps) || steps < 0) {
    throw new ChainError(`The chain "${name}" cannot have ${steps} steps: give a whole number, 0 or more.`);
  }
  for (const stack of leavesOf<Value>(rows)) {
    const [length] = stack.shape;
    if (length === steps || typeof length === "string") continue;
    throw new ChainError(
      `The chain "${name}" has ${steps} steps, but rows ${showType(stack)}. Give an array [${steps}, …]: a row for each.`,
    );
  }
}

/**
 * The leaves of a state in the order in which the first one has them, whatever the order of its own names.
 *
 * @throws {ChainError} for a state of other names
 */
export function stateLeaves(name: string, start: unknown, state: unknown): Value[] {
  const paths = pathsOf(start).map(([path]) => path);
  const found = byPath<Value>(state);
  if (Object.keys(found).length === paths.length && paths.every((path) => Object.hasOwn(found, path))) {
    return paths.map((path) => found[path]!);
  }
  const show = (list: readonly string[]) => `{ ${list.join(", ")} }`;
  throw new ChainError(
    `The chain "${name}" makes ${show(Object.keys(found))} of the state ${show(paths)}. Give back what it consists of, under ` +
      "the same names.",
  );
}

export function checkStep(name: string, start: readonly Value[], after: readonly Value[]): void {
  const fits = start.every(
    ({ dtype, shape }, k) => after[k]?.dtype === dtype && sameShape(after[k].shape, shape),
  );
  if (fits && start.length === after.length) return;
  const show = (state: readonly Value[]) => state.map(showType).join(", ") || "nothing";
  throw new ChainError(
    `A step of the chain "${name}" makes ${show(after)} of the state ${show(start)}. It must keep all types and shapes.`,
  );
}
