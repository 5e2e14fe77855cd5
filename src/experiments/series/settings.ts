import type { Activation } from "../../fields/activations.js";
import type { losses } from "../../learning/losses.js";
import type { SeriesColumns } from "./read-set.js";
import type { Stage } from "./warm-start.js";

/** What a run on trajectories is asked for, beside what every run is. */
export interface SeriesSettings extends SeriesColumns {
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
