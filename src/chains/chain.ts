import { RevortError } from "../core/errors.js";
import type { Like } from "../core/tree.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";

/** A chain that makes no sense, or that an adjoint cannot differentiate. */
export class ChainError extends RevortError {}

/**
 * A chain of steps from state to state,
 *
 *   sᵢ₊₁ = step(sᵢ, xᵢ; θ),   i = 0 … n − 1
 *
 * such as the steps of a solver, a recurrent cell along a sequence, layers of one shape or a fixed-point iteration. The
 * state S, what all steps share P (θ) and the row X that each step has for itself (xᵢ) are trees of values.
 *
 * A step reads what it is given and nothing else: whatever of the graph around it is left has no gradient.
 */
export interface Chain<S, P = null, X = null> {
  /** in messages */
  readonly name: string;
  readonly step: (b: Builder, link: Link<P, X>, before: S) => S;
  /** the state before a step from the one after it; what has it can be reversed */
  readonly undo?: (b: Builder, link: Link<P, X>, after: S) => S;
  /**
   * Undoes a step and pulls cotangents back through it, where that takes fewer evaluations than `undo` and then a
   * pullback through `step`.
   *
   * @param cotangents  those of the state after the step
   */
  readonly back?: (
    b: Builder,
    link: Link<P, X>,
    after: S,
    cotangents: Like<S, Value | null>,
  ) => Back<S, P, X>;
  /**
   * A bool scalar: whether to go on after a step. Where it ends the chain early, the number of steps counts as given in
   * derivatives.
   */
  readonly proceed?: (b: Builder, link: Link<P, X>, before: S, after: S) => Value;
  /**
   * An estimate of the error of a gradient that undone states leave, in units of the state, by which it is judged. By
   * default it is how far the states are off: where cotangents have died away by the time they meet them, that is too much.
   */
  readonly lost?: (b: Builder, undone: Undone<S>) => Value;
  /** which parts of a state are saved, where states between are: all by default */
  readonly report?: (state: S) => unknown;
}

/** What a step reads beside the state. */
export interface Link<P, X> {
  /** i, an int64 scalar */
  readonly i: Value;
  readonly shared: P;
  readonly row: X;
}

/** A step undone, and the cotangents of what it read. */
export interface Back<S, P, X> {
  readonly before: S;
  /** of the state before the step */
  readonly cotangents: Like<S, Value | null>;
  /** what this step adds to those of what is shared */
  readonly shared: Like<P, Value | null>;
  /** `null` where they are not known: where they are wanted, the step is then undone and taken again */
  readonly row: Like<X, Value | null> | null;
}

/** A state that steps were undone to, and what is known of it. */
export interface Undone<S> {
  readonly state: S;
  /** what it should be */
  readonly known: S;
  /** cotangents where it is, … */
  readonly here: Like<S, Value | null>;
  /** … and those that came in at the end of the chain */
  readonly atEnd: Like<S, Value | null>;
}

/** What a chain starts from and reads. */
export interface ChainInputs<S, P = null, X = null> {
  /** the state before the first step */
  readonly start: S;
  readonly shared: P;
  /** rows by step: arrays [steps, …], of which step i has row i */
  readonly rows: X;
  /** how many steps there are, or, where the chain ends by itself, how many at most: an int64 scalar if a value */
  readonly steps: number | Value;
}
