import type { Tensor } from "../core/tensor.js";
import { dampingAlong, rowsOf } from "./coupling.js";
import type { NeuralOde } from "./neural-ode.js";
import type { CheckedRequest } from "./request.js";
import { coarseSpacing } from "./resolution.js";
import type { Solution, SolveStats } from "./solution.js";
import { refuse, warningsOf } from "./warnings.js";

/** What a solve has found out by itself. */
export interface Finding extends Omit<Solution, "warnings" | "coupling" | "stats"> {
  readonly stats: Omit<SolveStats, "stability">;
  /** the largest y, as root mean square */
  readonly size: number;
}

/**
 * The solution with what is unreliable about it.
 *
 * @throws {SolveError} in place of warnings, if `strict` was asked for
 */
export async function withDiagnostics(
  ode: NeuralOde,
  { options, parameters, control }: CheckedRequest,
  found: Finding,
): Promise<Solution> {
  const { ts, ys, grid, placement, dense, events, size } = found;
  const { method, dtype } = ode;
  const stability =
    options.checkStability && method.coupling !== null && method.linear === undefined
      ? {
          dampingTimesStep: await dampingTimesStep(ode, options.runtime, parameters, found),
          limit: -Math.log(method.coupling),
        }
      : null;
  const { steps, accepted, rejected, evaluations, drift, reconstructionError } = found.stats;
  const stats = { steps, accepted, rejected, evaluations, drift, reconstructionError, stability };
  const coarse = coarseSpacing(ode, grid.times);
  const warnings = warningsOf({ method, dtype, control, stats, size, coarse });
  if (options.strict) {
    const { times } = grid;
    const [before, end] = [times.at(-2) ?? times[0]!, times.at(-1)!];
    refuse(warnings, { time: end, step: accepted, stepSize: Math.abs(end - before), accepted, rejected });
  }
  return { ts, ys, grid, placement, dense, events, stats, coupling: null, warnings };
}

/** Saved states at which the field is looked at, at most. */
const looks = 16;

/** The largest damping of the field times the size of the step there, at saved states. */
async function dampingTimesStep(
  ode: NeuralOde,
  runtime: CheckedRequest["options"]["runtime"],
  parameters: CheckedRequest["parameters"],
  { ts, ys, grid, placement }: Omit<Finding, "size">,
): Promise<number> {
  const stride = Math.ceil(ts.length / looks);
  const chosen = ts.map((_, i) => i).filter((i) => (ts.length - 1 - i) % stride === 0);
  const states: Tensor[] = rowsOf(ys);
  const rates = await dampingAlong(
    ...([ode, runtime, parameters] as const),
    chosen.map((i) => ts[i]!),
    chosen.map((i) => states[i]!),
  );
  const last = grid.times.length - 2;
  const stepAt = (i: number) => Math.min(last, placement?.[i]?.step ?? Math.max(0, grid.offsets[i + 1]! - 1));
  return Math.max(
    0,
    ...rates.map((rate, k) => {
      const step = stepAt(chosen[k]!);
      return rate * Math.abs(grid.times[step + 1]! - grid.times[step]!);
    }),
  );
}

/** x / size, where 0 / 0 is 0. */
export function relative(x: number, size: number): number {
  return x === 0 ? 0 : x / size;
}
