import { pullback } from "../autodiff/vjp.js";
import { rootMeanSquare } from "../control/norm.js";
import { Random } from "../core/random.js";
import { sizeOf, tensor } from "../core/tensor.js";
import type { Values } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { add, div, mul } from "../ops/arithmetic.js";
import { loop } from "../ops/control.js";
import { log } from "../ops/elementwise.js";
import { maximum } from "../ops/extrema.js";
import { zeros } from "../ops/linalg.js";
import { reduceMax } from "../ops/reduce.js";
import { parameterTypes, type Setting, systemIn } from "./inputs.js";
import { inputType, programOf } from "./program.js";

/** Iterations for the largest eigenvalue, and for the growth of −J. */
const iterations = 20;

/**
 * The graph that estimates how fast a field damps at (t, y): the spectral abscissa of −J, J = ∂f/∂y, over all
 * trajectories of a batch.
 *
 * First ρ, the largest ‖J v‖ / ‖v‖ among the vectors of a power iteration; then v is multiplied by e^(−J / ρ), to order 6,
 * again and again, so that the part that J damps fastest takes over, and its growth is taken
 * over the second half. Complex pairs grow at their real part. J v is the derivative of Jᵀ u by u, so all that is
 * asked of the operators is that their rules have rules.
 */
export function dissipationProgram(setting: Pick<Setting, "field" | "dtype" | "state">) {
  const { dtype, state } = setting;
  const inputs = { parameters: parameterTypes(setting), t: inputType(dtype, []), y: inputType(dtype, state) };
  return programOf("dissipation", inputs, (b, given) => ({ damping: damping(b, setting, given) }));
}

function damping(
  b: Builder,
  { field, dtype, state }: Pick<Setting, "field" | "dtype" | "state">,
  { parameters, t, y }: { readonly parameters: Values; readonly t: Value; readonly y: Value },
): Value {
  const slope = systemIn(b, field, parameters).f(t, y);
  const tiny = dtype === "float64" ? 1e-300 : 1e-30;
  // where there is no batch axis, there is one trajectory
  const sharing = state.length > 1 ? "sample" : "batch";
  const norm = (inner: Builder, v: Value) => maximum(inner, rootMeanSquare(inner, v, sharing), tiny);
  const random = Random.seeded(0);
  const start = b.constant(
    tensor(
      dtype,
      state,
      Array.from({ length: sizeOf(state) }, () => random.normal()),
    ),
  );
  return estimate();

  /** J v, for v the value that Jᵀ u is taken at: linear in u, so it does not matter which. */
  function jacobianTimes(inner: Builder, v: Value, probe: Value): Value {
    const [transposed] = pullback(inner, [slope], [probe], [y]);
    const product = transposed ? pullback(inner, [transposed], [v], [probe])[0] : null;
    return product ?? zeros(inner, dtype, state);
  }

  function estimate(): Value {
    const zero = mul(b, norm(b, start), 0);
    const [, radius] = loop(b, { trips: iterations, carried: [start, zero] }, (inner, _i, [v, largest]) => {
      const next = jacobianTimes(inner, v!, v!);
      const length = norm(inner, next);
      return {
        carried: [div(inner, next, length), maximum(inner, largest!, div(inner, length, norm(inner, v!)))],
      };
    }).carried;
    const h = div(b, -1, maximum(b, radius!, tiny));
    const half = b.scalar("int64", iterations / 2);
    const grow = (from: readonly Value[]) =>
      loop(b, { trips: half, carried: from }, (inner, _i, [v, growth]) => {
        let next = v!;
        // e^x for x = −J / ρ, up to x⁶ / 6!, as v + x (v + x/2 (v + …))
        for (const k of [6, 5, 4, 3, 2, 1]) {
          next = add(inner, v!, mul(inner, jacobianTimes(inner, next, v!), div(inner, h, k)));
        }
        const length = norm(inner, next);
        return {
          carried: [
            div(inner, next, length),
            add(inner, growth!, log(inner, div(inner, length, norm(inner, v!)))),
          ],
        };
      }).carried;
    const [settled] = grow([start, zero]);
    const [, growth] = grow([settled!, zero]);
    const rate = mul(b, div(b, growth!, iterations / 2), radius!);
    return sharing === "batch" ? rate : reduceMax(b, rate);
  }
}
