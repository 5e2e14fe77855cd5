import { type DType, integerRange, isFloat, numbers } from "../core/tensor.js";
import { dtypeOfNumber } from "../graph/types.js";
import { type Place, type Rule, type Rules, toFloat } from "./rule.js";

// Operators that compute each element from those at the same place. TensorFlow.js broadcasts as ONNX does.

/** The operator of TensorFlow.js that computes the same. */
const plain =
  (op: string): Rule =>
  ({ w, x }) =>
    w.node(op, x);

/** Integers are cut off towards 0, where TensorFlow.js rounds down: one more where that was below 0 and not exact. */
const divide: Rule = (place) => {
  const { w, node, x } = place;
  const [p, q] = x as readonly [string, string];
  if (isFloat(node.outputs[0]!.dtype)) return quotient(place, p, q);
  checkDivision(place);
  const down = w.node("FloorDiv", [p, q]);
  const rest = w.node("Sub", [p, w.node("Mul", [down, q])]);
  const isBelow = w.node("Less", [down, w.int(0)]);
  const isCut = w.node("LogicalAnd", [isBelow, w.node("NotEqual", [rest, w.int(0)])]);
  return w.node("SelectV2", [isCut, w.node("AddV2", [down, w.int(1)]), down]);
};

/** x / y; NaN for 0 / 0 and ∞ / ∞, where a backend has 1 for that */
function quotient({ w, node, has }: Place, p: string, q: string): string {
  const z = w.node("RealDiv", [p, q]);
  const divisor = node.inputs[1]!.constant;
  const isOrdinary = divisor !== null && numbers(divisor).every((y) => y !== 0 && Number.isFinite(y));
  if (!has("quotients of equals") || isOrdinary) return z;
  const isNothing = w.node("Equal", [q, w.float(0)]);
  const isEndless = w.node("Equal", [w.node("Abs", [q]), w.float(Number.POSITIVE_INFINITY)]);
  const isEqual = w.node("Equal", [p, q]);
  const isUndefined = w.node("LogicalAnd", [isEqual, w.node("LogicalOr", [isNothing, isEndless])]);
  return w.node("SelectV2", [isUndefined, w.float(Number.NaN), z]);
}

/** The remainder with the sign of the divisor; with fmod that of |x| / |y| with the sign of x. */
const remainder: Rule = (place) => {
  const { w, node, x } = place;
  const [p, q] = x as readonly [string, string];
  const isFloating = isFloat(node.outputs[0]!.dtype);
  if (!isFloating) checkDivision(place);
  else if (place.has("remainders")) place.refuse("its remainders of floats have few digits");
  if (node.attributes.fmod !== 1) return w.node("FloorMod", [p, q]);
  const zero = isFloating ? w.float(0) : w.int(0);
  const size = (value: string) =>
    w.node("SelectV2", [w.node("Less", [value, zero]), w.node("Neg", [value]), value]);
  const rest = w.node("FloorMod", [size(p), size(q)]);
  return w.node("SelectV2", [w.node("Less", [p, zero]), w.node("Neg", [rest]), rest]);
};

/** Integers are divided as float32 by some backends, and remainders take a sum with the divisor on the way. */
function checkDivision({ node, bounds, has, refuse }: Place): void {
  const most = has("integer quotients") ? 2 ** 24 : 2 ** 30;
  for (const value of node.inputs) {
    const [low, high] = bounds(value!);
    if (Math.max(-low, high) > most) refuse(`it divides integers that may be larger than ${most}`);
  }
}

/** Of integers some backends make float32. */
const absolute: Rule = ({ w, node, x: [x] }) => {
  if (isFloat(node.outputs[0]!.dtype)) return w.node("Abs", [x!]);
  return w.node("SelectV2", [w.node("Less", [x!, w.int(0)]), w.node("Neg", [x!]), x!]);
};

/**
 * Floats become integers by being cut off, and saturate; NaN becomes 0. Bools are whether a number is not 0. All integers
 * are one type here.
 */
