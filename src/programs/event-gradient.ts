import { pullback } from "../autodiff/vjp.js";
import type { Event } from "../events/event.js";
import { signalOf } from "../events/event.js";
import { Builder } from "../graph/builder.js";
import type { Graph } from "../graph/graph.js";
import { add, div, mul, neg } from "../ops/arithmetic.js";
import { reduceSum } from "../ops/broadcast.js";
import { unsqueeze } from "../ops/reshape.js";
import { gather } from "../ops/slicing.js";
import { differentiableSolve } from "./differentiable-solve.js";
import type { GraphGradient, ScheduledGradient } from "./gradient.js";
import { type Setting, solveInputs, systemIn } from "./inputs.js";
import { eventCotangentNames, gradientName, parameterName, y0Name } from "./names.js";

/**
 * The graph that pulls cotangents of the time of an event, t̄, and of the state at it, ȳ, back to y0 and the
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
): Graph {
  const { field, dtype, state, saves } = setting;
  const b = new Builder();
  const inputs = solveInputs(b, setting);
  const time = b.input(eventCotangentNames.time, dtype, []);
  const cotangent = b.input(eventCotangentNames.state, dtype, state);
  const { ys, pull } = differentiableSolve(b, gradient, setting, { ...inputs, shares: null, schedule: null });
  const y = gather(b, ys, saves - 1);
  const t = gather(b, inputs.grid.t1, -1);
  const slope = systemIn(b, field, inputs.parameters).f(t, y);
  const g = signalOf(b, event, [], t, y);
  const [byTime, byState] = pullback(b, [g], [b.scalar(dtype, 1)], [t, y]);
  const along = reduceSum(b, mul(b, byState ?? mul(b, y, 0), slope));
  const rate = byTime ? add(b, byTime, along) : along;
  const share = div(b, add(b, reduceSum(b, mul(b, cotangent, slope)), time), rate);
  const total = byState ? add(b, cotangent, neg(b, mul(b, byState, share))) : cotangent;
  const pulled = pull(unsqueeze(b, total, [0]));
  return b.graph(
    {
      [gradientName(y0Name)]: pulled.y0,
      ...Object.fromEntries(
        Object.keys(field.parameters).map((name, k) => [
          gradientName(parameterName(name)),
          pulled.parameters[k]!,
        ]),
      ),
    },
    "event-gradient",
  );
}
