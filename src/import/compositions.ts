import { ShapeError, showShape } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import { showType, staticShape, type Value } from "../graph/graph.js";
import { ModelError } from "../graph/model.js";
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
    ["is_causal", "softcap", "qk_matmul_output_mode"].every((name) => (attributes[name] ?? 0) === 0);
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
  const rank = x.shape.length;
  const first = (attributes.axis as number | undefined) ?? -1;
  const start = first < 0 ? first + rank : first;
  if (start < 0 || start >= rank) {
    throw new ShapeError(`RMSNormalization: axis ${first} is not an axis of ${showType(x)}.`);
  }
  const axes = Array.from({ length: rank - start }, (_, i) => start + i);
  const square = emit(b, "ReduceMean", [emit(b, "Mul", [x, x]), b.ints(axes)], { keepdims: 1 });
  const epsilon = (attributes.epsilon as number | undefined) ?? 1e-5;
  const root = emit(b, "Sqrt", [emit(b, "Add", [square, like(b, x, epsilon)])]);
  return emit(b, "Mul", [emit(b, "Div", [x, root]), scale]);
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