const cast: Rule = (place) => {
  const { w, node, x } = place;
  const from = node.inputs[0]!.dtype;
  const to = dtypeOfNumber(node.attributes.to as number, "Cast");
  if (to === "bool") return w.node("NotEqual", [x[0]!, isFloat(from) ? w.float(0) : w.int(0)]);
  if (isFloat(to)) return toFloat(place, x[0]!);
  if (isFloat(from)) return saturated(place, to);
  return from === "bool" ? w.node("Cast", [x[0]!], { DstT: { type: "int32" } }) : w.node("Identity", [x[0]!]);
};

function saturated({ w, x: [x], limit, refuse }: Place, to: DType): string {
  const [low, high] = integerRange(to).map(Number) as [number, number];
  if (low < -limit || high > limit - 1)
    refuse(`it makes ${to} of floats that may be too large for its integers`);
  // of NaN and of numbers out of range nobody says what becomes; −2³¹ and 2³¹ are float32, 2³¹ − 1 is not
  const isTooLow = w.node("Less", [x!, w.float(low)]);
  const isTooHigh = w.node("GreaterEqual", [x!, w.float(high + 1)]);
  const isNumber = w.node("Equal", [x!, x!]);
  const isInside = w.node("LogicalAnd", [
    isNumber,
    w.node("LogicalNot", [w.node("LogicalOr", [isTooLow, isTooHigh])]),
  ]);
  const inside = w.node("SelectV2", [isInside, x!, w.float(0)]);
  const whole = w.node("Cast", [inside], { DstT: { type: "int32" } });
  const below = w.node("SelectV2", [isTooLow, w.int(low), whole]);
  return w.node("SelectV2", [isTooHigh, w.int(high), below]);
}

/** The larger or the smaller of two; NaN where one of them is. */
const extremum =
  (op: string, isFirst: string): Rule =>
  ({ w, node, x: [x, y], has }) => {
    if (!isFloat(node.outputs[0]!.dtype) || !has("extrema of NaN")) return w.node(op, [x!, y!]);
    const larger = w.node("SelectV2", [w.node(isFirst, [x!, y!]), x!, y!]);
    return w.node("SelectV2", [w.node("NotEqual", [x!, x!]), x!, larger]);
  };

/** sin x = 2 t / (1 + t²) with t = tan(x / 2), which is to the last digit where sines are not */
const sine: Rule = ({ w, x: [x], has }) => {
  if (!has("sines")) return w.node("Sin", [x!]);
  const { t, square } = halfTangent(w, x!);
  return w.node("RealDiv", [w.node("AddV2", [t, t]), w.node("AddV2", [w.float(1), square])]);
};

/** cos x = (1 − t²) / (1 + t²) */
const cosine: Rule = ({ w, x: [x], has }) => {
  if (!has("sines")) return w.node("Cos", [x!]);
  const { square } = halfTangent(w, x!);
  const one = w.float(1);
  return w.node("RealDiv", [w.node("Sub", [one, square]), w.node("AddV2", [one, square])]);
};

function halfTangent(w: Place["w"], x: string): { t: string; square: string } {
  const t = w.node("Tan", [w.node("Mul", [x, w.float(0.5)])]);
  return { t, square: w.node("Mul", [t, t]) };
}

/** x ≠ y of truth values */
const exclusiveOr: Rule = ({ w, x: [p, q] }) =>
  w.node("LogicalAnd", [
    w.node("LogicalOr", [p!, q!]),
    w.node("LogicalNot", [w.node("LogicalAnd", [p!, q!])]),
  ]);

/** x = y; of truth values, not (x xor y) */
const equals: Rule = (place) => {
  const { w, node, x } = place;
  return node.inputs[0]!.dtype === "bool"
    ? w.node("LogicalNot", [exclusiveOr(place) as string])
    : w.node("Equal", x);
};

const isInfinite: Rule = ({ w, node, x: [x] }) => {
  const { detect_positive: up = 1, detect_negative: down = 1 } = node.attributes;
  const isUp = w.node("Equal", [x!, w.float(Number.POSITIVE_INFINITY)]);
  const isDown = w.node("Equal", [x!, w.float(Number.NEGATIVE_INFINITY)]);
  if (up === 0 && down === 0) return w.node("LogicalAnd", [isUp, isDown]);
  if (up === 0) return isDown;
  return down === 0 ? isUp : w.node("LogicalOr", [isUp, isDown]);
};

