import { Random } from "../core/random.js";
import { castTensor, numbers, type Tensor } from "../core/tensor.js";
import { initialParameters, type Tensors } from "../fields/field.js";
import { type Fit, gradientOf, lossFunction } from "../gradients/evaluate.js";
import { type GradientSpec, gradientMethodOf } from "../gradients/method.js";
import { checkParameters, named, solve, upload } from "../integrate/solve.js";
import { isReversible } from "../methods/method.js";
import { gridThrough } from "../programs/grid.js";
import { y0Name } from "../programs/names.js";
import type { Runtime } from "../runtime/runtime.js";
import { targetsOf } from "../train/data.js";
import { type Console, table } from "./console.js";
import { withChosenCoupling } from "./coupling.js";
import { exitCodes } from "./exit-codes.js";
import { slopeAtZero } from "./finite-difference.js";
import { type Problem, problemOf } from "./problem.js";
import { openRuntime } from "./runtimes.js";
import { decodeParameters, type ProblemOptions, settingsFor } from "./settings.js";

export interface GradcheckOptions extends ProblemOptions {
  readonly json?: boolean;
}

/** By how much gradients in float64 may differ. */
const tolerance = 1e-6;

/** What `gradcheck --json` prints. */
export interface GradcheckReport {
  readonly loss: number;
  /** by method and parameter, flat */
  readonly gradients: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>;
  /** of the initial state, by method, flat */
  readonly y0: Readonly<Record<string, readonly number[]>>;
  /** ‖g − g_other‖ / ‖g_other‖, the largest over the other exact methods (all but the continuous adjoint) */
  readonly relativeError: Readonly<Record<string, number>>;
  /** the largest difference from differences of the loss in float64, relative to the gradient */
  readonly finiteDifference: { readonly relativeError: number; readonly directions: number };
}

/**
 * `revort gradcheck`: the gradient of an experiment's loss before training, by every method that the scheme has, held
 * against the others and against finite differences of the loss in float64.
 *
 * @returns the exit code: failed if a float64 gradient is off by more than 1e−6
 */
export async function gradcheckCommand(
  subject: string,
  options: GradcheckOptions,
  console: Console,
): Promise<number> {
  const { settings, sources, inputs } = await settingsFor(subject, options);
  const runtime = await openRuntime(settings.runtime, { say: console.note });
  let problem = await problemOf(settings, sources, runtime);
  const init = settings.init === null ? undefined : (inputs.get(settings.init) as Uint8Array);
  const parameters =
    init === undefined
      ? initialParameters(problem.ode.field, Random.seeded(settings.seed), settings.dtype)
      : decodeParameters(init, options.init!, settings.dtype);
  checkParameters(problem.ode.field, parameters, problem.ode);
  if (options.coupling === "auto") {
    const chosen = await withChosenCoupling(settings, sources, problem, parameters, runtime);
    problem = chosen.problem;
    console.note(chosen.message);
  }
  const report = await gradcheck(problem, parameters, runtime, settings.gradient as GradientSpec);
  if (options.json) console.json(report);
  else console.stdout.write(`${summary(problem, report)}\n`);
  const exact = Object.entries(report.relativeError).flatMap(([method, error]) =>
    method.startsWith("continuous") ? [] : [error],
  );
  const worst = Math.max(report.finiteDifference.relativeError, ...exact);
  if (settings.dtype === "float32" || worst < tolerance) return exitCodes.done;
  console.stderr.write(
    `revort: The gradients differ by ${worst.toExponential(1)}, more than ${tolerance}. ` +
      "For a reversible gradient, raise the coupling λ or reduce the step size.\n",
  );
  return exitCodes.failed;
}

export async function gradcheck(
  problem: Problem,
  parameters: Tensors,
  runtime: Runtime,
  asked: GradientSpec = "direct",
): Promise<GradcheckReport> {
  const { ode, loss } = problem;
  const fit = await fitOf(problem, parameters, runtime);
  const always: GradientSpec[] = [
    ...(isReversible(ode.method) ? (["reversible"] as const) : []),
    "direct",
    "checkpoint",
  ];
  // the continuous adjoint is not exact: it is shown where it was asked for, and no other method is held against it
  const methods = always.includes(asked) ? always : [...always, asked];
  const exact = methods.filter((gradient) => gradientMethodOf(gradient).kind !== "continuous");
  const results = [];
  for (const gradient of methods) {
    const {
      loss: value,
      parameters: found,
      y0,
    } = await gradientOf(ode, { runtime, loss, gradient, fit, parameters });
    results.push({ gradient, value, found, y0 });
  }
  const flat = results.map(({ found, y0 }) => [...Object.values(found), y0].flatMap(numbers));
  const finite = await finiteDifference(problem, fit, parameters, flat[0]!, runtime);
  const relativeError = Object.fromEntries(
    results.map(({ gradient }, i) => {
      const others = flat.slice(0, exact.length).filter((_, j) => j !== i);
      return [gradient, Math.max(...others.map((other) => distance(flat[i]!, other) / (norm(other) || 1)))];
    }),
  );
  return {
    loss: results[0]!.value,
    gradients: Object.fromEntries(
      results.map(({ gradient, found }) => [
        gradient,
        Object.fromEntries(Object.entries(found).map(([name, value]) => [name, numbers(value)])),
      ]),
    ),
    y0: Object.fromEntries(results.map(({ gradient, y0 }) => [gradient, numbers(y0)])),
    relativeError,
    finiteDifference: finite,
  };
}

