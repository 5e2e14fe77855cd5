import { region } from "../autodiff/region.js";
import { pullback } from "../autodiff/vjp.js";
import { leastNormal } from "../core/spacing.js";
import { type FloatDType, isFloat } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { div } from "../ops/arithmetic.js";
import { abs } from "../ops/elementwise.js";
import { maximum } from "../ops/extrema.js";
import { reduceMax } from "../ops/reduce.js";
import type { AdjointRule, Arriving, ChainCotangents, ChainTask } from "./adjoint.js";
import { stored } from "./direct.js";
import { at, type Links, spread } from "./links.js";

/** A chain on what goes into it, in some scope: the leaves of its start, of what is shared, of its rows, and the steps. */
export type TaskIn = (scope: Builder, values: readonly Value[]) => ChainTask;

type Observer = (b: Builder, error: Value) => void;

/**
 * A chain as a region: it is gone through and pulled back by a rule.
 *
 * The way back is a region of its own, whose derivative goes through stored states, whatever the rule: they all are one
 * function of what goes in. So second derivatives need the memory of "direct", and are to be had by every rule.
 *
 * @returns the number of steps, the leaves of the end, and the stacks that are saved
 */
export function chainRegion(
  b: Builder,
  name: string,
  rule: AdjointRule,
  inputs: readonly Value[],
  taskIn: TaskIn,
  observe?: Observer,
): readonly Value[] {
  return region(b, inputs, {
    name: `chain ${name}`,
    build(inner, values) {
      const { end, stacked, count, saved } = rule.run(inner, taskIn(inner, values));
      return { outputs: [count, ...end, ...stacked], saved };
    },
    pull(scope, { inputs: given, outputs, saved }, cotangents) {
      const { links } = taskIn(scope, given);
      const [found, error] = pulledBack(scope, name, rule, { given, outputs, saved }, cotangents, taskIn);
      if (error !== null) {
        const end = outputs.slice(1, 1 + links.start.length);
        observe?.(scope, relative(scope, links, end, error));
      }
      const [start, shared, rows] = cut(found, Object.values(links.floats));
      return [
        ...spread(links.start.length, links.floats.state, start!),
        ...spread(links.shared.length, links.floats.shared, shared!),
        ...spread(links.rows.length, links.floats.rows, rows!),
        ...given.slice(links.start.length + links.shared.length + links.rows.length).map(() => null),
      ];
    },
  });
}

/** Cotangents of the float leaves of what goes in, as a region; and how far states that were undone came back. */
function pulledBack(
  b: Builder,
  name: string,
  rule: AdjointRule,
  passed: Readonly<Record<"given" | "outputs" | "saved", readonly Value[]>>,
  cotangents: readonly (Value | null)[],
  taskIn: TaskIn,
): [readonly Value[], error: Value | null] {
  const { given, outputs, saved } = passed;
  const present = cotangents.flatMap((cotangent) => (cotangent === null ? [] : [cotangent]));
  const lists = [given, outputs, saved, present];
  const arrivingIn = ({ links }: ChainTask, own: readonly Value[]): Arriving => {
    let next = 0;
    const [, ...all] = cotangents.map((cotangent) => (cotangent === null ? null : own[next++]!));
    const width = links.start.length;
    return { end: at(all.slice(0, width), links.floats.state), stacked: all.slice(width) };
  };
  let undoes = false;
  const results = region(b, lists.flat(), {
    name: `way back of chain ${name}`,
    build(inner, values) {
      const [own, out, kept, arriving] = cut(values, lists) as [Value[], Value[], Value[], Value[]];
      const task = taskIn(inner, own);
      const [count, ...rest] = out;
      const width = task.links.start.length;
      const run = { count: count!, end: rest.slice(0, width), stacked: rest.slice(width), saved: kept };
      const pulled = rule.pull(inner, task, run, arrivingIn(task, arriving));
      undoes = pulled.undone !== null;
      return { outputs: [...listed(pulled), ...(pulled.undone === null ? [] : [pulled.undone.error])] };
    },
    pull(scope, { inputs: values }, arrived) {
      const [own, out, kept, arriving] = cut(values, lists) as [Value[], Value[], Value[], Value[]];
      const task = { ...taskIn(scope, own), schedule: null };
      const pulled = listed(stored.pull(scope, task, stored.run(scope, task), arrivingIn(task, arriving)));
      const wrt = [...own.filter(({ dtype }) => isFloat(dtype)), ...arriving];
      const found = pullback(scope, pulled, arrived.slice(0, pulled.length), wrt);
      const ownFloats = own.flatMap(({ dtype }, k) => (isFloat(dtype) ? [k] : []));
      return [
        ...spread(own.length, ownFloats, found),
        ...[...out, ...kept].map(() => null),
        ...found.slice(ownFloats.length),
      ];
    },
  });
  return undoes ? [results.slice(0, -1), results.at(-1)!] : [results, null];
}

function listed({ start, shared, rows }: ChainCotangents): Value[] {
  return [...start, ...shared, ...rows];
}

/** max |error| over the largest number of the first and the last state. */
function relative(b: Builder, { start, floats }: Links, end: readonly Value[], error: Value): Value {
  const sizes = [...at(start, floats.state), ...at(end, floats.state)].map((x) => reduceMax(b, abs(b, x)));
  const size = sizes.reduce((most, each) => maximum(b, most, each));
  return div(b, error, maximum(b, size, leastNormal[error.dtype as FloatDType]));
}

/** Cuts a list into parts as long as those of others. */
export function cut<T>(values: readonly T[], lengths: readonly (readonly unknown[])[]): T[][] {
  let from = 0;
  return lengths.map(({ length }) => {
    from += length;
    return values.slice(from - length, from);
  });
}
