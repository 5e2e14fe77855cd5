import { rootMeanSquare } from "../control/norm.js";
import { add, mul } from "../ops/arithmetic.js";
import { reduceSum } from "../ops/broadcast.js";
import { equal, where } from "../ops/logic.js";
import { cast } from "../ops/reshape.js";
import { gather } from "../ops/slicing.js";
import { firstTime, intervalAt, type Setting, solveTypes, systemIn } from "./inputs.js";
import { loopOver } from "./loop-over.js";
import { programOf } from "./program.js";

/**
 * The program that finds where a solve leaves the finite numbers: how many steps end in a finite state, and the root mean
 * square of the last of them. It stops there.
 */
export function divergenceProgram(setting: Setting) {
  const { field, method, saves, dtype } = setting;
  return programOf("divergence", solveTypes(setting), (b, { parameters, y0, ...grid }) => {
    const start = {
      finiteSteps: b.scalar("int64", 0),
      yNorm: rootMeanSquare(b, y0, "batch"),
      state: method.start(systemIn(b, field, parameters), firstTime(b, grid), y0),
    };
    const trips = gather(b, grid.offsets, saves);
    const { carried } = loopOver(b, { trips, carried: start }, (inner, before, i) => {
      const step = intervalAt(inner, grid, i);
      const state = method.step(systemIn(inner, field, parameters, step), step, before.state);
      // 0 · y is 0 only if y is finite
      const proceed = equal(inner, reduceSum(inner, mul(inner, state[0], 0)), inner.scalar(dtype, 0));
      const finiteSteps = add(inner, before.finiteSteps, cast(inner, proceed, "int64"));
      const yNorm = where(inner, proceed, rootMeanSquare(inner, state[0], "batch"), before.yNorm);
      return { carried: { finiteSteps, yNorm, state }, proceed };
    });
    const { finiteSteps, yNorm } = carried;
    return { finiteSteps, yNorm };
  });
}
