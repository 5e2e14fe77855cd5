import { unsqueeze } from "../ops/reshape.js";
import { concat, gather } from "../ops/slicing.js";
import type { AdjointRule } from "./adjoint.js";
import { productsToKeep, stepGraph } from "./kept-products.js";
import { at } from "./links.js";
import { sweepBack } from "./sweep.js";
import { checkLength, lengthOf, loopThrough } from "./walk.js";

/**
 * Backpropagation through stored steps: the state before each step is kept, and its cotangents pulled from there. All else is
 * computed again, but for large products, which are kept as long as they do not take much memory.
 */
export const stored: AdjointRule = {
  run(b, { links, saves }, observe = () => []) {
    checkLength(links, saves);
    const reported = saves.kind === "every" ? links.reported : [];
    const length = lengthOf(links);
    const steps = typeof length === "number" ? length : null;
    const { end, stacked, count } = loopThrough(b, links, (inner, before, after) => [
      ...at(after, reported),
      ...before,
      ...productsToKeep(stepGraph(inner, before, after), steps),
    ]);
    const [reports, saved] = [stacked.slice(0, reported.length), stacked.slice(reported.length)];
    if (saves.kind !== "at") {
      return {
        ...{ end, count, stacked: reports, saved },
        observed: saves.kind === "every" ? [] : observe(b, end),
      };
    }
    const places = b.ints(Array.from({ length: saves.count }, (_, k) => k + 1));
    const offsets = gather(b, saves.offsets, places);
    const states = end.map((last, k) =>
      gather(b, concat(b, [saved[k]!, unsqueeze(b, last, [0])], 0), offsets),
    );
    return {
      ...{ end, count, saved, stacked: at(states, links.reported) },
      observed: observe(b, states),
    };
  },
  pull(b, task, { saved, count }, arriving) {
    const { start, pull } = task.links;
    const swept = sweepBack(b, task, arriving, { end: [], count }, (inner, i, { cotangents }) => {
      const own = saved.map((stack) => gather(inner, stack, i));
      return {
        ...pull(inner, i, own.slice(0, start.length), cotangents, own.slice(start.length)),
        before: [],
      };
    });
    return { start: swept.cotangents, shared: swept.sums, rows: swept.rows, undone: null };
  },
};
