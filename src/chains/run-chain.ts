import { cut } from "../autodiff/way-back.js";
import type { Tensor } from "../core/tensor.js";
import { mapLeaves, withLeaves } from "../core/tree.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { slice } from "../ops/slice.js";
import type { Saves } from "./adjoint.js";
import { chainAdjointFor, chainMethodOf } from "./adjoints.js";
import { type Chain, ChainError, type ChainInputs } from "./chain.js";
import { chainRegion, type TaskIn } from "./chain-region.js";
import { checkUndoes } from "./check.js";
import { type Links, linksOf } from "./links.js";
import type { RunChainOptions } from "./options.js";
import { tablesOf } from "./tables.js";

/** What comes out of a chain. */
export interface ChainResult<S> {
  readonly end: S;
  /** what the chain reports of states, stacked: [saves, …]; empty without saves */
  readonly saved: readonly Value[];
  /** how many steps were taken, an int64 scalar */
  readonly count: Value;
}

/**
 * Runs a chain as a part of a graph that is differentiated by the adjoint asked for, not through its nodes: states are
 * stored, undone or taken again. How far undone states came back is told in the graph of the way back ({@link told}), at most
 * and relative to the largest of the start and the end; past a limit the gradient is NaN.
 *
 * @throws {ChainError} if the chain cannot be differentiated so, or is given what does not fit it
 * @throws {GradientMethodError} for an adjoint that there is not
 * @throws {GraphError} if a step reads a value of the graph around it
 */
export function runChain<S, P, X>(
  b: Builder,
  chain: Chain<S, P, X>,
  inputs: ChainInputs<S, P, X>,
  { adjoint: spec, save, lostFrom }: RunChainOptions,
): ChainResult<S> {
  const method = chainMethodOf(spec);
  const adjoint = chainAdjointFor(method);
  const outer = linksOf(chain, inputs);
  if (adjoint.undoes) checkUndoes(chain);
  const places = placesOf(outer, save);
  const tables =
    adjoint.plan === undefined
      ? null
      : tablesOf(adjoint.plan(method, fixedSteps(outer)), fixedSteps(outer), places ?? []);
  const counted = typeof inputs.steps === "number" ? [] : [inputs.steps];
  const lists = [outer.start, outer.shared, outer.rows, counted];
  const taskIn: TaskIn = (scope, values) => {
    const [start, shared, rows, steps] = cut(values, lists) as [Value[], Value[], Value[], Value[]];
    const own = {
      start: withLeaves(inputs.start, start) as S,
      shared: withLeaves(inputs.shared, shared) as P,
      rows: withLeaves(inputs.rows, rows) as X,
      steps: steps[0] ?? inputs.steps,
    };
    return {
      links: linksOf(chain, own),
      saves: savesIn(scope, save, places),
      schedule: tables && mapLeaves(tables, (table) => scope.constant(table as Tensor)),
    };
  };
  const [count, ...rest] = chainRegion(b, chain.name, adjoint.rule, lists.flat(), taskIn, lostFrom);
  const width = outer.start.length;
  const asked = save === "every" || save === undefined ? null : save.length;
  return {
    count: count!,
    end: withLeaves(inputs.start, rest.slice(0, width)) as S,
    saved: rest.slice(width).map((stack) => (asked === null ? stack : firstOf(b, stack, asked))),
  };
}

/** How many steps lie before each save, the end among them; `null` where that is not fixed, or nothing is saved. */
function placesOf({ name, steps }: Links, save: RunChainOptions["save"]): readonly number[] | null {
  if (save === undefined) return null;
  if (save === "every") {
    return typeof steps === "number" ? Array.from({ length: steps }, (_, i) => i + 1) : null;
  }
  if (typeof steps !== "number") {
    throw new ChainError(
      `The chain "${name}" is to save states ${save.join(", ")}, but its number of steps is not fixed. Save its end, or every state.`,
    );
  }
  const wrong = save.find(
    (place, k) => !(Number.isInteger(place) && place >= (save[k - 1] ?? 0) && place <= steps),
  );
  if (wrong !== undefined || save.length === 0) {
    throw new ChainError(
      `The chain "${name}" has ${steps} steps, of which states are to be saved after ${save.join(", ") || "none"}. ` +
        `Give whole numbers from 0 to ${steps}, ascending.`,
    );
  }
  return save.at(-1) === steps ? save : [...save, steps];
}

function savesIn(b: Builder, save: RunChainOptions["save"], places: readonly number[] | null): Saves {
  if (save === undefined) return { kind: "end" };
  if (save === "every" || places === null) return { kind: "every" };
  const coincident = places.some((place, k) => place === places[k - 1]);
  return { kind: "at", count: places.length, offsets: b.ints([0, ...places]), coincident };
}

/** @throws {ChainError} where the number of steps is not known when the graph is built */
function fixedSteps({ name, steps, proceed }: Links): number {
  if (typeof steps === "number" && proceed === null) return steps;
  throw new ChainError(
    `Which states of the chain "${name}" to store cannot be planned, as the number of its steps is not known beforehand` +
      `${proceed === null ? "" : " (it ends by a condition)"}. Use the adjoint "direct", or "reversible" if it can be undone.`,
  );
}

function firstOf(b: Builder, stack: Value, count: number): Value {
  return stack.shape[0] === count ? stack : slice(b, stack, 0, 0, count);
}
