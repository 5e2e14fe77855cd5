import { pullback } from "../autodiff/vjp.js";
import { ShapeError, showShape } from "../core/tensor.js";
import type { VectorField } from "../fields/field.js";
import type { Value } from "../graph/graph.js";
import { expandTo } from "../ops/broadcast.js";
import { concat, split } from "../ops/slicing.js";

/** What the states of a field are differentiated with respect to. */
export interface Sensitivities {
  /** y with its derivatives as one state, [batch, dim (1 + columns)] */
  readonly field: VectorField;
  /** how many derivatives there are: of the parameters in their order, then of the components of y(t₀) */
  readonly columns: number;
  /** the state at t₀ of given initial states, rows of y: y itself, 0 for each parameter, the identity for y(t₀) */
  readonly start: (y0: readonly number[]) => number[];
}

/**
 * A field together with its forward sensitivities:
 *
 *   y' = f(t, y; θ),   Sⱼ' = (∂f/∂y) Sⱼ + ∂f/∂θⱼ,   Sⱼ = ∂y/∂θⱼ
 *
 * for scalar parameters θⱼ, and likewise without the last term for the initial state. One step of an explicit method on all
 * of it gives the derivative of that step of y: solved on the same times, S is exact for what the solver computes.
 *
 * Products with the Jacobian are made of pullbacks, of which the first is linear in its cotangent u: for g(u) = (∂f/∂y)ᵀ u, a
 * pullback of g with respect to u at the cotangent v is (∂f/∂y) v.
 *
 * @throws {ShapeError} unless states are rows of a batch
 */
export function withSensitivities(
  field: VectorField,
  names: readonly string[],
  { ofStart }: { readonly ofStart: boolean },
): Sensitivities {
  const [batch, dim] = field.state;
  if (field.state.length !== 2 || typeof batch !== "string" || typeof dim !== "number") {
    throw new ShapeError(
      `Sensitivities are those of states [batch, components], but those of "${field.name}" are ${showShape(field.state)}.`,
    );
  }
  const columns = names.length + (ofStart ? dim : 0);
  return {
    columns,
    start: (y0) => [
      ...y0,
      ...names.flatMap(() => y0.map(() => 0)),
      ...(ofStart ? y0.flatMap((_, i) => y0.map((__, j) => (i === j ? 1 : 0))) : []),
    ],
    field: {
      name: `sensitivities of ${field.name}`,
      state: ["batch", dim * (1 + columns)],
      parameters: field.parameters,
      ...(field.dtype === undefined ? {} : { dtype: field.dtype }),
      ...(field.jumps === undefined ? {} : { jumps: field.jumps }),
      apply(b, theta, t, state, inside) {
        const [y, ...s] = split(b, state, 1, new Array<number>(1 + columns).fill(dim)) as [Value, ...Value[]];
        const slope = field.apply(b, theta, t, y, inside);
        // any cotangent does that the field has not seen
        const u = s[0];
        if (u === undefined) return slope;
        const wrt = names.map((name) => theta[name]!);
        const [ofY, ...ofTheta] = pullback(b, [slope], [u], [y, ...wrt]);
        const moved = s.map((tangent, j) => {
          const own = ofTheta[j] ?? null;
          const outputs = [ofY, own].filter((value) => value != null);
          const seeds = [
            ...(ofY == null ? [] : [tangent]),
            ...(own === null ? [] : [b.scalar(y.dtype as "float64", 1)]),
          ];
          return pullback(b, outputs, seeds, [u])[0] ?? expandTo(b, b.scalar(y.dtype as "float64", 0), y);
        });
        return concat(b, [slope, ...moved], 1);
      },
    },
  };
}