/** The data of a problem as a loss takes them, on the grid that a solve steps through: the one it chooses, if it does. */
async function fitOf({ ode, data, control }: Problem, parameters: Tensors, runtime: Runtime): Promise<Fit> {
  const { target, weight } = targetsOf(data, ode.dtype);
  const y0 = castTensor(data.y0, ode.dtype);
  if (control === null) return { grid: gridThrough(data.t0, data.times, ode.stepSize), y0, target, weight };
  const { grid } = await solve(ode, { runtime, parameters, y0, t0: data.t0, saveAt: data.times, control });
  return { grid, y0, target, weight };
}

/** The same in float64. */
function inFloat64({ grid, y0, target, weight }: Fit): Fit {
  const cast = (value: Tensor) => castTensor(value, "float64");
  return { grid, y0: cast(y0), target: cast(target), weight: weight && cast(weight) };
}

/**
 * Differences of the loss in float64, along the gradient and random directions. Everything is measured in
 * units of its own size s, so that a population of hundreds and a rate of less than one are shifted alike:
 *
 *   |∂L/∂u · v − (s g) · v| / ‖s g‖   at   θ = s u,   for v of length 1
 */
async function finiteDifference(
  problem: Problem,
  given: Fit,
  parameters: Tensors,
  gradient: readonly number[],
  runtime: Runtime,
): Promise<GradcheckReport["finiteDifference"]> {
  const ode = { ...problem.ode, dtype: "float64" as const };
  const fit = inFloat64(given);
  const point: Tensors = { ...named(parameters), [y0Name]: fit.y0 };
  const sizes = [...Object.values(parameters).flatMap(sizesOfWeights), ...sizesOfState(numbers(fit.y0))];
  const scaled = gradient.map((g, i) => g * sizes[i]!);
  const random = Random.seeded(1);
  const directions = [scaled, ...Array.from({ length: 3 }, () => scaled.map(() => random.normal()))].map(
    (v) => v.map((value) => value / (norm(v) || 1)),
  );
  const compiled = await lossFunction(ode, { runtime, loss: problem.loss, fit });
  try {
    let worst = 0;
    for (const v of directions) {
      const direction = v.map((value, i) => value * sizes[i]!);
      const at = (shift: number) => compiled.run(upload(runtime, moved(point, direction, shift)));
      const exact = scaled.reduce((sum, g, i) => sum + g * v[i]!, 0);
      const error = Math.abs((await slopeAtZero(at, largestShift)) - exact) / (norm(scaled) || 1);
      worst = Math.max(worst, error);
    }
    return { relativeError: worst, directions: directions.length };
  } finally {
    await compiled.release();
  }
}

/** In units of what is shifted. */
const largestShift = 1e-3;

/** The root mean square of a parameter: its elements are of a kind. */
function sizesOfWeights(value: Tensor): number[] {
  const values = numbers(value);
  return values.map(() => norm(values) / Math.sqrt(values.length) || 1);
}

/** Components of a state may be hundreds of healthy and one infected; what is 0 counts as the least that is not. */
function sizesOfState(values: readonly number[]): number[] {
  const sizes = values.map(Math.abs);
  const least = Math.min(...sizes.filter((size) => size > 0));
  return sizes.map((size) => size || (Number.isFinite(least) ? least : 1));
}

/** Tensors shifted along a flat direction, in float64. */
function moved(point: Tensors, direction: readonly number[], by: number): Tensors {
  let at = 0;
  return Object.fromEntries(
    Object.entries(point).map(([name, value]) => {
      const data = Float64Array.from(castTensor(value, "float64").data, (x) => x + by * direction[at++]!);
      return [name, { dtype: "float64", shape: value.shape, data } as Tensor];
    }),
  );
}

function norm(values: readonly number[]): number {
  return Math.hypot(...values);
}

function distance(a: readonly number[], b: readonly number[]): number {
  return Math.hypot(...a.map((value, i) => value - b[i]!));
}

function summary({ experiment, ode }: Problem, report: GradcheckReport): string {
  const scheme =
    ode.method.coupling === null ? ode.method.name : `${ode.method.name}, λ = ${ode.method.coupling}`;
  return [
    `${experiment.name}, ${scheme}, ${ode.dtype}: loss ${report.loss}`,
    table([
      ["gradient", "‖g‖", "relative error"],
      ...Object.entries(report.gradients).map(([method, gradients]) => [
        method,
        norm(Object.values(gradients).flat()).toPrecision(8),
        report.relativeError[method]!.toExponential(2),
      ]),
    ]),
    `finite differences in float64, ${report.finiteDifference.directions} directions: ` +
      `relative error ${report.finiteDifference.relativeError.toExponential(2)}`,
  ].join("\n");
}
