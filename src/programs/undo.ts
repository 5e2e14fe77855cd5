import { Builder } from "../graph/builder.js";
import type { Graph } from "../graph/graph.js";
import type { ReversibleMethod, State } from "../methods/method.js";
import { sub } from "../ops/arithmetic.js";
import { loop } from "../ops/control.js";
import { gather } from "../ops/slicing.js";
import { intervalAt, type Setting, solveInputs, systemIn } from "./inputs.js";
import { reconstructedName, stateName } from "./names.js";

/** The graph that goes back from the state at the end of a grid to y0, by undoing every step. */
export function undoProgram(setting: Setting, method: ReversibleMethod): Graph {
  const { field, dtype, state, saves } = setting;
  const b = new Builder();
  const { parameters, grid } = solveInputs(b, setting);
  const end = Array.from({ length: method.width }, (_, k) => b.input(stateName(k), dtype, state));
  const steps = gather(b, grid.offsets, saves);
  const last = sub(b, steps, b.scalar("int64", 1));
  const { carried } = loop(b, { trips: steps, carried: end }, (inner, k, after) => ({
    carried: method.undo(
      systemIn(inner, field, parameters),
      intervalAt(inner, grid, sub(inner, last, k)),
      after as unknown as State,
    ),
  }));
  return b.graph({ [reconstructedName]: carried[0]! }, "undo");
}
