import type { FloatDType } from "../core/tensor.js";
import { type Branch, type Leaf, type Like, leavesOf, mapTree } from "../core/tree.js";
import type { Builder } from "../graph/builder.js";
import type { Dim, Value, ValueType } from "../graph/graph.js";
import { gather } from "../ops/slicing.js";
import type { Telling } from "../ops/told.js";

/** The type of an array of samples, those of a batch; the samples lie along one of its axes. */
export interface SampledType extends ValueType {
  readonly axis: number;
}

/** What an update reads, as values of a graph. */
export interface ObjectiveInputs<Trained, Buffers, Data, Setup> {
  readonly trained: Like<Trained, Value>;
  readonly buffers: Like<Buffers, Value>;
  /** of the samples of a batch */
  readonly data: Like<Data, Value>;
  readonly setup: Like<Setup, Value>;
  /** counts batches from 1, for random numbers that are other ones for each; int64, where there are any */
  readonly batch: Value;
}

/** What updates can see of themselves, with the names that files have for the number of one update and for those of many. */
export const observations = {
  /** how far states that were undone came back from where they were, relative to y */
  reconstructionError: { one: "reconstructionError", many: "reconstructionErrors" },
  /** how far the companion of y was off, relative to y */
  drift: { one: "relativeDrift", many: "drifts" },
  /** how far fixed points were from being ones, relative to f(z) */
  residual: { one: "residual", many: "residuals" },
} as const satisfies Record<Telling, { readonly one: string; readonly many: string }>;

export type Observation = Telling;

/** Something of each that was seen. */
export type Observed<X> = Readonly<Partial<Record<Observation, X>>>;

/** A loss, its gradient, and what was seen on the way. */
export interface Descent<Trained, Buffers> {
  readonly loss: Value;
  readonly gradients: Like<Trained, Value>;
  /** their new values */
  readonly buffers: Like<Buffers, Value>;
  /** scalars: the worst of the batch */
  readonly observed: Observed<Value>;
}

/**
 * What updates minimise: a loss of what is trained over a batch of samples. It knows nothing of optimisers, of runs of many
 * updates, or of threads; whatever makes one has all of them.
 */
export interface Objective<Trained = Branch, Buffers = Branch, Data = Branch, Setup = Branch> {
  readonly name: string;
  readonly dtype: FloatDType;
  /** the types of what is trained, by the names that files have for it */
  readonly trained: Trained;
  /** of what an update changes but does not train: the statistics of a batch normalisation */
  readonly buffers: Buffers;
  /** of the data of a batch: {@link SampledType}s */
  readonly data: Data;
  /** of what is the same for all samples: a time grid, the key of random numbers */
  readonly setup: Setup;
  /** what its updates see of themselves */
  readonly observes: readonly Observation[];
  /** whether it draws random numbers, and so counts batches in int64 */
  readonly draws: boolean;
  /** the loss and its gradient, at one place of a graph */
  descent(b: Builder, inputs: ObjectiveInputs<Trained, Buffers, Data, Setup>): Descent<Trained, Buffers>;
  /**
   * What the loss of a batch is a mean over, as a scalar: how much was observed. Without it, that is the number of samples.
   * The loss of parts of a batch is their mean by this.
   */
  weigh?(b: Builder, data: Like<Data, Value>): Value;
}

/** An objective of whatever form, as programs take it. */
export interface AnyObjective extends Omit<Objective, "descent" | "weigh"> {
  descent(b: Builder, inputs: AnyInputs): AnyDescent;
  weigh?(b: Builder, data: Branch): Value;
}

interface AnyInputs extends Record<"trained" | "buffers" | "data" | "setup", Branch> {
  readonly batch: Value;
}

interface AnyDescent extends Omit<Descent<Branch, Branch>, "gradients" | "buffers"> {
  readonly gradients: Branch;
  readonly buffers: Branch;
}

/** The type of an array of samples along an axis of it. */
export function sampledType(dtype: ValueType["dtype"], shape: ValueType["shape"], axis: number): SampledType {
  return { dtype, shape, axis };
}

/** The types of data of so many samples. */
export function typesOf(data: Branch, samples: Dim): Branch {
  return mapTree(data, (leaf: Leaf) => {
    const type = leaf as SampledType;
    return { ...type, shape: type.shape.map((dim, i) => (i === type.axis ? samples : dim)) };
  });
}

/** The data of the samples that indices name. @param which  int64 [batch] */
export function takenFrom(b: Builder, types: Branch, data: Branch, which: Value): Branch {
  const values = leavesOf<Value>(data);
  let next = 0;
  return mapTree(types, (leaf) => gather(b, values[next++]!, which, (leaf as SampledType).axis));
}

/** How many samples a batch holds; `null` for an objective without data. */
export function batchSizeOf({ data }: Pick<AnyObjective, "data">): number | null {
  const [first] = leavesOf<SampledType>(data);
  return first === undefined ? null : (first.shape[first.axis] as number);
}
