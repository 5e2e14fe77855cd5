import { RevortError } from "../core/errors.js";
import type { FloatDType } from "../core/tensor.js";

/** A configuration that no language model can have. */
export class ConfigurationError extends RevortError {}

/** The cells that there are. */
export const cellNames = ["block", "published", "talk"] as const;
export type CellName = (typeof cellNames)[number];

/** The sizes of a language model, whatever its kind. */
export interface LanguageConfiguration {
  /** ids that it tells apart; those of its tokenizer, or more */
  readonly vocabulary: number;
  /** places of a window, the longest context */
  readonly length: number;
  readonly width: number;
  readonly heads: number;
  /** widths of the perceptron in a cell */
  readonly hidden: readonly number[];
  readonly cell: CellName;
  /** cells of a transformer, one after the other; a deep-equilibrium model has one */
  readonly layers: number;
  /** whether the head has the weights of the token embedding */
  readonly tied: boolean;
  /** what is made of the states before the head; "unused" has the parameters and leaves the states as they are */
  readonly finalNorm: "applied" | "unused";
  /** probability in training; within a solve the same numbers are dropped in each evaluation */
  readonly dropout: number;
  readonly equilibrium: EquilibriumConfiguration;
}

/** How a deep-equilibrium model finds its fixed point, and when it stops. */
export interface EquilibriumConfiguration {
  /** β, of the relaxed iteration */
  readonly relaxation: number;
  /** most steps */
  readonly steps: number;
  /** ‖z − f(z)‖ / ‖f(z)‖ at which a window is done; 0 to always take all steps */
  readonly tolerance: number;
  /**
   * element type of the state of the reversible iteration, over weights in float32; "float64" by default, as published. In
   * "float32" a model runs where there is no float64 (WebGPU, TensorFlow.js), and fewer steps can be undone
   */
  readonly state?: FloatDType | undefined;
}

/** In the order in which commands name them. */
export const languageKinds = ["revdeq", "deq", "transformer"] as const;
export type LanguageKind = (typeof languageKinds)[number];

/**
 * The configurations by the names that users type. `tiny` reads bytes and learns in a minute; `small` reads GPT-2's tokens;
 * `paper` has the sizes and the block of the published RevDEQ language model.
 */
export const configurations = {
  tiny: {
    ...{ vocabulary: 257, length: 64, width: 64, heads: 4, hidden: [256], cell: "block", layers: 1 },
    ...{ tied: false, finalNorm: "applied", dropout: 0 },
    equilibrium: { relaxation: 0.5, steps: 4, tolerance: 1e-3 },
  },
  small: {
    ...{ vocabulary: 50304, length: 128, width: 128, heads: 4, hidden: [512], cell: "block", layers: 1 },
    ...{ tied: true, finalNorm: "applied", dropout: 0 },
    equilibrium: { relaxation: 0.5, steps: 4, tolerance: 1e-3 },
  },
  paper: {
    ...{ vocabulary: 50304, length: 448, width: 768, heads: 12, hidden: [3072, 3072], cell: "published" },
    ...{ layers: 1, tied: false, finalNorm: "unused", dropout: 0 },
    equilibrium: { relaxation: 0.5, steps: 4, tolerance: 1e-3 },
  },
} as const satisfies Record<string, LanguageConfiguration>;
export type ConfigurationName = keyof typeof configurations;

/** @throws {ConfigurationError} naming what does not fit */
export function checkConfiguration(given: LanguageConfiguration): void {
  const { vocabulary, length, width, heads, hidden, layers, dropout, equilibrium } = given;
  const whole = { vocabulary, length, width, heads, layers, steps: equilibrium.steps };
  for (const [name, value] of Object.entries(whole)) {
    if (Number.isInteger(value) && value > 0) continue;
    throw new ConfigurationError(
      `The ${name} of a language model must be a whole number, 1 or more, but ${value} was given.`,
    );
  }
  if (width % heads !== 0)
    throw new ConfigurationError(`A width of ${width} cannot be divided among ${heads} heads.`);
  if (hidden.length === 0) {
    throw new ConfigurationError("The perceptron of a cell needs a hidden layer: give hidden: [256].");
  }
  if (!(dropout >= 0 && dropout < 1))
    throw new ConfigurationError(`The probability of dropout must lie in [0, 1), but ${dropout} was given.`);
}
