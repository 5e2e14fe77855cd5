import { rootMeanSquare } from "../control/norm.js";
import { Builder } from "../graph/builder.js";
import type { Graph } from "../graph/graph.js";
import type { State } from "../methods/method.js";
import { add, mul } from "../ops/arithmetic.js";
import { reduceSum } from "../ops/broadcast.js";
import { loop } from "../ops/control.js";
import { equal, where } from "../ops/logic.js";
import { cast } from "../ops/reshape.js";
import { gather } from "../ops/slicing.js";
import { firstTime, intervalAt, type Setting, solveInputs, systemIn } from "./inputs.js";
import { finiteStepsName, yNormName } from "./names.js";

/**
 * The graph that finds where a solve leaves the finite numbers: how many steps end in a finite state, and
 * the root mean square of the last of them. It stops there.
 */
export function divergenceProgram(setting: Setting): Graph {
  const { field, method, saves } = setting;
  const b = new Builder();
  const { parameters, y0, grid } = solveInputs(b, setting);
  const start = method.start(systemIn(b, field, parameters), firstTime(b, grid), y0);
  const { carried } = loop(
    b,
    {
      trips: gather(b, grid.offsets, saves),
      carried: [b.scalar("int64", 0), rootMeanSquare(b, y0, "batch"), ...start],
    },
    (inner, i, [count, norm, ...state]) => {
      const system = systemIn(inner, field, parameters);
      const next = method.step(system, intervalAt(inner, grid, i), state as unknown as State);
      // 0 · y is 0 only if y is finite
      const proceed = equal(inner, reduceSum(inner, mul(inner, next[0], 0)), inner.scalar(setting.dtype, 0));
      return {
        carried: [
          add(inner, count!, cast(inner, proceed, "int64")),
          where(inner, proceed, rootMeanSquare(inner, next[0], "batch"), norm!),
          ...next,
        ],
        proceed,
      };
    },
  );
  return b.graph({ [finiteStepsName]: carried[0]!, [yNormName]: carried[1]! }, "divergence");
}
