import { RevortError } from "../core/errors.js";
import { checkOptions } from "../core/options.js";

/** What a run has seen so far. */
export interface Seen {
  /** loss before each update */
  readonly losses: readonly number[];
  /** the validation data, as they were measured */
  readonly validations: readonly { readonly step: number; readonly loss: number }[];
}

/** The factor on the learning rate at update k, counted from 0. */
export interface Schedule {
  readonly name: string;
  /** It depends on nothing else, so that a run can be done again. */
  readonly factor: (update: number, seen?: Seen) => number;
  /** updates from one look at what was seen to the next, where it looks at that */
  readonly every?: number;
}

/** Always 1. */
export function constant(): Schedule {
  return { name: "constant", factor: () => 1 };
}

/** gamma^⌊k / every⌋ */
export function stepDecay(options: { every: number; gamma?: number }): Schedule {
  checkOptions("stepDecay", options, { every: true, gamma: true });
  const { every, gamma = 0.1 } = options;
  positive("every", every);
  return { name: `step(${every}, ${gamma})`, factor: (k) => gamma ** Math.floor(k / every) };
}

/** gamma^k */
export function exponentialDecay(options: { gamma: number }): Schedule {
  checkOptions("exponentialDecay", options, { gamma: true });
  const { gamma } = options;
  positive("gamma", gamma);
  return { name: `exponential(${gamma})`, factor: (k) => gamma ** k };
}

/**
 * Half a cosine from 1 to `final` over `steps` updates, then constant (Loshchilov & Hutter 2017), after a linear
 * warm-up from 0 where one is asked for.
 */
export function cosine(options: { steps: number; final?: number; warmup?: number }): Schedule {
  checkOptions("cosine", options, { steps: true, final: true, warmup: true });
  const { steps, final = 0, warmup = 0 } = options;
  positive("steps", steps);
  return {
    name: `cosine(${steps})`,
    factor(k) {
      if (k < warmup) return (k + 1) / warmup;
      const done = Math.min(1, (k - warmup) / Math.max(1, steps - warmup));
      return final + ((1 - final) * (1 + Math.cos(Math.PI * done))) / 2;
    },
  };
}

function positive(name: string, value: number): void {
  if (!(value > 0)) throw new RevortError(`A schedule's "${name}" must be positive, but ${value} was given.`);
}
