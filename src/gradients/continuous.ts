import type { Pid } from "../control/control.js";
import { emptyData, numbers, scalar, sizeOf, type Tensor, tensor } from "../core/tensor.js";
import { countingFrom } from "../integrate/compiled-stepper.js";
import type { Row } from "../integrate/dense-solution.js";
import { locateDivergence } from "../integrate/divergence.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import { usualMaxSteps } from "../integrate/request.js";
import { adjointEndProgram, adjointField, jumpProgram } from "../programs/backward-continuous.js";
import { stepsOf } from "../programs/grid.js";
import { arrivingProgram } from "../programs/training.js";
import { compileProgram } from "../runtime/compile-program.js";
import type { DeviceTensor } from "../runtime/runtime.js";
import { chooseSteps, stepperFor } from "./chosen-steps.js";
import {
  type Costs,
  type Differentiator,
  type DifferentiatorOptions,
  evaluationsOf,
  type FixedInputs,
  fixedInputs,
  type GradientResults,
  lossSetting,
  solveInputsOf,
  type TrainedInputs,
  wantedTimes,
} from "./differentiator.js";

/** What g weighs in a seminorm: so little that no tolerance sees it. */
const hidden = 2 ** -60;

/**
 * Compiles the continuous adjoint with chosen steps, forwards and backwards: from each save to the one before, the
 * augmented equation is solved with the same method and tolerances.
 *
 * In a seminorm, the norm of an error goes over y and a alone. A root mean square over all N components of the vector,
 * of which those of g are next to nothing, is √(n / N) of that over the n of y and a; the tolerances make up for it.
 *
 * @throws {ControlError} if the method cannot say what its error is
 * @see Kidger, Chen & Lyons 2021, "'Hey, that's not an ODE': Faster ODE adjoints via seminorms", arXiv:2009.09457
 */
export async function adaptiveContinuous(
  ode: NeuralOde,
  seminorm: boolean,
  control: Pid,
  options: DifferentiatorOptions,
): Promise<Differentiator> {
  const { runtime, times = false } = options;
  const { dtype } = ode;
  const setting = lossSetting(ode, options);
  const adjoint = adjointField(ode.field, setting.state, seminorm ? hidden : 1);
  const size = sizeOf(adjoint.state as number[]);
  const scale = seminorm ? Math.sqrt(adjoint.size / size) : 1;
  const held = { ...control, rtol: control.rtol * scale, atol: control.atol * scale };

  const forward = await stepperFor(ode, runtime, setting.state, control);
  const backward = await stepperFor({ ...ode, field: adjoint }, runtime, adjoint.state as number[], held);
  const loss = await compileProgram(runtime, arrivingProgram(setting));
  const jump = await compileProgram(runtime, jumpProgram(setting, adjoint, times));
  const end = await compileProgram(runtime, adjointEndProgram(setting, adjoint, times));
  const zero = runtime.upload({ dtype, shape: [size], data: emptyData(dtype, size) } as Tensor);
  let latest = costsOf(0, 0, 0, 0);
  let solved: FixedInputs | null = null;

  async function run(trained: TrainedInputs, fixed: FixedInputs): Promise<GradientResults> {
    const { parameters, y0 = fixed.inputs.y0 } = trained;
    const { data } = fixed.inputs;
    const start = await runtime.download(y0);
    const chosen = await chooseSteps(forward, parameters, start, fixed.grid, ode);
    solved = { ...fixed, grid: chosen.grid };
    const ys = runtime.upload(stacked(chosen.rows, start));
    const { loss: value, arriving } = await loss.run({ ys, data });

    const { t0, saves } = wantedTimes(fixed.grid);
    const all = [t0, ...saves];
    const inTimes: number[] = [];
    let vector: DeviceTensor = zero;
    let evaluations = 0;
    for (let save = saves.length - 1; save >= 0; save--) {
      const [to, from] = [all[save]!, all[save + 1]!];
      const jumped = await jump.run({
        ...{ parameters, vector, ys, arriving },
        save: runtime.upload(scalar("int64", save)),
        t: runtime.upload(scalar(dtype, from)),
      });
      if (times) inTimes.unshift(numbers(await runtime.download(jumped.inTime!))[0]!);
      vector = jumped.next;
      const counting = countingFrom(dtype, from);
      if (counting.of(to) === counting.of(from)) continue;
      const back = await backward.run(parameters, await runtime.download(vector), {
        t0: [from],
        stops: [[counting.of(to)]],
        wanted: () => false,
        onStop() {},
        onStep() {},
        maxSteps: usualMaxSteps,
      });
      vector = back.end[0]!;
      evaluations += back.evaluations[0]!;
    }
    const found = await end.run({
      ...{ parameters, vector, y0 },
      t: runtime.upload(scalar(dtype, all[0]!)),
    });
    if (times) inTimes.unshift(numbers(await runtime.download(found.inTime!))[0]!);
    latest = costsOf(stepsOf(chosen.grid), chosen.evaluations, evaluations, saves.length);
    const inAll = times ? runtime.upload(tensor(dtype, [inTimes.length], inTimes)) : null;
    return {
      loss: value,
      gradients: { ...found.gradients, times: inAll },
      reconstructed: found.reconstructed,
      ...{ reconstructionError: null, drift: null },
    };
  }

  return {
    get cost() {
      return latest.cost;
    },
    get work() {
      return latest.work;
    },
    gradient: seminorm ? { kind: "continuous", seminorm } : { kind: "continuous" },
    notes: [],
    fixed: (data) => fixedInputs(ode, runtime, data),
    run,
    locate: (trained, fixed) => {
      const own = solved ?? fixed;
      return locateDivergence(ode, runtime, setting, own.grid, solveInputsOf(trained, own));
    },
    async release() {
      for (const program of [forward, backward, loss, jump, end]) await program.release();
    },
  };
}

function stacked(rows: readonly Row[], { dtype, shape }: Tensor): Tensor {
  const size = sizeOf(shape);
  const data = emptyData(dtype, rows.length * size) as Row;
  for (const [i, row] of rows.entries()) (data as Float64Array).set(row, i * size);
  return { dtype, shape: [rows.length, ...shape], data } as Tensor;
}

function costsOf(steps: number, forward: number, backward: number, saves: number): Costs {
  const work = { forward, recomputed: 0, backward, runs: 2 + saves };
  return { cost: { steps, evaluations: evaluationsOf(work), storedStates: 1 }, work };
}
