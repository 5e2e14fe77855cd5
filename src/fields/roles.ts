import { type Model, type ModelNode, shownNode } from "../graph/model.js";
import type { StoredArray } from "../import/stored.js";
import { type Dataflow, type Flowing, readersOf, sourceOf, type Use } from "./dataflow.js";
import { patternOf } from "./structure.js";

// What a stored array does in a model. Exporters store the numbers of a program (an exponent, an epsilon) beside those
// of the model (a weight, a rate), under names that they make up for both, so what tells them apart is their use.

/**
 * How an array is used: as a number of the program, as a block that the program builds on, as a parameter, or in a way
 * that tells neither.
 */
export interface Role {
  readonly kind: "literal" | "block" | "parameter" | "open";
  /** a sentence without its subject: "is the exponent of …" */
  readonly reason: string;
}

/** Largest number that is taken for an epsilon where it is added before a root, a logarithm or a division. */
const largestEpsilon = 1e-3;

/** Coefficients that have a name: those of the two forms of gelu, and what mathematics gives. */
const coefficients: readonly (readonly [number, string])[] = [
  [0.044715, "0.044715, as in gelu"],
  [Math.sqrt(2 / Math.PI), "√(2/π), as in gelu"],
  [1.702, "1.702, as in gelu"],
  [Math.SQRT1_2, "1/√2"],
  [Math.SQRT2, "√2"],
  [Math.PI, "π"],
  [2 * Math.PI, "2π"],
  [Math.PI / 2, "π/2"],
  [Math.sqrt(2 * Math.PI), "√(2π)"],
  [1 / Math.sqrt(2 * Math.PI), "1/√(2π)"],
  [Math.E, "e"],
  [Math.LN2, "ln 2"],
];

/** The role of one array. */
export function roleOf(model: Model, array: StoredArray, value: Flowing, { differentiated }: Dataflow): Role {
  const { value: tensor } = array;
  const literal = (reason: string): Role => ({ kind: "literal", reason });
  if (!(tensor.data as Float64Array).every(Number.isFinite)) return literal("is not finite");
  const uses = [...readersOf(value)];
  if (!differentiated.has(value)) {
    return literal(
      "decides shapes, indices or conditions, or nothing: no derivative of the output passes to it",
    );
  }
  // one number that is an exponent anywhere is none of the model's; an array may be a bound in one place and a rate elsewhere
  const reasons = uses.map((use) => literalUse(use, array));
  const [reason] = tensor.data.length === 1 ? reasons.filter((each) => each !== null) : reasons;
  if (reason && (tensor.data.length === 1 || reasons.every((each) => each !== null))) return literal(reason);
  if (array.kind === "attribute") {
    return { kind: "parameter", reason: `is an attribute of ${shownNode(uses[0]!.node)}` };
  }
  const standardising = standardisation(model, array, value);
  if (standardising !== null) return literal(standardising);
  const structural = structure(array, uses);
  if (structural !== null) return structural;
  const weight = uses.map((use) => parameterUse(use, array)).find((reason) => reason !== null);
  if (weight !== undefined) return { kind: "parameter", reason: weight };
  const one = tensor.data.length === 1;
  return { kind: "open", reason: one ? "is a single number" : "is an array of floats" };
}

/** What makes of an array, used so, a number of the program; `null` if nothing does. */
function literalUse({ node, operand, results }: Use, { value }: StoredArray): string | null {
  const where = shownNode(node);
  const one = value.data.length === 1 ? Number(value.data[0]) : null;
  if (node.domain !== "") return null;
  switch (node.opType) {
    case "Pow":
      return operand === 1 ? `is the exponent of ${where}` : null;
    case "Clip":
      return operand > 0 ? `is a bound of ${where}` : null;
    case "Max":
    case "Min":
      return `is a bound of ${where}`;
    case "Mod":
      return operand === 1 ? `is the modulus of ${where}` : null;
    case "Where":
      return one !== null ? `is what ${where} fills in` : null;
    case "Pad":
      return operand > 0 ? `is what ${where} fills in` : null;
    case "BatchNormalization":
      return operand > 2 ? `is a statistic that ${where} normalises with` : null;
  }
  if (one === null) return null;
  const product = ["MatMul", "Gemm", "Einsum"].includes(node.opType);
  if (product && Math.abs(one) === 1) return `is the 1 that ${where} starts a derivative with`;
  const sum = ["Add", "Sub", "Sum"].includes(node.opType);
  if (sum && Math.abs(one) === 1) return `is the 1 of a 1 ± x, in ${where}`;
  if (sum && one !== 0 && Math.abs(one) <= largestEpsilon) {
    const under = results[0] && leadsTo(results[0], isSingularAtZero, ["Abs", "Sqrt"]);
    if (under) return `is an epsilon, added before ${shownNode(under)}`;
  }
  if (["Mul", "Div"].includes(node.opType)) {
    const softmax = results[0] && leadsTo(results[0], ({ node }) => isSoftmax(node), onTheWayToScores);
    if (softmax) return `scales what ${shownNode(softmax)} is taken of`;
    const known = coefficients.find(([number]) => Math.abs(Math.abs(one) - number) <= 2e-7 * number);
    if (known !== undefined) return `is the coefficient ${known[1]}`;
  }
  return null;
}

