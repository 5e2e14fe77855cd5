import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import type { State } from "../methods/method.js";
import { add } from "../ops/arithmetic.js";
import { loop } from "../ops/control.js";
import {
  firstTime,
  intervalAt,
  type Setting,
  type SolveInputs,
  solveTypes,
  stepsTo,
  systemIn,
} from "./inputs.js";
import { programOf } from "./program.js";
import { atSaves, pairNorms } from "./watch.js";

/**
 * A whole solve: states at the save times and the state at the end.
 *
 * The outer loop runs over saves, the inner one over the steps between two of them, so that nothing but what is saved
 * is kept, whatever the number of steps.
 *
 * @param observe  what else to stack up at the saves
 */
export function solve(
  b: Builder,
  setting: Setting,
  inputs: SolveInputs,
  observe: (b: Builder, state: State) => readonly Value[] = () => [],
): { ys: Value; end: State; observed: readonly Value[] } {
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
        return { carried: next, scans: [next[0], ...observe(outer, next)] };
      }
      const [first, count] = stepsTo(outer, grid, save);
      const { carried: next } = loop(outer, { trips: count, carried: state }, (inner, k, within) => ({
        carried: step(inner, add(inner, first, k), within),
      }));
      return { carried: next, scans: [next[0]!, ...observe(outer, next as unknown as State)] };
    },
  );
  return { ys: scans[0]!, end: carried as unknown as State, observed: scans.slice(1) };
}

/**
 * The program that maps parameters, y0 and a time grid to the states at the save times. Where the method has a companion
 * of y, it says how far that has drifted off: at each save, or at the end if every step is saved.
 *
 * @param withEnd  whether to put out the whole state at the end as well
 */
export function solveProgram(setting: Setting, withEnd = false) {
  return programOf("solve", solveTypes(setting), (b, { parameters, y0, ...grid }) => {
    const { ys, end, observed } = solve(b, setting, { parameters, y0, grid }, atSaves(pairNorms, setting));
    const [drift, size] = setting.everyStep ? pairNorms(b, setting, end) : observed;
    return {
      ys,
      pair: drift === undefined ? null : { drift, size: size! },
      end: withEnd ? end : null,
    };
  });
}
