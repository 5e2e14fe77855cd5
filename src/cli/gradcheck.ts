import { Random } from "../core/random.js";
import { castTensor, numbers, type Tensor } from "../core/tensor.js";
import { initialParameters, type Tensors } from "../fields/field.js";
import { type Fit, gradientOf, lossFunction } from "../gradients/evaluate.js";
import { checkParameters, named, upload } from "../integrate/solve.js";
import { isReversible } from "../methods/method.js";
import type { GradientMethod } from "../programs/gradient.js";
import { gridThrough } from "../programs/grid.js";
import { y0Name } from "../programs/names.js";
import type { Runtime } from "../runtime/runtime.js";
import { targetsOf } from "../train/data.js";
import { type Console, table } from "./console.js";
import { exitCodes } from "./exit-codes.js";
import { type Problem, problemOf } from "./problem.js";
import { openRuntime } from "./runtimes.js";
import { decodeParameters, type ProblemOptions, settingsFor } from "./settings.js";

export interface GradcheckOptions extends ProblemOptions {
  readonly json?: boolean;
}

/** What `gradcheck --json` prints. */
export interface GradcheckReport {
  readonly loss: number;
  /** by method and parameter, flat */
  readonly gradients: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>;
  /** of the initial state, by method, flat */
  readonly y0: Readonly<Record<string, readonly number[]>>;
  /** ‖g − g_other‖ / ‖g_other‖, the largest over the other methods; over finite differences where there is no other */
  readonly relativeError: Readonly<Record<string, number>>;
  /** |∂_v L − g·v| / ‖g‖ for the differentiable directions tried, v of length 1, in float64 */
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
  const runtime = await openRuntime(settings.runtime);
  const problem = await problemOf(settings, sources, runtime);
  const init = settings.init === null ? undefined : (inputs.get(settings.init) as Uint8Array);
  const parameters =
    init === undefined
      ? initialParameters(problem.ode.field, Random.seeded(settings.seed), settings.dtype)
      : decodeParameters(init, options.init!, settings.dtype);
  checkParameters(problem.ode.field, parameters, problem.ode);
  const report = await gradcheck(problem, parameters, runtime);
  if (options.json) console.stdout.write(`${JSON.stringify(report)}\n`);
  else console.stdout.write(`${summary(problem, report)}\n`);
  const worst = Math.max(report.finiteDifference.relativeError, ...Object.values(report.relativeError));
  return settings.dtype === "float64" && !(worst < 1e-6) ? exitCodes.failed : exitCodes.done;
}

export async function gradcheck(
  problem: Problem,
  parameters: Tensors,
  runtime: Runtime,
): Promise<GradcheckReport> {
  const { ode, loss } = problem;
  const fit = fitOf(problem);
  const methods: GradientMethod[] = isReversible(ode.method) ? ["reversible", "direct"] : ["direct"];
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
  const finite = await finiteDifference(problem, parameters, flat[0]!, runtime);
  const relativeError = Object.fromEntries(
    results.map(({ gradient }, i) => {
      const others = flat.filter((_, j) => j !== i);
      const errors = others.map((other) => distance(flat[i]!, other) / (norm(other) || 1));
      return [gradient, errors.length === 0 ? finite.relativeError : Math.max(...errors)];
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

/** The data of a problem as a loss takes them, in the dtype of the equation. */
function fitOf({ ode, data }: Pick<Problem, "ode" | "data">): Fit {
  const { target, weight } = targetsOf(data, ode.dtype);
  return {
    grid: gridThrough(data.t0, data.times, ode.stepSize),
    y0: castTensor(data.y0, ode.dtype),
    target,
    weight,
  };
}

/**
 * Central differences of fourth order of the loss, in float64, along the gradient and random directions:
 *
 *   ∂_v L ≈ (8 (L(δ) − L(−δ)) − (L(2δ) − L(−2δ))) / 12δ,   L(δ) = L(θ + δ v)
 *
 * with δ such that neither the δ⁴ of the formula nor the rounding error ε/δ of the differences comes near 1e−9.
 */
async function finiteDifference(
  problem: Problem,
  parameters: Tensors,
  gradient: readonly number[],
  runtime: Runtime,
): Promise<GradcheckReport["finiteDifference"]> {
  const ode = { ...problem.ode, dtype: "float64" as const };
  const fit = fitOf({ ode, data: problem.data });
  const point: Tensors = { ...named(parameters), [y0Name]: fit.y0 };
  const compiled = await lossFunction(ode, { runtime, loss: problem.loss, fit });
  const random = Random.seeded(1);
  const size = norm(gradient);
  const directions = [gradient, ...Array.from({ length: 3 }, () => gradient.map(() => random.normal()))].map(
    (v) => v.map((value) => value / (norm(v) || 1)),
  );
  const delta = 5e-4 * Math.max(1, norm(Object.values(point).flatMap(numbers)) / Math.sqrt(gradient.length));
  try {
    let worst = 0;
    for (const v of directions) {
      const at = (shift: number) => compiled.run(upload(runtime, moved(point, v, shift)));
      const near = (await at(delta)) - (await at(-delta));
      const far = (await at(2 * delta)) - (await at(-2 * delta));
      const slope = (8 * near - far) / (12 * delta);
      const exact = gradient.reduce((sum, g, i) => sum + g * v[i]!, 0);
      worst = Math.max(worst, Math.abs(slope - exact) / (size || 1));
    }
    return { relativeError: worst, directions: directions.length };
  } finally {
    await compiled.release();
  }
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
