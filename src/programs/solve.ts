import { Builder } from "../graph/builder.js";
import type { Graph, Value } from "../graph/graph.js";
import type { State } from "../methods/method.js";
import { add } from "../ops/arithmetic.js";
import { loop } from "../ops/control.js";
import {
  firstTime,
  intervalAt,
  type Setting,
  type SolveInputs,
  solveInputs,
  stepsTo,
  systemIn,
} from "./inputs.js";
import { ysName } from "./names.js";

/**
 * A whole solve: states at the save times and the state at the end.
 *
 * The outer loop runs over saves, the inner one over the steps between two of them, so that nothing but what is saved
 * is kept, whatever the number of steps.
 */
export function solve(b: Builder, setting: Setting, inputs: SolveInputs): { ys: Value; end: State } {
  const { field, method, saves, everyStep } = setting;
  const { parameters, y0, grid } = inputs;
  const start = method.start(systemIn(b, field, parameters), firstTime(b, grid), y0);
  const step = (inner: Builder, i: Value, state: readonly Value[]): State =>
    method.step(systemIn(inner, field, parameters), intervalAt(inner, grid, i), state as State);

  const { carried, scans } = loop(
    b,
    { trips: saves, carried: start, length: saves },
    (outer, save, state) => {
      if (everyStep) {
        const next = step(outer, save, state);
        return { carried: next, scans: [next[0]] };
      }
      const [first, count] = stepsTo(outer, grid, save);
      const { carried: next } = loop(outer, { trips: count, carried: state }, (inner, k, within) => ({
        carried: step(inner, add(inner, first, k), within),
      }));
      return { carried: next, scans: [next[0]!] };
    },
  );
  return { ys: scans[0]!, end: carried as unknown as State };
}

/** The graph that maps parameters, y0 and a time grid to the states at the save times. */
export function solveProgram(setting: Setting): Graph {
  const b = new Builder();
  const { ys } = solve(b, setting, solveInputs(b, setting));
  return b.graph({ [ysName]: ys }, "solve");
}
