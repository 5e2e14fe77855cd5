import type { ChainAdjoint, ChainRun, ChainTask } from "../chains/adjoint.js";
import type { ChainMethod } from "../chains/adjoints.js";
import type { Chain } from "../chains/chain.js";
import { addAll, linksOf, type RowSums } from "../chains/links.js";
import { GradientMethodError } from "../chains/syntax.js";
import { stepsOf } from "../chains/walk.js";
import type { Values } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { scaled, sumOf } from "../methods/cotangents.js";
import {
  type Interval,
  isReversible,
  type Method,
  type ReversibleMethod,
  type State,
} from "../methods/method.js";
import { add, sub } from "../ops/arithmetic.js";
import { zeros } from "../ops/linalg.js";
import { unsqueeze } from "../ops/reshape.js";
import { scatterND } from "../ops/scatter.js";
import { concat, gather } from "../ops/slicing.js";
import { firstTime, type Setting, systemIn } from "./inputs.js";
import { type BackwardInputs, pullStart, type SolveAdjoint, type TimeShares } from "./solve-adjoint.js";
import { pairMaxima, relativeDrift, relativeTo } from "./watch.js";

/** The steps of a method as a chain: they share the parameters of the field, and each has its interval. */
export function solverChain({
  field,
  method,
}: Pick<Setting, "field" | "method">): Chain<State, Values, Interval> {
  const stepping: Chain<State, Values, Interval> = {
    name: method.name,
    step: (b, { shared, row }, state) => method.step(systemIn(b, field, shared, row), row, state),
    report: ([y]) => y,
  };
  if (!isReversible(method)) return stepping;
  return {
    ...stepping,
    undo: (b, { shared, row }, state) => method.undo(systemIn(b, field, shared, row), row, state),
    back(b, { shared, row }, after, cotangents) {
      const system = systemIn(b, field, shared, row);
      const { state, parameters, ...rest } = method.back(system, row, after, cotangents);
      const names = Object.keys(shared);
      return {
        before: state,
        cotangents: rest.cotangents as never,
        shared: Object.fromEntries(names.map((name, k) => [name, parameters[k] ?? null])),
        // a method takes the times as given
        row: null,
      };
    },
  };
}

/** @throws {GradientMethodError} unless the steps of a method can be undone */
export function undoable(method: Method): ReversibleMethod {
  if (isReversible(method)) return method;
  throw new GradientMethodError(
    `The method "${method.name}" cannot be undone, so it has no reversible gradient. ` +
      `Use reversible(${method.name}), or the gradient "checkpoint" or "direct".`,
  );
}

/** A solve as a chain on its values, in the scope of `b`. */
export function solverTask(b: Builder, setting: Setting, inputs: BackwardInputs): ChainTask {
  const { field, method, saves, everyStep, coincident = false } = setting;
  const { parameters, y0, grid, shares, schedule } = inputs;
  const { offsets, ...rows } = grid;
  const start = method.start(systemIn(b, field, parameters), firstTime(b, grid), y0);
  const steps = everyStep ? saves : gather(b, offsets, saves);
  const links = linksOf(
    solverChain(setting),
    { start, shared: parameters, rows, steps },
    shares !== null && timeSums(setting, shares),
  );
  return {
    // y alone: its companion, or its velocity, is of another size
    links: { ...links, compared: links.reported },
    saves: everyStep ? { kind: "every" } : { kind: "at", count: saves, offsets, coincident },
    schedule,
  };
}

/** An adjoint of chains, for solves. */
export function solveAdjoint(adjoint: ChainAdjoint<ChainMethod>): SolveAdjoint<ChainMethod> {
  const { rule, ...record } = adjoint;
  return {
    ...record,
    solve(b, setting, inputs) {
      if (adjoint.undoes) undoable(setting.method);
      const observe = (scope: Builder, state: readonly Value[]) => pairMaxima(scope, setting, state);
      const { stacked, end, observed, saved } = rule.run(b, solverTask(b, setting, inputs), observe);
      const drift = relativeDrift(b, setting, inputs.y0, end as unknown as State, observed);
      return { ys: stacked[0]!, drift, saved: [...end, ...saved] };
    },
    pull(b, setting, inputs, { ys, saved }, cotangent) {
      const task = solverTask(b, setting, inputs);
      const { width } = setting.method;
      const run: Omit<ChainRun, "observed"> = {
        stacked: [ys],
        count: stepsOf(b, task),
        ...{ end: saved.slice(0, width), saved: saved.slice(width) },
      };
      const found = rule.pull(b, task, run, { end: [], stacked: [cotangent] });
      const start = pullStart(b, setting, inputs, found.start);
      const { undone } = found;
      return {
        y0: start.y0,
        parameters: addAll(b, found.shared, start.parameters),
        times: inputs.shares && withStart(b, found.rows[0]!, start.t0),
        reconstructed: undone && undone.start[0]!,
        reconstructionError: undone && relativeTo(b, ys, inputs.y0, undone.errors[0]!),
      };
    },
  };
}

/**
 * What the intervals of steps add to the cotangents of all times, the first one and the saves, [saves + 1]. With w0 and
 * w1 the shares of a step between the times around it,
 *
 *   to̅ = w0 t̄0 + w1 t̄1 + (w1 − w0) h̄,   from̅ = t̄0 + t̄1 − to̅
 */
function timeSums({ dtype, saves }: Setting, { start, end, leadsTo }: TimeShares): RowSums {
  return {
    first: (b) => [zeros(b, dtype, [saves + 1])],
    add(b, i, [sums], [t0Bar, t1Bar, hBar]) {
      const [w0, w1] = [gather(b, start, i), gather(b, end, i)];
      const to = sumOf(b, [scaled(b, t0Bar, w0), scaled(b, t1Bar, w1), scaled(b, hBar, sub(b, w1, w0))])!;
      const around = [sub(b, sumOf(b, [t0Bar, t1Bar])!, to), to];
      const save = unsqueeze(b, gather(b, leadsTo, i), [0]);
      const places = unsqueeze(b, add(b, save, b.ints([0, 1])), [-1]);
      const updates = concat(
        b,
        around.map((value) => unsqueeze(b, value, [0])),
        0,
      );
      return [scatterND(b, sums!, places, updates, "add")];
    },
  };
}

/** Cotangents of all times, with what the first state adds to that of the first. */
function withStart(b: Builder, times: Value, t0: Value | null): Value {
  const first = t0 === null ? zeros(b, times.dtype, [1]) : unsqueeze(b, t0, [0]);
  const saves = (times.shape[0] as number) - 1;
  return add(b, times, concat(b, [first, zeros(b, times.dtype, [saves])], 0));
}
