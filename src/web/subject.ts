import type { Chart } from "../plot/description.js";
import type { Checkpoint } from "../train/checkpoint.js";
import type { UpdateReport } from "../train/run.js";
import type { Kept } from "./messages.js";

/** What a training is told while it runs. */
export interface Hooks {
  readonly steps: number;
  readonly resume: Checkpoint | null;
  readonly signal: AbortSignal;
  readonly onUpdate: (report: UpdateReport) => Promise<void>;
  readonly onNote: (message: string) => void;
}

/** Where a training has come to. */
export interface Reached {
  readonly stopped: boolean;
  readonly checkpoint: Checkpoint;
  /** what the last update kept */
  readonly kept: Kept | null;
  readonly warnings: readonly string[];
  readonly findings: readonly (readonly [string, string])[];
}

/** Something to be trained on a runtime: a field on trajectories, or a model on a task. */
export interface Subject {
  readonly about: string;
  /** what an update is going to keep */
  readonly kept: Kept | null;
  train(hooks: Hooks): Promise<Reached>;
  /** losses, and what the model does by now */
  charts(checkpoint: Checkpoint): Promise<readonly Chart[]>;
  /** what a visitor may take away, by names of files */
  files(checkpoint: Checkpoint): Readonly<Record<string, Uint8Array>>;
}
