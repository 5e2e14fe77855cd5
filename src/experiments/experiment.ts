import type { ControllerName } from "../control/control.js";
import type { FloatDType } from "../core/tensor.js";
import type { VectorField } from "../fields/field.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import type { Loss } from "../learning/losses.js";
import type { Optimiser } from "../learning/optimisers.js";
import type { Schedule } from "../learning/schedules.js";
import type { Runtime } from "../runtime/runtime.js";
import type { SentinelWarning } from "../storage/missing-values.js";
import type { Trajectories } from "../train/data.js";

/** What an experiment's protocol prescribes; each can be overridden on the command line. */
export interface Protocol {
  readonly solver: string;
  readonly coupling: number;
  /** the published one; "auto" chooses by what is at stake */
  readonly gradient: "reversible" | "auto";
  readonly stepSize: number;
  /** how steps are chosen by their error, where they are */
  readonly control?: {
    readonly controller: ControllerName;
    readonly rtol: number;
    readonly atol: number;
    /** the first step */
    readonly dt0: number;
    /** how far y and its companion may be apart, in units of the tolerance; as usual unless given */
    readonly driftTolerance?: number;
  };
  readonly dtype: FloatDType;
  /** number of updates */
  readonly steps: number;
  readonly optimiser: (overrides: { learningRate?: number; weightDecay?: number }) => Optimiser;
  /** @param chosen  instead of the experiment's own kind of loss */
  readonly loss: (chosen?: Loss) => Loss;
  readonly schedule?: (steps: number) => Schedule;
}

/** What the data may depend on. */
export interface DataContext {
  /** the equation as it will be solved: some data are made by the solver under test */
  readonly ode: NeuralOde;
  readonly runtime: Runtime;
  /** the text of the file given with --data, and its name */
  readonly file: { readonly name: string; readonly text: string } | null;
}

/** One experiment of the papers, or one made of a user's own data. */
export interface Experiment {
  readonly name: string;
  /** one line on what it is and where it comes from */
  readonly about: string;
  readonly protocol: Protocol;
  /** whether it needs --data, and what that file is */
  readonly needs: string | null;
  readonly field: () => VectorField;
  readonly data: (context: DataContext) => Trajectories | Promise<Trajectories>;
  readonly time: { readonly name: string; readonly unit: string };
  /** what is doubtful about its data */
  readonly warnings?: readonly SentinelWarning[];
  /** what the observations are measured in */
  readonly unit: string;
  /** what the loss is measured in, where that is not the unit of the observations */
  readonly lossUnit?: string;
  /** what the loss divides each component by, where it does */
  readonly lossScale?: readonly number[];
  /** whether the initial state is assumed, not observed: a chart does not show it among the data */
  readonly assumesStart?: true;
  /** known values of parameters, to print beside what was found */
  readonly published?: Readonly<Record<string, { readonly value: number; readonly source: string }>>;
}
