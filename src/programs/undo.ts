import type { ReversibleMethod, State } from "../methods/method.js";
import { sub } from "../ops/arithmetic.js";
import { gather } from "../ops/slicing.js";
import { gridTypes, intervalAt, parameterTypes, type Setting, systemIn } from "./inputs.js";
import { loopOver } from "./loop-over.js";
import { inputType, programOf } from "./program.js";

/** The program that goes back from the state at the end of a grid to y0, by undoing every step. */
export function undoProgram(setting: Setting, method: ReversibleMethod) {
  const { field, dtype, state, saves } = setting;
  const end = Array.from({ length: method.width }, () => inputType(dtype, state));
  const inputs = { parameters: parameterTypes(setting), ...gridTypes(setting), end };
  return programOf("undo", inputs, (b, { parameters, end, ...grid }) => {
    const steps = gather(b, grid.offsets, saves);
    const last = sub(b, steps, b.scalar("int64", 1));
    const carried = end as unknown as State;
    const { carried: start } = loopOver(b, { trips: steps, carried }, (inner, after, k) => {
      const step = intervalAt(inner, grid, sub(inner, last, k));
      return { carried: method.undo(systemIn(inner, field, parameters, step), step, after) };
    });
    return { y0: start[0] };
  });
}
