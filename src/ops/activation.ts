import type { Builder } from "../graph/builder.js";
import { type Attributes, broadcastShapes, type Op, type Value } from "../graph/graph.js";
import { float, floats, signed, takes, wide } from "../graph/signature.js";
import { add, div, mul, neg, sub } from "./arithmetic.js";
import { sumTo } from "./broadcast.js";
import { abs, exp, log1p } from "./elementwise.js";
import { larger, maximum, minimum } from "./extrema.js";
import { foldBinary } from "./folding.js";
import { and, greater, less, where } from "./logic.js";
import { floatOf, type Operand, operand, required } from "./operand.js";
import { tanh } from "./trigonometry.js";
import { unary } from "./unary.js";
import { written } from "./written.js";

/** 1 / (1 + e⁻ˣ), without overflow: ȳ y (1 − y) */
export const Sigmoid: Op = unary("Sigmoid", {
  f: sigmoidOf,
  vjp: (b, g, _x, y) => mul(b, g, mul(b, y, sub(b, 1, y))),
});

function sigmoidOf(x: number): number {
  return x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x));
}

/** max(x, 0): ȳ where it is more than 0, so that x itself need not be kept */
export const Relu: Op = unary("Relu", {
  types: signed,
  f: (x) => (x < 0 ? 0 : x),
  exact: (x) => larger(x, 0n),
  vjp: (b, g, _x, y) => where(b, greater(b, y, 0), g, 0),
});

/** x, or α x below 0 */
export const LeakyRelu: Op = unary("LeakyRelu", {
  attributes: { alpha: float(0.01) },
  f: (x, a) => (x < 0 ? floatOf(a, "alpha", 0.01) * x : x),
  vjp: (b, g, x, _y, a) => leak(b, x, g, floatOf(a, "alpha", 0.01)),
  formula: (b, x, a) => leak(b, x, x, floatOf(a, "alpha", 0.01)),
});

function leak(b: Builder, x: Value, value: Value, alpha: number): Value {
  return where(b, less(b, x, 0), mul(b, value, alpha), value);
}

/** x, or 0 up to α */
export const ThresholdedRelu: Op = unary("ThresholdedRelu", {
  since: 10,
  attributes: { alpha: float(1) },
  f: (x, a) => (x > floatOf(a, "alpha", 1) ? x : 0),
  vjp: (b, g, x, _y, a) => where(b, greater(b, x, floatOf(a, "alpha", 1)), g, 0),
  formula: (b, x, a) => where(b, greater(b, x, floatOf(a, "alpha", 1)), x, 0),
});

/**
 * eˣ − 1 for x ≤ 0 as 2 t / (1 − t), t = tanh(x / 2), which does not cancel at 0.
 */
function expm1(b: Builder, x: Value): Value {
  const t = tanh(b, mul(b, x, 0.5));
  return div(b, mul(b, t, 2), sub(b, 1, t));
}

/** The exponential units: y = γ x above 0, γ α (exp(x / β) − 1) below, so that y′ = γ or γ α / β exp(x / β). */
interface ExponentialUnit {
  readonly alpha: number;
  readonly beta: number;
  readonly gamma: number;
}

function exponentialUnit(
  type: string,
  attributes: NonNullable<Op["attributes"]>,
  read: (attributes: Attributes) => ExponentialUnit,
): Op {
  return unary(type, {
    attributes,
    f(x, a) {
      const { alpha, beta, gamma } = read(a);
      return gamma * (x < 0 ? alpha * Math.expm1(x / beta) : x);
    },
    vjp(b, g, x, _y, a) {
      const { alpha, beta, gamma } = read(a);
      const below = mul(b, exp(b, scaled(b, minimum(b, x, 0), beta)), (alpha * gamma) / beta);
      // without a bend at 0 it is γ of itself above
      if (alpha === beta) return mul(b, g, below);
      return where(b, less(b, x, 0), mul(b, g, below), mul(b, g, gamma));
    },
    formula(b, x, a) {
      const { alpha, beta, gamma } = read(a);
      const below = mul(b, expm1(b, scaled(b, minimum(b, x, 0), beta)), alpha * gamma);
      return where(b, less(b, x, 0), below, mul(b, x, gamma));
    },
  });
}

