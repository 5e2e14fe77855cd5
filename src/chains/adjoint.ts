import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import type { Links } from "./links.js";
import type { Plan } from "./plan.js";
import type { Schedule } from "./tables.js";

/** Where states are saved. */
export type Saves =
  /** nowhere: the state at the end is all that comes out */
  | { readonly kind: "end" }
  /** after each step */
  | { readonly kind: "every" }
  | SavesAt;

/** States saved after given numbers of steps. */
export interface SavesAt {
  readonly kind: "at";
  /** how many are saved */
  readonly count: number;
  /** int64 [count + 1]: `offsets[k + 1]` steps lie before save k, and `offsets[0]` is 0; the last one is the end */
  readonly offsets: Value;
  /** whether several saves may be of one state */
  readonly coincident: boolean;
}

/** What an adjoint works on. */
export interface ChainTask {
  readonly links: Links;
  readonly saves: Saves;
  /** for adjoints that go by one */
  readonly schedule: Schedule<Value> | null;
}

/** What a chain gives. */
export interface ChainRun {
  /** the state at the end */
  readonly end: readonly Value[];
  /** the leaves that are reported, stacked over the saves; none without saves */
  readonly stacked: readonly Value[];
  /** what was observed on the way, stacked or not */
  readonly observed: readonly Value[];
  /** how many steps were taken, an int64 scalar */
  readonly count: Value;
  /** what the way back needs beside all of this */
  readonly saved: readonly Value[];
}

/** Cotangents that come in, as far as there are any: for the float leaves of the end, and for what is reported. */
export interface Arriving {
  readonly end: readonly (Value | null)[];
  readonly stacked: readonly (Value | null)[];
}

/** Cotangents that go out, all for float leaves alone. */
export interface ChainCotangents {
  readonly start: readonly Value[];
  readonly shared: readonly Value[];
  /** as stacks; none where they are not wanted */
  readonly rows: readonly Value[];
  /** the first state as undoing gives it back, and how good it is; `null` where no step is undone */
  readonly undone: { readonly start: readonly Value[]; readonly errors: UndoingErrors } | null;
}

/** How far undone states are off at most, and, where the chain estimates it, what that makes of the gradient: scalars. */
export type UndoingErrors = readonly Value[];

/** Tells something of a state, or of stacked states, that is not differentiated. */
export type Observe = (b: Builder, state: readonly Value[]) => readonly Value[];

/** How a chain is gone through, and back. */
export interface AdjointRule {
  /**
   * @param observe  looks at states at saves, if not every state is one: there, it would cost as much as a small step
   */
  readonly run: (b: Builder, task: ChainTask, observe?: Observe) => ChainRun;
  readonly pull: (
    b: Builder,
    task: ChainTask,
    run: Omit<ChainRun, "observed">,
    arriving: Arriving,
  ) => ChainCotangents;
}

/** What is chosen: an adjoint by its kind, with its options. */
export interface AdjointMethod {
  readonly kind: string;
}

/** A way to differentiate, with everything that there is to know of it but how it is done. */
export interface Adjoint<M extends AdjointMethod = AdjointMethod> {
  /** of what it makes; several may have one kind, and are told apart by their options */
  readonly name: string;
  readonly syntax: AdjointSyntax<M>;
  /** whether it is the gradient of what was computed, to rounding; else it is that of the equation behind, discretised */
  readonly exact: boolean;
  /** whether steps are undone */
  readonly undoes: boolean;
  /** Which states are stored, and how it comes back from them, where that follows a schedule. */
  plan?(method: M, steps: number): Plan;
  cost(method: M, steps: number): AdjointCost;
}

/** How users type an adjoint: `checkpoint`, `checkpoint:8`. */
export interface AdjointSyntax<M extends AdjointMethod = AdjointMethod> {
  readonly kind: M["kind"];
  /** what it does, as a clause after its name */
  readonly summary: string;
  /** with an option, and what that is for: `checkpoint:8`, "8 stored states" */
  readonly example?: { readonly typed: string; readonly means: string };
  /** `null` unless it is this adjoint that an option, or none, asks for. @throws {GradientMethodError} for a wrong one */
  parse(option: string | null, text: string): M | null;
  /** What is typed after the colon; `undefined` if the method asks for another adjoint of this kind. */
  show(method: M): string | null | undefined;
}

export interface AdjointCost {
  /** states stored at most, beside the one worked on */
  readonly states: number;
  /** steps taken again so as to have the states before others */
  readonly again: number;
}

/** An adjoint of any chain. */
export interface ChainAdjoint<M extends AdjointMethod = AdjointMethod> extends Adjoint<M> {
  readonly rule: AdjointRule;
}
