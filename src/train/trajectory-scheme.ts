import type { Tensor } from "../core/tensor.js";
import type { Tensors } from "../fields/field.js";
import { chooseGradient, type GradientTask } from "../gradients/choice.js";
import { whyGradientNotFinite } from "../gradients/gradient-not-finite.js";
import { type GradientMethod, type GradientRequest, showGradientMethod } from "../gradients/method.js";
import { refreshedCloser, refreshNote } from "../gradients/reconstruction-limit.js";
import { recoupled } from "../integrate/coupling.js";
import type { CouplingChoice } from "../integrate/coupling-choice.js";
import { DriftError, SolveError } from "../integrate/failures.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import { couplingFor } from "../integrate/solve.js";
import { driftText } from "../integrate/warnings.js";
import type { Grid } from "../programs/grid.js";
import { downloadTree } from "../runtime/compile-program.js";
import { isCouplingLook, updatesToCouplingLook } from "./coupling-looks.js";
import type { Trajectories } from "./data.js";
import { type DriftWatch, isDrift } from "./drift-watch.js";
import type { Failed, KeptScheme, Looks, Scheme, TrainNote } from "./scheme.js";
import { type TrajectoryOptions, type TrajectoryUpdater, trajectoryUpdater } from "./trajectory-updater.js";
import type { Standing } from "./updater.js";

export interface TrajectorySchemeOptions {
  readonly asked: GradientRequest;
  readonly task: GradientTask;
  /** what an updater is compiled for beside its gradient */
  readonly updater: Omit<TrajectoryOptions, "gradient">;
  /** by which a run goes on */
  readonly kept: KeptScheme | undefined;
  /** whether λ is chosen anew on the way, so that the one of an earlier part of the run counts */
  readonly choosesCoupling: boolean;
  /** what is fitted to */
  readonly data: Pick<Trajectories, "t0" | "times" | "y0">;
  readonly watch: DriftWatch;
  /** whether drift is an error */
  readonly strict: boolean;
  readonly note: (note: TrainNote) => void;
}

/**
 * How updates are done at present: the equation with its λ, its gradient, and what is compiled of both. They change
 * where undoing steps does not give states back, and where λ is chosen anew; all by numbers that a run comes to again
 * when it is done again.
 */
export class TrajectoryScheme implements Scheme {
  readonly #options: TrajectorySchemeOptions;
  #ode: NeuralOde;
  #gradient: GradientMethod;
  #updater: TrajectoryUpdater;

  private constructor(
    options: TrajectorySchemeOptions,
    ode: NeuralOde,
    gradient: GradientMethod,
    updater: TrajectoryUpdater,
  ) {
    this.#options = options;
    this.#ode = ode;
    this.#gradient = gradient;
    this.#updater = updater;
  }

  /** @throws as `trajectoryUpdater` and `chooseGradient` do */
  static async compiled(
    given: NeuralOde,
    options: TrajectorySchemeOptions,
    step: number,
  ): Promise<TrajectoryScheme> {
    const { asked, kept } = options;
    const coupling = options.choosesCoupling ? (kept?.coupling ?? null) : null;
    const ode =
      coupling === null || coupling === given.method.coupling
        ? given
        : { ...given, method: recoupled(given.method, coupling) };
    // whoever asks for another gradient than before gets it
    const request = kept?.asked === shown(asked) ? (kept.gradient as GradientRequest) : asked;
    const { gradient, notes } = chooseGradient(ode, request, options.task);
    for (const message of notes) options.note({ code: "gradient", step, message });
    return new TrajectoryScheme(
      options,
      ode,
      gradient,
      await trajectoryUpdater(ode, { ...options.updater, gradient }),
    );
  }

  get ode(): NeuralOde {
    return this.#ode;
  }

  get gradient(): GradientMethod {
    return this.#gradient;
  }

  get updater(): TrajectoryUpdater {
    return this.#updater;
  }