function scaled(b: Builder, x: Value, beta: number): Value {
  return beta === 1 ? x : div(b, x, beta);
}

export const Elu: Op = exponentialUnit("Elu", { alpha: float(1) }, (a) => ({
  alpha: floatOf(a, "alpha", 1),
  beta: 1,
  gamma: 1,
}));

export const Selu: Op = exponentialUnit(
  "Selu",
  { alpha: float(1.6732632423543772), gamma: float(1.0507009873554805) },
  (a) => ({
    alpha: floatOf(a, "alpha", 1.6732632423543772),
    beta: 1,
    gamma: floatOf(a, "gamma", 1.0507009873554805),
  }),
);

/** max(x, 0) + min(α (exp(x / α) − 1), 0). ONNX has it in float32 only, so float64 is taken apart at once. */
export const Celu: Op = (() => {
  const record = exponentialUnit("Celu", { alpha: float(1) }, (a) => ({
    alpha: floatOf(a, "alpha", 1),
    beta: floatOf(a, "alpha", 1),
    gamma: 1,
  }));
  return {
    ...record,
    since: 12,
    simplify: (b, inputs, attributes) =>
      inputs[0]!.dtype === "float64" ? record.decompose!(b, inputs, attributes) : null,
  } satisfies Op;
})();

/** log(1 + eˣ) = max(x, 0) + log1p(exp(−|x|)): ȳ σ(x) */
export const Softplus: Op = unary("Softplus", {
  f: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  vjp: (b, g, x) => mul(b, g, sigmoid(b, x)),
  formula: (b, x) => add(b, maximum(b, x, 0), log1p(b, exp(b, neg(b, abs(b, x))))),
});

/** x / (1 + |x|): ȳ / (1 + |x|)² */
export const Softsign: Op = unary("Softsign", {
  f: (x) => x / (1 + Math.abs(x)),
  vjp(b, g, x) {
    const width = add(b, abs(b, x), 1);
    return div(b, g, mul(b, width, width));
  },
  formula: (b, x) => div(b, x, add(b, abs(b, x), 1)),
});

/** min(max(α x + β, 0), 1) with its slope: ȳ α where 0 < α x + β < 1 */
export const HardSigmoid: Op = unary("HardSigmoid", {
  attributes: { alpha: float(0.2), beta: float(0.5) },
  f: (x, a) => ramp(x, floatOf(a, "alpha", 0.2), floatOf(a, "beta", 0.5)),
  vjp(b, g, x, _y, a) {
    const alpha = floatOf(a, "alpha", 0.2);
    return where(b, isOnRamp(b, x, alpha, floatOf(a, "beta", 0.5)), mul(b, g, alpha), 0);
  },
  formula: (b, x, a) => rampFormula(b, x, floatOf(a, "alpha", 0.2), floatOf(a, "beta", 0.5)),
});

/** x min(max(x / 6 + 1/2, 0), 1): ȳ (ramp + x / 6 on the ramp) */
export const HardSwish: Op = unary("HardSwish", {
  since: 14,
  f: (x) => x * ramp(x, 1 / 6, 0.5),
  vjp(b, g, x) {
    const sloped = where(b, isOnRamp(b, x, 1 / 6, 0.5), mul(b, x, 1 / 6), 0);
    return mul(b, g, add(b, rampFormula(b, x, 1 / 6, 0.5), sloped));
  },
  formula: (b, x) => mul(b, x, rampFormula(b, x, 1 / 6, 0.5)),
});

function ramp(x: number, alpha: number, beta: number): number {
  return Math.max(0, Math.min(1, alpha * x + beta));
}

function rampFormula(b: Builder, x: Value, alpha: number, beta: number): Value {
  return maximum(b, minimum(b, add(b, mul(b, x, alpha), beta), 1), 0);
}

function isOnRamp(b: Builder, x: Value, alpha: number, beta: number): Value {
  const line = add(b, mul(b, x, alpha), beta);
  return and(b, greater(b, line, 0), less(b, line, 1));
}

