import { pullback } from "../autodiff/vjp.js";
import { withLeaves } from "../core/tree.js";
import type { Event } from "../events/event.js";
import { signalOf } from "../events/event.js";
import { add, div, mul, neg } from "../ops/arithmetic.js";
import { reduceSum } from "../ops/broadcast.js";
import { unsqueeze } from "../ops/reshape.js";
import { gather } from "../ops/slicing.js";
import type { GraphGradient, ScheduledGradient } from "./adjoints.js";
import { differentiableSolve } from "./differentiable-solve.js";
import { type Setting, solveTypes, systemIn } from "./inputs.js";
import { inputType, programOf } from "./program.js";

/**
 * The program that pulls cotangents of the time of an event, t̄, and of the state at it, ȳ, back to y0 and the
 * parameters. With g(t, y) = 0 at the event and f = dy/dt, the implicit function theorem gives
 *
 *   dt = −(∂y g · dy) / (∂t g + ∂y g · f),
 *
 * where dy is the change of the state at a fixed time, so that what is pulled through the solve up to there is
 *
 *   ȳ − (∂y g)ᵀ (ȳ · f + t̄) / (∂t g + ∂y g · f)
 *
 * @see Chen, Amos & Nickel 2021, "Learning neural event functions for ordinary differential equations"
 */
export function eventGradientProgram(
  setting: Setting,
  event: Event,
  gradient: Exclude<GraphGradient, ScheduledGradient>,
) {
  const { field, dtype, state, saves } = setting;
  const cotangents = { time: inputType(dtype, []), state: inputType(dtype, state) };
  const inputs = { ...solveTypes(setting), cotangents };
  return programOf("event-gradient", inputs, (b, { parameters, y0, cotangents, ...grid }) => {
    const solved = { parameters, y0, grid, shares: null, schedule: null };
    const { ys, pull } = differentiableSolve(b, gradient, setting, solved);
    const y = gather(b, ys, saves - 1);
    const t = gather(b, grid.t1, -1);
    const slope = systemIn(b, field, parameters).f(t, y);
    const g = signalOf(b, event, [], t, y);
    const [byTime, byState] = pullback(b, [g], [b.scalar(dtype, 1)], [t, y]);
    const along = reduceSum(b, mul(b, byState ?? mul(b, y, 0), slope));
    const rate = byTime ? add(b, byTime, along) : along;
    const share = div(b, add(b, reduceSum(b, mul(b, cotangents.state, slope)), cotangents.time), rate);
    const total = byState ? add(b, cotangents.state, neg(b, mul(b, byState, share))) : cotangents.state;
    const pulled = pull(unsqueeze(b, total, [0]));
    return { gradients: { y0: pulled.y0, parameters: withLeaves(parameters, pulled.parameters) } };
  });
}
