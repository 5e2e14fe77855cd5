import { pullback } from "../autodiff/vjp.js";
import { isFloat } from "../core/tensor.js";
import { leavesAt, leavesOf, withLeaves } from "../core/tree.js";
import type { Builder } from "../graph/builder.js";
import { sameShape, showType, type Value } from "../graph/graph.js";
import { accumulate } from "../ops/arithmetic.js";
import { zerosLike } from "../ops/generate.js";
import { gather } from "../ops/slicing.js";
import { type Chain, ChainError, type ChainInputs, type Link } from "./chain.js";

/** Which of some values have cotangents: floats. */
type Floats = readonly number[];

/** What pulling cotangents back through a step gives; all for floats alone. */
export interface PulledStep {
  /** of the state before it */
  readonly cotangents: readonly Value[];
  readonly shared: readonly (Value | null)[];
  readonly row: readonly Value[];
}

/** A step undone, with its cotangents. */
export interface UndoneStep extends PulledStep {
  readonly before: readonly Value[];
}

/** What becomes of cotangents of rows on the way back, in the place of stacks of them. */
export interface RowSums {
  readonly first: (b: Builder) => readonly Value[];
  /** the sums with what row i adds to them */
  readonly add: (b: Builder, i: Value, sums: readonly Value[], row: readonly Value[]) => readonly Value[];
}

/** A chain on its values in one scope, its trees as lists of their leaves: what adjoints work on. */
export interface Links {
  readonly name: string;
  readonly start: readonly Value[];
  readonly shared: readonly Value[];
  readonly rows: readonly Value[];
  readonly steps: number | Value;
  /** which leaves of a state are saved */
  readonly reported: readonly number[];
  readonly floats: { readonly state: Floats; readonly shared: Floats; readonly rows: Floats };
  /** `null` where cotangents of rows are stacked */
  readonly rowSums: RowSums | null;
  readonly step: (b: Builder, i: Value, before: readonly Value[]) => readonly Value[];
  /** `null` where the chain does not end by itself */
  readonly proceed:
    | ((b: Builder, i: Value, before: readonly Value[], after: readonly Value[]) => Value)
    | null;
  /** @throws {ChainError} if the steps cannot be undone */
  readonly undo: (b: Builder, i: Value, after: readonly Value[]) => readonly Value[];
  /** Pulls cotangents of the state after step i back through it. */
  readonly pull: (b: Builder, i: Value, before: readonly Value[], cotangents: readonly Value[]) => PulledStep;
  /** Undoes step i, and pulls cotangents back through it. @throws {ChainError} if the steps cannot be undone */
  readonly back: (b: Builder, i: Value, after: readonly Value[], cotangents: readonly Value[]) => UndoneStep;
}

/**
 * A chain on values.
 *
 * @param rowCotangents  whether they are wanted, and if other than as stacks, what becomes of them
 * @throws {ChainError} for what is no number of steps, or rows that are not as many
 */
