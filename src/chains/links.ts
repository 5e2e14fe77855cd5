import { pullback } from "../autodiff/vjp.js";
import { isFloat } from "../core/tensor.js";
import { type Like, leavesAt, leavesOf, withLeaves } from "../core/tree.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { accumulate } from "../ops/arithmetic.js";
import { zerosLike } from "../ops/generate.js";
import { gather } from "../ops/slicing.js";
import type { Chain, ChainInputs, Link } from "./chain.js";
import { checkStep, checkSteps, checkUndoes, reportedOf, stateLeaves } from "./check.js";
import { stepGraph, withProducts } from "./kept-products.js";

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
  /** the leaves of a state by which it is told whether undoing steps gives it back: its floats, unless it is said otherwise */
  readonly compared: Floats;
  /** `null` where cotangents of rows are stacked */
  readonly rowSums: RowSums | null;
  readonly step: (b: Builder, i: Value, before: readonly Value[]) => readonly Value[];
  /** `null` where the chain does not end by itself */
  readonly proceed:
    | ((b: Builder, i: Value, before: readonly Value[], after: readonly Value[]) => Value)
    | null;
  /** @throws {ChainError} if the steps cannot be undone */
  readonly undo: (b: Builder, i: Value, after: readonly Value[]) => readonly Value[];
  /**
   * The error of a gradient that goes on from an undone state, where the chain has an estimate of its own; `null` where not.
   *
   * @param here, atEnd  cotangents of float leaves
   */
  readonly lost:
    | ((
        b: Builder,
        state: readonly Value[],
        known: readonly Value[],
        here: readonly (Value | null)[],
        atEnd: readonly (Value | null)[],
      ) => Value)
    | null;
  /** Pulls cotangents of the state after step i back through it. @param known  its large products, in the place of its own */
  readonly pull: (
    b: Builder,
    i: Value,
    before: readonly Value[],
    cotangents: readonly Value[],
    known?: readonly Value[],
  ) => PulledStep;
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
  const reads = readingOf(chain, inputs);
  const { start, shared, rows } = reads;
  const floats = {
    state: floatsOf(start),
    shared: floatsOf(shared),
    rows: rowCotangents === false ? [] : floatsOf(rows),
  };
  const undo: Links["undo"] = (b, i, after) => {
    checkUndoes(chain);
    const before = chain.undo!(b, reads.linkAt(i, reads.rowAt(b, i)), reads.stateOf(after));
    return stateLeaves(chain.name, inputs.start, before);
  };
  const pull: Links["pull"] = (b, i, before, cotangents, known = []) => {
    const row = reads.rowAt(b, i);
    const after = withProducts(b, stepGraph(b, before, reads.step(b, i, row, before)), known);
    const [own, ownRow] = [at(before, floats.state), at(row, floats.rows)];
    const wrt = [...own, ...at(shared, floats.shared), ...ownRow];
    const pulled = pullback(b, at(after, floats.state), cotangents, wrt);
    const fromRow = wrt.length - ownRow.length;
    return {
      cotangents: orZeros(b, pulled.slice(0, own.length), own),
      shared: pulled.slice(own.length, fromRow),
      row: orZeros(b, pulled.slice(fromRow), ownRow),
    };
  };
  const { proceed, lost } = chain;
  const { stateOf } = reads;
  const cotangentsOf = (leaves: readonly (Value | null)[]) =>
    withLeaves(inputs.start, spread(start.length, floats.state, leaves)) as Like<S, Value | null>;
  return {
    ...{ name: chain.name, start, shared, rows, steps: inputs.steps, floats, undo, pull },
    ...{ reported: reportedOf(chain, inputs.start), compared: floats.state },
    rowSums: typeof rowCotangents === "boolean" ? null : rowCotangents,
    step: (b, i, before) => reads.step(b, i, reads.rowAt(b, i), before),
    back(b, i, after, cotangents) {
      const own = undoneBy(chain, inputs, reads, floats, { b, i, after, cotangents });
      if (own !== null) return own;
      const before = undo(b, i, after);
      return { before, ...pull(b, i, before, cotangents) };
    },
    lost: lost
      ? (b, state, known, here, atEnd) =>
          lost(b, {
            ...{ state: stateOf(state), known: stateOf(known) },
            ...{ here: cotangentsOf(here), atEnd: cotangentsOf(atEnd) },
          })
      : null,
    proceed: proceed
      ? (b, i, before, after) =>
          proceed(b, reads.linkAt(i, reads.rowAt(b, i)), reads.stateOf(before), reads.stateOf(after))
      : null,
  };
}

/** What the functions of a chain are given, of lists of leaves. */
interface Reading<S, P, X> extends Pick<Links, "start" | "shared" | "rows"> {
  readonly stateOf: (leaves: readonly Value[]) => S;
  readonly rowAt: (b: Builder, i: Value) => readonly Value[];
  readonly linkAt: (i: Value, row: readonly Value[]) => Link<P, X>;
  readonly step: (b: Builder, i: Value, row: readonly Value[], before: readonly Value[]) => readonly Value[];
}

function readingOf<S, P, X>(chain: Chain<S, P, X>, inputs: ChainInputs<S, P, X>): Reading<S, P, X> {
  const [start, shared, rows] = [inputs.start, inputs.shared, inputs.rows].map((tree) =>
    leavesOf<Value>(tree),
  ) as [Value[], Value[], Value[]];
  const stateOf = (leaves: readonly Value[]) => withLeaves(inputs.start, leaves) as S;
  const linkAt = (i: Value, row: readonly Value[]): Link<P, X> => ({
    i,
    shared: inputs.shared,
    row: withLeaves(inputs.rows, row) as X,
  });
  return {
    ...{ start, shared, rows, stateOf, linkAt },
    rowAt: (b, i) => rows.map((stack) => gather(b, stack, i)),
    step(b, i, row, before) {
      const after = stateLeaves(chain.name, inputs.start, chain.step(b, linkAt(i, row), stateOf(before)));
      checkStep(chain.name, start, after);
      return after;
    },
  };
}

/** A step undone by the chain's own `back`; `null` where there is none, or not for what is wanted. */
function undoneBy<S, P, X>(
  chain: Chain<S, P, X>,
  inputs: ChainInputs<S, P, X>,
  reads: Reading<S, P, X>,
  floats: Links["floats"],
  step: {
    readonly b: Builder;
    readonly i: Value;
    readonly after: readonly Value[];
    readonly cotangents: readonly Value[];
  },
): UndoneStep | null {
  const { b, i, after, cotangents } = step;
  if (chain.back === undefined) return null;
  const row = reads.rowAt(b, i);
  const given = withLeaves(inputs.start, spread(after.length, floats.state, cotangents));
  const found = chain.back(b, reads.linkAt(i, row), reads.stateOf(after), given as never);
  if (found.row === null && floats.rows.length > 0) return null;
  const of = (form: unknown, tree: unknown, which: Floats) => at(leavesAt<Value>(form, tree), which);
  return {
    before: stateLeaves(chain.name, inputs.start, found.before),
    cotangents: orZeros(b, of(inputs.start, found.cotangents, floats.state), at(after, floats.state)),
    shared: of(inputs.shared, found.shared, floats.shared),
    row: orZeros(b, of(inputs.rows, found.row, floats.rows), at(row, floats.rows)),
  };
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
