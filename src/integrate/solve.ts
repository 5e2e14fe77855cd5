import { RevortError } from "../core/errors.js";
import { castTensor, numbers, ShapeError, showShape, type Tensor } from "../core/tensor.js";
import { stateOf, type Tensors, type VectorField } from "../fields/field.js";
import { divergenceProgram } from "../programs/divergence.js";
import { type Grid, gridTensors, gridThrough, savesEveryStep, stepsOf } from "../programs/grid.js";
import type { Setting } from "../programs/inputs.js";
import { finiteStepsName, parameterName, y0Name, ysName } from "../programs/names.js";
import { solveProgram } from "../programs/solve.js";
import type { DeviceTensors, Runtime } from "../runtime/runtime.js";
import type { NeuralOde } from "./neural-ode.js";

/** A solve that left the finite numbers. */
export class DivergenceError extends RevortError {
  constructor(
    /** the first step whose result is not finite, from 1 */
    readonly step: number,
    /** the time at the end of that step */
    readonly time: number,
    stepSize: number,
  ) {
    super(
      `The solution is not finite after step ${step}, at t = ${time}. ` +
        `Reduce the step size (now ${stepSize}), check the initial state and the parameters, ` +
        "or, for a reversible method on a decaying problem, choose another coupling λ.",
    );
  }
}

/** A parameter that is missing, unknown or of another shape than the field's. */
export class ParameterError extends RevortError {}

export interface SolveOptions {
  readonly runtime: Runtime;
  /** θ by name */
  readonly parameters?: Tensors;
  /** state at t0: of the field's shape, or one trajectory without its batch axis */
  readonly y0: Tensor;
  readonly t0: number;
  /** times to save at, monotone away from t0; each is hit exactly */
  readonly saveAt: readonly number[];
}

export interface Solution {
  readonly ts: readonly number[];
  /** [saves, ...state] */
  readonly ys: Tensor;
  readonly stats: SolveStats;
}

export interface SolveStats {
  /** steps taken */
  readonly steps: number;
  /** evaluations of the field */
  readonly evaluations: number;
}

/**
 * Solves dy/dt = f(t, y; θ), y(t0) = y0, with steps of at most `ode.stepSize` that hit every save time.
 *
 * @throws {TimeError} for times out of order
 * @throws {ShapeError} if y0 is no state of the field
 * @throws {ParameterError} for parameters that do not fit the field
 * @throws {DivergenceError} if the solution leaves the finite numbers, naming step and time
 */
export async function solve(ode: NeuralOde, options: SolveOptions): Promise<Solution> {
  const { runtime, t0, saveAt } = options;
  const parameters = checkParameters(ode.field, options.parameters ?? {}, ode);
  const y0 = checkState(ode, options.y0);
  const grid = gridThrough(t0, saveAt, ode.stepSize);
  const setting = settingOf(ode, y0.shape, grid);
  const executable = await runtime.compile(solveProgram(setting));
  try {
    const inputs = upload(runtime, { ...named(parameters), [y0Name]: y0, ...gridTensors(grid, ode.dtype) });
    const ys = await runtime.download((await executable.run(pick(inputs, executable.inputs)))[ysName]!);
    if (!allFinite(ys)) throw await locateDivergence(ode, runtime, setting, grid, inputs);
    return {
      ts: [...saveAt],
      ys,
      stats: { steps: stepsOf(grid), evaluations: ode.method.evaluations * stepsOf(grid) },
    };
  } finally {
    await executable.release();
  }
}

/** What programs need to know of a solve. */
export function settingOf(ode: NeuralOde, state: readonly number[], grid: Grid): Setting {
  const { field, method, dtype } = ode;
  return { field, method, dtype, state, saves: grid.offsets.length - 1, everyStep: savesEveryStep(grid) };
}

/** The initial state in the dtype of the equation. @throws {ShapeError} */
export function checkState(ode: NeuralOde, y0: Tensor): Tensor {
  const state = castTensor(stateOf(ode.field, y0), ode.dtype);
  const bad = numbers(state).findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw new ShapeError(
      `The initial state must be finite, but component ${bad} of ${showShape(state.shape)} is not.`,
    );
  }
  return state;
}

/** The parameters of a field, all there and cast to a dtype. @throws {ParameterError} */
export function checkParameters(
  field: VectorField,
  given: Tensors,
  { dtype }: Pick<NeuralOde, "dtype">,
): Tensors {
  const expected = Object.keys(field.parameters);
  const unknown = Object.keys(given).filter((name) => !expected.includes(name));
  if (unknown.length > 0) {
    throw new ParameterError(
      `The field "${field.name}" has no parameter "${unknown[0]}"; its parameters are ${expected.join(", ") || "none"}.`,
    );
  }
  return Object.fromEntries(
    Object.entries(field.parameters).map(([name, { shape }]) => {
      const value = given[name];
      if (value === undefined) {
        throw new ParameterError(
          `The parameter "${name}" ${showShape(shape)} of the field "${field.name}" is missing.`,
        );
      }
      if (value.shape.length !== shape.length || value.shape.some((dim, axis) => dim !== shape[axis])) {
        throw new ParameterError(
          `The parameter "${name}" of the field "${field.name}" must have shape ${showShape(shape)}, ` +
            `but has ${showShape(value.shape)}.`,
        );
      }
      return [name, castTensor(value, dtype)];
    }),
  );
}

/** Parameters under the names they have in programs. */
export function named(parameters: Tensors): Tensors {
  return Object.fromEntries(Object.entries(parameters).map(([name, value]) => [parameterName(name), value]));
}

export function upload(runtime: Runtime, tensors: Tensors): DeviceTensors {
  return Object.fromEntries(Object.entries(tensors).map(([name, value]) => [name, runtime.upload(value)]));
}

/** The inputs that a graph takes, out of those there are. */
export function pick(inputs: DeviceTensors, wanted: object): DeviceTensors {
  return Object.fromEntries(Object.keys(wanted).map((name) => [name, inputs[name]!]));
}

function allFinite(value: Tensor): boolean {
  return (value.data as Float64Array).every(Number.isFinite);
}

/** Runs a failed solve again, up to the step where it fails. */
export async function locateDivergence(
  ode: NeuralOde,
  runtime: Runtime,
  setting: Setting,
  grid: Grid,
  inputs: DeviceTensors,
): Promise<DivergenceError> {
  const executable = await runtime.compile(divergenceProgram(setting));
  try {
    const results = await executable.run(pick(inputs, executable.inputs));
    const [finite] = numbers(await runtime.download(results[finiteStepsName]!));
    return new DivergenceError(finite! + 1, grid.times[finite! + 1] ?? grid.times.at(-1)!, ode.stepSize);
  } finally {
    await executable.release();
  }
}
