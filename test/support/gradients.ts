import { Random } from "../../src/core/random.js";
import { type FloatDType, numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import { mapTree } from "../../src/core/tree.js";
import { initialParameters, type Tensors, type VectorField } from "../../src/fields/field.js";
import { type Fit, lossFunction } from "../../src/gradients/evaluate.js";
import type { NeuralOde } from "../../src/integrate/neural-ode.js";
import { named } from "../../src/integrate/solve.js";
import type { Loss } from "../../src/learning/losses.js";
import { gridThrough } from "../../src/programs/grid.js";
import { y0Name } from "../../src/programs/names.js";
import { uploadTree } from "../../src/runtime/compile-program.js";
import type { Runtime } from "../../src/runtime/runtime.js";

/** A fit of random data, with the parameters at which it is differentiated. */
export interface Task {
  readonly fit: Fit;
  readonly parameters: Tensors;
}

export interface TaskOptions {
  readonly field: VectorField;
  readonly stepSize: number;
  readonly t0?: number;
  readonly saves: readonly number[];
  readonly batch?: number;
  /** which part of the data is missing, at random */
  readonly missing?: number;
  readonly dtype?: FloatDType;
}

/** A task of normal random numbers, always the same. */
export function randomTask(options: TaskOptions): Task {
  const { field, stepSize, t0 = 0, saves, batch = 1, missing = 0, dtype = "float64" } = options;
  const random = Random.seeded(2024);
  const state = [batch, ...(field.state.slice(1) as number[])];
  const size = state.reduce((product, dim) => product * dim, 1);
  const draw = (length: number) => Array.from({ length }, () => random.normal());
  const parameters = initialParameters(field, random, dtype);
  const y0 = tensor(dtype, state, draw(size));
  const target = tensor(dtype, [saves.length, ...state], draw(saves.length * size));
  const seen = Array.from(target.data, () => (random.uniform() < missing ? 0 : 1));
  return {
    parameters,
    fit: {
      grid: gridThrough(t0, saves, stepSize),
      y0,
      target,
      weight: missing > 0 ? tensor(dtype, target.shape, seen) : null,
    },
  };
}

/**
 * Derivatives of the loss along random directions in the space of the parameters and y0, by differences of fourth order:
 *
 *   (8 (L(ε) − L(−ε)) − (L(2ε) − L(−2ε))) / 12 ε
 *
 * ε = 3e−4 balances truncation, ε⁴ = 1e−14 times a fifth derivative, and rounding, 1e−16 / ε = 3e−13.
 */
export async function directionalDerivatives(
  ode: NeuralOde,
  { runtime, loss }: { runtime: Runtime; loss: Loss },
  { fit, parameters }: Task,
  directions: readonly Tensors[],
): Promise<number[]> {
  const epsilon = 3e-4;
  const compiled = await lossFunction(ode, { runtime, loss, fit });
  const lossAt = (direction: Tensors, by: number) => {
    const moved = mapTree({ parameters, y0: fit.y0 }, (leaf, path) => {
      const value = leaf as Tensor<"float64">;
      const along = numbers(direction[path]!);
      return tensor(
        value.dtype,
        value.shape,
        numbers(value).map((x, i) => x + by * along[i]!),
      );
    });
    return compiled.run(uploadTree(runtime, moved));
  };
  const derivatives: number[] = [];
  for (const direction of directions) {
    const [a, b, c, d] = [
      await lossAt(direction, epsilon),
      await lossAt(direction, -epsilon),
      await lossAt(direction, 2 * epsilon),
      await lossAt(direction, -2 * epsilon),
    ];
    derivatives.push((8 * (a - b) - (c - d)) / (12 * epsilon));
  }
  await compiled.release();
  return derivatives;
}

/** Random directions in the space of the parameters and y0, under the names they have in programs. */
export function randomDirections({ fit, parameters }: Task, count: number): Tensors[] {
  const random = Random.seeded(99);
  const point: Tensors = { ...named(parameters), [y0Name]: fit.y0 };
  return Array.from({ length: count }, () =>
    Object.fromEntries(
      Object.entries(point).map(([name, { shape, data }]) => [
        name,
        tensor(
          "float64",
          shape,
          Array.from({ length: data.length }, () => random.normal()),
        ),
      ]),
    ),
  );
}

/** The inner product of a gradient, given as parameters and y0, with a direction. */
export function along(
  gradients: { readonly parameters: Tensors; readonly y0: Tensor },
  direction: Tensors,
): number {
  const all: Tensors = { ...named(gradients.parameters), [y0Name]: gradients.y0 };
  return Object.entries(direction).reduce((sum, [name, value]) => {
    const gradient: Tensor = all[name]!;
    return sum + numbers(value).reduce((part, x, i) => part + x * Number(gradient.data[i]!), 0);
  }, 0);
}
