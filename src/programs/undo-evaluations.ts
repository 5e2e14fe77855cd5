import { linksOf } from "../chains/links.js";
import type { VectorField } from "../fields/field.js";
import { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import type { Method, State } from "../methods/method.js";
import { mul } from "../ops/arithmetic.js";
import { gridInputs } from "./inputs.js";
import { solverChain, undoable } from "./solver-chain.js";

/** Methods for split systems cut the state in halves, so the one that evaluations are counted on has two. */
function countingState({ linear }: Method): number[] {
  const { rates, basis } = linear ?? {};
  return [basis?.length ?? (typeof rates === "object" ? rates.length : 2)];
}

/**
 * Evaluations of the field in undoing a step and pulling cotangents through it, counted in the graph.
 *
 * @param times  whether those of the times are wanted too
 */
export function undoEvaluations(method: Method, times: boolean): number {
  const found = new Set<Value>();
  const shape = countingState(method);
  const field: VectorField = {
    name: "counting",
    state: shape,
    parameters: {},
    apply(b, _theta, t, y) {
      const slope = mul(b, y, t);
      found.add(slope);
      return slope;
    },
  };
  const b = new Builder();
  const arrays = (name: string) =>
    Array.from({ length: method.width }, (_, k) => b.input(`${name}${k}`, "float64", shape));
  const { offsets, ...rows } = gridInputs(b, { dtype: "float64", saves: 1 });
  const state = arrays("state");
  const links = linksOf(
    solverChain({ field, method: undoable(method) }),
    { start: state as unknown as State, shared: {}, rows, steps: offsets.shape.length },
    times,
  );
  links.back(b, b.input("i", "int64", []), state, arrays("cotangent"));
  return found.size;
}
