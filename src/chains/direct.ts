import { unsqueeze } from "../ops/reshape.js";
import { concat, gather } from "../ops/slicing.js";
import type { AdjointRule } from "./adjoint.js";
import { at } from "./links.js";
import { sweepBack } from "./sweep.js";
import { checkLength, loopThrough } from "./walk.js";

/** Backpropagation through stored steps: the state before each step is kept, and its cotangents pulled from there. */
export const stored: AdjointRule = {
  run(b, { links, saves }, observe = () => []) {
    checkLength(links, saves);
    const every = saves.kind === "every";
    const { end, stacked, count } = loopThrough(b, links, (_, before, after) => [
      ...before,
      ...(every ? at(after, links.reported) : []),
    ]);
    const [trajectory, reports] = [stacked.slice(0, links.start.length), stacked.slice(links.start.length)];
    if (saves.kind !== "at") {
      return {
        ...{ end, count, stacked: reports, saved: trajectory },
        observed: every ? [] : observe(b, end),
      };
    }
    const places = b.ints(Array.from({ length: saves.count }, (_, k) => k + 1));
    const offsets = gather(b, saves.offsets, places);
    const states = trajectory.map((before, k) =>
      gather(b, concat(b, [before, unsqueeze(b, end[k]!, [0])], 0), offsets),
    );
    return {
      ...{ end, count, saved: trajectory, stacked: at(states, links.reported) },
      observed: observe(b, states),
    };
  },
  pull(b, task, { saved: trajectory, count }, arriving) {
    const swept = sweepBack(b, task, arriving, { end: [], count }, (inner, i, { cotangents }) => {
      const before = trajectory.map((states) => gather(inner, states, i));
      return { ...task.links.pull(inner, i, before, cotangents), before: [] };
    });
    return { start: swept.cotangents, shared: swept.sums, rows: swept.rows, undone: null };
  },
};
