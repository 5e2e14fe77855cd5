import type { SeriesSettings } from "../../experiments/series/settings.js";
import type { TaskProtocol } from "../../experiments/task-experiment.js";

/** What a kind of data is well fitted with; each can be given otherwise. */
export interface Preset {
  /** in a sentence, for the help */
  readonly about: string;
  readonly series: Partial<
    Pick<SeriesSettings, "trainY0" | "window" | "warmStart" | "restarts" | "loss" | "seesTime">
  > & {
    readonly field?: string;
  };
  readonly options: Partial<
    Pick<TaskProtocol, "solver" | "learningRate" | "weightDecay" | "clip" | "steps" | "batchSize">
  >;
}

export const presets = {
  small: {
    about: "few observations: weight decay, the best of 3 attempts, more updates",
    series: { restarts: 3 },
    options: { weightDecay: 1e-3, steps: 1000 },
  },
  noisy: {
    about:
      "noise: initial states are trained, outliers count less (huber), weight decay, the best of 3 attempts",
    series: { trainY0: true, restarts: 3, loss: "huber" },
    options: { weightDecay: 1e-3 },
  },
  stiff: {
    about: "fast and slow motion: a field that sees time, a warm start on very short windows, larger updates",
    series: {
      seesTime: true,
      warmStart: [
        { size: 2, updates: 400 },
        { size: 8, updates: 400 },
      ],
    },
    options: { learningRate: 1e-2, steps: 1000 },
  },
  long: {
    about: "thousands of rows: windows of 64 gaps, 32 of them in an update",
    series: { window: 64, trainY0: false, warmStart: [{ size: 8, updates: 400 }] },
    options: { batchSize: 32, steps: 2000 },
  },
} as const satisfies Readonly<Record<string, Preset>>;
