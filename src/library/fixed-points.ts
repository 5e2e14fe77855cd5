import { withoutRegions } from "../autodiff/region.js";
import { checkOptions, OptionError } from "../core/options.js";
import { type FloatDType, numbers, type Tensor } from "../core/tensor.js";
import { anderson } from "../equilibrium/anderson.js";
import { type Cell, checkState, FixedPointError, iterationOf } from "../equilibrium/cell.js";
import { iterate } from "../equilibrium/iterate.js";
import type { FixedPointSolver } from "../equilibrium/solver.js";
import { type StopRule, stopRule, toleranceOf } from "../equilibrium/stop.js";
import { Builder } from "../graph/builder.js";
import type { Graph } from "../graph/graph.js";
import { pick, upload } from "../integrate/solve-inputs.js";
import { cast } from "../ops/reshape.js";
import type { Runtime } from "../runtime/runtime.js";
import type { OpenRuntime, ParametersLike } from "./equation.js";
import { isTensor, type TensorLike, tensorOf } from "./given.js";

/** An iteration that did not come to a fixed point, where that was asked to be an error. */
export class ConvergenceError extends FixedPointError {}

export interface SolveFixedPointOptions {
  /** where the iteration starts, [batch, …] */
  readonly z0: TensorLike;
  /** what the cell reads beside z, by name; floats as numbers, the rest as tensors */
  readonly given?: ParametersLike;
  /** Anderson's by default */
  readonly solver?: FixedPointSolver;
  readonly stop?: Partial<StopRule>;
  readonly keep?: "last" | "best";
  readonly dtype?: FloatDType;
  /** element type of the state, where that is not the cell's */
  readonly state?: FloatDType;
  /** makes warnings errors */
  readonly strict?: boolean;
  readonly runtime?: Runtime;
}

const optionNames = {
  ...{ z0: true, given: true, solver: true, stop: true, keep: true, dtype: true, state: true },
  ...{ strict: true, runtime: true },
} satisfies Record<keyof SolveFixedPointOptions, true>;

/** A fixed point on the host. Numbers are those of each sample, or one where all stop together. */
export interface FixedPointSolution {
  readonly z: Tensor;
  /** ‖z − f(z)‖ / (‖f(z)‖ + atol / rtol), or ‖z − f(z)‖ where rtol is 0 */
  readonly residuals: readonly number[];
  /** steps up to z */
  readonly steps: readonly number[];
  readonly converged: readonly boolean[];
  /** residuals after each step, of each sample: it ends when all samples are done */
  readonly trace: readonly (readonly number[])[];
  readonly warnings: readonly FixedPointWarning[];
}

export interface FixedPointWarning {
  readonly code: "convergence";
  readonly message: string;
}

/**
 * Finds z = f(z, x; θ) for given x and θ.
 *
 * @throws {ConvergenceError} if an iteration does not converge, with `strict`; otherwise that is a warning
 * @throws {FixedPointError} for a state that is no batch, or a cell that changes its type
 */
export async function solveFixedPoint(
  open: OpenRuntime,
  cell: Cell,
  options: SolveFixedPointOptions,
): Promise<FixedPointSolution> {
  checkOptions("solveFixedPoint", options, optionNames, {
    parameters: "say given",
    tol: "say stop: { rtol }",
  });
  const { dtype = "float64", strict = false } = options;
  if (options.z0 === undefined) throw new OptionError("solveFixedPoint needs the state z0, as [[0, 0]].");
  const runtime = options.runtime ?? (await open());
  const stop = stopRule(options.stop);
  const given = Object.entries(options.given ?? {}).map(
    ([name, value]) =>
      [
        name,
        isTensor(value) && !value.dtype.startsWith("float") ? value : tensorOf(name, value, dtype),
      ] as const,
  );
  const inputs = { ...Object.fromEntries(given), z0: tensorOf("z0", options.z0, dtype) };
  const compiled = await runtime.compile(graphOf(cell, { ...options, stop }, inputs));
  try {
    const results = await compiled.run(pick(upload(runtime, inputs), compiled.inputs));
    const of = (name: string) => runtime.download(results[name]!);
    const [residuals, trace] = [numbers(await of("residual")), await of("trace")];
    const solution = {
      ...{ z: await of("z"), residuals, steps: numbers(await of("steps")) },
      converged: residuals.map((residual) => residual <= toleranceOf(stop)),
      trace: residuals.map((_, i) => numbers(trace).filter((_residual, at) => at % residuals.length === i)),
    };
    const message = convergenceText(cell, stop, solution);
    if (message !== null && strict) throw new ConvergenceError(message);
    return { ...solution, warnings: message === null ? [] : [{ code: "convergence", message }] };
  } finally {
    await compiled.release();
  }
}

/** Of x, θ and z0 to all that is to be known of a fixed point. */
function graphOf(
  cell: Cell,
  { solver = anderson(), stop, keep = "best", state }: SolveFixedPointOptions & { readonly stop: StopRule },
  tensors: Readonly<Record<string, Tensor>>,
): Graph {
  const b = new Builder();
  const { z0, ...given } = Object.fromEntries(
    Object.entries(tensors).map(([name, { dtype, shape }]) => [name, b.input(name, dtype, shape)]),
  );
  checkState(cell, z0!);
  const start = cast(b, z0!, state ?? z0!.dtype);
  const found = iterate(b, iterationOf(cell, given, z0!), start, { solver, stop, keep, traced: true });
  const { z, residual, steps, trace } = found;
  return withoutRegions(b.graph({ z: cast(b, z, z0!.dtype), residual, steps, trace: trace! }, cell.name));
}

/** What is to be said of samples that did not converge; `null` where all did. */
function convergenceText(
  { name }: Cell,
  stop: StopRule,
  { residuals, converged }: Pick<FixedPointSolution, "residuals" | "converged">,
): string | null {
  const failed = converged.flatMap((done, i) => (done ? [] : [i]));
  if (failed.length === 0) return null;
  const worst = failed.reduce((one, i) => (residuals[i]! <= residuals[one]! ? one : i));
  const who = stop.per === "batch" ? "The iteration" : `${failed.length} of ${residuals.length} samples`;
  return (
    `${who} of "${name}" did not come to a fixed point within ${stop.maxSteps} steps: ‖z − f(z)‖ is ` +
    `${Number(residuals[worst]!.toPrecision(3))}${stop.rtol > 0 ? " of ‖f(z)‖" : ""}` +
    `${stop.per === "batch" ? "" : ` for sample ${worst}`}, and ${toleranceOf(stop)} was asked for. Allow more steps ` +
    "(stop: { maxSteps }), take another solver (anderson, broyden), or see by jacobianSpectralRadius whether f contracts there."
  );
}
