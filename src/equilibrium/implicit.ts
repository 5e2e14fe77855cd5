import { pullback } from "../autodiff/vjp.js";
import type { Values } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { add } from "../ops/arithmetic.js";
import { type Cell, type Iteration, iterationOf } from "./cell.js";
import { mixed } from "./solver.js";

// Gradients that need the fixed point alone, and not how it was found.

/** A fixed point, and its cotangent or that of f(z). */
export interface Point {
  readonly z: Value;
  readonly cotangent: Value;
}

/**
 * The fixed-point problem of the implicit function theorem,
 *
 *   g = (∂f/∂z)ᵀ g + z̄   at z = f(z),
 *
 * a cell as any other: it is solved by the same solvers, and differentiated by the same theorem.
 *
 * @param like  has the element type that f is computed in
 */
export function adjointProblem(
  cell: Cell,
  given: Values,
  { z, cotangent, like }: Point & { readonly like: Value },
): { readonly cell: Cell; readonly given: Values } {
  const name = `adjoint of ${cell.name}`;
  // names of its own, also for the adjoint of an adjoint
  const [pointName, cotangentName] = [`point of the ${name}`, `cotangent of the ${name}`];
  return {
    cell: {
      name,
      apply(b, { [pointName]: point, [cotangentName]: incoming, ...own }, g) {
        const f = iterationOf(cell, own, like);
        const [pulled] = pullback(b, [f(b, point!)], [g], [point!]);
        return pulled ? add(b, pulled, incoming!) : incoming!;
      },
    },
    given: { ...given, [pointName]: z, [cotangentName]: cotangent },
  };
}

/** (∂f/∂x)ᵀ g for each of what a cell reads, at a fixed point that is held. */
export function pulledAt(b: Builder, f: Iteration, { z, cotangent }: Point, wrt: readonly Value[]) {
  return pullback(b, [f(b, z)], [cotangent], [z, ...wrt]).slice(1);
}

/** Cotangents through k damped steps from a fixed point that is held. */
export function pulledThroughSteps(
  b: Builder,
  f: Iteration,
  { z, cotangent }: Point,
  { steps, relaxation }: { readonly steps: number; readonly relaxation: number },
  wrt: readonly Value[],
) {
  let end = z;
  for (let step = 0; step < steps; step++) end = mixed(b, relaxation, end, f(b, end));
  return pullback(b, [end], [cotangent], [z, ...wrt]).slice(1);
}
