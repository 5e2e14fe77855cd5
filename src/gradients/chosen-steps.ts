import type { Pid } from "../control/control.js";
import type { Tensor } from "../core/tensor.js";
import {
  type CompiledStepper,
  compileStepper,
  countingFrom,
  stopsFor,
} from "../integrate/compiled-stepper.js";
import type { Row } from "../integrate/dense-solution.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import { usualMaxSteps } from "../integrate/request.js";
import { chainsStops } from "../programs/adaptive-setting.js";
import { type Grid, stepsOf } from "../programs/grid.js";
import type { DeviceTensors, Runtime } from "../runtime/runtime.js";
import type { GradientChoice } from "./choice.js";
import {
  type Costs,
  type Differentiator,
  type DifferentiatorOptions,
  evaluationsOf,
  type FixedInputs,
  type GridDifferentiator,
  wantedTimes,
} from "./differentiator.js";
import type { GradientMethod } from "./method.js";
import { guardedGradient } from "./reconstruction-limit.js";

/** A solve that chose its steps. */
export interface ChosenSteps {
  /** the accepted ones */
  readonly grid: Grid;
  /** states at the saves */
  readonly rows: readonly Row[];
  readonly evaluations: number;
}

/** Solves with chosen steps through the times of a grid. */
export async function chooseSteps(
  stepper: CompiledStepper,
  parameters: DeviceTensors,
  y0: Tensor,
  wanted: Grid,
  { dtype }: NeuralOde,
): Promise<ChosenSteps> {
  const { t0, saves } = wantedTimes(wanted);
  const { atStart, stops } = stopsFor(countingFrom(dtype, t0), t0, saves);
  const rows: Row[] = atStart.map(() => y0.data as Row);
  const offsets = [0, ...atStart.map(() => 0)];
  if (stops.length === 0) return { grid: { times: [t0], offsets }, rows, evaluations: 0 };
  const { tracks, evaluations } = await stepper.run(parameters, y0, {
    t0: [t0],
    stops: [stops.map(({ count }) => count)],
    wanted: () => true,
    onStop(_track, stop, y, steps) {
      const row = y.slice();
      for (const _ of stops[stop]!.saves) {
        rows.push(row);
        offsets.push(steps);
      }
    },
    onStep() {},
    maxSteps: usualMaxSteps,
  });
  return { grid: { times: tracks[0]!.times, offsets }, rows, evaluations: evaluations[0]! };
}

/** A solver with chosen steps for the state of a fit. */
export function stepperFor(
  { field, method, dtype }: Pick<NeuralOde, "field" | "method" | "dtype">,
  runtime: Runtime,
  state: readonly number[],
  control: Pid,
): Promise<CompiledStepper> {
  return compileStepper(runtime, {
    ...{ field, method, dtype, state, control },
    sharing: "batch",
    record: "nothing",
    chained: chainsStops({ state, dtype, record: "nothing" }),
  });
}

/**
 * A gradient over steps that are chosen anew for each run: a solve that chooses them comes first, and the gradient is
 * that of the solve over the steps it accepted. How many those are decides whether undoing them needs stored states.
 *
 * @param onGrid  the gradient over given steps
 * @throws {ControlError} if the method cannot say what its error is
 */
export async function withChosenSteps(
  ode: NeuralOde,
  control: Pid,
  choice: GradientChoice,
  onGrid: (gradient: GradientMethod) => Promise<GridDifferentiator>,
  options: DifferentiatorOptions,
): Promise<Differentiator> {
  const { runtime, fit, guarded = true } = options;
  const { gradient } = choice;
  const stepper = await stepperFor(ode, runtime, fit.y0.shape, control);
  const asked = await onGrid(gradient);
  let refreshed: GridDifferentiator | null = null;
  let inner = asked;
  let { notes } = choice;
  let latest = inner.costOn(fit.grid);
  let replayed: FixedInputs | null = null;

  /** What undoes so many steps. */
  async function innerFor(steps: number): Promise<GridDifferentiator> {
    if (!guarded) return asked;
    const { gradient: needed, note } = guardedGradient(gradient, ode.method, ode.dtype, steps);
    if (note === null) return asked;
    if (refreshed === null) notes = [...notes, note];
    refreshed ??= await onGrid(needed);
    return refreshed;
  }

  return {
    get cost() {
      return latest.cost;
    },
    get work() {
      return latest.work;
    },
    get gradient() {
      return inner.gradient;
    },
    get notes() {
      return notes;
    },
    fixed: asked.fixed,
    async run(trained, fixed) {
      const y0 = await runtime.download(trained.y0 ?? fixed.inputs.y0);
      const { grid, evaluations } = await chooseSteps(stepper, trained.parameters, y0, fixed.grid, ode);
      inner = await innerFor(stepsOf(grid));
      latest = afterSolve(inner.costOn(grid), evaluations);
      replayed = { grid, inputs: { ...fixed.inputs, ...inner.gridInputs(grid) } };
      return inner.run(trained, replayed);
    },
    locate: (trained, fixed) => inner.locate(trained, replayed ?? fixed),
    async release() {
      await stepper.release();
      await asked.release();
      await refreshed?.release();
    },
  };
}

/** The costs of a gradient with those of the solve that chose the steps: the solve over them is done a second time. */
function afterSolve({ cost, work }: Costs, evaluations: number): Costs {
  const all = { ...work, forward: evaluations, recomputed: work.forward + work.recomputed };
  return { cost: { ...cost, evaluations: evaluationsOf(all) }, work: all };
}
