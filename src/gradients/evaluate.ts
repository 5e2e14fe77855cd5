import { numbers, type Tensor } from "../core/tensor.js";
import type { Tensors } from "../fields/field.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import { locateDivergence, pick, settingOf, upload } from "../integrate/solve.js";
import type { Loss } from "../learning/losses.js";
import { type GradientMethod, gradientEvaluations, storedStates } from "../programs/gradient.js";
import { type Grid, gridTensors, stepsOf } from "../programs/grid.js";
import {
  dataName,
  gradientName,
  lossName,
  parameterName,
  reconstructedName,
  y0Name,
} from "../programs/names.js";
import { gradientProgram, type LossSetting, lossProgram } from "../programs/training.js";
import type { DeviceTensor, DeviceTensors, Executable, Runtime } from "../runtime/runtime.js";

/** What a loss is taken on: where the solve starts, where it steps, and what it is held against. */
export interface Fit {
  readonly grid: Grid;
  /** [batch, …] */
  readonly y0: Tensor;
  /** [saves, batch, …] */
  readonly target: Tensor;
  /** 1 where there is data, of the target's shape; `null` if nothing is missing */
  readonly weight: Tensor | null;
}

/** Cost of one gradient, counted. */
export interface GradientCost {
  readonly steps: number;
  /** evaluations of the field, forward and backward */
  readonly evaluations: number;
  /** states kept for the backward pass */
  readonly storedStates: number;
}

/** A compiled gradient. */
export interface Differentiator {
  readonly cost: GradientCost;
  /** Inputs that are not trained, on the device. */
  readonly fixed: (fit: Fit) => DeviceTensors;
  /**
   * Loss and gradients, on the device: `loss`, and `gradients/…` for each parameter and y0.
   *
   * @param trained  parameters (and y0, where it is trained) under their program names
   */
  readonly run: (trained: DeviceTensors, fixed: DeviceTensors) => Promise<DeviceTensors>;
  /** Says where the solve with these inputs leaves the finite numbers. */
  readonly locate: (trained: DeviceTensors, fixed: DeviceTensors) => Promise<Error>;
  readonly release: () => Promise<void>;
}

export interface DifferentiatorOptions {
  readonly runtime: Runtime;
  readonly loss: Loss;
  readonly gradient: GradientMethod;
  /** shapes, dtype and grid to compile for */
  readonly fit: Fit;
}

/**
 * Compiles the gradient of a loss of a solve.
 *
 * @throws {GradientMethodError} if the method cannot be differentiated this way
 */
export async function differentiator(
  ode: NeuralOde,
  options: DifferentiatorOptions,
): Promise<Differentiator> {
  const { runtime, gradient, fit } = options;
  const setting = lossSetting(ode, options);
  const executable = await runtime.compile(gradientProgram(setting, gradient));
  const steps = stepsOf(fit.grid);
  const inputsOf = (trained: DeviceTensors, fixed: DeviceTensors) =>
    pick({ ...fixed, ...trained }, executable.inputs);
  return {
    cost: {
      steps,
      evaluations: gradientEvaluations(ode.method, steps),
      storedStates: storedStates(gradient, steps),
    },
    fixed: (data) => fixedInputs(ode, runtime, data),
    run: (trained, fixed) => executable.run(inputsOf(trained, fixed)),
    locate: (trained, fixed) => locateDivergence(ode, runtime, setting, fit.grid, { ...fixed, ...trained }),
    release: () => executable.release(),
  };
}

/** A compiled loss. */
export interface LossFunction {
  /** The loss at parameters (and y0) under their program names; what is not given is taken from the fit. */
  readonly run: (trained: DeviceTensors) => Promise<number>;
  readonly release: () => Promise<void>;
}

/** Compiles the loss alone, for finite differences and validation. */
export async function lossFunction(
  ode: NeuralOde,
  options: Omit<DifferentiatorOptions, "gradient">,
): Promise<LossFunction> {
  const { runtime, fit } = options;
  const executable: Executable = await runtime.compile(lossProgram(lossSetting(ode, options)));
  const fixed = fixedInputs(ode, runtime, fit);
  return {
    async run(trained) {
      const results = await executable.run(pick({ ...fixed, ...trained }, executable.inputs));
      return readScalar(runtime, results[lossName]!);
    },
    release: () => executable.release(),
  };
}

function lossSetting(ode: NeuralOde, { loss, fit }: Omit<DifferentiatorOptions, "gradient">): LossSetting {
  return { ...settingOf(ode, fit.y0.shape, fit.grid), loss, weighted: fit.weight !== null };
}

function fixedInputs(ode: NeuralOde, runtime: Runtime, { grid, y0, target, weight }: Fit): DeviceTensors {
  return upload(runtime, {
    ...gridTensors(grid, ode.dtype),
    [y0Name]: y0,
    [dataName("target")]: target,
    ...(weight === null ? {} : { [dataName("weight")]: weight }),
  });
}

export async function readScalar(runtime: Runtime, value: DeviceTensor): Promise<number> {
  return numbers(await runtime.download(value))[0]!;
}

/** A loss with its gradients, on the host. */
export interface Gradients {
  readonly loss: number;
  readonly parameters: Tensors;
  readonly y0: Tensor;
  /** y0 as the backward pass of a reversible gradient reconstructs it */
  readonly reconstructed: Tensor | null;
  readonly cost: GradientCost;
}

/** Loss and gradients at given parameters, once. */
export async function gradientOf(
  ode: NeuralOde,
  options: DifferentiatorOptions & { readonly parameters: Tensors },
): Promise<Gradients> {
  const { runtime, fit, parameters } = options;
  const compiled = await differentiator(ode, options);
  try {
    const trained = upload(
      runtime,
      Object.fromEntries(Object.entries(parameters).map(([name, value]) => [parameterName(name), value])),
    );
    const fixed = compiled.fixed(fit);
    const results = await compiled.run(trained, fixed);
    const loss = await readScalar(runtime, results[lossName]!);
    if (!Number.isFinite(loss)) throw await compiled.locate(trained, fixed);
    const gradients: Record<string, Tensor> = {};
    for (const name of Object.keys(parameters)) {
      gradients[name] = await runtime.download(results[gradientName(parameterName(name))]!);
    }
    const reconstructed = results[reconstructedName];
    return {
      loss,
      parameters: gradients,
      y0: await runtime.download(results[gradientName(y0Name)]!),
      reconstructed: reconstructed === undefined ? null : await runtime.download(reconstructed),
      cost: compiled.cost,
    };
  } finally {
    await compiled.release();
  }
}
