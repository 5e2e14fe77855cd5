import type { Tensor } from "../core/tensor.js";
import type { Grid } from "../programs/grid.js";
import type { CouplingChoice } from "./coupling-choice.js";
import type { DenseSolution } from "./dense-solution.js";
import type { SolveWarning } from "./solve-warning.js";

export interface Solution {
  /** the times of the saved states */
  readonly ts: readonly number[];
  /** [saves, ...state] */
  readonly ys: Tensor;
  /**
   * The steps that were accepted, with the saves that lie at their ends. Programs for fixed steps take it: that is
   * how a solve that chose its steps is differentiated.
   */
  readonly grid: Grid;
  /** where each save lies, if saves lie inside of steps; `null` if they are hit */
  readonly placement: readonly Placement[] | null;
  /** the solution at any time, where it was asked for */
  readonly dense: DenseSolution | null;
  /** the events that happened, in order; the state at one that ended the solve is the last that is saved */
  readonly events: readonly Happening[];
  readonly stats: SolveStats;
  /** λ as `coupling: "auto"` has chosen it; otherwise `null` */
  readonly coupling: CouplingChoice | null;
  /** what is unreliable about the solution */
  readonly warnings: readonly SolveWarning[];
}

/** An event that happened. */
export interface Happening {
  /** index among the events that were asked for */
  readonly event: number;
  readonly time: number;
  readonly y: Tensor;
  /** number of the step that ends there, from 1 */
  readonly step: number;
}

/** A time inside a step: t = t0 + θ h. */
export interface Placement {
  /** index of the step, from 0 */
  readonly step: number;
  /** in (0, 1]; 0 only at the initial time */
  readonly theta: number;
}

export interface SolveStats {
  /** steps tried: those accepted and those rejected */
  readonly steps: number;
  readonly accepted: number;
  readonly rejected: number;
  /** evaluations of the field */
  readonly evaluations: number;
  /**
   * The largest distance of y and its companion (z of a coupled method) relative to the largest y, as root mean
   * squares: at every step where steps are chosen; otherwise at the saves, or at the end if every step is one. `null`
   * for a method without a companion.
   */
  readonly drift: number | null;
  /**
   * The largest error of y0 as undoing the solve gives it back, relative to the largest component of y0; `null` if
   * it was not asked for, or the method cannot be undone.
   */
  readonly reconstructionError: number | null;
  /**
   * The largest damping of the field times the size of the steps, along the solution, and what a coupled method
   * stands, −ln λ; `null` if it was not asked for, or the method is not a coupled one.
   */
  readonly stability: { readonly dampingTimesStep: number; readonly limit: number } | null;
}
