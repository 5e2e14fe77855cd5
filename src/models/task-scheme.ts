import { reconstructionLimit } from "../chains/lost.js";
import { type FloatDType, scalar } from "../core/tensor.js";
import { type Branch, mapTree, pathsOf } from "../core/tree.js";
import { reasonOf, shownNames, watchedDerivative } from "../gradients/not-finite.js";
import { ReconstructionError } from "../gradients/reconstruction-limit.js";
import { TrainingError } from "../gradients/training-error.js";
import { Builder } from "../graph/builder.js";
import { shownOrigin, type ValueType } from "../graph/graph.js";
import type { SolveWarning } from "../integrate/solve-warning.js";
import { driftText } from "../integrate/warnings.js";
import type { Stepping } from "../nn/layer.js";
import { countType } from "../programs/updates.js";
import { uploadTree } from "../runtime/compile-program.js";
import type { DeviceTensors } from "../runtime/runtime.js";
import { compileUpdater } from "../train/compile-updater.js";
import type { DriftWatch } from "../train/drift-watch.js";
import { takenOf } from "../train/samples.js";
import type { Failed, Scheme, TrainNote } from "../train/scheme.js";
import type { Updater, UpdaterOptions } from "../train/updater.js";
import type { AnyTask } from "./task.js";
import { lossInTraining, taskObjective } from "./task-objective.js";

export interface TaskSchemeOptions {
  readonly task: AnyTask;
  /** what updates are compiled for beside the objective */
  readonly updater: Omit<UpdaterOptions, "objectiveOf">;
  /** the errors for which states are stored closer from the start: those of the run that is gone on with */
  readonly lost: readonly number[];
  readonly watch: DriftWatch;
  readonly note: (note: TrainNote) => void;
}

/**
 * How the updates of a task are done at present. Where a solve inside does not get its states back by undoing steps, the
 * update is done again with states stored closer, in every solve of the model that undoes its steps.
 */
export class TaskScheme implements Scheme {
  readonly looks = null;
  readonly #options: TaskSchemeOptions;
  #lost: readonly number[];
  #updater: Updater;
  readonly #coupled: readonly Stepping[];

  private constructor(options: TaskSchemeOptions, { updater, coupled }: Compiled) {
    this.#options = options;
    this.#lost = options.lost;
    this.#updater = updater;
    this.#coupled = coupled;
  }

  /** @throws {SplitError} if the batch has fewer samples than parts */
  static async compiled(options: TaskSchemeOptions): Promise<TaskScheme> {
    const compiled = await compiledFor(options, options.lost);
    for (const message of compiled.warnings) options.note({ code: "undoing", step: 0, message });
    return new TaskScheme(options, compiled);
  }

  get updater(): Updater {
    return this.#updater;
  }

  /** The errors of reconstruction for which states were stored closer so far. */
  get lost(): readonly number[] {
    return this.#lost;
  }

  sees(update: number, drift: number): void {
    this.#options.watch.see(update, drift);
  }

