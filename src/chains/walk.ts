import type { Builder } from "../graph/builder.js";
import type { Dim, Value } from "../graph/graph.js";
import { add, sub } from "../ops/arithmetic.js";
import { loop } from "../ops/control.js";
import { operand } from "../ops/operand.js";
import { gather } from "../ops/slicing.js";
import type { ChainRun, ChainTask, Observe, Saves, SavesAt } from "./adjoint.js";
import { ChainError } from "./chain.js";
import { at, type Links } from "./links.js";

/** How many steps there are, or at most are. */
export function stepsOf(b: Builder, { links, saves }: Pick<ChainTask, "links" | "saves">): Value {
  return saves.kind === "at" ? gather(b, saves.offsets, saves.count) : operand(b, links.steps, "int64");
}

/** The number of steps as a dimension. */
export function lengthOf({ steps, rows, proceed }: Links): Dim {
  if (proceed !== null) return "steps";
  if (typeof steps === "number") return steps;
  const length = rows[0]?.shape[0] ?? "steps";
  // a number of steps that is a value may be less than that of the rows
  return typeof length === "string" || steps.constant !== null ? length : "steps";
}

/** The steps that lead to a save: the index of the first, and how many. */
export function stepsTo(b: Builder, { offsets }: Pick<SavesAt, "offsets">, save: Value): [Value, Value] {
  const first = gather(b, offsets, save);
  return [first, sub(b, gather(b, offsets, add(b, save, b.scalar("int64", 1))), first)];
}

/** Steps one after the other, all of a chain, with what each of them leaves. */
export function loopThrough(
  b: Builder,
  links: Links,
  leaves: (b: Builder, before: readonly Value[], after: readonly Value[]) => readonly Value[],
): { end: Value[]; stacked: Value[]; count: Value } {
  const { steps, start, proceed } = links;
  const length = lengthOf(links);
  if (proceed === null) {
    const { carried, scans } = loop(b, { trips: steps, carried: start, length }, (inner, i, before) => {
      const after = links.step(inner, i, before);
      return { carried: after, scans: leaves(inner, before, after) };
    });
    return { end: carried, stacked: scans, count: operand(b, steps, "int64") };
  }
  const zero = b.scalar("int64", 0);
  const { carried, scans } = loop(
    b,
    { trips: steps, carried: [zero, ...start], length },
    (inner, i, [done, ...before]) => {
      const after = links.step(inner, i, before);
      return {
        carried: [add(inner, done!, inner.scalar("int64", 1)), ...after],
        scans: leaves(inner, before, after),
        proceed: proceed(inner, i, before, after),
      };
    },
  );
  return { end: carried.slice(1), stacked: scans, count: carried[0]! };
}

/** Goes through a chain, and keeps nothing but what is saved. */
export function walk(
  b: Builder,
  task: Pick<ChainTask, "links" | "saves">,
  observe: Observe = () => [],
): Omit<ChainRun, "saved"> {
  const { links, saves } = task;
  if (saves.kind === "end") {
    const { end, count } = loopThrough(b, links, () => []);
    return { end, count, stacked: [], observed: observe(b, end) };
  }
  if (saves.kind === "every") {
    const run = loopThrough(b, links, (_, _before, after) => at(after, links.reported));
    return { ...run, observed: [] };
  }
  checkLength(links, saves);
  const { carried, scans } = loop(
    b,
    { trips: saves.count, carried: links.start, length: saves.count },
    (outer, save, state) => {
      const [first, count] = stepsTo(outer, saves, save);
      const { carried: next } = loop(outer, { trips: count, carried: state }, (inner, k, within) => ({
        carried: links.step(inner, add(inner, first, k), within),
      }));
      return { carried: next, scans: [...at(next, links.reported), ...observe(outer, next)] };
    },
  );
  const width = links.reported.length;
  return {
    end: carried,
    stacked: scans.slice(0, width),
    observed: scans.slice(width),
    count: stepsOf(b, task),
  };
}

/** @throws {ChainError} for saves on the way in a chain that ends by itself */
export function checkLength({ name, proceed }: Links, saves: Saves): void {
  if (proceed === null || saves.kind !== "at") return;
  throw new ChainError(
    `The chain "${name}" ends by a condition, so that it is not known which steps it gets to. Save its end, or every state.`,
  );
}
