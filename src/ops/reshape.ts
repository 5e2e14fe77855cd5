import {
  castTensor,
  type DType,
  isFloat,
  ShapeError,
  showShape,
  sizeOf,
  type Tensor,
  tensor,
} from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import { productOf, quotientOf } from "../graph/dimension.js";
import {
  type Dim,
  normaliseAxes,
  normaliseAxis,
  type Op,
  type Shape,
  sameShape,
  showType,
  type Value,
} from "../graph/graph.js";
import { anything, attributeOf, choice, flag, int, int64, mayTake, takes } from "../graph/signature.js";
import { dtypeOfNumber, onnxTypeNumber } from "../graph/types.js";
import { dimsOf } from "./dims.js";
import { constantInts, required } from "./operand.js";

// Operators that rearrange elements without changing one.

/** Identity: nothing, but after a product, where it keeps a runtime from adding to it before it is rounded ({@link rounded}). */
export const Identity: Op = {
  type: "Identity",
  inputs: [takes("input", anything)],
  infer: (inputs) => [required("Identity", inputs, 0)],
  fold: ([x]) => [x!],
  simplify(_, inputs) {
    const x = required("Identity", inputs, 0);
    return x.node?.op.type === "Mul" && isFloat(x.dtype) ? null : [x];
  },
  vjp: (_b, _node, [cotangent]) => [cotangent!],
};

/**
 * x y, rounded before anything is done with it: for sums of products that are to be the same bits on every runtime and in
 * every graph. A runtime with an instruction for x y + z, which rounds once, does not use it there.
 */
export function rounded(b: Builder, product: Value): Value {
  return b.emit(Identity, [product])[0]!;
}

/** Cast between element types. Between float types its transpose is the Cast back; others carry no gradient. */
export const Cast: Op = {
  type: "Cast",
  inputs: [takes("input", anything)],
  attributes: {
    to: int(undefined, { required: true }),
    // both are about eight-bit floats only, which are not held
    saturate: flag(1, { since: 19 }),
    round_mode: choice(["up", "down", "nearest"], { since: 24 }),
  },
  infer: (inputs, attributes) => [
    { dtype: dtypeOfNumber(attributes.to as number, "Cast"), shape: required("Cast", inputs, 0).shape },
  ],
  fold: ([x], attributes) => [castTensor(x!, dtypeOfNumber(attributes.to as number, "Cast"))],
  simplify: (_, [x], attributes) => (onnxTypeNumber[x!.dtype] === attributes.to ? [x!] : null),
  vjp: (b, { inputs: [x], outputs: [y] }, [cotangent]) =>
    x!.dtype.startsWith("float") && y!.dtype.startsWith("float") ? [cast(b, cotangent!, x!.dtype)] : [null],
};

export function cast(b: Builder, x: Value, dtype: DType): Value {
  return x.dtype === dtype ? x : b.apply(Cast, [x], { to: onnxTypeNumber[dtype] });
}

/** Shape, as int64: a constant as soon as the dimensions are known. */
export const ShapeOp: Op = {
  type: "Shape",
  inputs: [takes("data", anything)],
  attributes: { start: int(0, { since: 15 }), end: int(undefined, { since: 15 }) },
  infer(inputs, attributes) {
    const [start, end] = shapeRange(required("Shape", inputs, 0).shape.length, attributes);
    return [{ dtype: "int64", shape: [Math.max(0, end - start)] }];
  },
  simplify(b, inputs, attributes) {
    const x = required("Shape", inputs, 0);
    const dims = x.shape.slice(...shapeRange(x.shape.length, attributes));
    return dims.every((dim) => typeof dim === "number") ? [b.ints(dims as number[])] : null;
  },
  vjp: () => [null],
};

function shapeRange(rank: number, attributes: Readonly<Record<string, unknown>>): [number, number] {
  const clamp = (axis: number) => Math.min(rank, Math.max(0, axis < 0 ? axis + rank : axis));
  return [
    clamp((attributes.start as number | undefined) ?? 0),
    clamp((attributes.end as number | undefined) ?? rank),
  ];
}

export function shapeOf(b: Builder, x: Value): Value {
  return b.apply(ShapeOp, [x]);
}

