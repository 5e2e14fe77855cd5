import type { Control } from "../control/control.js";
import type { Tensor } from "../core/tensor.js";
import { type Event, EventError } from "../events/event.js";
import type { Tensors } from "../fields/field.js";
import { TimeError } from "../programs/grid.js";
import type { Runtime } from "../runtime/runtime.js";
import type { Save, Span } from "./saves.js";

export interface SolveOptions {
  readonly runtime: Runtime;
  /** θ by name */
  readonly parameters?: Tensors;
  /** state at t0: of the field's shape, or one trajectory without its batch axis */
  readonly y0: Tensor;
  readonly t0: number;
  /**
   * times to save at, monotone away from t0, to which the state is also followed: each has its row, several at one time
   * too; or …
   */
  readonly saveAt?: readonly number[];
  /** … the time to stop at, which is then all that is saved */
  readonly t1?: number;
  /** how steps are chosen; by default all are as long as those of `ode`, up to hitting the save times */
  readonly control?: Control;
  /**
   * "auto" chooses λ of a coupled method by how the field damps, along a solution of the base method; the solution
   * says what was chosen, and why
   */
  readonly coupling?: "auto";
  /** what is saved; by default the save times, each hit exactly */
  readonly save?: Save;
  /** times at which the field jumps: no step goes across one */
  readonly jumps?: readonly number[];
  /** what to look for on the way: what passes through zero from one step to the next ({@link Event}) */
  readonly events?: readonly Event[];
  /** how closely the times of events are wanted; as closely as rounding allows if left out */
  readonly eventTolerance?: number;
  /** whether what would be a warning is an error */
  readonly strict?: boolean;
  /** whether to undo the whole solve in order to see how well y0 comes back */
  readonly checkReconstruction?: boolean;
  /** whether to look at how the field damps along the solution, and warn where steps are too long for that */
  readonly checkStability?: boolean;
  /** how many steps may be tried */
  readonly maxSteps?: number;
  /** stops a solve between two runs of its graph (where steps are chosen: every few hundred steps) */
  readonly signal?: AbortSignal;
}

/** A solve of each trajectory by itself: times for all, or for each. */
export interface SolveEachOptions extends Omit<SolveOptions, "t0" | "t1" | "saveAt" | "coupling"> {
  readonly t0: number | readonly number[];
  readonly t1?: number | readonly number[];
  readonly saveAt?: readonly number[] | readonly (readonly number[])[];
}

/** As many steps as a solve may try unless it is told otherwise. */
export const usualMaxSteps = 100_000;

/** @throws {TimeError | EventError} naming the option that is out of range */
export function checkLimits({ maxSteps, eventTolerance, jumps = [] }: CheckedRequest["options"]): void {
  if (
    maxSteps !== undefined &&
    !(maxSteps > 0 && (Number.isSafeInteger(maxSteps) || maxSteps === Number.POSITIVE_INFINITY))
  ) {
    throw new TimeError(
      `The number of steps that may be tried (maxSteps) must be a whole number of 1 or more, but ${maxSteps} was given.`,
    );
  }
  if (eventTolerance !== undefined && !(eventTolerance >= 0 && eventTolerance < Number.POSITIVE_INFINITY)) {
    throw new EventError(
      `How closely the times of events are wanted (eventTolerance) must be a number, 0 or more, but ${eventTolerance} was given.`,
    );
  }
  const jump = jumps.find((time) => !Number.isFinite(time));
  if (jump !== undefined) {
    throw new TimeError(`The times at which the field jumps must be finite numbers, but ${jump} was given.`);
  }
}

/** A request that has been checked. */
export interface CheckedRequest {
  readonly options: Omit<SolveOptions, "t0" | "t1" | "saveAt">;
  readonly parameters: Tensors;
  readonly y0: Tensor;
  /** of each trajectory, or of all */
  readonly spans: readonly Span[];
  readonly control: Control;
}
