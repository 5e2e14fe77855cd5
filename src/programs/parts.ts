import { type Branch, leavesOf, mapTree, partOf, withLeaves } from "../core/tree.js";
import type { Builder } from "../graph/builder.js";
import type { Value, ValueType } from "../graph/graph.js";
import { add, div, mul } from "../ops/arithmetic.js";
import { loop } from "../ops/control.js";
import { maximum, minimum } from "../ops/extrema.js";
import { zeros } from "../ops/linalg.js";
import { less, where } from "../ops/logic.js";
import { cast, rounded } from "../ops/reshape.js";
import { type AnyObjective, batchSizeOf, type Observation, takenFrom, typesOf } from "./objective.js";
import { type Program, programOf } from "./program.js";
import { countType, standard } from "./updates.js";

/**
 * An objective over a batch that is gone through in parts, one after the other, so that no more than one of them is in
 * memory:
 *
 *   L = Σₖ sₖ Lₖ,   ∇L = Σₖ sₖ ∇Lₖ
 *
 * where sₖ is what of the batch was observed in part k. Buffers are those of the parts in the same mean, each part from
 * those before the update.
 *
 * @param part  the objective over one part
 */
export function inParts(part: AnyObjective, parts: number): AnyObjective {
  const size = batchSizeOf(part)!;
  const { dtype, trained, buffers } = part;
  return {
    ...part,
    data: typesOf(part.data, size * parts),
    descent(b, inputs) {
      const whole = part.weigh?.(b, inputs.data) ?? b.scalar(dtype, parts);
      const start: Sums = {
        // where nothing was observed in any part, it is not a number
        loss: part.weigh === undefined ? b.scalar(dtype, 0) : div(b, 0, whole),
        ...{ gradients: zerosOf(b, trained), buffers: zerosOf(b, buffers) },
        observed: Object.fromEntries(part.observes.map((name) => [name, b.scalar(dtype, 0)])),
      };
      const first = b.ints(Array.from({ length: size }, (_, i) => i));
      const { carried } = loop(
        b,
        { trips: parts, carried: leavesOf<Value>(start), length: parts },
        (inner, k, state) => {
          const sums = withLeaves(start, state) as unknown as Sums;
          const which = add(inner, first, mul(inner, k, inner.scalar("int64", BigInt(size))));
          const data = takenFrom(inner, part.data, inputs.data, which);
          const batch = batchOf(inner, inputs.batch, parts, k);
          const found = part.descent(inner, { ...inputs, data, batch });
          const weight = part.weigh?.(inner, data) ?? null;
          return { carried: leavesOf(sumOf(inner, sums, found, { weight, whole })) };
        },
      );
      return withLeaves(start, carried) as unknown as Sums;
    },
  };
}

/** What is carried from part to part: means so far, and what was worst. */
interface Sums extends Branch {
  readonly loss: Value;
  readonly gradients: Branch;
  readonly buffers: Branch;
  readonly observed: Readonly<Record<string, Value>>;
}

/**
 * What is carried on after a part.
 *
 * @param weight  what was observed in it; `null` if parts count alike
 * @param whole  what was observed in all of them
 */
function sumOf(
  b: Builder,
  sums: Sums,
  found: ReturnType<AnyObjective["descent"]>,
  { weight, whole }: { weight: Value | null; whole: Value },
): Sums {
  const share = div(b, weight ?? b.scalar(whole.dtype, 1), whole);
  // a part in which nothing was observed has no mean: 0 / 0
  const counts = weight === null ? null : less(b, 0, weight);
  const plus = (sum: Value, term: Value) => {
    // as threads add them up
    const more = add(b, sum, rounded(b, mul(b, share, term)));
    return counts === null ? more : where(b, counts, more, sum);
  };
  const plusAll = (sum: Branch, terms: Branch): Branch => {
    const own = leavesOf<Value>(terms);
    return withLeaves(
      sum,
      leavesOf<Value>(sum).map((value, i) => plus(value, own[i]!)),
    );
  };
  return {
    loss: plus(sums.loss, found.loss),
    gradients: plusAll(sums.gradients, found.gradients),
    buffers: plusAll(sums.buffers, found.buffers),
    observed: mapTree(sums.observed, (most, name) =>
      maximum(b, most as Value, found.observed[name as Observation]!),
    ),
  };
}

/** The number of a part among all parts of all batches: batches count from 1. */
function batchOf(b: Builder, batch: Value, parts: number, k: Value): Value {
  if (batch.dtype !== "int64") return batch;
  return add(b, mul(b, batch, b.scalar("int64", BigInt(parts))), k);
}

function zerosOf(b: Builder, types: Branch): Branch {
  return mapTree(types, (leaf) => {
    const { dtype, shape } = leaf as ValueType;
    return zeros(b, dtype, shape as readonly number[]);
  });
}

/**
 * The graph of an objective alone: loss, gradients and new buffers of a batch, or of a part of one, to be added up elsewhere
 * by what was observed in it, where that is not the number of its samples.
 *
 * It is in a loop of one iteration, as a part is in {@link inParts}: what does not depend on the data stands outside of it
 * there as here, and is rounded alike.
 */
export function descentProgram(objective: AnyObjective): Program<Branch, Branch> {
  const { trained, buffers, data, setup } = objective;
  const inputs: Branch = { ...trained, ...buffers, ...data, ...setup, count: countType(objective) };
  return standard(
    programOf("descent", inputs, (b, values): Branch => {
      const count = values.count as Value;
      const nothing = b.scalar(objective.dtype, 0);
      const none: Branch = {
        ...{ loss: nothing, gradients: zerosOf(b, trained), buffers: zerosOf(b, buffers) },
        observed: Object.fromEntries(objective.observes.map((name) => [name, nothing])),
        weight: objective.weigh === undefined ? null : nothing,
      };
      // counted from 1, so that no compiler knows that it is one
      const trips = cast(b, minimum(b, count, b.scalar(count.dtype, 1)), "int64");
      const { carried } = loop(b, { trips, carried: leavesOf<Value>(none) }, (inner) => {
        const own = partOf(values, data);
        const found = objective.descent(inner, {
          ...{ trained: partOf(values, trained), buffers: partOf(values, buffers) },
          ...{ data: own, setup: partOf(values, setup), batch: count },
        });
        const { loss, gradients, buffers: kept, observed } = found;
        const weight = objective.weigh?.(inner, own) ?? null;
        const all = { loss, gradients, buffers: kept, observed: observed as Branch, weight };
        return { carried: leavesOf<Value>(all) };
      });
      return withLeaves(none, carried) as Branch;
    }),
  );
}