/** Reshape; the target may hold one −1, and 0 copies a dimension. Its transpose reshapes back. */
export const Reshape: Op = {
  type: "Reshape",
  inputs: [takes("data", anything), takes("shape", int64, { list: true })],
  attributes: { allowzero: flag(0, { since: 14 }) },
  infer(inputs, attributes) {
    const x = required("Reshape", inputs, 0);
    return [
      { dtype: x.dtype, shape: reshapedShape(x, required("Reshape", inputs, 1), attributes.allowzero === 1) },
    ];
  },
  fold([x, shape], attributes) {
    const to = resolveShape(
      x!.shape,
      Array.from(shape!.data as BigInt64Array, Number),
      attributes.allowzero === 1,
    );
    return [{ ...x!, shape: to as number[] } as Tensor];
  },
  simplify(b, inputs, attributes) {
    const x = required("Reshape", inputs, 0);
    const to = reshapedShape(x, required("Reshape", inputs, 1), attributes.allowzero === 1);
    if (sameShape(x.shape, to)) return [x];
    if (required("Reshape", inputs, 1).constant === null) {
      // one symbolic dimension can as well be inferred: that spares the nodes that compute the shape
      const target = to.map((dim) => (typeof dim === "string" ? -1 : dim));
      const isInferable = target.filter((dim) => dim === -1).length === 1 && target.every((dim) => dim !== 0);
      if (isInferable) return [reshape(b, x, target)];
    }
    const inner = x.node?.op.type === "Reshape" ? x.node.inputs[0]! : null;
    return inner !== null && to.every((dim) => typeof dim === "number")
      ? [reshape(b, inner, to as number[])]
      : null;
  },
  vjp: (b, { inputs: [x] }, [cotangent]) => [reshape(b, cotangent!, x!), null],
};

function reshapedShape(x: Value, target: Value, allowZero: boolean): Dim[] {
  const dims = dimsOf(target) ?? constantInts("Reshape", "the shape", target)!;
  return resolveShape(x.shape, dims, allowZero);
}

function resolveShape(from: Shape, target: Shape, allowZero: boolean): Dim[] {
  const to: Dim[] = target.map((dim, axis) => (dim === 0 && !allowZero ? (from[axis] ?? 0) : dim));
  const unknown = to.indexOf(-1);
  const rest = to.filter((_, axis) => axis !== unknown);
  if (rest.some((dim) => typeof dim === "number" && dim < 0)) throw badReshape(from, target);
  if (unknown >= 0) {
    const dim = quotientOf(from, rest);
    if (dim === null) throw badReshape(from, target);
    to[unknown] = dim;
  } else if (productOf(from) !== productOf(to)) throw badReshape(from, target);
  return to;
}

function badReshape(from: Shape, target: Shape): ShapeError {
  return new ShapeError(
    `Reshape: ${showShape(from)} cannot be read as ${showShape(target)}: the sizes differ.`,
  );
}

/**
 * x with the same elements in another shape: numbers, or the shape of another value. Of the numbers one may be −1, and 0 copies
 * a dimension, unless x is known to be empty: there it is one.
 */
export function reshape(b: Builder, x: Value, shape: readonly number[] | Value): Value {
  if (!Array.isArray(shape)) return b.apply(Reshape, [x, shapeOf(b, shape as Value)]);
  const isZero = x.shape.includes(0) && shape.includes(0) && !shape.includes(-1);
  return b.apply(Reshape, [x, b.ints(shape)], isZero ? { allowzero: 1 } : {});
}

/** Transpose; its transpose is the inverse permutation. */
export const Transpose: Op = {
  type: "Transpose",
  inputs: [takes("data", anything)],
  attributes: { perm: attributeOf("ints") },
  infer(inputs, attributes) {
    const x = required("Transpose", inputs, 0);
    const perm = permutation(x.shape.length, attributes.perm as readonly number[] | undefined);
    return [{ dtype: x.dtype, shape: perm.map((axis) => x.shape[axis]!) }];
  },
  fold([x], attributes) {
    const perm = permutation(x!.shape.length, attributes.perm as readonly number[] | undefined);
    const shape = perm.map((axis) => x!.shape[axis]!);
    const strides = x!.shape.map((_, axis) => sizeOf(x!.shape.slice(axis + 1)));
    const data = Array.from({ length: x!.data.length }, (_, flat) => {
      let rest = flat;
      let from = 0;
      for (let axis = shape.length - 1; axis >= 0; axis--) {
        from += (rest % shape[axis]!) * strides[perm[axis]!]!;
        rest = Math.floor(rest / shape[axis]!);
      }
      return x!.data[from]!;
    });
    return [tensor(x!.dtype, shape, data)];
  },
  /** The identity; or a transposition of a transposition, which is one. */
  simplify(b, [x], attributes) {
    const perm = permutation(x!.shape.length, attributes.perm as readonly number[] | undefined);
    if (perm.every((axis, i) => axis === i)) return [x!];
    const inner = x!.node;
    if (inner?.op !== Transpose) return null;
    const first = permutation(perm.length, inner.attributes.perm as readonly number[] | undefined);
    return [
      transpose(
        b,
        inner.inputs[0]!,
        perm.map((axis) => first[axis]!),
      ),
    ];
  },
  vjp(b, { inputs: [x], attributes }, [cotangent]) {
    const perm = permutation(x!.shape.length, attributes.perm as readonly number[] | undefined);
    return [
      transpose(
        b,
        cotangent!,
        perm.map((_, axis) => perm.indexOf(axis)),
      ),
    ];
  },
};

