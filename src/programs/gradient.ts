import { RevortError } from "../core/errors.js";
import type { VectorField } from "../fields/field.js";
import { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { isReversible, type Method, type ReversibleMethod, type State } from "../methods/method.js";
import { mul, sub } from "../ops/arithmetic.js";
import { loop } from "../ops/control.js";
import { unsqueeze } from "../ops/reshape.js";
import { concat, gather } from "../ops/slicing.js";
import {
  addAll,
  type BackwardInputs,
  pullStep,
  type SolveAdjoint,
  shareInputs,
  zerosOf,
} from "./backward-step.js";
import { firstTime, intervalAt, type Setting, solveInputs, systemIn } from "./inputs.js";
import { solve } from "./solve.js";
import { type Sweep, sweepBack } from "./sweep.js";
import { atSaves, largest, pairMaxima, relativeDrift, relativeTo } from "./watch.js";

/** Gradients that are exact and take no schedule. */
export type ExactGraphGradient = "reversible" | "direct";
/** Gradients that go by a schedule of stored states: between them, steps are taken again, or undone. */
export type ScheduledGradient = "checkpoint" | "refresh";
/** Gradients as graphs. */
export type GraphGradient = ExactGraphGradient | ScheduledGradient | "continuous";

/** A gradient method that does not exist, or cannot be used with a solver. */
export class GradientMethodError extends RevortError {}

/** @throws {GradientMethodError} unless the steps of a method can be undone */
export function undoable(method: Method): ReversibleMethod {
  if (isReversible(method)) return method;
  throw new GradientMethodError(
    `The method "${method.name}" cannot be undone, so it has no reversible gradient. ` +
      `Use reversible(${method.name}), or the gradient "checkpoint" or "direct".`,
  );
}

/**
 * Backpropagation with reconstruction: each step is undone, and its cotangents pulled through it, from the state at
 * the end, which is all that the forward pass leaves behind.
 */
export const reversibleAdjoint: SolveAdjoint = {
  solve(b, setting, inputs) {
    undoable(setting.method);
    const { ys, end, observed } = solve(b, setting, inputs, atSaves(pairMaxima, setting));
    return { ys, drift: relativeDrift(b, setting, inputs.y0, end, observed), saved: end };
  },
  pull(b, setting, inputs, { ys, saved }, cotangent) {
    const method = undoable(setting.method);
    const end = saved as unknown as State;
    const swept = sweepBack(b, setting, inputs, cotangent, end, (inner, i, sweep) =>
      undoStep(inner, { ...setting, method }, inputs, i, sweep),
    );
    const [reconstructed] = swept.state;
    const error = largest(b, sub(b, reconstructed, inputs.y0));
    return { ...swept, reconstructed, reconstructionError: relativeTo(b, ys, inputs.y0, error) };
  },
};

/**
 * Undoes step i and pulls cotangents through it. Where times have a gradient, the step is taken again from the state
 * before it, since what a method does on its way back takes the times as given.
 */
export function undoStep(
  b: Builder,
  setting: Setting & { readonly method: ReversibleMethod },
  inputs: BackwardInputs,
  i: Value,
  { state, cotangents, sums, times }: Sweep<State>,
): Sweep<State> {
  const { field, method } = setting;
  const system = systemIn(b, field, inputs.parameters);
  const interval = intervalAt(b, inputs.grid, i);
  if (inputs.shares !== null) {
    const before = method.undo(system, interval, state);
    const pulled = pullStep(b, setting, inputs, i, before, cotangents);
    return {
      state: before,
      cotangents: pulled.cotangents,
      sums: addAll(b, sums, pulled.parameters),
      times: addAll(b, times, pulled.times),
    };
  }
  const back = method.back(system, interval, state, cotangents);
  return {
    state: back.state,
    cotangents: back.cotangents.map((value, k) => value ?? zerosOf(b, state[k]!)),
    sums: addAll(b, sums, back.parameters),
    times,
  };
}

/** Methods for split systems cut the state in halves, so the one that evaluations are counted on has two. */
const countingState = [2];

/** Evaluations of the field in undoing a step and pulling cotangents through it, counted in the graph. */
export function undoEvaluations(method: Method, times: boolean): number {
  const found = new Set<Value>();
  const field: VectorField = {
    name: "counting",
    state: countingState,
    parameters: {},
    apply(b, _theta, t, y) {
      const slope = mul(b, y, t);
      found.add(slope);
      return slope;
    },
  };
  const setting: Setting = {
    field,
    method,
    dtype: "float64",
    state: countingState,
    saves: 1,
    everyStep: false,
  };
  const b = new Builder();
  const inputs = { ...solveInputs(b, setting), shares: shareInputs(b, setting, times), schedule: null };
  const arrays = (name: string) =>
    Array.from({ length: method.width }, (_, k) => b.input(`${name}${k}`, "float64", countingState));
  undoStep(b, { ...setting, method: undoable(method) }, inputs, b.input("i", "int64", []), {
    state: arrays("state") as unknown as State,
    cotangents: arrays("cotangent"),
    sums: [],
    times: times ? [b.scalar("float64", 0), b.scalar("float64", 0)] : [],
  });
  return found.size;
}

/** Backpropagation through stored steps: the state before each step is kept, and its cotangents pulled from there. */
export const directAdjoint: SolveAdjoint = {
  solve(b, setting, inputs) {
    const { field, method, saves, everyStep } = setting;
    const { parameters, y0, grid } = inputs;
    const start = method.start(systemIn(b, field, parameters), firstTime(b, grid), y0);
    const { carried: end, scans: trajectory } = loop(
      b,
      everyStep
        ? { trips: saves, carried: start, length: saves }
        : { trips: gather(b, grid.offsets, saves), carried: start },
      (inner, i, state) => ({
        carried: method.step(
          systemIn(inner, field, parameters),
          intervalAt(inner, grid, i),
          state as unknown as State,
        ),
        scans: state,
      }),
    );
    const at = gather(b, grid.offsets, b.ints(Array.from({ length: saves }, (_, s) => s + 1)));
    const saved = (k: number) => gather(b, concat(b, [trajectory[k]!, unsqueeze(b, end[k]!, [0])], 0), at);
    const ys = saved(0);
    const { companion } = method;
    const observed =
      companion === undefined || everyStep
        ? []
        : pairMaxima(b, setting, { 0: ys, [companion]: saved(companion) });
    return { ys, drift: relativeDrift(b, setting, y0, end as unknown as State, observed), saved: trajectory };
  },
  pull(b, setting, inputs, { saved: trajectory }, cotangent) {
    const swept = sweepBack(b, setting, inputs, cotangent, null, (inner, i, { cotangents, sums, times }) => {
      const before = trajectory.map((states) => gather(inner, states, i)) as unknown as State;
      const pulled = pullStep(inner, setting, inputs, i, before, cotangents);
      return {
        state: null,
        cotangents: pulled.cotangents,
        sums: addAll(inner, sums, pulled.parameters),
        times: addAll(inner, times, pulled.times),
      };
    });
    return { ...swept, reconstructed: null, reconstructionError: null };
  },
};
