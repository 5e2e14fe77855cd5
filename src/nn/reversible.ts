import { pullback } from "../autodiff/vjp.js";
import type { AdjointSpec } from "../chains/adjoints.js";
import type { Chain } from "../chains/chain.js";
import { runChain } from "../chains/run-chain.js";
import type { Values } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import { normaliseAxis, showType, type Value } from "../graph/graph.js";
import { accumulate, add, sub } from "../ops/arithmetic.js";
import { unsqueeze } from "../ops/reshape.js";
import { concat, split } from "../ops/slicing.js";
import { type Layer, LayerError, parametersOf, partOf, type Training } from "./layer.js";

export interface ReversibleBlocksOptions {
  /** of the two halves of x: 1 by default, features or channels */
  readonly axis?: number;
  /** how they are differentiated: "reversible" by default, which keeps the last activations alone */
  readonly adjoint?: AdjointSpec;
}

type Halves = readonly [Value, Value];

/**
 * Blocks of additive couplings, one after the other, as in a RevNet. The halves x₁, x₂ of what goes in become
 *
 *   y₁ = x₁ + F(x₂),   y₂ = x₂ + G(y₁)
 *
 * which is undone by x₂ = y₂ − G(y₁), x₁ = y₁ − F(x₂): on the way back, activations are not stored but had back from
 * those after. All blocks are of one shape and have parameters of their own, named `0.f.weight`, `0.g.weight`, ….
 *
 * @param count  of blocks
 * @param f  F and G, from a half to one of the same shape; functions of what goes in, so without dropout or statistics
 * @throws {LayerError} for a layer that draws random numbers or keeps statistics, or what cannot be halved
 * @see Gomez, Ren, Urtasun & Grosse 2017, "The reversible residual network", arXiv:1707.04585
 */
export function reversibleBlocks(
  count: number,
  f: Layer,
  g: Layer,
  { axis = 1, adjoint = "reversible" }: ReversibleBlocksOptions = {},
): Layer {
  if (!Number.isInteger(count) || count < 1) {
    throw new LayerError(`There can be no ${count} blocks: give a positive whole number.`);
  }
  const buffer = Object.keys({ ...f.buffers, ...g.buffers })[0];
  if (buffer !== undefined) throw new LayerError(taken(`keeps the buffer "${buffer}"`));
  const names = Object.keys(parametersOf({ f, g }).parameters);
  const blocks = Array.from({ length: count }, (_, i) => [`${i}.f`, `${i}.g`]);
  const parts = Object.fromEntries(
    blocks.flatMap(([own, other]) => [[own!, f] as const, [other!, g] as const]),
  );

  return {
    parameters: parametersOf(parts).parameters,
    apply(b, theta, x, training = null) {
      const halves = halved(b, x, axis);
      const rows = Object.fromEntries(
        names.map((name) => [
          name,
          concat(
            b,
            blocks.map((_, i) => unsqueeze(b, theta[`${i}.${name}`]!, [0])),
            0,
          ),
        ]),
      );
      const { end } = runChain(
        b,
        couplings(f, g, training),
        { start: halves, shared: null, rows, steps: count },
        { adjoint },
      );
      return concat(b, end, axis);
    },
  };
}

function couplings(f: Layer, g: Layer, training: Training | null): Chain<Halves, null, Values> {
  const still = training && withoutChance(training);
  const applied = (b: Builder, layer: Layer, theta: Values, x: Value) => {
    const y = layer.apply(b, theta, x, still);
    if (y.shape.join() === x.shape.join() && y.dtype === x.dtype) return y;
    throw new LayerError(
      `A reversible block adds F(x₂) to x₁, but a layer makes ${showType(y)} of ${showType(x)}. It must keep the shape.`,
    );
  };
  const [F, G] = [
    (b: Builder, row: Values, x: Value) => applied(b, f, partOf(row, "f"), x),
    (b: Builder, row: Values, x: Value) => applied(b, g, partOf(row, "g"), x),
  ];
  return {
    name: "reversible blocks",
    step(b, { row }, [x1, x2]) {
      const y1 = add(b, x1, F(b, row, x2));
      return [y1, add(b, x2, G(b, row, y1))];
    },
    undo(b, { row }, [y1, y2]) {
      const x2 = sub(b, y2, G(b, row, y1));
      return [sub(b, y1, F(b, row, x2)), x2];
    },
    // ȳ₁ ← ȳ₁ + [∂G(y₁)]ᵀ ȳ₂,  x̄₂ = ȳ₂ + [∂F(x₂)]ᵀ ȳ₁,  x̄₁ = ȳ₁: F and G once each
    back(b, { row }, [y1, y2], [bar1, bar2]) {
      const theta = Object.values(row);
      const second = G(b, row, y1);
      const x2 = sub(b, y2, second);
      const [fromG, ...thetaG] = pullback(b, [second], [bar2], [y1, ...theta]);
      const first = F(b, row, x2);
      const own = accumulate(b, bar1, fromG ?? null);
      const [fromF, ...thetaF] = pullback(b, [first], [own], [x2, ...theta]);
      return {
        before: [sub(b, y1, first), x2],
        cotangents: [own, accumulate(b, bar2, fromF ?? null)],
        shared: null,
        row: Object.fromEntries(
          Object.keys(row).map((name, k) => [name, accumulate(b, thetaG[k] ?? null, thetaF[k] ?? null)]),
        ),
      };
    },
  };
}

function halved(b: Builder, x: Value, axis: number): Halves {
  const along = x.shape[normaliseAxis(axis, x.shape.length, "reversibleBlocks")];
  if (typeof along !== "number" || along % 2 !== 0) {
    throw new LayerError(
      `Reversible blocks take halves along axis ${axis}, but ${showType(x)} was given. Give it an even size there.`,
    );
  }
  const [x1, x2] = split(b, x, axis, [along / 2, along / 2]);
  return [x1!, x2!];
}

/** Training of layers that are taken again on the way back. */
function withoutChance(training: Training): Training {
  const refuse = (what: string) => (): never => {
    throw new LayerError(taken(what));
  };
  return {
    ...training,
    uniform: refuse("draws random numbers"),
    normal: refuse("draws random numbers"),
    keep: refuse("keeps statistics"),
  };
}

function taken(what: string): string {
  return (
    `A layer of a reversible block ${what}. Its blocks are computed again on the way back, where that would be another ` +
    "function: use layers without dropout and without batch statistics."
  );
}
