import { RevortError } from "../core/errors.js";
import { type Node, shownOrigin } from "../graph/graph.js";

/** An operator on the path of a derivative that has no rule. */
export class MissingRuleError extends RevortError {
  readonly operator: string;

  constructor(node: Pick<Node, "op" | "origin">) {
    super(
      `${shownOrigin(node)} has no derivative yet, and the result depends on what is differentiated through it. ` +
        "Replace the operator in the model, or add a `vjp` to its record.",
    );
    this.operator = node.op.type;
  }
}
