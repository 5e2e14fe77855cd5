import { UnsupportedOperatorError } from "../graph/model.js";

/** Operators whose meaning changed after opset 21, with the opset that changed it. Others only took more types. */
const changed: ReadonlyMap<string, number> = new Map([["Mod", 28]]);

/** Operators whose form before an opset is one that no adapter reads. */
const formedBy: ReadonlyMap<string, number> = new Map([
  ["Scan", 9],
  ["Resize", 11],
]);

/** What to do about operators that are asked for often and will not come. */
const advice: ReadonlyMap<string, string> = new Map([
  ["Upsample", "It was removed from ONNX in opset 10: export the model with opset 21, where it is Resize."],
  ["RandomNormal", noise()],
  ["RandomNormalLike", noise()],
  ["RandomUniform", noise()],
  ["RandomUniformLike", noise()],
  ["Bernoulli", noise()],
  ["Multinomial", noise()],
]);

function noise(): string {
  return (
    "A vector field must give the same result each time it is evaluated: " +
    "switch the module to eval() before exporting, or give the noise as part of the state."
  );
}

/** Why an operator of ONNX's own domain cannot be taken at an opset, in a sentence; `null` if it can. */
export function versionProblem(type: string, version: number): string | null {
  const since = changed.get(type);
  if (since !== undefined && version >= since) {
    return `${type} changed its meaning in opset ${since}, and the model uses opset ${version}. Export it with opset 21.`;
  }
  const first = formedBy.get(type);
  if (first !== undefined && version < first) {
    return `${type} had another form before opset ${first}, and the model uses opset ${version}. Export it with opset 21.`;
  }
  return null;
}

/** Operators of other domains that are no formulas with derivatives, with the reason. */
const underived: ReadonlyMap<string, string> = new Map(
  ["TreeEnsemble", "TreeEnsembleRegressor", "TreeEnsembleClassifier"].map((type) => [
    `ai.onnx.ml.${type}`,
    "Trees are constant in pieces: they have no gradient, and no smooth solution. " +
      "Fit a model that is smooth instead (Ridge, MLPRegressor).",
  ]),
);

/** @returns the error for an operator that revort has no record of */
export function unknownOperator(operator: string, domain: string, node: string): UnsupportedOperatorError {
  const remedy =
    domain === ""
      ? (advice.get(operator) ??
        "Replace it in the model by operators that revort knows, or add its record to src/ops/opset.ts.")
      : (underived.get(operator) ??
        `Only ONNX's own operators and functions that the file defines can be taken, not those of the domain "${domain.slice(0, 80)}". ` +
          "Export the model without contrib or fused operators.");
  return new UnsupportedOperatorError(
    `${node[0]!.toUpperCase()}${node.slice(1)} uses an operator that revort does not know. ${remedy}`,
    operator,
    node,
  );
}
