import type { Tensors } from "../fields/field.js";
import { chooseGradient, type GradientTask } from "../gradients/choice.js";
import { type GradientMethod, type GradientRequest, showGradientMethod } from "../gradients/method.js";
import { refreshedCloser, refreshNote } from "../gradients/reconstruction-limit.js";
import { type CouplingChoice, recoupled } from "../integrate/coupling.js";
import { SolveError } from "../integrate/failures.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import { compileUpdater } from "./compile-updater.js";
import type { Updater, UpdaterOptions } from "./updater.js";

/** Something that training decided by itself. */
export interface TrainNote {
  /** how it is differentiated; states that are stored closer; another λ */
  readonly code: "gradient" | "refresh" | "coupling";
  /** updates done before */
  readonly step: number;
  readonly message: string;
}

/** What of a scheme a checkpoint keeps, so that a run goes on by the same. */
export interface KeptScheme {
  /** the gradient that was asked for, as users type it */
  readonly asked: string;
  /** that in use */
  readonly gradient: string;
  /** λ in use, of a coupled method */
  readonly coupling: number | null;
}

export interface SchemeOptions {
  readonly asked: GradientRequest;
  readonly task: GradientTask;
  /** what an updater is compiled for beside its gradient */
  readonly updater: Omit<UpdaterOptions, "gradient">;
  /** by which a run goes on */
  readonly kept: KeptScheme | undefined;
  /** whether λ is chosen anew on the way, so that the one of an earlier part of the run counts */
  readonly choosesCoupling: boolean;
  readonly note: (note: TrainNote) => void;
}

/**
 * How updates are done at present: the equation with its λ, its gradient, and what is compiled of both. They change
 * where undoing steps does not give states back, and where λ is chosen anew; all by numbers that a run comes to again
 * when it is done again.
 */
export class Scheme {
  readonly #options: SchemeOptions;
  #ode: NeuralOde;
  #gradient: GradientMethod;
  #updater: Updater;

  private constructor(options: SchemeOptions, ode: NeuralOde, gradient: GradientMethod, updater: Updater) {
    this.#options = options;
    this.#ode = ode;
    this.#gradient = gradient;
    this.#updater = updater;
  }

  /** @throws as `compileUpdater` and `chooseGradient` do */
  static async compiled(given: NeuralOde, options: SchemeOptions, step: number): Promise<Scheme> {
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
    return new Scheme(options, ode, gradient, await compileUpdater(ode, { ...options.updater, gradient }));
  }

  get ode(): NeuralOde {
    return this.#ode;
  }

  get gradient(): GradientMethod {
    return this.#gradient;
  }

  get updater(): Updater {
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

  /** Takes another λ if the one in use does not suit the field any more. */
  async lookAgain(
    choose: (ode: NeuralOde, parameters: Tensors) => Promise<CouplingChoice>,
    parameters: Tensors,
    step: number,
  ): Promise<void> {
    const { coupling } = this.#ode.method;
    let choice: CouplingChoice;
    try {
      choice = await choose(this.#ode, parameters);
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

  async #change(ode: NeuralOde, gradient: GradientMethod): Promise<void> {
    const updater = await compileUpdater(ode, { ...this.#options.updater, gradient });
    await this.#updater.release();
    [this.#ode, this.#gradient, this.#updater] = [ode, gradient, updater];
  }

  async release(): Promise<void> {
    await this.#updater.release();
  }
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
