import type { DType } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { maximum } from "./extrema.js";
import { cast } from "./reshape.js";

/**
 * What solves, chains and fixed points tell of themselves beside their results. Scalars, of which the largest counts:
 *
 * - `reconstructionError`: how far states came back from where they were by undoing steps, relative to the largest of them
 * - `drift`: how far the companion of a coupled state was off, relative to that state
 * - `residual`: how far a fixed point was from being one, relative to f(z)
 */
export type Telling = "reconstructionError" | "drift" | "residual";

/**
 * Tells something of what is built in a scope. It rises out of the bodies of loops, branches and regions by itself, as the
 * largest of all their iterations, so that it is known in the graph around them, however deep it was told.
 *
 * @param value  a float scalar, not less than 0
 */
export function tell(b: Builder, what: Telling, value: Value): void {
  const before = b.told.get(what);
  b.told.set(what, before === undefined ? value : larger(b, before, value));
}

/** What was told in a scope so far. It is told to whoever asks for it, and rises no further. */
export function told(b: Builder): Partial<Record<Telling, Value>> {
  const found = Object.fromEntries(b.told) as Partial<Record<Telling, Value>>;
  b.told.clear();
  return found;
}

/**
 * What was told in the body of a loop, as values that it carries: the largest so far.
 *
 * @param carry  makes an input of the body for what comes out of the iteration before
 */
export function toldByIterations(inner: Builder, carry: (place: number, dtype: DType) => Value) {
  const all = Object.entries(told(inner)) as [Telling, Value][];
  return all.map(([what, value], place) => ({
    what,
    first: inner.scalar(value.dtype, 0),
    next: maximum(inner, carry(place, value.dtype), value),
  }));
}

/** The same of branches, of which each gives all that one of them tells. */
export function toldByBranches(branches: readonly Builder[]): { what: Telling; each: Value[] }[] {
  const found = branches.map((inner) => told(inner));
  const all = new Set(found.flatMap((one) => Object.keys(one) as Telling[]));
  return [...all].map((what) => {
    const values = found.map((one) => one[what]);
    const dtype = values.some((value) => value?.dtype === "float64") ? "float64" : "float32";
    return {
      what,
      each: branches.map((inner, k) =>
        values[k] === undefined ? inner.scalar(dtype, 0) : cast(inner, values[k], dtype),
      ),
    };
  });
}

function larger(b: Builder, one: Value, other: Value): Value {
  if (one.dtype === other.dtype) return maximum(b, one, other);
  return maximum(b, cast(b, one, "float64"), cast(b, other, "float64"));
}
