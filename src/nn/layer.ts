import { RevortError } from "../core/errors.js";
import type { Parameter, Values } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";

/** A layer that makes no sense, or is applied to what it cannot take. */
export class LayerError extends RevortError {}

/** Whether a layer is being trained, and what it needs for that. Without one, layers do what they do after training. */
export interface Training extends SolvesInTraining {
  /** uniform random numbers in [0, 1), other ones at each call and in each update */
  readonly uniform: (b: Builder, shape: readonly number[]) => Value;
  /** standard normal random numbers, likewise */
  readonly normal: (b: Builder, shape: readonly number[]) => Value;
  /** a new value of a buffer of this layer */
  readonly keep: (name: string, value: Value) => void;
}

/**
 * What solves and training say to each other before anything runs. Unlike random numbers it is the same in all iterations of a
 * loop, so the steps of a chain may be given it.
 */
export interface SolvesInTraining {
  /**
   * the errors with which states came back in updates that had to be done again, in order: a solve that undoes its steps
   * stores states closer for each
   */
  readonly lost?: readonly number[];
  /** takes what a solve made of that: how it is differentiated now, or why its states can be no closer */
  readonly stored?: (found: string | Error) => void;
  /** takes what may go wrong in a solve, told from its settings alone */
  readonly warn?: (message: string) => void;
  /** takes how a solve steps, for who has to say why it failed */
  readonly steps?: (how: Stepping) => void;
}

/** How a solve inside a model steps. */
export interface Stepping {
  /** as users type it */
  readonly method: string;
  /** λ of a coupled method */
  readonly coupling: number | null;
  readonly stepSize: number;
}

/**
 * A function with parameters of its own, y = f(x; θ). Parameters are named and laid out like those of PyTorch's module of
 * the same name, and drawn from its distributions, so that a state dict fits.
 */
export interface Layer {
  readonly parameters: Readonly<Record<string, Parameter>>;
  /** what a layer gathers in training and does not learn: the statistics of a batch normalisation */
  readonly buffers?: Readonly<Record<string, Parameter>>;
  /**
   * @param theta  parameters and buffers by name
   * @param training  as long as it is trained; `null` afterwards
   */
  readonly apply: (b: Builder, theta: Values, x: Value, training?: Training | null) => Value;
}

/** What has parameters and buffers, whatever it is applied to. */
export type Parametrised = Pick<Layer, "parameters" | "buffers">;

/** The parameters and buffers of parts, under the names of the parts: `encoder.0.weight`. */
export function parametersOf(parts: Readonly<Record<string, Parametrised>>): Required<Parametrised> {
  const prefixed = (of: (part: Parametrised) => Readonly<Record<string, Parameter>>) =>
    Object.fromEntries(
      Object.entries(parts).flatMap(([prefix, part]) =>
        Object.entries(of(part)).map(([name, parameter]) => [`${prefix}.${name}`, parameter] as const),
      ),
    );
  return { parameters: prefixed((part) => part.parameters), buffers: prefixed((part) => part.buffers ?? {}) };
}

/** What is a part's among values: those under its name, by the names that it has for them. */
export function partOf(theta: Values, prefix: string): Values {
  const start = `${prefix}.`;
  return Object.fromEntries(
    Object.entries(theta).flatMap(([name, value]) =>
      name.startsWith(start) ? [[name.slice(start.length), value] as const] : [],
    ),
  );
}

/** The same for what a part keeps in training. */
export function trainingOf(training: Training | null | undefined, prefix: string): Training | null {
  if (!training) return null;
  return { ...training, keep: (name, value) => training.keep(`${prefix}.${name}`, value) };
}

/** A function without parameters as a layer: `activation(tanh)`. */
export function activation(f: (b: Builder, x: Value) => Value): Layer {
  return { parameters: {}, apply: (b, _, x) => f(b, x) };
}
