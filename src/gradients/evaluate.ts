import type { Control } from "../control/control.js";
import { type FloatDType, numbers, type Tensor } from "../core/tensor.js";
import type { Tensors } from "../fields/field.js";
import { givenGrid } from "../integrate/counting.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import { upload } from "../integrate/solve-inputs.js";
import { gridThrough, stepsOf } from "../programs/grid.js";
import { lossProgram } from "../programs/training.js";
import { compileProgram, downloadTree } from "../runtime/compile-program.js";
import type { DeviceTensor, Runtime } from "../runtime/runtime.js";
import { chooseGradient } from "./choice.js";
import { withChosenSteps } from "./chosen-steps.js";
import { adaptiveContinuous } from "./continuous.js";
import {
  type Differentiator,
  type DifferentiatorOptions,
  type Fit,
  fixedInputs,
  type GradientCost,
  type GradientWork,
  lossSetting,
  type TrainedInputs,
  wantedTimes,
} from "./differentiator.js";
import { whyGradientNotFinite } from "./gradient-not-finite.js";
import type { GradientMethod } from "./method.js";
import { oneGraph } from "./one-graph.js";
import { isReconstructed, refreshedCloser, refreshNote } from "./reconstruction-limit.js";
import { type TimeGradient, timeGradient } from "./times.js";
import { whyNotFinite } from "./training-error.js";

export type {
  Differentiator,
  DifferentiatorOptions,
  Fit,
  FixedInputs,
  GradientCost,
  GradientResults,
  GradientWork,
  TrainedInputs,
} from "./differentiator.js";

/**
 * Compiles the gradient of a loss of a solve. What was asked for is not taken on trust: see {@link chooseGradient}.
 *
 * @throws {GradientMethodError} if there is no such gradient, or the solver cannot be differentiated by it
 * @throws {ControlError} if steps are to be chosen by a method that cannot say what its error is
 */
export async function differentiator(
  ode: NeuralOde,
  options: DifferentiatorOptions,
): Promise<Differentiator> {
  const { control, gradient: asked, guarded = true, memoryBudget } = options;
  const fit = onStepsOf(ode, options.fit, control);
  const steps = control?.kind === "pid" ? null : stepsOf(fit.grid);
  const choice = chooseGradient(ode, asked, { state: fit.y0.shape, ...{ steps, memoryBudget, guarded } });
  const { gradient, notes } = choice;
  if (control?.kind === "pid") {
    return gradient.kind === "continuous"
      ? adaptiveContinuous(ode, gradient.seminorm ?? false, control, options)
      : withChosenSteps(ode, control, choice, (needed) => oneGraph(ode, needed, options), options);
  }
  const { control: _, ...rest } = options;
  const compiled = await oneGraph(ode, gradient, { ...rest, fit });
  return { ...compiled, notes, fixed: (given) => compiled.fixed(onStepsOf(ode, given, control)) };
}

/** A fit with the steps that a control asks for, where they are known beforehand. */
export function onStepsOf<T extends Pick<Fit, "grid">>(
  { dtype }: Pick<NeuralOde, "dtype">,
  fit: T,
  control: Control | undefined,
): T {
  if (control === undefined || control.kind === "pid") return fit;
  const { t0, saves } = wantedTimes(fit.grid);
  const grid =
    control.kind === "constant"
      ? gridThrough(t0, saves, control.stepSize)
      : givenGrid(dtype, t0, saves, control.times);
  return { ...fit, grid };
}

/** A compiled loss. */
export interface LossFunction {
  /** The loss at parameters, and at y0 if it is given and not to be taken from the fit. */
  readonly run: (trained: TrainedInputs) => Promise<number>;
  readonly release: () => Promise<void>;
}

