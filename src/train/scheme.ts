import type { Planned, Standing, Updater } from "./updater.js";

/** Something that training decided by itself. */
export interface TrainNote {
  /**
   * how it is differentiated; states that are stored closer; another λ; more steps than can be undone; how what is no mean over
   * samples is measured, or taken in parts
   */
  readonly code: "gradient" | "refresh" | "coupling" | "undoing" | "measuring" | "parts";
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

/** An update that is of no use. */
export interface Failed {
  readonly planned: Planned;
  readonly standing: Standing;
  readonly loss: number;
}

/** Looking anew at what updates are done by, now and then. */
export interface Looks {
  /** whether it is time for it after so many updates; it depends on nothing else, so that a run can be done again */
  isDue(step: number): boolean;
  /** updates until the next time */
  toNext(step: number): number;
  look(standing: Standing, step: number): Promise<void>;
}

/**
 * How updates are done at present, for a run to go by. It changes where undoing steps does not give states back, and where it
 * is time to look anew; all by numbers that a run comes to again when it is done again.
 */
export interface Scheme {
  readonly updater: Updater;
  /** @throws ReconstructionError where states are stored at every step already. @param step  updates done */
  refresh(error: number, step: number): Promise<void>;
  /** `null` if what updates are done by is never looked at anew */
  readonly looks: Looks | null;
  /** takes the drift of an update, with its number from 1; throws where that is to be an error */
  sees?(update: number, drift: number): void;
  /** why a loss is not finite */
  whyLossNotFinite(failed: Failed, step: number): Promise<Error>;
  /** why a gradient is not, although the loss is */
  whyGradientNotFinite(failed: Failed): Promise<Error>;
  release(): Promise<void>;
}
