import { RevortError } from "../core/errors.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import type { Calculus, NoiseKind } from "../systems/sde.js";
import type { Backward, State, StateCotangents } from "./method.js";
import type { StepMatrix } from "./step-matrix.js";

/** A method that would converge to the solution of another equation, or has no order for the noise of this one. */
export class CalculusError extends RevortError {}

/** A stochastic differential equation over one step, inside one scope of a graph. */
export interface DrivenStep {
  readonly b: Builder;
  /** times, scalars of the state's dtype; h = t1 − t0 > 0 */
  readonly t0: Value;
  readonly t1: Value;
  readonly h: Value;
  /** ΔW, [batch, m] */
  readonly dW: Value;
  /** f(t, y), [batch, dim] */
  readonly drift: (t: Value, y: Value) => Value;
  /** g(t, y), of the shape that its kind of noise has */
  readonly diffusion: (t: Value, y: Value) => Value;
  /** g(t, y) w, [batch, dim] */
  readonly diffuse: (t: Value, y: Value, w: Value) => Value;
  readonly noise: NoiseKind;
  /** θ, listed for cotangents */
  readonly parameters: readonly Value[];
}

/** A one-step method for stochastic differential equations. */
export interface SdeMethod {
  /** as users type it, `euler-maruyama` */
  readonly name: string;
  readonly calculus: Calculus;
  /** the noise that it has an order for */
  readonly noises: readonly NoiseKind[];
  /**
   * E|y(T) − y_N| = O(h^order) on one Brownian path, for scalar and diagonal noise (gᵢ of yᵢ alone); with general noise, that
   * does not commute, it is ½
   */
  readonly strongOrder: number;
  /** λ of a coupled method */
  readonly coupling: number | null;
  /** what a step does to the state where f and g are those of y' = α y; tells by how much undoing magnifies rounding */
  readonly stepMatrix?: StepMatrix;
  /** where steps are undone but to an order, that for equations without noise: `Method.undoneTo` */
  readonly undoneTo?: number;
  readonly start: (y0: Value) => State;
  readonly step: (step: DrivenStep, state: State) => State;
  /** for methods whose steps can be undone: the state before a step, from the one after it */
  readonly undo?: (step: DrivenStep, state: State) => State;
  /** undoes a step and pulls cotangents back through it */
  readonly back?: (step: DrivenStep, state: State, cotangents: StateCotangents) => Backward;
}

/** What an equation asks of its solver. */
export interface SdeKind {
  readonly calculus: Calculus;
  readonly noise: NoiseKind;
}

export const everyNoise: readonly NoiseKind[] = ["scalar", "diagonal", "additive", "general"];

const shownCalculus = { ito: "Itô", stratonovich: "Stratonovich" } as const;

/** What a method lacks for equations of a kind; `null` where it solves them as they are meant. */
export function lackingFor(method: SdeMethod, { calculus, noise }: SdeKind): string | null {
  if (!method.noises.includes(noise)) return `takes ${method.noises.join(", ")} noise alone`;
  if (noise === "additive" || method.calculus === calculus) return null;
  return `is of ${shownCalculus[method.calculus]}, and would solve them for another drift`;
}

/** "are of Stratonovich, with general noise" */
export function showKind({ calculus, noise }: SdeKind): string {
  return noise === "additive"
    ? "have additive noise"
    : `are of ${shownCalculus[calculus]}, with ${noise} noise`;
}

/**
 * Makes sure that a method solves an equation as it is meant.
 *
 * @throws {CalculusError} for a method of the other calculus, or noise that it cannot have
 */
export function checkCalculus(
  method: SdeMethod,
  { name, calculus, noise }: SdeKind & { readonly name: string },
): void {
  if (!method.noises.includes(noise)) {
    throw new CalculusError(
      `The method "${method.name}" takes ${method.noises.join(", ")} noise, but "${name}" has ${noise} noise. ` +
        `Take ${method.calculus === "ito" ? '"euler-maruyama"' : '"heun"'}.`,
    );
  }
  if (noise === "additive" || method.calculus === calculus) return;
  const [others, sign] =
    calculus === "ito"
      ? ['"euler-maruyama" or "milstein"', "−"]
      : ['"heun", "midpoint" or "reversible-heun"', "+"];
  throw new CalculusError(
    `The method "${method.name}" is of ${shownCalculus[method.calculus]}, but "${name}" is an equation of ${shownCalculus[calculus]}, ` +
      `which it would solve for another drift. Take ${others}, or state the equation in the other calculus: with ` +
      `f ${sign} ½ Σⱼ (∂gⱼ/∂y) gⱼ for its drift.`,
  );
}
