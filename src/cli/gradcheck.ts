import { Random } from "../core/random.js";
import { castTensor, numbers, type Tensor } from "../core/tensor.js";
import { type Like, mapLeaves } from "../core/tree.js";
import { equilibria } from "../experiments/equilibria.js";
import { initialParameters, type Tensors } from "../fields/field.js";
import { type Fit, type Gradients, gradientOf, lossFunction } from "../gradients/evaluate.js";
import {
  type GradientRequest,
  gradientMethodOf,
  parseGradientMethod,
  showGradientMethod,
  showGradientRequest,
} from "../gradients/method.js";
import { checkParameters, solve } from "../integrate/solve.js";
import { isReversible } from "../methods/method.js";
import { adjointFor, solveAdjoints } from "../programs/adjoints.js";
import { gridThrough } from "../programs/grid.js";
import { uploadTree } from "../runtime/compile-program.js";
import type { Runtime } from "../runtime/runtime.js";
import { targetsOf } from "../train/data.js";
import { type Console, table } from "./console.js";
import { withChosenCoupling } from "./coupling.js";
import { exitCodes } from "./exit-codes.js";
import { slopeAtZero } from "./finite-difference.js";
import {
  type EquilibriumOptions,
  gradcheckEquilibrium,
  refuseEquilibriumOptions,
} from "./gradcheck-equilibrium.js";
import { type Problem, problemOf } from "./problem.js";
import { openRuntime } from "./runtimes.js";
import { decodeParameters, type ProblemOptions, settingsFor } from "./settings.js";

export interface GradcheckOptions extends ProblemOptions, EquilibriumOptions {
  readonly json?: boolean;
}

/** By how much gradients may differ; rounding in float32 leaves few digits of the gradient of a long solve. */
const tolerances = { float64: 1e-6, float32: 1e-2 } as const;

/** What `gradcheck --json` prints. */
export interface GradcheckReport {
  readonly loss: number;
  /** by method and parameter, flat */
  readonly gradients: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>;
  /** of the initial state, by method, flat */
  readonly y0: Readonly<Record<string, readonly number[]>>;
  /** the method that was used where another was named: with states stored on the way, as training has them */
  readonly used: Readonly<Record<string, string>>;
  /** ‖g − g_direct‖ / ‖g_direct‖; for stored steps themselves, the distance to checkpoints */
  readonly relativeError: Readonly<Record<string, number>>;
  /** where steps are undone: how far states come back from where they were, over the largest y */
  readonly reconstructionError: Readonly<Record<string, number>>;
  readonly finiteDifference: FiniteDifference;
  /** what was decided beyond what was asked for, and why */
  readonly notes: readonly string[];
}

/** The gradient by stored steps held against differences of the loss in float64. */
export interface FiniteDifference {
  /** the largest difference, relative to the gradient */
  readonly relativeError: number;
  /** by how much the differences themselves may be off, likewise */
  readonly uncertainty: number;
  readonly directions: number;
}

/**
 * `revort gradcheck`: the gradient of an experiment's loss before training, by every method that the scheme has, held
 * against that of stored steps, and that against finite differences of the loss in float64.
 *
 * @returns the exit code: failed if a float64 gradient is off by more than 1e−6, a float32 one by more than 1e−2
 */
