import { ShapeError, showShape } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import { showType, staticShape, type Value } from "../graph/graph.js";
import { ModelError } from "../graph/model.js";
import { onnxTypeNumber } from "../graph/types.js";
import { attention as writtenAttention } from "../ops/attention.js";
import { range } from "../ops/generate.js";
import { reshape } from "../ops/reshape.js";
import { type Call, emit } from "./call.js";

// Operands of older and newer operators as those that there are formulas for take them.

/** Attention (opset 23 to 25), with its operands by their names. */
export function attention(b: Builder, { inputs, attributes }: Call): readonly Value[] {
  const [query, key, value, mask = null, pastKey = null, pastValue = null, lengths = null] = inputs;
  if ((pastKey === null) !== (pastValue === null) || (pastKey !== null && lengths !== null)) {
    throw new ModelError(
      "Attention takes past keys and past values together, and lengths of keys only without them. Export the model again.",
    );
  }
  const past = pastKey === null ? null : { key: pastKey, value: pastValue! };
  return writtenAttention(b, { query: query!, key: key!, value: value!, mask, past, lengths }, attributes);
}

/**
 * GatherND within each element of some leading axes: the place of the element goes in front of the indices.
 *
 * @returns `null` where there are no such axes
 */
export function gatherBatches(b: Builder, { inputs, attributes }: Call): Value[] | null {
  const count = (attributes.batch_dims as number | undefined) ?? 0;
  const [x, indices] = inputs;
  if (count === 0 || !x || !indices) return null;
  const shape = staticShape(indices, "GatherND with batch_dims");
  const most = Math.min(shape.length, x.shape.length) - 1;
  if (count < 0 || count > most) {
    throw new ShapeError(
      `GatherND: batch_dims is ${count}, but ${showType(x)} and ${showType(indices)} have 0 to ${most} leading axes in common.`,
    );
  }
  if (shape.slice(0, count).some((dim, axis) => dim !== x.shape[axis])) {
    throw new ShapeError(
      `GatherND: with batch_dims ${count}, ${showType(x)} and ${showType(indices)} must agree in so many leading axes.`,
    );
  }
  const places = shape.slice(0, count).map((length, axis) => {
    const along = reshape(
      b,
      range(b, length),
      shape.map((_, i) => (i === axis ? length : 1)),
    );
    return emit(b, "Expand", [along, b.ints([...shape.slice(0, -1), 1])]);
  });
  const wide = emit(b, "Cast", [indices], { to: onnxTypeNumber.int64 });
  return [emit(b, "GatherND", [x, emit(b, "Concat", [...places, wide], { axis: -1 })])];
}

/** Scale and bias of a GroupNormalization, one per group, repeated for each of the group's channels. */
export function groupScales(b: Builder, { inputs, attributes }: Call): Value[] {
  const [x, scale, bias] = inputs;
  const groups = attributes.num_groups as number | undefined;
  if (!x || !scale || !bias || groups === undefined) {
    throw new ModelError("GroupNormalization needs three operands and num_groups.");
  }
  const channels = x.shape[1];
  if (typeof channels !== "number" || groups < 1 || channels % groups !== 0) {
    throw new ShapeError(`GroupNormalization: ${showType(x)} does not divide into ${groups} groups.`);
  }
  const repeat = (value: Value): Value => {
    const shape = staticShape(value, "GroupNormalization");
    if (shape.length !== 1 || shape[0] !== groups) {
      throw new ShapeError(
        `GroupNormalization: ${showShape(shape)} is not one number for each of ${groups} groups.`,
      );
    }
    const column = emit(b, "Unsqueeze", [value, b.ints([1])]);
    const full = emit(b, "Expand", [column, b.ints([groups, channels / groups])]);
    return emit(b, "Reshape", [full, b.ints([channels])]);
  };
  return [x, repeat(scale), repeat(bias)];
}
