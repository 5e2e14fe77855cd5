import type { Control } from "../control/control.js";
import type { NeuralOde } from "./neural-ode.js";
import type { Solution } from "./solution.js";
import { refuse, warningsOf } from "./warnings.js";

/** The solution with what is doubtful about it. @throws {SolveError} in place of warnings, if `strict` */
export function judged(
  { method, dtype }: NeuralOde,
  control: Control,
  solution: Omit<Solution, "warnings">,
  size: number,
  strict: boolean,
): Solution {
  const { stats, grid } = solution;
  const warnings = warningsOf({ method, dtype, control, stats, size });
  if (strict) {
    const { times } = grid;
    const [before, end] = [times.at(-2) ?? times[0]!, times.at(-1)!];
    const { accepted, rejected } = stats;
    refuse(warnings, { time: end, step: accepted, stepSize: Math.abs(end - before), accepted, rejected });
  }
  return { ...solution, warnings };
}

/** x / size, where 0 / 0 is 0. */
export function relative(x: number, size: number): number {
  return x === 0 ? 0 : x / size;
}