  get kept(): KeptScheme {
    return {
      asked: shown(this.#options.asked),
      gradient: showGradientMethod(this.#gradient),
      coupling: this.#ode.method.coupling,
    };
  }

  /**
   * Stores states closer, after an update whose states did not come back.
   *
   * @param step  updates done
   * @throws {ReconstructionError} where they are stored at every step already
   */
  async refresh(error: number, step: number): Promise<void> {
    const { method, dtype } = this.#ode;
    const { steps } = this.#updater.cost;
    const gradient = refreshedCloser({ gradient: this.#gradient, method, dtype }, steps, error);
    const message = `At update ${step + 1}: ${refreshNote(method, dtype, error, gradient)}`;
    await this.#change(this.#ode, gradient);
    this.#options.note({ code: "refresh", step, message });
  }

  /** λ is chosen anew after so many updates, where that was asked for. */
  get looks(): Looks | null {
    if (!this.#options.choosesCoupling) return null;
    return {
      isDue: isCouplingLook,
      toNext: updatesToCouplingLook,
      look: (standing: Standing, step: number) => this.#look(standing, step),
    };
  }

  /** Takes another λ if the one in use does not suit the field any more. */
  async #look(standing: Standing, step: number): Promise<void> {
    const { coupling } = this.#ode.method;
    let choice: CouplingChoice;
    try {
      choice = await couplingFor(this.#ode, { ...this.solveOptions, ...(await this.#reached(standing)) });
    } catch (error) {
      // where even the plain method does not get through, there is nothing to choose by
      if (error instanceof SolveError) return;
      throw error;
    }
    if (coupling === null || stillSuits(coupling, choice)) return;
    const ode = { ...this.#ode, method: recoupled(this.#ode.method, choice.coupling) };
    const { gradient, notes } = chooseGradient(ode, this.#options.asked, this.#options.task);
    await this.#change(ode, gradient);
    const message = `After ${step} updates: ${choice.message} (It was ${coupling}.)`;
    this.#options.note({ code: "coupling", step, message });
    for (const own of notes) this.#options.note({ code: "gradient", step, message: own });
  }

  sees(update: number, drift: number): void {
    const { watch, updater, strict } = this.#options;
    if (strict && isDrift(drift)) {
      const { method, dtype } = this.#ode;
      throw new DriftError(
        `At update ${update}: ${driftText(method, dtype, drift)}`,
        endOf(updater.fit.grid),
      );
    }
    watch.see(update, drift);
  }

  async whyLossNotFinite({ loss, standing, planned }: Failed, step: number): Promise<Error> {
    const failure = await this.#updater.whyNotFinite(loss, standing, planned);
    if (step > 0 && failure instanceof SolveError) failure.message = `${failure.message} ${ledThere}`;
    return failure;
  }

  async whyGradientNotFinite({ loss, standing }: Failed): Promise<Error> {
    const { runtime, t0, saveAt: times } = this.solveOptions;
    return whyGradientNotFinite(this.#ode, { runtime, loss, ...(await this.#reached(standing)), t0, times });
  }

  /** How to solve as updates do. */
  get solveOptions() {
    const { data, updater } = this.#options;
    const { runtime, control } = updater;
    return { runtime, t0: data.t0, saveAt: data.times, ...(control && { control }) };
  }

  /** Where training is, on the host. */
  async #reached({ trained }: Standing): Promise<{ parameters: Tensors; y0: Tensor }> {
    const { parameters, y0 } = await downloadTree(this.#options.updater.runtime, trained);
    return { parameters: parameters as Tensors, y0: (y0 as Tensor | undefined) ?? this.#options.data.y0 };
  }

  async #change(ode: NeuralOde, gradient: GradientMethod): Promise<void> {
    // the sums of a run are rounded alike to its end
    const { parts } = this.#updater.ran;
    const updater = await trajectoryUpdater(ode, { ...this.#options.updater, gradient, parts });
    await this.#updater.release();
    [this.#ode, this.#gradient, this.#updater] = [ode, gradient, updater];
  }

  async release(): Promise<void> {
    await this.#updater.release();
  }
}

/** What to do about a solve that fails where those before it did not. */
const ledThere =
  "The updates before it led to these parameters: a smaller learning rate, or a clipped gradient, may keep to where " +
  "there is a solution.";

/** Where the solve of an update ends. */
function endOf({ times }: Grid) {
  const [before, time] = [times.at(-2) ?? times[0]!, times.at(-1)!];
  return { time, step: times.length - 1, stepSize: Math.abs(time - before) };
}

/**
 * Whether a λ may stay: it is chosen for twice the damping there is, and stays until the damping has doubled, or fallen
 * to half.
 */
function stillSuits(coupling: number, { coupling: chosen, damping, stepSize }: CouplingChoice): boolean {
  if (coupling === chosen) return true;
  const room = -Math.log(coupling) / (damping * stepSize);
  return room >= 1 && room <= 4;
}

function shown(asked: GradientRequest): string {
  return typeof asked === "string" ? asked : showGradientMethod(asked);
}