function permutation(rank: number, perm: readonly number[] | undefined): readonly number[] {
  if (perm === undefined) return Array.from({ length: rank }, (_, i) => rank - 1 - i);
  if (perm.length === rank && perm.every((_, axis) => perm.includes(axis))) return perm;
  throw new ShapeError(
    `Transpose: ${showShape(perm)} is not a permutation of the ${rank} axes of the operand.`,
  );
}

/** Permutes axes: result axis i is operand axis perm[i]. */
export function transpose(b: Builder, x: Value, perm: readonly number[]): Value {
  return b.apply(Transpose, [x], { perm });
}

/** Squeeze: drops axes of size 1 (all of them, or those given). */
export const Squeeze: Op = {
  type: "Squeeze",
  inputs: [takes("data", anything), mayTake("axes", int64, { since: 13 })],
  attributes: { axes: attributeOf("ints", { until: 13 }) },
  infer(inputs) {
    const x = required("Squeeze", inputs, 0);
    const given = constantInts("Squeeze", "axes", inputs[1]);
    const axes = given === null ? undefined : normaliseAxes(given, x.shape.length, "Squeeze");
    for (const axis of axes ?? []) {
      if (x.shape[axis] !== 1)
        throw new ShapeError(`Squeeze: axis ${axis} of ${showType(x)} is not of size 1.`);
    }
    const shape = x.shape.filter((dim, axis) => (axes === undefined ? dim !== 1 : !axes.includes(axis)));
    return [{ dtype: x.dtype, shape }];
  },
  fold: ([x, axes]) => [
    {
      ...x!,
      shape: x!.shape.filter((dim, axis) =>
        axes === null || axes === undefined
          ? dim !== 1
          : !Array.from(axes.data as BigInt64Array, (a) =>
              normaliseAxis(Number(a), x!.shape.length, "Squeeze"),
            ).includes(axis),
      ),
    } as Tensor,
  ],
  vjp: (b, { inputs: [x] }, [cotangent]) => [reshape(b, cotangent!, x!), null],
};

/** Unsqueeze: inserts axes of size 1, counted in the result. */
export const Unsqueeze: Op = {
  type: "Unsqueeze",
  inputs: [takes("data", anything), takes("axes", int64, { since: 13 })],
  attributes: { axes: attributeOf("ints", { until: 13, required: true }) },
  infer(inputs) {
    const x = required("Unsqueeze", inputs, 0);
    const axes = constantInts("Unsqueeze", "axes", required("Unsqueeze", inputs, 1))!;
    return [{ dtype: x.dtype, shape: unsqueezed(x.shape, axes) }];
  },
  fold: ([x, axes]) => [
    {
      ...x!,
      shape: unsqueezed(x!.shape, Array.from(axes!.data as BigInt64Array, Number)) as number[],
    } as Tensor,
  ],
  vjp: (b, { inputs: [x] }, [cotangent]) => [reshape(b, cotangent!, x!), null],
};

function unsqueezed(shape: Shape, axes: readonly number[]): Dim[] {
  const rank = shape.length + axes.length;
  const inserted = new Set(normaliseAxes(axes, rank, "Unsqueeze"));
  const rest = shape[Symbol.iterator]();
  return Array.from({ length: rank }, (_, axis) => (inserted.has(axis) ? 1 : rest.next().value!));
}

export function squeeze(b: Builder, x: Value, axes: readonly number[]): Value {
  return b.apply(Squeeze, [x, b.ints(axes)]);
}

export function unsqueeze(b: Builder, x: Value, axes: readonly number[]): Value {
  return b.apply(Unsqueeze, [x, b.ints(axes)]);
}

/** Flatten to two axes, split before `axis`. */
export const Flatten: Op = {
  type: "Flatten",
  inputs: [takes("input", anything)],
  attributes: { axis: int(1) },
  infer(inputs, attributes) {
    const x = required("Flatten", inputs, 0);
    return [{ dtype: x.dtype, shape: flattenedShape(x.shape, attributes) }];
  },
  fold: ([x], attributes) => [{ ...x!, shape: flattenedShape(x!.shape, attributes) as number[] } as Tensor],
  vjp: (b, { inputs: [x] }, [cotangent]) => [reshape(b, cotangent!, x!)],
};

function flattenedShape(shape: Shape, attributes: Readonly<Record<string, unknown>>): Dim[] {
  const given = (attributes.axis as number | undefined) ?? 1;
  const axis = given === shape.length ? given : normaliseAxis(given, shape.length, "Flatten");
  return [productOf(shape.slice(0, axis)), productOf(shape.slice(axis))];
}