export function linksOf<S, P, X>(
  chain: Chain<S, P, X>,
  inputs: ChainInputs<S, P, X>,
  rowCotangents: boolean | RowSums = true,
): Links {
  checkSteps(chain.name, inputs);
  const { name } = chain;
  const [start, shared, rows] = [inputs.start, inputs.shared, inputs.rows].map((tree) =>
    leavesOf<Value>(tree),
  ) as [Value[], Value[], Value[]];
  const floats = {
    state: floatsOf(start),
    shared: floatsOf(shared),
    rows: rowCotangents === false ? [] : floatsOf(rows),
  };
  const stateOf = (leaves: readonly Value[]) => withLeaves(inputs.start, leaves) as S;
  const rowAt = (b: Builder, i: Value) => rows.map((stack) => gather(b, stack, i));
  const linkOf = (i: Value, row: readonly Value[]): Link<P, X> => ({
    i,
    shared: inputs.shared,
    row: withLeaves(inputs.rows, row) as X,
  });
  const taken = (b: Builder, i: Value, row: readonly Value[], before: readonly Value[]) => {
    const after = leavesOf<Value>(chain.step(b, linkOf(i, row), stateOf(before)));
    checkStep(name, start, after);
    return after;
  };
  const wanted = { shared: at(shared, floats.shared), row: (row: readonly Value[]) => at(row, floats.rows) };

  const undo: Links["undo"] = (b, i, after) => {
    checkUndoes(chain);
    return leavesOf<Value>(chain.undo!(b, linkOf(i, rowAt(b, i)), stateOf(after)));
  };
  const pull: Links["pull"] = (b, i, before, cotangents) => {
    const row = rowAt(b, i);
    const after = taken(b, i, row, before);
    const own = at(before, floats.state);
    const rest = [...wanted.shared, ...wanted.row(row)];
    const pulled = pullback(b, at(after, floats.state), cotangents, [...own, ...rest]);
    const fromRow = own.length + wanted.shared.length;
    return {
      cotangents: orZeros(b, pulled.slice(0, own.length), own),
      shared: pulled.slice(own.length, fromRow),
      row: orZeros(b, pulled.slice(fromRow), wanted.row(row)),
    };
  };
  const back: Links["back"] = (b, i, after, cotangents) => {
    const row = rowAt(b, i);
    const given = withLeaves(inputs.start, spread(start.length, floats.state, cotangents));
    const found = chain.back?.(b, linkOf(i, row), stateOf(after), given as never);
    if (found === undefined || (found.row === null && floats.rows.length > 0)) {
      const before = undo(b, i, after);
      return { before, ...pull(b, i, before, cotangents) };
    }
    const of = (form: unknown, tree: unknown, which: Floats) => at(leavesAt<Value>(form, tree), which);
    return {
      before: leavesOf<Value>(found.before),
      cotangents: orZeros(b, of(inputs.start, found.cotangents, floats.state), at(after, floats.state)),
      shared: of(inputs.shared, found.shared, floats.shared),
      row: orZeros(b, of(inputs.rows, found.row, floats.rows), wanted.row(row)),
    };
  };
  return {
    ...{ name, start, shared, rows, steps: inputs.steps, floats, undo, pull, back },
    reported: reportedOf(chain, inputs.start),
    rowSums: typeof rowCotangents === "boolean" ? null : rowCotangents,
    step: (b, i, before) => taken(b, i, rowAt(b, i), before),
    proceed:
      chain.proceed === undefined
        ? null
        : (b, i, before, after) => chain.proceed!(b, linkOf(i, rowAt(b, i)), stateOf(before), stateOf(after)),
  };
}

/** @throws {ChainError} if the steps of a chain cannot be undone */
export function checkUndoes<S, P, X>({ name, undo }: Chain<S, P, X>): void {
  if (undo !== undefined) return;
  throw new ChainError(
    `The steps of the chain "${name}" cannot be undone, so it has no reversible adjoint. Give it an \`undo\`, or use ` +
      'the adjoint "checkpoint" or "direct".',
  );
}

/** Which leaves of a state are saved. */
function reportedOf<S, P, X>({ name, report }: Chain<S, P, X>, start: S): number[] {
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

function checkSteps<S, P, X>(name: string, { rows, steps }: ChainInputs<S, P, X>): void {
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

function checkStep(name: string, start: readonly Value[], after: readonly Value[]): void {
  const fits = start.every(
    ({ dtype, shape }, k) => after[k]?.dtype === dtype && sameShape(after[k].shape, shape),
  );
  if (fits && start.length === after.length) return;
  const show = (state: readonly Value[]) => state.map(showType).join(", ") || "nothing";
  throw new ChainError(
    `A step of the chain "${name}" makes ${show(after)} of the state ${show(start)}. It must keep all types and shapes.`,
  );
}

export function floatsOf(values: readonly Value[]): number[] {
  return values.flatMap(({ dtype }, k) => (isFloat(dtype) ? [k] : []));
}

export function at<T>(values: readonly T[], places: readonly number[]): T[] {
  return places.map((place) => values[place]!);
}

/** A list of so many with values in some places, and `null` in the others. */
export function spread<T>(length: number, places: readonly number[], values: readonly T[]): (T | null)[] {
  const list = new Array<T | null>(length).fill(null);
  places.forEach((place, k) => {
    list[place] = values[k]!;
  });
  return list;
}

function orZeros(b: Builder, cotangents: readonly (Value | null)[], like: readonly Value[]): Value[] {
  return like.map((value, k) => cotangents[k] ?? zerosLike(b, value));
}

export function addAll(b: Builder, sums: readonly Value[], terms: readonly (Value | null)[]): Value[] {
  return sums.map((sum, k) => accumulate(b, sum, terms[k] ?? null)!);
}
