import type { Graph } from "../graph/graph.js";
import { inline } from "../graph/passes.js";
import { ifElse } from "../ops/control.js";
import { zerosLike } from "../ops/generate.js";
import type { ControlRule } from "./control-rule.js";

/** An If: cotangents go through the branch that was taken, c̄ = (∂branch/∂c)ᵀ ȳ. */
export const pullIf: ControlRule = (b, node, incoming, wanted, pullback) => {
  const [condition] = node.inputs;
  const through = (name: string) => (inner: Parameters<typeof inline>[0]) => {
    const outputs = inline(inner, node.attributes[name] as Graph, []);
    const pulled = pullback(inner, outputs, incoming, wanted);
    return pulled.map((cotangent, i) => cotangent ?? zerosLike(inner, wanted[i]!));
  };
  const captures = ifElse(b, condition!, through("then_branch"), through("else_branch"));
  return { inputs: [null], captures };
};
