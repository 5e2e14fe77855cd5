import { isFloat, type Tensor, tensor } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import { showType, type Value } from "../graph/graph.js";
import { ModelError, type ModelNode } from "../graph/model.js";
import {
  anything,
  attributeOf,
  choice,
  floats,
  indices,
  int,
  numeric,
  type Signature,
  separate,
  takes,
} from "../graph/signature.js";
import { onnxTypeNumber } from "../graph/types.js";
import { type Call, emit, like } from "./call.js";
import { inverse } from "./matrices.js";

// Operators that exporters write and that are none of ONNX's own domain: those of ai.onnx.ml that are arithmetic, and
// TensorFlow's, which tf2onnx leaves as they are where ONNX has none. Each is written as others.

/** An operator with what it takes, written as others. */
export interface Foreign {
  readonly signature: Signature;
  /** @param weights  what takes the place of attributes that are weights */
  readonly write: (b: Builder, call: Call, weights: Readonly<Record<string, Value>>) => Value;
  /** the attributes of a node that are weights, as arrays */
  readonly weights?: (node: ModelNode) => Readonly<Record<string, Tensor>>;
}

/** By domain and type, as `shownOperator` has them. */
export const foreign: ReadonlyMap<string, Foreign> = new Map<string, Foreign>([
  [
    "ai.onnx.ml.Scaler",
    {
      signature: {
        type: "Scaler",
        inputs: [takes("X", numeric)],
        attributes: {
          offset: attributeOf("floats", { required: true }),
          scale: attributeOf("floats", { required: true }),
        },
      },
      write: scaler,
    },
  ],
  [
    "ai.onnx.ml.LinearRegressor",
    {
      signature: {
        type: "LinearRegressor",
        inputs: [takes("X", numeric)],
        attributes: {
          coefficients: attributeOf("floats", { required: true }),
          intercepts: attributeOf("floats"),
          post_transform: choice(["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"], {
            only: ["NONE"],
          }),
          targets: int(1),
        },
      },
      write: linearRegressor,
      weights: linearWeights,
    },
  ],
  [
    "ai.onnx.ml.ArrayFeatureExtractor",
    {
      signature: {
        type: "ArrayFeatureExtractor",
        inputs: [takes("X", anything), takes("Y", separate(indices))],
      },
      // X[…, Y], along the last axis
      write: (b, { inputs: [x, y] }) =>
        emit(b, "Gather", [x!, emit(b, "Reshape", [y!, b.ints([-1])])], { axis: -1 }),
    },
  ],
  [
    "Erfc",
    {
      signature: { type: "Erfc", inputs: [takes("x", floats)] },
      // erfc x = 1 − erf x; far out, where it is less than the rounding of 1, it is 0
      write: (b, { inputs: [x] }) => emit(b, "Sub", [like(b, x!, 1), emit(b, "Erf", [x!])]),
    },
  ],
  [
    "TanhGrad",
    {
      signature: { type: "TanhGrad", inputs: [takes("y", floats), takes("dy", floats)] },
      // the cotangent of x for y = tanh x: ȳ (1 − y²)
      write: (b, { inputs: [y, dy] }) =>
        emit(b, "Mul", [dy!, emit(b, "Sub", [like(b, y!, 1), emit(b, "Mul", [y!, y!])])]),
    },
  ],
  [
    "MatrixInverse",
    {
      signature: {
        type: "MatrixInverse",
        inputs: [takes("input", floats)],
        attributes: { adjoint: int(0, { values: [0, 1], only: [0] }) },
      },
      write: inverse,
    },
  ],
]);

/** Scaler: (x − offset) · scale along the last axis, with one number for all or one for each. */
function scaler(b: Builder, call: Call): Value {
  const x = asFloats(b, call);
  const width = x.shape.at(-1);
  const row = (name: "offset" | "scale"): Value => {
    const values = call.attributes[name] as readonly number[];
    if (values.length !== 1 && values.length !== width) {
      throw new ModelError(
        `Scaler: "${name}" has ${values.length} numbers, which are neither one nor one for each of the last axis of ${showType(x)}.`,
      );
    }
    return b.constant(tensor(x.dtype as "float32", [values.length], values));
  };
  return emit(b, "Mul", [emit(b, "Sub", [x, row("offset")]), row("scale")]);
}

/** LinearRegressor: X Cᵀ + b for X [n, features], of shape [n, targets]. */
function linearRegressor(b: Builder, call: Call, given: Readonly<Record<string, Value>>): Value {
  const x = asFloats(b, call);
  const coefficients = call.attributes.coefficients as readonly number[];
  const intercepts = (call.attributes.intercepts as readonly number[] | undefined) ?? null;
  const targets = (call.attributes.targets as number | undefined) ?? 1;
  const features = x.shape.at(-1);
  const fits =
    x.shape.length === 2 &&
    typeof features === "number" &&
    coefficients.length === targets * features &&
    (intercepts === null || intercepts.length === targets);
  if (!fits) {
    throw new ModelError(
      `LinearRegressor: ${coefficients.length} coefficients and ${intercepts?.length ?? 0} intercepts do not make ` +
        `${targets} targets of ${showType(x)}, which must be [n, features].`,
    );
  }
  const array = (shape: number[], values: readonly number[]) =>
    b.constant(tensor(x.dtype as "float32", shape, values));
  const weights = given.coefficients ?? array([targets, features as number], coefficients);
  const bias = intercepts === null ? null : (given.intercepts ?? array([targets], intercepts));
  return emit(b, "Gemm", [x, weights, bias], { transB: 1 });
}

/** C [targets, features] and b [targets], where their numbers make whole rows. */
function linearWeights({ attributes }: ModelNode): Record<string, Tensor> {
  const [c, bias, count] = ["coefficients", "intercepts", "targets"].map((name) => attributes.get(name));
  const targets = count?.kind === "int" ? count.value : 1;
  const found: Record<string, Tensor> = {};
  if (c?.kind === "floats" && targets > 0 && c.value.length % targets === 0) {
    found.coefficients = tensor("float32", [targets, c.value.length / targets], c.value);
  }
  if (bias?.kind === "floats" && bias.value.length === targets) {
    found.intercepts = tensor("float32", [targets], bias.value);
  }
  return found;
}

/** ai.onnx.ml computes in float32, unless the model is taken in another float type. */
function asFloats(b: Builder, { inputs, float }: Call): Value {
  const x = inputs[0]!;
  const dtype = float ?? "float32";
  return isFloat(x.dtype) && x.dtype === dtype ? x : emit(b, "Cast", [x], { to: onnxTypeNumber[dtype] });
}
