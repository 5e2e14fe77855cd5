import { regionWithWayBack } from "../autodiff/way-back.js";
import { leastNormal } from "../core/spacing.js";
import type { FloatDType } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { div } from "../ops/arithmetic.js";
import { maximum } from "../ops/extrema.js";
import { tell } from "../ops/told.js";
import type { AdjointRule, Arriving, ChainCotangents, ChainTask } from "./adjoint.js";
import { stored } from "./direct.js";
import { at, type Links, spread } from "./links.js";
import { unlessLost } from "./lost.js";
import type { RunChainOptions } from "./options.js";
import { largestIn } from "./reversible.js";

/** A chain on what goes into it, in some scope: the leaves of its start, of what is shared, of its rows, and the steps. */
export type TaskIn = (scope: Builder, inputs: readonly Value[]) => ChainTask;

/**
 * A chain as a region: it is gone through and pulled back by a rule. Its way back is differentiated through stored
 * states, whatever the rule: they all are one function of what goes in. So second derivatives are to be had by every
 * rule, in the memory of "direct".
 *
 * @returns the number of steps, the leaves of the end, and the stacks that are saved
 */
export function chainRegion(
  b: Builder,
  name: string,
  rule: AdjointRule,
  inputs: readonly Value[],
  taskIn: TaskIn,
  lostFrom: RunChainOptions["lostFrom"],
): readonly Value[] {
  return regionWithWayBack(b, inputs, {
    name: `chain ${name}`,
    build(inner, values) {
      const { end, stacked, count, saved } = rule.run(inner, taskIn(inner, values));
      return { outputs: [count, ...end, ...stacked], saved };
    },
    pull(inner, { inputs: values, outputs: [count, ...rest], saved }, cotangents) {
      const task = taskIn(inner, values);
      const width = task.links.start.length;
      const run = { count: count!, end: rest.slice(0, width), stacked: rest.slice(width), saved };
      const pulled = rule.pull(inner, task, run, arrivingAt(task, cotangents));
      const all = placed(task, pulled, values.length);
      if (pulled.undone === null) return all;
      const [ofStates, ofGradient] = pulled.undone.errors.map((error) =>
        relativeTo(inner, task.links, run.end, error),
      );
      tell(inner, "reconstructionError", ofStates!);
      return unlessLost(inner, ofGradient ?? ofStates!, all, lostFrom);
    },
    again(inner, values, cotangents) {
      const task = { ...taskIn(inner, values), schedule: null };
      const pulled = stored.pull(inner, task, stored.run(inner, task), arrivingAt(task, cotangents));
      return placed(task, pulled, values.length);
    },
  });
}

/** An error over the largest number of what is compared of the first and the last state. */
function relativeTo(b: Builder, links: Links, end: readonly Value[], error: Value): Value {
  const { start, compared } = links;
  const sizes = [...at(start, compared), ...at(end, compared)].map((x) => largestIn(b, links, x));
  const size = sizes.reduce((most, each) => maximum(b, most, each));
  return div(b, error, maximum(b, size, leastNormal[error.dtype as FloatDType]));
}

/** Cotangents of the outputs of a region, as those of the end and of what is saved. */
function arrivingAt({ links }: ChainTask, [, ...all]: readonly (Value | null)[]): Arriving {
  const width = links.start.length;
  return { end: at(all.slice(0, width), links.floats.state), stacked: all.slice(width) };
}

/** Cotangents of so many inputs of a region, of which the last may be a number of steps. */
function placed(
  { links: { start, shared, rows, floats } }: ChainTask,
  pulled: ChainCotangents,
  length: number,
): (Value | null)[] {
  const own = [
    ...spread(start.length, floats.state, pulled.start),
    ...spread(shared.length, floats.shared, pulled.shared),
    ...spread(rows.length, floats.rows, pulled.rows),
  ];
  return spread(length, [...own.keys()], own);
}
