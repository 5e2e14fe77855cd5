import { tensor } from "../core/tensor.js";
import { type Branch, leavesOf, mapTree, partOf, withLeaves } from "../core/tree.js";
import type { Builder } from "../graph/builder.js";
import type { Value, ValueType } from "../graph/graph.js";
import { add, div, mul } from "../ops/arithmetic.js";
import { loop } from "../ops/control.js";
import { maximum } from "../ops/extrema.js";
import { zeros } from "../ops/linalg.js";
import { type AnyObjective, batchSizeOf, takenFrom, typesOf } from "./objective.js";
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
      const total = part.weigh?.(b, inputs.data) ?? b.scalar(dtype, parts);
      const start = {
        ...{ loss: b.scalar(dtype, 0), gradients: zerosOf(b, trained), buffers: zerosOf(b, buffers) },
        ...{ reconstructionError: b.scalar(dtype, 0), drift: b.scalar(dtype, 0) },
      };
      const indices = b.constant(
        tensor(
          "int64",
          [size],
          Array.from({ length: size }, (_, i) => BigInt(i)),
        ),
      );
      const { carried } = loop(
        b,
        { trips: parts, carried: leavesOf<Value>(start), length: parts },
        (inner, k, state) => {
          const sums = withLeaves(start, state) as unknown as typeof start;
          const which = add(inner, indices, mul(inner, k, inner.scalar("int64", BigInt(size))));
          const data = takenFrom(inner, part.data, inputs.data, which);
          const found = part.descent(inner, {
            ...inputs,
            data,
            batch: batchOf(inner, inputs.batch, parts, k),
          });
          const own = part.weigh?.(inner, data) ?? inner.scalar(dtype, 1);
          const share = div(inner, own, total);
          const plus = (sum: Value, term: Value) => add(inner, sum, mul(inner, share, term));
          const plusAll = (sum: Branch, terms: Branch): Branch => {
            const own = leavesOf<Value>(terms);
            return withLeaves(
              sum,
              leavesOf<Value>(sum).map((value, i) => plus(value, own[i]!)),
            );
          };
          const worst = (most: Value, value: Value | null) =>
            value === null ? most : maximum(inner, most, value);
          return {
            carried: leavesOf({
              loss: plus(sums.loss, found.loss),
              gradients: plusAll(sums.gradients, found.gradients),
              buffers: plusAll(sums.buffers, found.buffers),
              reconstructionError: worst(sums.reconstructionError, found.reconstructionError),
              drift: worst(sums.drift, found.drift),
            }),
          };
        },
      );
      const { reconstructionError, drift, ...rest } = withLeaves(start, carried) as unknown as typeof start;
      const seen = (name: "reconstructionError" | "drift", value: Value) =>
        part.observes.includes(name) ? value : null;
      return {
        ...rest,
        reconstructionError: seen("reconstructionError", reconstructionError),
        drift: seen("drift", drift),
      };
    },
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
 */
export function descentProgram(objective: AnyObjective): Program<Branch, Branch> {
  const { trained, buffers, data, setup } = objective;
  const inputs: Branch = { ...trained, ...buffers, ...data, ...setup, count: countType(objective) };
  return standard(
    programOf("descent", inputs, (b, values): Branch => {
      const found = objective.descent(b, {
        ...{ trained: partOf(values, trained), buffers: partOf(values, buffers) },
        ...{ data: partOf(values, data), setup: partOf(values, setup), batch: values.count as Value },
      });
      const { loss, gradients, reconstructionError, drift } = found;
      return {
        ...{ loss, gradients, buffers: found.buffers, reconstructionError, drift },
        weight: objective.weigh?.(b, partOf(values, data)) ?? null,
      };
    }),
  );
}
