import type { ConfigurationName } from "../../language/configuration.js";

export const schedules = ["constant", "cosine", "plateau"] as const;

/** How a configuration is trained unless something else is asked for. */
export interface Recipe {
  readonly tokenizer: string;
  readonly steps: number;
  readonly batchSize: number;
  readonly accumulate: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly schedule: (typeof schedules)[number];
  readonly warmup: number;
  readonly clip: number | null;
  readonly validateEvery: number;
  readonly validationWindows: number | null;
}

/**
 * `paper` as published, but that its windows are shuffled, and that the plateau is one of the validation text. Its 10 epochs of
 * WikiText-103 are some 80 000 updates.
 */
export const recipes: Readonly<Record<ConfigurationName, Recipe>> = {
  tiny: {
    ...{ tokenizer: "bytes", steps: 600, batchSize: 8, accumulate: 1, learningRate: 3e-3 },
    ...{ weightDecay: 0.01, schedule: "cosine", warmup: 20, clip: 1, validateEvery: 100 },
    validationWindows: 64,
  },
  small: {
    ...{ tokenizer: "gpt2", steps: 2000, batchSize: 8, accumulate: 1, learningRate: 1e-3 },
    ...{ weightDecay: 0.01, schedule: "cosine", warmup: 100, clip: 1, validateEvery: 200 },
    validationWindows: 64,
  },
  paper: {
    ...{ tokenizer: "gpt2", steps: 80_000, batchSize: 32, accumulate: 32, learningRate: 3e-4 },
    ...{ weightDecay: 1e-4, schedule: "plateau", warmup: 0, clip: null, validateEvery: 200 },
    validationWindows: 64,
  },
};
