import { Random } from "../src/core/random.js";
import { type FloatDType, numbers, tensor } from "../src/core/tensor.js";
import { leavesOf } from "../src/core/tree.js";
import { initialParameters, type Tensors } from "../src/fields/field.js";
import { mlp } from "../src/fields/mlp.js";
import { type Differentiator, differentiator, type Fit, readScalar } from "../src/gradients/evaluate.js";
import type { GradientSpec } from "../src/gradients/method.js";
import { parallelDifferentiator } from "../src/gradients/parallel.js";
import { type NeuralOde, neuralOde } from "../src/integrate/neural-ode.js";
import { upload } from "../src/integrate/solve.js";
import { mse } from "../src/learning/losses.js";
import { explicit } from "../src/methods/explicit.js";
import { reversible } from "../src/methods/reversible.js";
import { midpoint, type Tableau } from "../src/methods/tableaux.js";
import { gridThrough } from "../src/programs/grid.js";
import type { DeviceTensor, Runtime } from "../src/runtime/runtime.js";

/** The size of a batched case: a perceptron 2-width-width-2 with tanh on `batch` states, midpoint steps over [0, 1]. */
export interface BatchedCase {
  readonly batch: number;
  readonly width: number;
  readonly steps: number;
  readonly dtype: FloatDType;
}

/** A gradient to compute: the same numbers for every contender. */
export interface GradientTask {
  readonly ode: NeuralOde;
  readonly fit: Fit;
  readonly parameters: Tensors;
  /** whether the field sees time, before the state */
  readonly time: boolean;
}

/**
 * A fit of random states to random states at t = 1.
 *
 * @param coupled  whether steps are those of the reversible method, which take two of the tableau
 */
export function batchedTask(
  { batch, width, steps, dtype }: BatchedCase,
  coupled: boolean,
  tableau: Tableau = midpoint,
): GradientTask {
  const random = Random.seeded(1);
  const field = mlp({ dim: 2, hidden: [width, width], time: false });
  const parameters = initialParameters(field, random, dtype);
  const draw = (shape: readonly number[]) =>
    tensor(
      dtype,
      shape,
      Array.from({ length: shape.reduce((p, d) => p * d, 1) }, () => random.normal()),
    );
  const y0 = draw([batch, 2]);
  return {
    ode: neuralOde({
      field,
      method: coupled ? reversible(tableau) : explicit(tableau),
      stepSize: 1 / steps,
      dtype,
    }),
    fit: { grid: gridThrough(0, [1], 1 / steps), y0, target: draw([1, batch, 2]), weight: null },
    parameters,
    time: false,
  };
}

/**
 * The white-dwarf experiment's sizes: one trajectory, 3-10-2, a loss at each of 1000 steps; published in float64.
 *
 * @param coupled  whether steps are those of the reversible method, which take two of the tableau
 */
export function whiteDwarfTask(
  coupled: boolean,
  tableau: Tableau = midpoint,
  steps = 1000,
  dtype: FloatDType = "float64",
): GradientTask {
  const field = mlp({ dim: 2, hidden: [10] });
  const times = Array.from({ length: steps }, (_, i) => ((i + 1) * 5) / steps);
  return {
    ode: neuralOde({
      field,
      method: coupled ? reversible(tableau) : explicit(tableau),
      stepSize: 5 / steps,
      dtype,
    }),
    fit: {
      grid: gridThrough(0, times, 5 / steps),
      y0: tensor(dtype, [1, 2], [1, 0]),
      target: tensor(
        dtype,
        [steps, 1, 2],
        times.flatMap((t) => [Math.cos(t), -Math.sin(t)]),
      ),
      weight: null,
    },
    parameters: initialParameters(field, Random.seeded(1), dtype),
    time: true,
  };
}

/** A compiled gradient, ready to run. */
export interface CompiledGradient {
  readonly loss: number;
  /** Euclidean norm of the gradient of the parameters and y0 together */
  readonly gradientNorm: number;
  /** Σ g² over the parameters alone */
  readonly parameterSquares: number;
  readonly compiled: Differentiator;
  /** seconds from the graph to the first result */
  readonly start: number;
  readonly run: () => Promise<unknown>;
}

/**
 * @param helpers  runtimes that take parts of the batch, beside the first
 */
export async function compileGradient(
  { ode, fit, parameters }: GradientTask,
  runtime: Runtime,
  gradient: GradientSpec,
  helpers: readonly Runtime[] = [],
): Promise<CompiledGradient> {
  const started = performance.now();
  const options = { runtime, loss: mse(), gradient, fit };
  const compiled =
    helpers.length === 0
      ? await differentiator(ode, options)
      : await parallelDifferentiator(ode, { ...options, helpers });
  const fixed = compiled.fixed(fit);
  const trained = { parameters: upload(runtime, parameters) };
  const run = () => compiled.run(trained, fixed);
  const results = await run();
  const loss = await readScalar(runtime, results.loss);
  const start = (performance.now() - started) / 1000;
  const squaresOf = async (tree: unknown) => {
    const all = await Promise.all(leavesOf<DeviceTensor>(tree).map((leaf) => runtime.download(leaf)));
    return all.flatMap(numbers).reduce((sum, x) => sum + x * x, 0);
  };
  const { gradients } = results;
  const parameterSquares = await squaresOf(gradients.parameters);
  const gradientNorm = Math.sqrt(parameterSquares + (await squaresOf(gradients.y0)));
  return { loss, gradientNorm, parameterSquares, compiled, start, run };
}