/** Compiles the loss alone, for finite differences and validation. */
export async function lossFunction(
  ode: NeuralOde,
  options: Omit<DifferentiatorOptions, "gradient">,
): Promise<LossFunction> {
  const { runtime, fit } = options;
  const program = await compileProgram(runtime, lossProgram(lossSetting(ode, options)));
  const { inputs } = fixedInputs(ode, runtime, fit);
  return {
    async run(trained) {
      const { loss } = await program.run({ ...inputs, ...trained });
      return readScalar(runtime, loss);
    },
    release: () => program.release(),
  };
}

export async function readScalar(runtime: Runtime, value: DeviceTensor): Promise<number> {
  return numbers(await runtime.download(value))[0]!;
}

/** A loss with its gradients, on the host. */
export interface Gradients {
  readonly loss: number;
  readonly parameters: Tensors;
  readonly y0: Tensor;
  /** of the times, where it was asked for */
  readonly times: TimeGradient | null;
  /** y0 as a backward pass that reconstructs states gets it back */
  readonly reconstructed: Tensor | null;
  /** how far states that were undone came back from where they were, over the largest y; `null` where none were */
  readonly reconstructionError: number | null;
  /** how far the companion of y has drifted off, over the size of y; `null` for a method without one */
  readonly drift: number | null;
  /** the method in use: what was asked for, or chosen, with stored states where the reconstruction would be lost */
  readonly gradient: GradientMethod;
  /** what was decided beyond what was asked for, and why */
  readonly notes: readonly string[];
  readonly cost: GradientCost;
  readonly work: GradientWork;
}

/**
 * Loss and gradients at given parameters, once. Where undoing steps does not give states back, it is done again with
 * states stored on the way.
 *
 * @throws {ReconstructionError} if they do not come back even then
 */
export async function gradientOf(
  ode: NeuralOde,
  options: DifferentiatorOptions & { readonly parameters: Tensors },
): Promise<Gradients> {
  const { dtype, method } = ode;
  let found = await gradientOnce(ode, options);
  const notes = [...found.notes];
  while (options.guarded !== false && isLost(found, dtype)) {
    const { cost, reconstructionError } = found;
    const gradient = refreshedCloser({ ...found, method, dtype }, cost.steps, reconstructionError!);
    notes.push(refreshNote(method, dtype, reconstructionError!, gradient));
    found = await gradientOnce(ode, { ...options, gradient });
  }
  return { ...found, notes };
}

function isLost({ reconstructionError }: Gradients, dtype: FloatDType): boolean {
  return reconstructionError !== null && !isReconstructed(reconstructionError, dtype);
}

async function gradientOnce(
  ode: NeuralOde,
  options: DifferentiatorOptions & { readonly parameters: Tensors },
): Promise<Gradients> {
  const { runtime, fit, parameters } = options;
  const compiled = await differentiator(ode, options);
  try {
    const trained = { parameters: upload(runtime, parameters) };
    const fixed = compiled.fixed(fit);
    const results = await compiled.run(trained, fixed);
    const loss = await readScalar(runtime, results.loss);
    if (!Number.isFinite(loss)) throw await whyNotFinite(loss, compiled, trained, fixed);
    const gradients: Tensors = await downloadTree(runtime, results.gradients.parameters);
    if (!Object.values(gradients).every(({ data }) => (data as Float64Array).every(Number.isFinite))) {
      const { t0, saves: times } = wantedTimes(fit.grid);
      throw await whyGradientNotFinite(ode, { runtime, loss, parameters, y0: fit.y0, t0, times });
    }
    const { reconstructed, reconstructionError, drift } = results;
    const { y0, times } = results.gradients;
    return {
      loss,
      parameters: gradients,
      y0: await runtime.download(y0),
      reconstructed: reconstructed && (await runtime.download(reconstructed)),
      times: times && timeGradient(fixed.grid, numbers(await runtime.download(times))),
      reconstructionError: reconstructionError && (await readScalar(runtime, reconstructionError)),
      drift: drift && (await readScalar(runtime, drift)),
      gradient: compiled.gradient,
      notes: compiled.notes,
      cost: compiled.cost,
      work: compiled.work,
    };
  } finally {
    await compiled.release();
  }
}