/** Operators whose result or slope is infinite at 0. */
function isSingularAtZero({ node, operand }: Use): boolean {
  if (["Sqrt", "Reciprocal", "Log"].includes(node.opType)) return true;
  return (node.opType === "Div" && operand === 1) || (node.opType === "Pow" && operand === 0);
}

function isSoftmax({ opType }: ModelNode): boolean {
  return opType === "Softmax" || opType === "LogSoftmax";
}

/** From scores or queries to a softmax, masks among it. */
const onTheWayToScores = ["Add", "Sub", "Where", "MatMul", "Mul", "Div"];

/** The first node on the way of a value, through operators of some kinds, for which something holds. */
function leadsTo(start: Flowing, holds: (use: Use) => boolean, through: readonly string[]): ModelNode | null {
  const seen = new Set<Flowing>();
  let front = [start];
  for (let depth = 0; depth < 6 && front.length > 0 && seen.size < 1000; depth++) {
    const next: Flowing[] = [];
    for (const value of front) {
      if (seen.has(value)) continue;
      seen.add(value);
      for (const use of readersOf(value)) {
        if (holds(use)) return use.node;
        if (through.includes(use.node.opType)) next.push(...use.results.slice(0, 1));
      }
    }
    front = next;
  }
  return null;
}

/**
 * Numbers that standardise a state, (y − m) / s, or bring what is computed from it back into its units: m and s belong
 * to the data.
 */
function standardisation(model: Model, array: StoredArray, value: Flowing): string | null {
  // revort called so what was no parameter of a field that it exported, before it wrote down which are
  if (/^revort\b/.test(model.producer) && /^constant_\d+$/.test(array.name)) {
    return "is a constant of the field that revort exported";
  }
  for (const { node, operand, results } of readersOf(value)) {
    if (node.domain !== "" || operand !== 1) continue;
    const other = sourceOf(producerOperand(results[0], 0));
    if (node.opType === "Sub" && other?.given && results.every(isScaled)) {
      return `standardises the state, in ${shownNode(node)}`;
    }
    if ((node.opType === "Div" || node.opType === "Mul") && isCentred(other)) {
      return `standardises the state, in ${shownNode(node)}`;
    }
  }
  return null;
}

function producerOperand(result: Flowing | undefined, operand: number): Flowing | null {
  return result?.producer?.operands[operand] ?? null;
}

/** Whether a value is a given one minus a stored one. */
function isCentred(value: Flowing | null): boolean {
  const producer = value?.producer;
  if (producer?.node.opType !== "Sub") return false;
  const [y, m] = producer.operands.map(sourceOf);
  return y?.given === true && m?.producer === null && !m.given;
}

/** Whether all that is done with a value is to scale it by a stored one. */
function isScaled(value: Flowing): boolean {
  const readers = [...readersOf(value)];
  return (
    readers.length > 0 &&
    readers.every(({ node, operand, results }) => {
      if (!["Div", "Mul"].includes(node.opType) || (node.opType === "Div" && operand === 1)) return false;
      const other = sourceOf(producerOperand(results[0], 1 - operand));
      return (
        other !== null &&
        !other.given &&
        (other.producer === null || other.producer.node.opType === "Constant")
      );
    })
  );
}

/** Blocks that a program builds its results from: zeros, identities, permutations. */
function structure({ value }: StoredArray, uses: readonly Use[]): Role | null {
  const pattern = patternOf(value);
  if (pattern === null) return null;
  if (value.shape.filter((dim) => dim > 1).length > 1) {
    return { kind: "block", reason: `is ${pattern}, as a block of the program is` };
  }
  // a vector of zeros is how a bias begins, and one of ones how a gain does
  const builds = uses.find(({ node, operand }) => isBuilding(node, operand));
  if (builds === undefined) return null;
  return { kind: "block", reason: `is ${pattern}, which ${shownNode(builds.node)} builds on` };
}

function isBuilding({ opType }: ModelNode, operand: number): boolean {
  return opType === "Concat" || opType === "Where" || (/^Scatter/.test(opType) && operand === 0);
}

/** What makes of an array, used so, a parameter without doubt; `null` if nothing does. */
function parameterUse({ node, operand, results }: Use, { value }: StoredArray): string | null {
  const where = shownNode(node);
  if (value.shape.length === 0 || node.domain !== "") return null;
  switch (node.opType) {
    case "MatMul":
    case "Einsum":
      return `is a weight of ${where}`;
    case "Gemm":
    case "Conv":
    case "ConvTranspose":
      return operand === 2 ? `is the bias of ${where}` : `is a weight of ${where}`;
    case "GRU":
    case "LSTM":
    case "RNN":
      return operand === 1 || operand === 2 || operand === 3 ? `is a weight of ${where}` : null;
    case "PRelu":
      return operand === 1 ? `is the slope of ${where}` : null;
    case "LayerNormalization":
    case "GroupNormalization":
    case "InstanceNormalization":
    case "RMSNormalization":
    case "BatchNormalization":
      return operand > 0 ? `is the ${operand === 1 ? "gain" : "bias"} of ${where}` : null;
    case "Add":
    case "Sum": {
      const others = results[0]?.producer?.operands ?? [];
      const product = others.some((other, i) => i !== operand && isProduct(sourceOf(other)));
      return product ? `is the bias of ${where}` : null;
    }
  }
  return null;
}

function isProduct(value: Flowing | null): boolean {
  return ["MatMul", "Gemm", "Einsum", "Conv"].includes(value?.producer?.node.opType ?? "");
}
