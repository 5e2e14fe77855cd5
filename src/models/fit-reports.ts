import { type FloatDType, numbers } from "../core/tensor.js";
import { isReconstructed, ReconstructionError } from "../gradients/reconstruction-limit.js";
import { TrainingError } from "../gradients/training-error.js";
import { nextName } from "../programs/names.js";
import type { DeviceTensors, Runtime } from "../runtime/runtime.js";
import { reportNames } from "./task-program.js";

// What comes out of a run of updates: new values, and numbers that tell whether they are of use.

/** Numbers that updates report, one for each. */
export type Reports = Readonly<Record<keyof typeof reportNames, readonly number[]>>;

/** The new values of what went into updates. */
export function nextOf(values: DeviceTensors, results: DeviceTensors): DeviceTensors {
  return Object.fromEntries(Object.keys(values).map((name) => [name, results[nextName(name)]!]));
}

export async function reportsOf(runtime: Runtime, results: DeviceTensors, n: number): Promise<Reports> {
  const entries = await Promise.all(
    Object.entries(reportNames).map(
      async ([own, name]) => [own, numbers(await runtime.download(results[name]!)).slice(0, n)] as const,
    ),
  );
  return Object.fromEntries(entries) as unknown as Reports;
}

/** @throws {TrainingError | ReconstructionError} for updates that are of no use */
export function checkReports({ loss, norm, error }: Reports, first: number, dtype: FloatDType): void {
  for (const i of loss.keys()) {
    const update = `At update ${first + i + 1}`;
    if (!Number.isFinite(loss[i])) {
      throw new TrainingError(
        `${update}: the loss is not finite (${loss[i]}). Lower the learning rate, clip the gradient, or look at the data's units.`,
      );
    }
    if (!Number.isFinite(norm[i])) {
      throw new TrainingError(
        `${update}: the gradient is not finite although the loss is (${loss[i]}). An operator of the model has no finite ` +
          "slope there: a root or a logarithm at 0, a norm of 0.",
      );
    }
    if (!isReconstructed(error[i]!, dtype)) {
      throw new ReconstructionError(
        `${update}: undoing the steps of a solve gave its states back with a relative error of ${error[i]!.toExponential(1)}, so ` +
          'the gradient by reconstruction is lost. Give the solve stored states on the way (gradient "reversible:100", or ' +
          'fewer steps between them), or another gradient ("direct", "checkpoint").',
      );
    }
  }
}
