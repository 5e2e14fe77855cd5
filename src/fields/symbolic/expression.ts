import type { Builder } from "../../graph/builder.js";
import type { Value } from "../../graph/graph.js";
import { add, div, mul, neg, sub } from "../../ops/arithmetic.js";
import { abs, exp, log, sqrt } from "../../ops/elementwise.js";
import { pow } from "../../ops/power.js";
import { cos, sin, tan, tanh } from "../../ops/trigonometry.js";

/** An expression, as it was read; `at` is its place in the text. */
export type Expression =
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "name"; readonly name: string; readonly at: number }
  | { readonly kind: "negative"; readonly of: Expression }
  | {
      readonly kind: "binary";
      readonly operator: Operator;
      readonly left: Expression;
      readonly right: Expression;
    }
  | { readonly kind: "call"; readonly name: FunctionName; readonly given: readonly Expression[] }
  | { readonly kind: "network"; readonly network: Network };

/** A neural network as a term: its widths, as `mlp:16,16` has them. */
export interface Network {
  /** what its parameters are prefixed with */
  readonly name: string;
  readonly hidden: readonly number[];
  /** the state whose equation it is in; `null` for all */
  readonly of: string | null;
}

export const operators = { "+": add, "-": sub, "*": mul, "/": div, "^": pow } as const;
export type Operator = keyof typeof operators;

/** Functions by their names, of one or two arguments. */
export const functions = {
  exp,
  log,
  sin,
  cos,
  tan,
  tanh,
  sqrt,
  abs,
  pow,
} as const satisfies Record<string, (b: Builder, x: Value, y: Value) => Value>;
export type FunctionName = keyof typeof functions;

/** How many arguments a function takes: its formula begins with the builder. */
export const argumentsOf = (name: FunctionName): number => functions[name].length - 1;

/** What names are bound to: columns [batch, 1] and scalars. */
export interface Scope {
  readonly names: ReadonlyMap<string, Value>;
  readonly network: (b: Builder, network: Network) => Value;
  readonly constant: (value: number) => Value;
}

/** An expression as a value of the graph, [batch, 1] or a scalar where no state is in it. */
export function graphOf(b: Builder, expression: Expression, scope: Scope): Value {
  switch (expression.kind) {
    case "number":
      return scope.constant(expression.value);
    case "name":
      return scope.names.get(expression.name)!;
    case "negative":
      return neg(b, graphOf(b, expression.of, scope));
    case "network":
      return scope.network(b, expression.network);
    case "binary": {
      const { operator, left, right } = expression;
      return operators[operator](b, graphOf(b, left, scope), graphOf(b, right, scope));
    }
    case "call": {
      const [x, y] = expression.given.map((one) => graphOf(b, one, scope));
      return functions[expression.name](b, x!, y!);
    }
  }
}
