import type { GradientRequest } from "../gradients/method.js";
import type { Value } from "../graph/graph.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import { parametersOf, partOf } from "../nn/layer.js";
import type { ObservedCell } from "../nn/observed-cell.js";
import { gruCell } from "../nn/recurrent.js";
import { concat } from "../ops/slicing.js";
import { ModelDefinitionError } from "./model.js";
import { odeOver } from "./own-times.js";

export interface OdeRnnOptions {
  /** of the solve between two observations */
  readonly gradient?: GradientRequest;
}

/**
 * ODE-RNN: between observations the hidden state follows a differential equation, and a GRU takes each observation in:
 *
 *   dh/dt = f(h; θ),   h ← GRU([x, m], h)
 *
 * The step size of the equation is a share of the time between two observations: 0.5 is two steps. Parameters are those of
 * the field under `field.` and of the GRU under `cell.`. For {@link alongObservations}.
 *
 * @throws {ModelDefinitionError} for a field whose states are not rows of numbers
 * @see Rubanova, Chen & Duvenaud 2019, arXiv:1907.03907
 */
export function odeRnnCell(
  ode: NeuralOde,
  channels: number,
  { gradient = "auto" }: OdeRnnOptions = {},
): ObservedCell<readonly [Value]> {
  const [, hidden, ...rest] = ode.field.state;
  if (typeof hidden !== "number" || rest.length > 0) {
    throw new ModelDefinitionError(
      `An ODE-RNN takes a field on states [batch, hidden], but "${ode.field.name}" is on [${ode.field.state.join(", ")}].`,
    );
  }
  const cell = gruCell(2 * channels, hidden);
  return {
    name: "an ODE-RNN",
    ...parametersOf({ field: ode.field, cell }),
    ...{ channels, widths: [hidden], readWidth: hidden },
    evolve: (b, theta, gap, [h], training = null) => [
      odeOver(b, ode, { theta: partOf(theta, "field"), y0: h, duration: gap, gradient, training }),
    ],
    read: (_, __, [h]) => h,
    update: (b, theta, { values, mask }, [h]) =>
      cell.apply(b, partOf(theta, "cell"), concat(b, [values, mask], 1), [h]),
  };
}
