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

/**
 * The factor from there on where the loss has come to a plateau: times `gamma` each time when it has not fallen by more than
 * a share `threshold` for more than `patience` looks, down to `final` at least. A look is at the loss of the validation data,
 * each time they are measured; without such data, at the mean loss of `every` updates.
 *
 * @see torch.optim.lr_scheduler.ReduceLROnPlateau
 */
export function plateau(
  options: {
    patience?: number;
    gamma?: number;
    threshold?: number;
    cooldown?: number;
    final?: number;
    every?: number;
  } = {},
): Schedule {
  checkOptions(
    "plateau",
    options,
    { patience: true, gamma: true, threshold: true, cooldown: true, final: true, every: true },
    { factor: "say gamma", minLr: "say final, a share of the learning rate" },
  );
  const { patience = 10, gamma = 0.1, threshold = 1e-4, cooldown = 0, final = 0, every = 100 } = options;
  positive("gamma", gamma);
  if (!(Number.isInteger(every) && every >= 1)) {
    throw new RevortError(
      `A schedule's "every" must be a whole number of 1 or more, but ${every} was given.`,
    );
  }
  return {
    name: `plateau(${patience}, ${gamma})`,
    every,
    factor(_, { losses, validations } = { losses: [], validations: [] }) {
      let [factor, best, bad, resting] = [1, Number.POSITIVE_INFINITY, 0, 0];
      const looks = validations.length > 0 ? validations.map(({ loss }) => loss) : means(losses, every);
      for (const loss of looks) {
        // a share of its size, as it may be negative
        const falls = best === Number.POSITIVE_INFINITY || loss < best - threshold * Math.abs(best);
        if (falls) [best, bad] = [loss, 0];
        else bad += 1;
        if (resting > 0) [resting, bad] = [resting - 1, 0];
        if (bad > patience) [factor, resting, bad] = [Math.max(factor * gamma, final), cooldown, 0];
      }
      return factor;
    },
  };
}

/** The means of so many losses each; those at the end that are fewer have none yet. */
function means(losses: readonly number[], every: number): number[] {
  return Array.from(
    { length: Math.floor(losses.length / every) },
    (_, i) => losses.slice(i * every, (i + 1) * every).reduce((sum, loss) => sum + loss, 0) / every,
  );
}

/** Another schedule after `steps` updates in which the factor grows from 0 to its first, by the same each time. */
export function warmedUp(schedule: Schedule, options: { steps: number }): Schedule {
  checkOptions("warmedUp", options, { steps: true });
  const { steps } = options;
  positive("steps", steps);
  return {
    ...schedule,
    name: `${schedule.name} after ${steps}`,
    factor: (k, seen) =>
      k < steps ? ((k + 1) / steps) * schedule.factor(0, seen) : schedule.factor(k - steps, seen),
  };
}

function positive(name: string, value: number): void {
  if (!(value > 0)) throw new RevortError(`A schedule's "${name}" must be positive, but ${value} was given.`);
}
