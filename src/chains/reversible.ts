import type { FloatDType } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { sub } from "../ops/arithmetic.js";
import { maximum } from "../ops/extrema.js";
import { cast } from "../ops/reshape.js";
import type { AdjointRule, UndoingErrors } from "./adjoint.js";
import { at, type Links } from "./links.js";
import { magnitude } from "./magnitude.js";
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
  if (links.lost === null) return [ofStates];
  return [ofStates, cast(b, links.lost(b, state, known, here, atEnd), errorType(links))];
}

/** How far two states lie apart, in the maximum norm. */
function distance(b: Builder, links: Links, one: readonly Value[], other: readonly Value[]): Value {
  const others = at(other, links.compared);
  return at(one, links.compared)
    .map((value, k) => largestIn(b, links, sub(b, value, others[k]!)))
    .reduce((most, off) => maximum(b, most, off));
}

/** The largest |x|, ∞ where one is NaN, in the type in which the errors of a chain are told. */
export function largestIn(b: Builder, links: Links, x: Value): Value {
  return cast(b, magnitude(b, x), errorType(links));
}

/** That of its states; where those are of both, the one that they are rounded to more coarsely. */
export function errorType({ start, floats }: Links): FloatDType {
  return floats.state.some((leaf) => start[leaf]!.dtype === "float32") ? "float32" : "float64";
}
