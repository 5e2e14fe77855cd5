import { ReconstructionError } from "../gradients/reconstruction-limit.js";
import { TrainingError } from "../gradients/training-error.js";
import { compileUpdater } from "../train/compile-updater.js";
import type { Failed, Scheme } from "../train/scheme.js";
import type { Updater, UpdaterOptions } from "../train/updater.js";

/** How the updates of a task are done at present. */
export class TaskScheme implements Scheme {
  readonly looks = null;
  readonly kept = null;
  #updater: Updater;

  private constructor(updater: Updater) {
    this.#updater = updater;
  }

  static async compiled(options: UpdaterOptions): Promise<TaskScheme> {
    const updater = await compileUpdater(options);
    return new TaskScheme(updater);
  }

  get updater(): Updater {
    return this.#updater;
  }

  async refresh(error: number, step: number): Promise<void> {
    throw new ReconstructionError(
      `At update ${step + 1}: undoing the steps of a solve gave its states back with a relative error of ` +
        `${error.toExponential(1)}, so the gradient by reconstruction is lost. Give the solve stored states on the way ` +
        '(gradient "reversible:100", or fewer steps between them), or another gradient ("direct", "checkpoint").',
    );
  }

  async whyLossNotFinite({ loss }: Failed): Promise<Error> {
    return new TrainingError(
      `the loss is not finite (${loss}). Lower the learning rate, clip the gradient, or look at the data's units.`,
    );
  }

  async whyGradientNotFinite({ loss }: Failed): Promise<Error> {
    return new TrainingError(
      `the gradient is not finite although the loss is (${loss}). An operator of the model has no finite ` +
        "slope there: a root or a logarithm at 0, a norm of 0.",
    );
  }

  release(): Promise<void> {
    return this.#updater.release();
  }
}
