import { ShapeError, showShape } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import { type Attributes, showType, staticShape, type Value } from "../graph/graph.js";
import { ModelError } from "../graph/model.js";
import { onnxTypeNumber } from "../graph/types.js";
import { range } from "../ops/generate.js";
import { reshape } from "../ops/reshape.js";
import { type Call, emit, like } from "./call.js";

// Operators that are written as others: those that opset 21 does not have yet, and those without a record.

/**
 * Attention (opset 23), for queries, keys and values of shape [batch, heads, length, size] and nothing else:
 *
 *   Y = softmax(scale · Q Kᵀ) V,  scale = 1 / √size unless given
 */
export function attention(b: Builder, { inputs, attributes, outputs }: Call): Value {
  const [q, k, v, ...rest] = inputs;
  const plain =
    rest.every((value) => value === null) &&
    outputs === 1 &&
    ["is_causal", "softcap"].every((name) => (attributes[name] ?? 0) === 0);
  if (!q || !k || !v || !plain) {
    throw new ModelError(
      "Attention with a mask, a cache, a causal rule or a soft cap is not supported. Write it as MatMul and Softmax.",
    );
  }
  const same = k.shape[1] === q.shape[1] && v.shape[1] === q.shape[1];
  if ([q, k, v].some((value) => value.shape.length !== 4) || !same) {
    throw new ModelError(
      `Attention of ${[q, k, v].map(showType).join(", ")} is not supported: three operands of shape ` +
        "[batch, heads, length, size] with the same number of heads are needed.",
    );
  }
  const heads = [attributes.q_num_heads, attributes.kv_num_heads].filter((count) => count !== undefined);
  if (heads.some((count) => count !== q.shape[1])) {
    throw new ShapeError(
      `Attention: its attributes ask for ${heads.join(" and ")} heads, but ${showType(q)} has ${q.shape[1]}.`,
    );
  }
  const width = q.shape[3] as number;
  const scale = (attributes.scale as number | undefined) ?? 1 / Math.sqrt(width);
  const scores = emit(b, "MatMul", [
    emit(b, "Mul", [q, like(b, q, scale)]),
    emit(b, "Transpose", [k], { perm: [0, 1, 3, 2] }),
  ]);
  return emit(b, "MatMul", [emit(b, "Softmax", [scores], { axis: -1 }), v]);
}

/** RMSNormalization (opset 23): y = scale · x / √(mean(x²) + ε), the mean over the axes from `axis` on. */
export function rmsNormalization(b: Builder, { inputs, attributes }: Call): Value {
  const [x, scale] = inputs;
  if (!x || !scale) throw new ModelError("RMSNormalization needs two operands.");
  const axes = axesFrom("RMSNormalization", x, attributes);
  const square = emit(b, "ReduceMean", [emit(b, "Mul", [x, x]), b.ints(axes)], { keepdims: 1 });
  const epsilon = (attributes.epsilon as number | undefined) ?? 1e-5;
  const root = emit(b, "Sqrt", [emit(b, "Add", [square, like(b, x, epsilon)])]);
  return emit(b, "Mul", [emit(b, "Div", [x, root]), scale]);
}

/** The axes from `axis` on, the last unless it is given. */
function axesFrom(op: string, x: Value, attributes: Attributes): number[] {
  const rank = x.shape.length;
  const first = (attributes.axis as number | undefined) ?? -1;
  const start = first < 0 ? first + rank : first;
  if (start < 0 || start >= rank) {
    throw new ShapeError(`${op}: axis ${first} is not an axis of ${showType(x)}.`);
  }
  return Array.from({ length: rank - start }, (_, i) => start + i);
}

/**
 * LayerNormalization with its further outputs, over the axes from `axis` on:
 *
 *   μ = mean(x),  s = 1 / √(mean((x − μ)²) + ε),  y = scale · (x − μ) s + bias
 *
 * @returns y, μ and s
 */
export function layerNormalization(b: Builder, { inputs, attributes }: Call): Value[] {
  const [x, scale, bias] = inputs;
  if (!x || !scale) throw new ModelError("LayerNormalization needs two operands.");
  const axes = b.ints(axesFrom("LayerNormalization", x, attributes));
  const mean = emit(b, "ReduceMean", [x, axes], { keepdims: 1 });
  const distance = emit(b, "Sub", [x, mean]);
  const variance = emit(b, "ReduceMean", [emit(b, "Mul", [distance, distance]), axes], { keepdims: 1 });
  const epsilon = (attributes.epsilon as number | undefined) ?? 1e-5;
  const inverse = emit(b, "Reciprocal", [emit(b, "Sqrt", [emit(b, "Add", [variance, like(b, x, epsilon)])])]);
  const scaled = emit(b, "Mul", [emit(b, "Mul", [distance, inverse]), scale]);
  return [bias ? emit(b, "Add", [scaled, bias]) : scaled, mean, inverse];
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

/** Swish (opset 24): y = x σ(α x) */
export function swish(b: Builder, { inputs, attributes }: Call): Value {
  const x = inputs[0];
  if (!x) throw new ModelError("Swish needs an operand.");
  const alpha = (attributes.alpha as number | undefined) ?? 1;
  const inner = alpha === 1 ? x : emit(b, "Mul", [x, like(b, x, alpha)]);
  return emit(b, "Mul", [x, emit(b, "Sigmoid", [inner])]);
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
