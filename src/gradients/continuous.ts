import type { Pid } from "../control/control.js";
import { emptyData, numbers, scalar, sizeOf, type Tensor, tensor } from "../core/tensor.js";
import { countingFrom } from "../integrate/compiled-stepper.js";
import type { Row } from "../integrate/dense-solution.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import { usualMaxSteps } from "../integrate/request.js";
import { locateDivergence, parametersIn, pick, solveInputsIn } from "../integrate/solve.js";
import { adjointEndProgram, adjointField, jumpProgram } from "../programs/backward-continuous.js";
import { adjointNames, arrivingName, timesName } from "../programs/backward-names.js";
import { stepsOf } from "../programs/grid.js";
import { gradientName, lossName, nextName, y0Name, ysName } from "../programs/names.js";
import { arrivingProgram } from "../programs/training.js";
import type { DeviceTensor, DeviceTensors, Executable } from "../runtime/runtime.js";
import { chooseSteps, stepperFor } from "./chosen-steps.js";
import {
  type Costs,
  type Differentiator,
  type DifferentiatorOptions,
  evaluationsOf,
  type FixedInputs,
  fixedInputs,
  lossSetting,
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
  const loss = await runtime.compile(arrivingProgram(setting));
  const jump = await runtime.compile(jumpProgram(setting, adjoint, times));
  const end = await runtime.compile(adjointEndProgram(setting, adjoint, times));
  const zero = runtime.upload({ dtype, shape: [size], data: emptyData(dtype, size) } as Tensor);
  let latest = costsOf(0, 0, 0, 0);
  let solved: FixedInputs | null = null;

  async function run(trained: DeviceTensors, fixed: FixedInputs): Promise<DeviceTensors> {
    const inputs: DeviceTensors = { ...fixed.tensors, ...trained };
    const call = (program: Executable, own: DeviceTensors) =>
      program.run(pick({ ...inputs, ...own }, program.inputs));
    const y0 = await runtime.download(inputs[y0Name]!);
    const chosen = await chooseSteps(forward, inputs, y0, fixed.grid, ode);
    solved = { grid: chosen.grid, tensors: fixed.tensors };
    const rows = runtime.upload(stacked(chosen.rows, y0));
    const { [lossName]: value, [arrivingName]: arriving } = await call(loss, { [ysName]: rows });

    const { t0, saves } = wantedTimes(fixed.grid);
    const all = [t0, ...saves];
    const inTimes: number[] = [];
    let vector: DeviceTensor = zero;
    let evaluations = 0;
    for (let save = saves.length - 1; save >= 0; save--) {
      const [to, from] = [all[save]!, all[save + 1]!];
      const jumped = await call(jump, {
        [adjointNames.vector]: vector,
        [adjointNames.save]: runtime.upload(scalar("int64", save)),
        [adjointNames.t]: runtime.upload(scalar(dtype, from)),
        [ysName]: rows,
        [arrivingName]: arriving!,
      });
      if (times) inTimes.unshift(numbers(await runtime.download(jumped[adjointNames.inTime]!))[0]!);
      vector = jumped[nextName(adjointNames.vector)]!;
      const counting = countingFrom(dtype, from);
      if (counting.of(to) === counting.of(from)) continue;
      const back = await backward.run(parametersIn(adjoint, inputs), await runtime.download(vector), {
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
    const { [adjointNames.inTime]: atStart, ...gradient } = await call(end, {
      [adjointNames.vector]: vector,
      [adjointNames.t]: runtime.upload(scalar(dtype, all[0]!)),
    });
    if (times) inTimes.unshift(numbers(await runtime.download(atStart!))[0]!);
    latest = costsOf(stepsOf(chosen.grid), chosen.evaluations, evaluations, saves.length);
    return {
      [lossName]: value!,
      ...gradient,
      ...(times
        ? { [gradientName(timesName)]: runtime.upload(tensor(dtype, [inTimes.length], inTimes)) }
        : {}),
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
      const { grid, tensors } = solved ?? fixed;
      return locateDivergence(
        ode,
        runtime,
        setting,
        grid,
        solveInputsIn(ode.field, { ...tensors, ...trained }),
      );
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