/** x + bias below −λ, x − bias above λ, 0 between: ȳ outside */
export const Shrink: Op = written(
  {
    type: "Shrink",
    since: 9,
    inputs: [takes("input", floats)],
    attributes: { bias: float(0), lambd: float(0.5) },
  },
  (b, [x], a) => {
    const [bias, lambda] = [floatOf(a, "bias", 0), floatOf(a, "lambd", 0.5)];
    const below = where(b, less(b, x!, -lambda), add(b, x!, bias), 0);
    return [where(b, greater(b, x!, lambda), sub(b, x!, bias), below)];
  },
);

/** x tanh(softplus x): with t = tanh(softplus x), ȳ (t + x (1 − t²) σ(x)) */
export const Mish: Op = unary("Mish", {
  since: 18,
  f: (x) => x * Math.tanh(Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))),
  vjp(b, g, x) {
    const t = tanh(b, softplus(b, x));
    const change = mul(b, mul(b, x, sub(b, 1, mul(b, t, t))), sigmoid(b, x));
    return mul(b, g, add(b, t, change));
  },
  formula: (b, x) => mul(b, x, tanh(b, softplus(b, x))),
});

/**
 * PRelu: y = x, or s x below 0, where the slope s broadcasts to x.
 *
 *   x̄ = ȳ or s ȳ;  s̄ = x ȳ below 0
 */
export const PRelu: Op = {
  type: "PRelu",
  inputs: [takes("X", wide), takes("slope", wide)],
  infer(inputs) {
    const [x, slope] = [required("PRelu", inputs, 0), required("PRelu", inputs, 1)];
    return [{ dtype: x.dtype, shape: broadcastShapes("PRelu", x.shape, slope.shape) }];
  },
  fold: ([x, slope]) => [
    foldBinary(
      x!,
      slope!,
      x!.dtype,
      (v, s) => (v < 0 ? s * v : v),
      (v, s) => (v < 0n ? s * v : v),
    ),
  ],
  vjp(b, { inputs: [x, slope] }, [cotangent]) {
    const g = cotangent!;
    const isBelow = less(b, x!, 0);
    return [
      sumTo(b, where(b, isBelow, mul(b, g, slope!), g), x!),
      sumTo(b, where(b, isBelow, mul(b, g, x!), 0), slope!),
    ];
  },
  decompose: (b, [x, slope]) => [where(b, less(b, x!, 0), mul(b, x!, slope!), x!)],
};

/** Swish (opset 24): x σ(α x) */
export function swish(b: Builder, x: Value, alpha = 1): Value {
  return mul(b, x, sigmoid(b, mul(b, x, alpha)));
}

export function sigmoid(b: Builder, x: Value): Value {
  return b.apply(Sigmoid, [x]);
}

export function relu(b: Builder, x: Value): Value {
  return b.apply(Relu, [x]);
}

export function leakyRelu(b: Builder, x: Value, alpha = 0.01): Value {
  return b.apply(LeakyRelu, [x], { alpha });
}

export function elu(b: Builder, x: Value, alpha = 1): Value {
  return b.apply(Elu, [x], alpha === 1 ? {} : { alpha });
}

export function selu(b: Builder, x: Value): Value {
  return b.apply(Selu, [x]);
}

export function celu(b: Builder, x: Value, alpha = 1): Value {
  return b.apply(Celu, [x], alpha === 1 ? {} : { alpha });
}

export function softplus(b: Builder, x: Value): Value {
  return b.apply(Softplus, [x]);
}

export function softsign(b: Builder, x: Value): Value {
  return b.apply(Softsign, [x]);
}

export function hardSigmoid(b: Builder, x: Value): Value {
  return b.apply(HardSigmoid, [x]);
}

export function hardSwish(b: Builder, x: Value): Value {
  return b.apply(HardSwish, [x]);
}

export function mish(b: Builder, x: Value): Value {
  return b.apply(Mish, [x]);
}

export function prelu(b: Builder, x: Value, slope: Operand): Value {
  return b.apply(PRelu, [x, operand(b, slope, x.dtype)]);
}
