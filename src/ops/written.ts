import { Builder } from "../graph/builder.js";
import type { Attributes, Op, Value } from "../graph/graph.js";
import type { Signature } from "../graph/signature.js";

/** What an operator is made of. */
export type Formula = (
  b: Builder,
  inputs: readonly (Value | null)[],
  attributes: Attributes,
) => readonly Value[];

/**
 * The record of an operator that is written out as others wherever it is applied: no graph holds one. Its results have the
 * types that the formula has.
 */
export function written(signature: Signature, formula: Formula): Op {
  return {
    ...signature,
    infer(inputs, attributes) {
      const b = new Builder();
      const operands = inputs.map((value, i) => {
        if (value === null) return null;
        return value.constant === null
          ? b.input(`x${i}`, value.dtype, value.shape)
          : b.constant(value.constant);
      });
      return formula(b, operands, attributes);
    },
    simplify: (b, inputs, attributes) => formula(b, inputs, attributes),
  };
}
