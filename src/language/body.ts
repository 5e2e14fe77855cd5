import type { Values } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { dropout } from "../nn/dropout.js";
import { type Parametrised, parametersOf, partOf, type Training } from "../nn/layer.js";
import { type Attend, causal } from "./attention.js";
import { cells } from "./cell.js";
import type { LanguageConfiguration } from "./configuration.js";

/** What makes states that a head can read of embedded tokens. */
export interface Body extends Parametrised {
  /** Of whole windows, with its own way back. @param x  rows [batch · length, width] */
  readonly apply: (b: Builder, theta: Values, x: Value, training: Training | null) => BodyOutput;
  /** attentions of {@link unrolled}, in their order */
  readonly attentions: number;
  /**
   * The same node by node, where queries meet keys in another way: at one place of a window, say. A solve takes all its steps.
   *
   * @param length  places of x in each sequence
   */
  readonly unrolled: (b: Builder, theta: Values, x: Value, length: number, attend: Attend) => Value;
}

export interface BodyOutput {
  readonly states: Value;
  /** how far a solve came, where there is one */
  readonly solve: { readonly residual: Value; readonly steps: Value } | null;
}

/** Cells one after the other, each with parameters of its own. */
export function transformerBody(configuration: LanguageConfiguration): Body {
  const { length, layers, cell } = configuration;
  const names = Array.from({ length: layers }, (_, i) => String(i));
  const parts = Object.fromEntries(names.map((name) => [name, cells[cell](configuration)]));
  const drop = dropout(configuration.dropout);
  const through = (
    b: Builder,
    theta: Values,
    x: Value,
    within: { length: number; attend: Attend },
    training: Training | null,
  ) =>
    names.reduce(
      (z, name) =>
        parts[name]!.apply(b, partOf(theta, name), z, null, {
          ...within,
          drop: (scope, value) => drop.apply(scope, {}, value, training),
        }),
      x,
    );
  return {
    ...parametersOf(parts),
    attentions: layers,
    apply: (b, theta, x, training) => ({
      states: through(b, theta, x, { length, attend: causal }, training),
      solve: null,
    }),
    unrolled: (b, theta, x, own, attend) => through(b, theta, x, { length: own, attend }, null),
  };
}