export async function gradcheckCommand(
  subject: string,
  options: GradcheckOptions,
  console: Console,
): Promise<number> {
  const fixedPoint = equilibria.find(({ name }) => name === subject);
  if (fixedPoint !== undefined) return gradcheckEquilibrium(fixedPoint, options, console);
  refuseEquilibriumOptions(subject, options);
  const { settings, sources, inputs, notes } = await settingsFor(subject, options);
  notes.forEach(console.note);
  const runtime = await openRuntime(settings.runtime, { say: console.note });
  let problem = await problemOf(settings, sources, runtime);
  const init = settings.init === null ? undefined : (inputs.get(settings.init) as Uint8Array);
  const { field } = problem.ode;
  // in the field's order, whatever the file's: gradients are held against differences number by number
  const parameters = checkParameters(
    field,
    init === undefined
      ? initialParameters(field, Random.seeded(settings.seed), settings.dtype)
      : decodeParameters(init, options.init!, settings.dtype),
    problem.ode,
  );
  if (options.coupling === "auto") {
    const chosen = await withChosenCoupling(settings, sources, problem, parameters, runtime);
    problem = chosen.problem;
    console.note(chosen.message);
  }
  const report = await gradcheck(problem, parameters, runtime, settings.gradient as GradientRequest);
  for (const note of report.notes) console.note(note);
  if (options.json) console.json(report);
  else console.stdout.write(`${summary(problem, report)}\n`);
  const wrong = whatIsWrong(problem, report);
  if (wrong.length === 0) return exitCodes.done;
  console.stderr.write(`revort: ${wrong.join(" ")}\n`);
  return exitCodes.failed;
}

export async function gradcheck(
  problem: Problem,
  parameters: Tensors,
  runtime: Runtime,
  asked: GradientRequest = "direct",
): Promise<GradcheckReport> {
  const { ode, loss } = problem;
  const fit = await fitOf(problem, parameters, runtime);
  const always = exactGradients(isReversible(ode.method));
  const shown = showGradientRequest(asked === "auto" ? asked : gradientMethodOf(asked));
  const methods = asked === "auto" || always.includes(shown) ? always : [...always, shown];
  const results = new Map<string, Gradients & { readonly flat: readonly number[] }>();
  for (const gradient of methods) {
    const found = await gradientOf(ode, {
      ...{ runtime, loss, fit, parameters },
      gradient: parseGradientMethod(gradient),
    });
    const flat = [...Object.values(found.parameters), found.y0].flatMap(numbers);
    results.set(gradient, { ...found, flat });
  }
  const { flat: direct } = results.get("direct")!;
  const { flat: checkpoint } = results.get("checkpoint")!;
  const each = <T>(of: (found: Gradients & { readonly flat: readonly number[] }, method: string) => T) =>
    Object.fromEntries([...results].map(([method, found]) => [method, of(found, method)]));
  const known = each(({ gradient }) => showGradientMethod(gradient));
  return {
    loss: results.get("direct")!.loss,
    gradients: each(({ parameters: found }) =>
      Object.fromEntries(Object.entries(found).map(([name, value]) => [name, numbers(value)])),
    ),
    y0: each(({ y0 }) => numbers(y0)),
    used: Object.fromEntries(Object.entries(known).filter(([method, used]) => method !== used)),
    relativeError: each(({ flat }, method) => {
      const other = method === "direct" ? checkpoint : direct;
      return distance(flat, other) / (norm(other) || 1);
    }),
    reconstructionError: Object.fromEntries(
      Object.entries(each(({ reconstructionError }) => reconstructionError)).filter(
        (entry): entry is [string, number] => entry[1] !== null,
      ),
    ),
    finiteDifference: await finiteDifference(problem, fit, parameters, direct, runtime),
    notes: [...new Set([...results.values()].flatMap(({ notes }) => notes))],
  };
}

/** The gradients that are exact, each as it is without options, as far as steps can be undone for them. */
function exactGradients(undoable: boolean): string[] {
  return solveAdjoints
    .filter(({ exact, undoes }) => exact && (undoable || !undoes))
    .flatMap(({ syntax }) => (syntax.parse(null, "") === null ? [] : [syntax.kind]));
}

