import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import type { LinearPart } from "./linear-part.js";
import type { StepMatrix } from "./step-matrix.js";
import type { Tableau } from "./tableaux.js";

/** The differential equation inside one scope of a graph: dy/dt = f(t, y), with θ listed for cotangents. */
export interface System {
  readonly b: Builder;
  readonly f: (t: Value, y: Value) => Value;
  /** how many components of a row f reads, the first ones; it takes rows of these alone, too. All where nothing is said */
  readonly reads?: number;
  /** θ: what f depends on beside t and y */
  readonly parameters: readonly Value[];
  /** the same for one step, where f jumps in time and its value at a jump depends on the side that a step is on */
  readonly during?: (step: Interval) => System;
  /** dt/ds, where t stands for another variable s than time: along the chord of a Brownian path */
  readonly pace?: Value;
}

/** One step in time, from t0 to t1 = t0 + h. All are scalars of the state's dtype. */
export interface Interval {
  readonly t0: Value;
  readonly t1: Value;
  /** signed step size */
  readonly h: Value;
}

/**
 * What a method carries from step to step: y first, then whatever else it needs (the coupled state z, a velocity).
 */
export type State<X = Value> = readonly [X, ...X[]];

/** Cotangents of a state, of the same length. */
export type StateCotangents = readonly (Value | null)[];

/** A one-step method: how a state is made from y0, and how it advances. */
export interface Method {
  /** as users type it, `midpoint` */
  readonly name: string;
  /** of convergence */
  readonly order: number;
  /** λ of a coupled method */
  readonly coupling: number | null;
  /** what a coupled method is made of */
  readonly tableau?: Tableau;
  /** what of a field is solved exactly, beside the method (`lawson`) */
  readonly linear?: LinearPart;
  /** number of arrays in a state */
  readonly width: number;
  /** evaluations of f per step */
  readonly evaluations: number;
  /** The state at the first time. */
  readonly start: (system: System, t0: Value, y0: Value) => State;
  /** The state at t1 from the state at t0. */
  readonly step: (system: System, interval: Interval, state: State) => State;
  /** what the method itself can tell of the error of a step, for step-size control */
  readonly error?: ErrorEstimate;
  /**
   * The solution inside a step as a polynomial in θ = (t − t0) / h, by its coefficients; where there is none, a cubic
   * serves.
   */
  readonly dense?: (system: System, interval: Interval, before: State, after: State) => Value[];
  /**
   * the index in a state of a second solution that starts as y and stays near it as long as all is well; how far it
   * has drifted off tells of instability that no error estimate sees
   */
  readonly companion?: number;
  /**
   * m where steps of size h are undone to O(h^m) over a stretch of time, however exactly one computes; none for a method
   * that is undone but for rounding
   */
  readonly undoneTo?: number;
  /** what a step does to the state on y' = α y, as polynomials in α h; none for methods of split systems */
  readonly stepMatrix?: StepMatrix;
}

/** An estimate of the local error in y. */
export interface ErrorEstimate {
  /** k where the estimate is O(h^k): step sizes go with its 1/k-th power */
  readonly order: number;
  /** evaluations of f beyond those of the step */
  readonly evaluations: number;
  /** The estimate for a step between two states, of y's type. It shares what it can with the step. */
  readonly of: (system: System, interval: Interval, before: State, after: State) => Value;
}

/** What taking one step back gives. */
export interface Backward {
  /** the state at t0, reconstructed */
  readonly state: State;
  /** cotangents of the state at t0 */
  readonly cotangents: StateCotangents;
  /** what this step adds to the cotangent of each parameter */
  readonly parameters: readonly (Value | null)[];
}

/** A method whose steps can be undone: exactly but for rounding, or to the order that it says (`undoneTo`). */
export interface ReversibleMethod extends Method {
  /** evaluations of f in `back`, pullbacks not counted */
  readonly backEvaluations: number;
  /** The state at t0 from the state at t1. */
  readonly undo: (system: System, interval: Interval, state: State) => State;
  /**
   * Undoes a step and pulls cotangents back through it.
   *
   * @param state  the state at t1
   * @param cotangents  those of the state at t1, with what the loss adds there
   */
  readonly back: (system: System, interval: Interval, state: State, cotangents: StateCotangents) => Backward;
}

export function isReversible(method: Method): method is ReversibleMethod {
  return "back" in method;
}
