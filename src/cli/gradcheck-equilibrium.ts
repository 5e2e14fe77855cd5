import { Random } from "../core/random.js";
import { type FloatDType, tensor } from "../core/tensor.js";
import type { EquilibriumExperiment } from "../experiments/equilibria.js";
import { initialParameters, type Tensors } from "../fields/field.js";
import { checkParameters } from "../integrate/solve-inputs.js";
import { readBytes } from "../storage/read.js";
import { type Console, table } from "./console.js";
import {
  type EquilibriumReport,
  type EquilibriumSetting,
  equilibriumGradients,
} from "./equilibrium-gradients.js";
import { exitCodes } from "./exit-codes.js";
import { openRuntime, type RuntimeName, usualRuntime } from "./runtimes.js";
import { decodeParameters } from "./settings.js";
import { optionFlag, UsageError } from "./usage.js";

/** Options of gradcheck that are about fixed points alone. */
export interface EquilibriumOptions {
  readonly x?: number;
  readonly beta?: number;
  readonly tolerance?: number;
  readonly maxSteps?: number;
}

interface CommandOptions extends EquilibriumOptions {
  readonly init?: string;
  readonly seed?: number;
  readonly dtype?: FloatDType;
  readonly runtime?: RuntimeName;
  readonly json?: boolean;
  readonly debug?: boolean;
}

const ownNames = {
  ...{ x: true, beta: true, tolerance: true, maxSteps: true },
} satisfies Record<keyof EquilibriumOptions, true>;
const optionNames = {
  ...{ ...ownNames, init: true, seed: true, dtype: true, runtime: true, json: true, debug: true },
} satisfies Record<keyof CommandOptions, true>;

/** By how much gradients may differ, as for solves. */
const tolerances = { float64: 1e-6, float32: 1e-2 } as const;

/** @throws {UsageError} for options that only fixed points have */
export function refuseEquilibriumOptions(subject: string, options: object): void {
  const wrong = Object.keys(options).find((name) => Object.hasOwn(ownNames, name));
  if (wrong === undefined) return;
  throw new UsageError(`${optionFlag(wrong)} is about fixed points, but "${subject}" is solved over time.`);
}

/**
 * `revort gradcheck` of a fixed point: the gradient of z by undoing the iteration, held against that through stored
 * iterations, and that against finite differences.
 *
 * @returns the exit code: failed if the iteration did not converge, or gradients are too far apart
 */
export async function gradcheckEquilibrium(
  experiment: EquilibriumExperiment,
  options: CommandOptions,
  console: Console,
): Promise<number> {
  const wrong = Object.keys(options).find((name) => !Object.hasOwn(optionNames, name));
  if (wrong !== undefined) {
    throw new UsageError(
      `${optionFlag(wrong)} is about solves, but ${experiment.name} is a fixed point. It has ` +
        `${Object.keys(optionNames).map(optionFlag).join(", ")}.`,
    );
  }
  const { protocol } = experiment;
  const { dtype = protocol.dtype, x = protocol.x, beta = protocol.relaxation } = options;
  const { tolerance = protocol.tolerance, maxSteps = protocol.maxSteps } = options;
  const setting = { experiment, relaxation: beta, tolerance, maxSteps, dtype };
  const parameters = await parametersFor(experiment, options, dtype);
  const runtime = await openRuntime(options.runtime ?? usualRuntime, { say: console.note });
  const report = await equilibriumGradients(runtime, setting, {
    x: tensor(dtype, [1, 1], [x]),
    parameters,
  });
  for (const note of report.notes) console.note(note);
  if (options.json) console.json(report);
  else console.stdout.write(`${summary(setting, report)}\n`);
  const failures = whatIsWrong(setting, report);
  if (failures.length === 0) return exitCodes.done;
  console.stderr.write(`revort: ${failures.join(" ")}\n`);
  return exitCodes.failed;
}

async function parametersFor(
  { cell }: EquilibriumExperiment,
  { init, seed = 0 }: CommandOptions,
  dtype: FloatDType,
): Promise<Tensors> {
  if (init === undefined) return initialParameters(cell, Random.seeded(seed), dtype);
  return checkParameters(cell, decodeParameters(await readBytes(init), init, dtype), { dtype });
}

/** What of a report is beyond its tolerance, with the cause and what to do: sentences. */
function whatIsWrong(
  { tolerance, maxSteps, relaxation, dtype }: EquilibriumSetting,
  report: EquilibriumReport,
) {
  const { residual, converged, relativeError, reconstructionError, finiteDifference } = report;
  const wrong: string[] = [];
  if (!converged) {
    wrong.push(
      `The iteration did not converge: after ${report.iterations} steps ‖z − f(z)‖ is ${residual.toExponential(1)} of ‖f(z)‖, ` +
        `more than ${tolerance}. Allow more steps than ${maxSteps} (--max-steps), a larger --tolerance or another --beta.`,
    );
  }
  if (!(relativeError <= tolerances[dtype])) {
    const what = Number.isFinite(relativeError)
      ? `differs from that through stored steps by ${relativeError.toExponential(1)}, more than ${tolerances[dtype]}`
      : "is lost to rounding";
    wrong.push(
      `The gradient by undoing steps ${what}: the pair came back only to ${reconstructionError.toExponential(1)}. Rounding grows by ` +
        `1 / |1 − β| = ${Number((1 / Math.abs(1 - relaxation)).toPrecision(3))} a step on the way back; take a smaller --beta.`,
    );
  }
  const { relativeError: apart, uncertainty } = finiteDifference;
  if (!(apart <= Math.max(tolerances[dtype], 10 * tolerance) + uncertainty)) {
    wrong.push(
      `Finite differences of z differ from the gradient through stored steps by ${apart.toExponential(1)}, and are themselves ` +
        `good to ${uncertainty.toExponential(1)}: f has a kink nearby (relu), or a derivative is wrong.`,
    );
  }
  return wrong;
}

function summary({ experiment, relaxation, dtype }: EquilibriumSetting, report: EquilibriumReport): string {
  const size = (gradients: Readonly<Record<string, readonly number[]>>) =>
    Math.hypot(...Object.values(gradients).flat()).toPrecision(8);
  return [
    `${experiment.name}, β = ${relaxation}, ${dtype}: z = ${report.z} after ${report.iterations} iterations, ` +
      `residual ${report.residual.toExponential(2)}`,
    table([
      ["gradient", "‖g‖", "relative error"],
      ["reversible", size(report.gradients.reversible), report.relativeError.toExponential(2)],
      ["direct", size(report.gradients.direct), ""],
    ]),
    `the pair came back to ${report.reconstructionError.toExponential(1)}; finite differences in float64: relative error of ` +
      `direct ${report.finiteDifference.relativeError.toExponential(2)}, good to ${report.finiteDifference.uncertainty.toExponential(1)}`,
  ].join("\n");
}
