import type { Measures } from "../../train/checkpoint.js";
import type { ComponentError } from "../component-errors.js";
import type { RuntimeName } from "../runtimes.js";

export interface EvaluateCommandOptions {
  /** data that the run was not trained on */
  readonly data?: string;
  /** numbers that stand for missing values in them, beside those of the run */
  readonly missing?: readonly number[];
  /** where they start, in place of their first row */
  readonly y0?: string;
  readonly best?: boolean;
  readonly runtime?: RuntimeName;
  readonly json?: boolean;
}

/** What `evaluate --json` prints. */
export interface Evaluation {
  readonly run: string;
  readonly experiment: string;
  /** updates that led to the parameters; `null` for those that were best on validation data */
  readonly step: number | null;
  /** loss and metrics by what they are of: "training data", or the name of a file */
  readonly measures: Readonly<Record<string, Measures>>;
  /** what the loss is in, where that is not the unit of the data */
  readonly lossUnit: string | null;
  /** of a fit to trajectories: how far each component is from what was observed */
  readonly errors: readonly ComponentError[] | null;
  /** where new data start, where that is not their first row as it is */
  readonly start: string | null;
  readonly warning: string | null;
}