/** What of a report is beyond its tolerance, with the cause of each and what to do: sentences. */
export function whatIsWrong({ ode }: Problem, report: GradcheckReport): string[] {
  const { method, dtype } = ode;
  const tolerance = tolerances[dtype];
  const { relativeError, reconstructionError, finiteDifference, used } = report;
  const wrong: string[] = [];
  for (const [name, error] of Object.entries(relativeError)) {
    // what is not exact is shown for its error
    if (error <= tolerance || !adjointFor(parseGradientMethod(name)).exact) continue;
    const differs = `The gradient ${used[name] ?? name} differs from backprop through stored steps by ${error.toExponential(1)}, more than ${tolerance}.`;
    const back = reconstructionError[name];
    wrong.push(
      back === undefined
        ? `${differs} Both are exact, so that one of them is computed wrongly: please report this.`
        : method.undoneTo !== undefined
          ? `${differs} Undoing steps gives states back only to ${back.toExponential(1)} of y, which is of order ` +
            `${method.undoneTo} in the step size. Take smaller steps, or use --gradient direct or checkpoint.`
          : `${differs} Undoing steps gives states back only to ${back.toExponential(1)} of y: rounding grows on the way back, ` +
            `${method.coupling === null ? "" : `by 1/λ = ${Number((1 / method.coupling).toPrecision(4))} a step and `}` +
            "as fast as the field damps. Smaller steps do not help, there are only more of them. " +
            `${method.coupling === null ? "" : "Take a λ nearer to 1, or "}store states closer (--gradient reversible:N, ` +
            "for a smaller N), or use --gradient direct or checkpoint.",
    );
  }
  const { relativeError: apart, uncertainty } = finiteDifference;
  if (!(apart <= tolerance + uncertainty)) {
    wrong.push(
      `Finite differences of the loss differ from backprop through stored steps by ${apart.toExponential(1)}, more than ` +
        `${tolerance}, and are themselves good to ${uncertainty.toExponential(1)}: the field or the loss has a kink or a jump ` +
        "nearby (relu, abs, l1), or a derivative is wrong.",
    );
  }
  return wrong;
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
): Promise<FiniteDifference> {
  const ode = { ...problem.ode, dtype: "float64" as const };
  const fit = inFloat64(given);
  const point = { parameters, y0: fit.y0 };
  const sizes = [...Object.values(parameters).flatMap(sizesOfWeights), ...sizesOfState(numbers(fit.y0))];
  const scaled = gradient.map((g, i) => g * sizes[i]!);
  const random = Random.seeded(1);
  const directions = [scaled, ...Array.from({ length: 3 }, () => scaled.map(() => random.normal()))].map(
    (v) => v.map((value) => value / (norm(v) || 1)),
  );
  const compiled = await lossFunction(ode, { runtime, loss: problem.loss, fit });
  try {
    const worst = { relativeError: 0, uncertainty: 0 };
    for (const v of directions) {
      const direction = v.map((value, i) => value * sizes[i]!);
      const at = (shift: number) => compiled.run(uploadTree(runtime, moved(point, direction, shift)));
      const exact = scaled.reduce((sum, g, i) => sum + g * v[i]!, 0);
      const { slope, uncertainty } = await slopeAtZero(at, largestShift);
      const size = norm(scaled) || 1;
      worst.relativeError = Math.max(worst.relativeError, Math.abs(slope - exact) / size);
      worst.uncertainty = Math.max(worst.uncertainty, uncertainty / size);
    }
    return { ...worst, directions: directions.length };
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
function moved<T>(point: T, direction: readonly number[], by: number): Like<T, Tensor> {
  let at = 0;
  return mapLeaves(point, (leaf) => {
    const { shape, data } = castTensor(leaf as Tensor, "float64");
    return { dtype: "float64", shape, data: Float64Array.from(data, (x) => x + by * direction[at++]!) };
  });
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
        report.used[method] ?? method,
        norm(Object.values(gradients).flat()).toPrecision(8),
        report.relativeError[method]!.toExponential(2),
      ]),
    ]),
    `finite differences in float64, ${report.finiteDifference.directions} directions: ` +
      `relative error of direct ${report.finiteDifference.relativeError.toExponential(2)}, ` +
      `good to ${report.finiteDifference.uncertainty.toExponential(1)}`,
  ].join("\n");
}
