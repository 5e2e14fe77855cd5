import type { Pid } from "../control/control.js";
import { scaledNorm, toleranceOf } from "../control/norm.js";
import { signalOf } from "../events/event.js";
import { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import type { System } from "../methods/method.js";
import { add, div, mul, sub } from "../ops/arithmetic.js";
import { abs, sign } from "../ops/elementwise.js";
import { maximum, minimum } from "../ops/extrema.js";
import { less, or, where } from "../ops/logic.js";
import { pow } from "../ops/power.js";
import {
  type AdaptiveSetting,
  type CountedProgram,
  carriesSlope,
  counting,
  type Stepping,
  timeShape,
} from "./adaptive.js";
import { parameterInputs } from "./inputs.js";
import { adaptiveNames as names, signalName, stateName, y0Name } from "./names.js";

/**
 * The graph from y0 to the first state, f(t0, y0) where it is carried, and the size of the first step.
 *
 * The size is Hairer's: with d0, d1, d2 the scaled norms of y0, f(t0, y0) and the change of f over a step of
 * h0 = d0 / 100 d1,
 *
 *   h = min(100 h0, (0.01 / max(d1, d2))^(1/k))
 *
 * @see Hairer, Nørsett & Wanner I, II.4
 */
export function startProgram(setting: AdaptiveSetting): CountedProgram {
  const { method, control, state, dtype } = setting;
  const b = new Builder();
  const parameters = parameterInputs(b, setting);
  const y0 = b.input(y0Name, dtype, state);
  const t0 = b.input(names.t, dtype, timeShape(setting));
  const target = b.input(names.target, dtype, timeShape(setting));
  const { system, evaluations } = counting(b, setting.field, parameters);
  const start = method.start(system, t0, y0);
  const outputs: { [name: string]: Value } = {};
  for (const [k, value] of start.entries()) outputs[stateName(k)] = value;
  if (carriesSlope(setting)) outputs[names.slope] = system.f(t0, y0);
  for (const [k, event] of (setting.events ?? []).entries()) {
    outputs[signalName(k)] = signalOf(b, event, timeShape(setting), t0, y0);
  }
  const way = sub(b, target, t0);
  if (control.kind === "pid" && control.dt0 === null) {
    outputs[names.h] = firstStep(system, setting, control, { t0, y0, way });
  } else {
    const size =
      control.kind === "pid" ? control.dt0! : control.kind === "constant" ? control.stepSize : unbounded;
    outputs[names.h] = mul(b, sign(b, way), size);
  }
  return { graph: b.graph(outputs, "start"), evaluations: evaluations() };
}

/** A step size that always reaches the next time that must be hit. */
const unbounded = 1e30;

/** The first step, signed, in the direction of `way` and no longer. */
export function firstStep(
  system: System,
  { method, sharing, dtype, tolerances }: Stepping,
  control: Pid,
  { t0, y0, way }: { t0: Value; y0: Value; way: Value },
): Value {
  const { b, f } = system;
  const order = method.error!.order;
  const tolerance = toleranceOf(b, y0, y0, tolerances ?? control);
  const norm = (x: Value) => scaledNorm(b, x, tolerance, sharing);
  const tiny = dtype === "float64" ? 1e-15 : 1e-7;

  const direction = sign(b, way);
  const f0 = f(t0, y0);
  const [d0, d1] = [norm(y0), norm(f0)];
  const small = or(b, less(b, d0, 1e-5), less(b, d1, 1e-5));
  // the quotient is not taken where it would be 0/0
  const h0 = minimum(
    b,
    where(b, small, 1e-6, div(b, mul(b, d0, 0.01), maximum(b, d1, tiny))),
    minimum(b, abs(b, way), control.dtmax),
  );
  const signed = mul(b, h0, direction);
  const f1 = f(add(b, t0, signed), add(b, y0, mul(b, signed, f0)));
  const d2 = div(b, norm(sub(b, f1, f0)), maximum(b, h0, tiny));
  const slope = maximum(b, d1, d2);
  const h1 = where(
    b,
    less(b, slope, tiny),
    maximum(b, mul(b, h0, 1e-3), 1e-6),
    pow(b, div(b, 0.01, maximum(b, slope, tiny)), 1 / order),
  );
  // a field that is not finite there says nothing of the step: start with the small one, and let it be rejected
  const known = less(b, h1, 1e30);
  const size = minimum(b, mul(b, h0, 100), where(b, known, h1, h0));
  return mul(b, minimum(b, minimum(b, size, abs(b, way)), control.dtmax), direction);
}