  /** What is unreliable about so many updates, and the parameters that are kept of one of them. */
  warnings(updates: number, kept: number): SolveWarning[] {
    const { watch, updater } = this.#options;
    const message = watch.warning(updates, (drift) => this.#driftText(drift, updater.dtype), kept);
    return message === null ? [] : [{ code: "drift", message }];
  }

  #driftText(drift: number, dtype: FloatDType): string {
    const [first, other] = [...new Set(this.#coupled.map(({ method, coupling }) => `${method} ${coupling}`))];
    // one of several is not known to be the one
    const isKnown = first !== undefined && other === undefined;
    const { method: name, coupling } = isKnown
      ? this.#coupled[0]!
      : { method: "a coupled method", coupling: null };
    return driftText({ name, coupling }, dtype, drift);
  }

  async refresh(error: number, step: number): Promise<void> {
    const { dtype } = this.#options.updater;
    const lost = [...this.#lost, error];
    // the sums of a run are rounded alike to its end
    const { parts } = this.#updater.ran;
    const given = { ...this.#options, updater: { ...this.#options.updater, parts } };
    const { updater, gradients, failures } = await compiledFor(given, lost);
    if (gradients.size === 0) {
      await updater.release();
      throw new ReconstructionError(
        `At update ${step + 1}: ${failures[0]?.message ?? `${lostText(error, dtype)}. ${ownRemedy}`}`,
      );
    }
    await this.#updater.release();
    [this.#updater, this.#lost] = [updater, lost];
    const message =
      `At update ${step + 1}: ${lostText(error, dtype)}: the update was done again from states stored closer ` +
      `(gradient ${[...gradients].join(", ")}).`;
    this.#options.note({ code: "refresh", step, message });
  }

  async whyLossNotFinite({ loss }: Failed): Promise<Error> {
    return new TrainingError(
      `the loss is not finite (${loss}). Lower the learning rate, clip the gradient, or look at the data's units.` +
        labelsText(this.#options.task) +
        coupledText(this.#coupled),
    );
  }

  /** Names the operator of the model whose slope is not finite, and the parameters whose gradients that reaches. */
  async whyGradientNotFinite(failed: Failed): Promise<Error> {
    const what = `is not finite although the loss is (${failed.loss})`;
    const found = await this.#locate(failed).catch(() => null);
    if (found === null) {
      return new TrainingError(
        `the gradient ${what}. An operator of the model has no finite slope there: a root or a logarithm at 0, a norm of 0.` +
          coupledText(this.#coupled),
      );
    }
    const { node, names } = found;
    return new TrainingError(
      `the gradient of ${shownNames(names)} ${what}: that arises in ${shownOrigin(node)}${reasonOf(node)}. ` +
        "Change the model there (an epsilon under the root or in the denominator), or start from other parameters.",
    );
  }

  async #locate({ planned, standing }: Failed) {
    const { task, updater: given } = this.#options;
    const { runtime, dtype, batchSize, resident, setup } = given;
    const objective = taskObjective(task, { dtype, batchSize });
    const b = new Builder();
    const declare = <T extends Branch>(types: T) =>
      mapTree(types as Branch, (leaf, path) => {
        const { dtype: own, shape } = leaf as ValueType;
        return b.input(path, own, shape);
      });
    const { trained, buffers, data } = objective;
    const inputs = declare({
      ...trained,
      ...buffers,
      ...data,
      ...objective.setup,
      count: countType(objective),
    });
    const { loss } = lossInTraining(
      b,
      task,
      { trained: inputs, buffers: inputs, data: inputs, setup: inputs, batch: inputs.count } as never,
      { dtype, batchSize },
    );
    const theta = inputs.parameters as Branch;
    const names = Object.keys(theta);
    const wrt = names.map((name) => theta[name] as never);
    const cotangent = b.scalar(dtype, 1);
    const derivative = await watchedDerivative(b, runtime, { output: loss, cotangent, wrt });
    try {
      const samples = planned.data ?? takenOf(data, resident!.samples, planned.which);
      const found = await derivative.at(
        Object.fromEntries(
          pathsOf({
            ...{ ...standing.trained, ...standing.buffers },
            ...uploadTree(runtime, { ...samples, ...setup, count: scalar("int64", planned.count) }),
          }),
        ) as DeviceTensors,
      );
      return found && { node: found.node, names: found.reached.map((k) => names[k]!) };
    } finally {
      await derivative.release();
    }
  }

  release(): Promise<void> {
    return this.#updater.release();
  }
}

const ownRemedy =
  "Hand the solve the model's training, by which it stores states on the way as they are needed; or give it such states " +
  '(gradient "reversible:100"), or another gradient ("direct", "checkpoint").';

function lostText(error: number, dtype: FloatDType): string {
  const size = Number.isFinite(error) ? error.toExponential(1) : "more than any number";
  return (
    `Undoing the steps of a solve gave its states back with a relative error of ${size}, more than ` +
    `${reconstructionLimit[dtype]}`
  );
}

/** What to do where coupled solves may have left the finite numbers. */
function coupledText(coupled: readonly Stepping[]): string {
  if (coupled.length === 0) return "";
  const each = coupled.map(
    ({ method, coupling, stepSize }) => `${method} with λ = ${coupling} and steps of ${stepSize}`,
  );
  const least = Math.min(...coupled.map(({ coupling }) => -Math.log(coupling!)));
  return (
    ` Its solves are coupled: ${[...new Set(each)].join("; ")}. Such a method is unstable where an equation damps by more than ` +
    `−ln λ = ${Number(least.toPrecision(2))} in a step: take shorter steps, a smaller λ (coupling), a method that is stable there ` +
    '("ees25"), or the plain method with another gradient ("checkpoint").'
  );
}

type Compiled = Awaited<ReturnType<typeof compiledFor>>;

/** Updates with states stored as close as those errors need, and what the solves of the model say to that. */
async function compiledFor({ task, updater }: TaskSchemeOptions, lost: readonly number[]) {
  const { dtype } = updater;
  const gradients = new Set<string>();
  const warnings = new Set<string>();
  const failures: Error[] = [];
  const steppings: Stepping[] = [];
  const stored = (found: string | Error) => {
    if (typeof found === "string") gradients.add(found);
    else failures.push(found);
  };
  const compiled = await compileUpdater({
    ...updater,
    objectiveOf: (batchSize) =>
      taskObjective(task, {
        dtype,
        batchSize,
        stores: {
          ...{ lost, stored, warn: (message) => warnings.add(message) },
          steps: (how) => steppings.push(how),
        },
      }),
  });
  return {
    updater: compiled,
    gradients,
    failures,
    warnings,
    coupled: steppings.filter(({ coupling }) => coupling !== null),
  };
}

/** What a label that is no class makes of a loss. */
function labelsText({ targets }: AnyTask): string {
  const whole = Object.keys(targets).filter((name) => targets[name]!.type === "int64");
  if (whole.length === 0) return "";
  return ` If "${whole.join('", "')}" says classes, see that they count from 0 to one less than their number: others make a cross-entropy NaN.`;
}
