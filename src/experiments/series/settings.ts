import type { Activation } from "../../fields/activations.js";
import type { losses } from "../../learning/losses.js";
import type { SeriesColumns } from "./read-set.js";
import type { Stage } from "./warm-start.js";

/** A parameter of equations, as a run keeps it. */
export interface KeptParameter {
  readonly guess: number;
  readonly low: number | null;
  readonly high: number | null;
  readonly unit: string | null;
}

/** What a run on trajectories is asked for, beside what every run is. */
export interface SeriesSettings extends SeriesColumns {
  /** equations, or the name of a field's file; `null` for a perceptron of `widths` */
  readonly field: string | null;
  /** of equations: where each parameter starts and the bounds it stays within */
  readonly parameters: Readonly<Record<string, KeptParameter>> | null;
  /** of equations with states that are not observed: where their initial values start, and the bounds they stay within */
  readonly hiddenStarts: Readonly<Record<string, KeptParameter>> | null;
  /** of each trajectory, the state that a fit of equations starts from; `null` for its first observations */
  readonly startStates: readonly (readonly number[] | null)[] | null;
  /** widths of the hidden layers of its perceptron */
  readonly widths: readonly number[];
  readonly activation: Activation;
  /** whether the field sees time */
  readonly seesTime: boolean;
  /** components of the state that are not observed */
  readonly hidden: number;
  /** as `0.2`, `id=a,b` or `time=40`; `null` for none */
  readonly validation: string | null;
  readonly test: string | null;
  /** whether initial states are trained; `null` for where they have gaps */
  readonly trainY0: boolean | null;
  /** gaps between observations in a window that is trained on in the place of whole trajectories; `null` for those */
  readonly window: number | null;
  /** windows to begin with; `null` for the usual ones */
  readonly warmStart: readonly Stage[] | null;
  readonly restarts: number;
  readonly loss: keyof typeof losses;
}
