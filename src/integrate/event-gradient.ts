import { castTensor, scalar, type Tensor } from "../core/tensor.js";
import type { Event } from "../events/event.js";
import type { Tensors } from "../fields/field.js";
import type { GraphGradient, ScheduledGradient } from "../programs/adjoints.js";
import { eventGradientProgram } from "../programs/event-gradient.js";
import { type Grid, gridTensors } from "../programs/grid.js";
import { compileProgram, downloadTree, uploadTree } from "../runtime/compile-program.js";
import type { Runtime } from "../runtime/runtime.js";
import type { NeuralOde } from "./neural-ode.js";
import type { Happening, Solution } from "./solution.js";
import { checkParameters, checkState, settingOf } from "./solve-inputs.js";

export interface EventGradientOptions {
  readonly runtime: Runtime;
  readonly parameters?: Tensors;
  readonly y0: Tensor;
  /** the events that the solve looked for */
  readonly events: readonly Event[];
  /** the solve in which it happened */
  readonly solution: Pick<Solution, "grid">;
  readonly happening: Happening;
  /** cotangents of its time (0 if left out) and of the state at it (zeros if left out) */
  readonly cotangents: { readonly time?: number; readonly state?: Tensor };
  /** "reversible" needs a method that can be undone */
  readonly gradient: Exclude<GraphGradient, ScheduledGradient>;
}

/**
 * What a function of the time of an event, and of the state at it, depends on: its gradient by y0 and the parameters.
 *
 * @throws {GradientMethodError} if the method cannot be differentiated this way
 */
export async function eventGradient(
  ode: NeuralOde,
  options: EventGradientOptions,
): Promise<{ readonly y0: Tensor; readonly parameters: Tensors }> {
  const { runtime, events, solution, happening, cotangents, gradient } = options;
  const parameters = checkParameters(ode.field, options.parameters ?? {}, ode);
  const y0 = checkState(ode, options.y0);
  const { dtype } = ode;
  const grid: Grid = {
    times: solution.grid.times.slice(0, happening.step + 1),
    offsets: [0, happening.step],
  };
  const state = cotangents.state ?? { ...y0, data: y0.data.map(() => 0 as never) };
  const setting = settingOf(ode, y0.shape, grid);
  const program = eventGradientProgram(setting, events[happening.event]!, gradient);
  const compiled = await compileProgram(runtime, program);
  try {
    const inputs = uploadTree(runtime, {
      ...{ parameters, y0, ...gridTensors(grid, dtype) },
      cotangents: {
        time: scalar(dtype, cotangents.time ?? 0),
        state: { ...castTensor(state as Tensor, dtype), shape: y0.shape } as Tensor,
      },
    });
    return await downloadTree(runtime, (await compiled.run(inputs)).gradients);
  } finally {
    await compiled.release();
  }
}
