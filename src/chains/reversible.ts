import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { sub } from "../ops/arithmetic.js";
import { abs } from "../ops/elementwise.js";
import { maximum } from "../ops/extrema.js";
import { reduceMax } from "../ops/reduce.js";
import type { AdjointRule } from "./adjoint.js";
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
    const { state: start } = swept;
    return {
      ...{ start: swept.cotangents, shared: swept.sums, rows: swept.rows },
      undone: { start, error: distance(b, links, start, links.start) },
    };
  },
};

/** How far two states lie apart in what is reported, in the maximum norm. */
export function distance(
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