/** A sign that leaves NaN and zeros as they are. */
const sign: Rule = ({ w, node, x: [x] }) => {
  if (!isFloat(node.outputs[0]!.dtype)) return w.node("Sign", [x!]);
  const below = w.node("SelectV2", [w.node("Less", [x!, w.float(0)]), w.float(-1), x!]);
  return w.node("SelectV2", [w.node("Greater", [x!, w.float(0)]), w.float(1), below]);
};

/** max(x, 0) */
const rectify: Rule = ({ w, node, x: [x], has }) => {
  if (!isFloat(node.outputs[0]!.dtype) || !has("rectified infinity")) return w.node("Relu", [x!]);
  return w.node("SelectV2", [w.node("Less", [x!, w.float(0)]), w.float(0), x!]);
};

/** A float power: 1 to any power is 1, and so is −1 to an infinite one, as in C. */
const power: Rule = ({ w, node, x: [x, y], has, refuse }) => {
  const [base, exponent] = node.inputs;
  if (!isFloat(base!.dtype)) refuse("it has no powers of integers");
  const infinite = w.float(Number.POSITIVE_INFINITY);
  let z = w.node("Pow", [x!, y!]);
  if (has("powers of NaN")) {
    // NaN to any power is NaN, but 1 to that of 0
    const isNumbered = w.node("LogicalOr", [w.node("Equal", [x!, x!]), w.node("Equal", [y!, w.float(0)])]);
    z = w.node("SelectV2", [isNumbered, z, x!]);
  }
  const known = exponent!.constant === null ? null : numbers(exponent!.constant);
  let result = z;
  if (has("powers of zero")) {
    const ofZero = w.node("SelectV2", [w.node("Less", [y!, w.float(0)]), infinite, w.float(0)]);
    const powers = w.node("SelectV2", [w.node("Equal", [y!, w.float(0)]), w.float(1), ofZero]);
    const numbered = w.node("SelectV2", [w.node("Equal", [x!, w.float(0)]), powers, z]);
    // of an exponent that is NaN, too
    result = w.node("SelectV2", [w.node("Equal", [y!, y!]), numbered, y!]);
  }
  if (known?.every(Number.isFinite)) return result;
  const isOne = w.node("Equal", [x!, w.float(1)]);
  const isEndless = w.node("Equal", [w.node("Abs", [y!]), infinite]);
  const isTurning = w.node("LogicalAnd", [w.node("Equal", [x!, w.float(-1)]), isEndless]);
  return w.node("SelectV2", [w.node("LogicalOr", [isOne, isTurning]), w.float(1), result]);
};

export const elementwise: Rules = {
  ...{ Add: plain("AddV2"), Sub: plain("Sub"), Mul: plain("Mul"), Neg: plain("Neg"), Div: divide },
  ...{ Mod: remainder, Pow: power },
  ...{ Exp: plain("Exp"), Log: plain("Log"), Sqrt: plain("Sqrt"), Reciprocal: plain("Reciprocal") },
  ...{ Abs: absolute, Sign: sign, Floor: plain("Floor"), Ceil: plain("Ceil"), Round: plain("Round") },
  ...{ Sin: sine, Cos: cosine, Tan: plain("Tan") },
  ...{ Asin: plain("Asin"), Acos: plain("Acos"), Atan: plain("Atan") },
  ...{ Sinh: plain("Sinh"), Cosh: plain("Cosh"), Tanh: plain("Tanh") },
  ...{ Asinh: plain("Asinh"), Acosh: plain("Acosh"), Atanh: plain("Atanh") },
  ...{ Sigmoid: plain("Sigmoid"), Relu: rectify, Softplus: plain("Softplus") },
  ...{ Max: extremum("Maximum", "Greater"), Min: extremum("Minimum", "Less") },
  ...{ Less: plain("Less"), LessOrEqual: plain("LessEqual") },
  ...{ Greater: plain("Greater"), GreaterOrEqual: plain("GreaterEqual"), Equal: equals },
  ...{ And: plain("LogicalAnd"), Or: plain("LogicalOr"), Not: plain("LogicalNot"), Xor: exclusiveOr },
  ...{ IsNaN: plain("IsNan"), IsInf: isInfinite, Where: plain("SelectV2"), Cast: cast },
};
