import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { sub } from "../ops/arithmetic.js";
import { abs } from "../ops/elementwise.js";
import { maximum } from "../ops/extrema.js";
import { reduceMax } from "../ops/reduce.js";
import type { AdjointRule, UndoingErrors } from "./adjoint.js";
import { at, type Links } from "./links.js";
import { sweepBack } from "./sweep.js";
import { walk } from "./walk.js";

/** Reversal: each step is undone, and its cotangents pulled through it, from the state at the end, which is all that is kept. */
export const reversing: AdjointRule = {
  run: (b, task, observe) => ({ ...walk(b, task, observe), saved: [] }),
  pull(b, task, { end, count }, arriving) {
    const { links } = task;
    const swept = sweepBack(b, task, arriving, { end, count }, (inner, i, { state, cotangents }) =>
      links.back(inner, i, state, cotangents),
    );
    const { state: start, cotangents } = swept;
    const known = links.start;
    return {
      ...{ start: cotangents, shared: swept.sums, rows: swept.rows },
      undone: {
        start,
        errors: undoingErrors(b, links, { state: start, known, here: cotangents, atEnd: arriving.end }),
      },
    };
  },
};

/** How good an undone state is. @param at.here, at.atEnd  cotangents of float leaves */
export function undoingErrors(
  b: Builder,
  links: Links,
  {
    state,
    known,
    here,
    atEnd,
  }: Readonly<Record<"state" | "known", readonly Value[]>> &
    Readonly<Record<"here" | "atEnd", readonly (Value | null)[]>>,
): UndoingErrors {
  const ofStates = distance(b, links, state, known);
  return links.lost === null ? [ofStates] : [ofStates, links.lost(b, state, known, here, atEnd)];
}

/** How far two states lie apart in what is reported, in the maximum norm. */
function distance(
  b: Builder,
  { reported, floats }: Links,
  one: readonly Value[],
  other: readonly Value[],
): Value {
  const seen = reported.filter((leaf) => floats.state.includes(leaf));
  const others = at(other, seen);
  return at(one, seen)
    .map((value, k) => reduceMax(b, abs(b, sub(b, value, others[k]!))))
    .reduce((most, off) => maximum(b, most, off));
}
