import { RevortError } from "../core/errors.js";

/** An operator on the path of a derivative that has no rule. */
export class MissingRuleError extends RevortError {
  constructor(readonly operator: string) {
    super(
      `${operator} has no derivative rule, and the result depends on what is differentiated through it. ` +
        "Replace the operator in the model, or add a `vjp` to its record.",
    );
  }
}
