import { walk } from "../chains/walk.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import type { State } from "../methods/method.js";
import { type Setting, type SolveInputs, solveTypes } from "./inputs.js";
import { programOf } from "./program.js";
import { solverTask } from "./solver-chain.js";
import { type pairMaxima, pairNorms } from "./watch.js";

/**
 * A whole solve: states at the save times and the state at the end. Nothing but what is saved is kept, whatever the number
 * of steps.
 *
 * @param pair  what else to stack up at the saves, if not every step is one
 */
export function solve(
  b: Builder,
  setting: Setting,
  inputs: SolveInputs,
  pair: typeof pairNorms | typeof pairMaxima = () => [],
): { ys: Value; end: State; observed: readonly Value[] } {
  const task = solverTask(b, setting, { ...inputs, shares: null, schedule: null });
  const { stacked, end, observed } = walk(b, task, (inner, state) => pair(inner, setting, state as State));
  return { ys: stacked[0]!, end: end as unknown as State, observed };
}

/**
 * The program that maps parameters, y0 and a time grid to the states at the save times. Where the method has a companion
 * of y, it says how far that has drifted off: at each save, or at the end if every step is saved.
 *
 * @param withEnd  whether to put out the whole state at the end as well
 */
export function solveProgram(setting: Setting, withEnd = false) {
  return programOf("solve", solveTypes(setting), (b, { parameters, y0, ...grid }) => {
    const { ys, end, observed } = solve(b, setting, { parameters, y0, grid }, pairNorms);
    const [drift, size] = setting.everyStep ? pairNorms(b, setting, end) : observed;
    return {
      ys,
      pair: drift === undefined ? null : { drift, size: size! },
      end: withEnd ? end : null,
    };
  });
}
