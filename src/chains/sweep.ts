import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { add, sub } from "../ops/arithmetic.js";
import { loop } from "../ops/control.js";
import { zerosLike } from "../ops/generate.js";
import { unsqueeze } from "../ops/reshape.js";
import { scatterND } from "../ops/scatter.js";
import { flip } from "../ops/slice.js";
import { gather } from "../ops/slicing.js";
import type { Arriving, ChainTask, SavesAt } from "./adjoint.js";
import { addAll, at, type Links, type PulledStep } from "./links.js";
import { lengthOf, stepsTo } from "./walk.js";

/** What goes backwards through a chain. */
export interface Sweep {
  /** the state that steps are undone from; nothing where they are not undone */
  readonly state: readonly Value[];
  readonly cotangents: readonly Value[];
  /** of what is shared, summed over the steps done */
  readonly sums: readonly Value[];
  /** of the rows of the steps done, in their places or summed, where the loop does not stack them */
  readonly rows: readonly Value[];
}

/** A step on the way back: the state before it, where steps are undone. */
export interface StepBack extends PulledStep {
  readonly before: readonly Value[];
}

/** What goes backwards, as a loop carries it. @param end  the state that steps are undone from, or nothing */
export function layoutOf({ start, shared, floats }: Links, end: readonly Value[]) {
  const [width, sums] = [floats.state.length, floats.shared.length];
  const bounds = [end.length, end.length + width, end.length + width + sums];
  return {
    /** at first: cotangents of the state at the end, as far as there are any, and zeros */
    first: (b: Builder, { end: ending }: Arriving, rows: readonly Value[]): Value[] => [
      ...end,
      ...at(start, floats.state).map((value, k) => ending[k] ?? zerosLike(b, value)),
      ...at(shared, floats.shared).map((value) => zerosLike(b, value)),
      ...rows,
    ],
    pack: (sweep: Sweep): Value[] => [...sweep.state, ...sweep.cotangents, ...sweep.sums, ...sweep.rows],
    unpack: (values: readonly Value[]): Sweep => ({
      state: values.slice(0, bounds[0]),
      cotangents: values.slice(bounds[0], bounds[1]),
      sums: values.slice(bounds[1], bounds[2]),
      rows: values.slice(bounds[2]),
    }),
  };
}

/** Cotangents of a state, with those that arrive at a save. */
export function withArrival(
  b: Builder,
  { reported, floats }: Links,
  { stacked }: Arriving,
  cotangents: readonly Value[],
  save: Value,
): Value[] {
  const sums = [...cotangents];
  reported.forEach((leaf, k) => {
    const rows = stacked[k];
    const place = floats.state.indexOf(leaf);
    if (rows && place >= 0) sums[place] = add(b, sums[place]!, gather(b, rows, save));
  });
  return sums;
}

/** What a step back makes of a sweep whose rows the loop stacks. */
function after(b: Builder, { sums }: Sweep, { before, cotangents, shared }: StepBack): Sweep {
  return { state: before, cotangents, sums: addAll(b, sums, shared), rows: [] };
}

/** What step i back makes of a sweep that carries its rows. */
export function afterStep(b: Builder, links: Links, i: Value, sweep: Sweep, step: StepBack): Sweep {
  return { ...after(b, sweep, step), rows: withRow(b, links, i, sweep.rows, step.row) };
}

function withRow(
  b: Builder,
  { rowSums }: Links,
  i: Value,
  rows: readonly Value[],
  row: readonly Value[],
): readonly Value[] {
  if (row.length === 0) return [];
  if (rowSums !== null) return rowSums.add(b, i, rows, row);
  const place = unsqueeze(b, i, [0, 1]);
  return rows.map((stack, k) => scatterND(b, stack, place, unsqueeze(b, row[k]!, [0])));
}

/**
 * Goes through all steps from last to first; each save adds to the cotangents of what is reported.
 *
 * @param end  the state at the end, where steps are undone; else nothing
 * @param count  how many steps were taken
 */
export function sweepBack(
  b: Builder,
  task: ChainTask,
  arriving: Arriving,
  { end, count }: { readonly end: readonly Value[]; readonly count: Value },
  stepBack: (b: Builder, i: Value, sweep: Sweep) => StepBack,
): Sweep {
  const { links, saves } = task;
  if (saves.kind === "at") return sweepByStretches(b, { links, saves }, arriving, end, stepBack);
  const layout = layoutOf(links, end);
  // a chain may take fewer steps than it has rows: the others have no part in it
  const stacks = links.rowSums === null && typeof links.steps === "number" && links.proceed === null;
  const last = sub(b, count, b.scalar("int64", 1));
  const { carried, scans } = loop(
    b,
    {
      trips: count,
      carried: layout.first(b, arriving, stacks ? [] : noRows(b, links)),
      length: lengthOf(links),
    },
    (inner, k, values) => {
      const i = sub(inner, last, k);
      let sweep = layout.unpack(values);
      if (saves.kind === "every") {
        sweep = { ...sweep, cotangents: withArrival(inner, links, arriving, sweep.cotangents, i) };
      }
      const step = stepBack(inner, i, sweep);
      if (!stacks) return { carried: layout.pack(afterStep(inner, links, i, sweep, step)) };
      return { carried: layout.pack(after(inner, sweep, step)), scans: step.row };
    },
  );
  const swept = layout.unpack(carried);
  return stacks ? { ...swept, rows: scans.map((stack) => flip(b, stack, 0)) } : swept;
}

/** The same from save to save. */
function sweepByStretches(
  b: Builder,
  { links, saves }: { readonly links: Links; readonly saves: SavesAt },
  arriving: Arriving,
  end: readonly Value[],
  stepBack: (b: Builder, i: Value, sweep: Sweep) => StepBack,
): Sweep {
  const layout = layoutOf(links, end);
  const carried = layout.first(b, arriving, noRows(b, links));
  const { carried: left } = loop(
    b,
    { trips: saves.count, carried, length: saves.count },
    (outer, k, values) => {
      const save = sub(outer, outer.scalar("int64", saves.count - 1), k);
      const sweep = layout.unpack(values);
      const cotangents = withArrival(outer, links, arriving, sweep.cotangents, save);
      const [first, count] = stepsTo(outer, saves, save);
      const last = add(outer, first, sub(outer, count, outer.scalar("int64", 1)));
      return loop(
        outer,
        { trips: count, carried: layout.pack({ ...sweep, cotangents }) },
        (inner, j, within) => {
          const i = sub(inner, last, j);
          const own = layout.unpack(within);
          return { carried: layout.pack(afterStep(inner, links, i, own, stepBack(inner, i, own))) };
        },
      );
    },
  );
  return layout.unpack(left);
}

/** Cotangents of rows before any step: zeros. */
export function noRows(b: Builder, { rows, floats, rowSums }: Links): readonly Value[] {
  if (rowSums !== null) return rowSums.first(b);
  return at(rows, floats.rows).map((stack) => zerosLike(b, stack));
}
