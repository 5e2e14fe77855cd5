import type { FloatDType } from "../core/tensor.js";
import type { Values } from "../fields/field.js";
import type { Builder } from "../graph/builder.js";
import type { Shape, Value } from "../graph/graph.js";
import type { Optimiser } from "../learning/optimisers.js";
import { add, div, mul } from "../ops/arithmetic.js";
import { reduceSum } from "../ops/broadcast.js";
import { sqrt } from "../ops/elementwise.js";
import { minimum } from "../ops/extrema.js";
import { memoryName, nextName } from "./names.js";

export interface UpdateSetting {
  readonly optimiser: Optimiser;
  readonly dtype: FloatDType;
  /** largest norm of the whole gradient; it is scaled down to it */
  readonly clip: number | null;
}

/** What training changes: arrays by their program names, and what the optimiser remembers of them. */
export interface Trained {
  readonly trained: Values;
  readonly memory: Values;
}

export interface UpdateValues extends Trained {
  /** by the names of what is trained */
  readonly gradients: Values;
  readonly learningRate: Value;
  /** number of this update, from 1 */
  readonly count: Value;
}

/** Declares what is trained as inputs. */
export function trainedInputs(
  b: Builder,
  shapes: Readonly<Record<string, Shape>>,
  dtype: FloatDType,
  named: (name: string) => string = (name) => name,
): Values {
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [name, b.input(named(name), dtype, shape)]),
  );
}

/** Declares the optimiser's memory of what is trained as inputs. */
export function memoryInputs(
  b: Builder,
  { optimiser, dtype }: UpdateSetting,
  shapes: Readonly<Record<string, Shape>>,
): Values {
  return Object.fromEntries(
    Object.entries(shapes).flatMap(([name, shape]) =>
      optimiser.memory.map((part) => {
        const own = memoryName(part, name);
        return [own, b.input(own, dtype, shape)] as const;
      }),
    ),
  );
}

/** The new values of what training changes, as outputs. */
export function nextOutputs({ trained, memory }: Trained): Record<string, Value> {
  return Object.fromEntries(
    Object.entries({ ...trained, ...memory }).map(([name, value]) => [nextName(name), value]),
  );
}

/**
 * One update of everything that is trained, with gradients scaled down to the norm c that they are clipped to:
 *
 *   g ← g min(1, c / ‖g‖),   ‖g‖ = √Σ g² over everything trained
 */
export function update(
  b: Builder,
  { optimiser, dtype, clip }: UpdateSetting,
  { trained, memory, gradients, learningRate, count }: UpdateValues,
): Trained & { readonly norm: Value } {
  const norm = sqrt(
    b,
    Object.keys(trained)
      .map((name) => reduceSum(b, mul(b, gradients[name]!, gradients[name]!)))
      .reduce((sum, term) => add(b, sum, term)),
  );
  const scale =
    clip === null ? null : minimum(b, b.scalar(dtype, 1), div(b, clip, add(b, norm, tiny(dtype))));
  const next = { trained: {} as Record<string, Value>, memory: {} as Record<string, Value> };
  for (const [name, parameter] of Object.entries(trained)) {
    const gradient = scale === null ? gradients[name]! : mul(b, gradients[name]!, scale);
    const own = Object.fromEntries(optimiser.memory.map((part) => [part, memory[memoryName(part, name)]!]));
    const after = optimiser.update(b, { parameter, gradient, memory: own, learningRate, count });
    next.trained[name] = after.parameter;
    for (const part of optimiser.memory) next.memory[memoryName(part, name)] = after.memory[part]!;
  }
  return { ...next, norm };
}

/** What keeps a zero gradient from dividing by zero. */
function tiny(dtype: FloatDType): number {
  return dtype === "float64" ? 1e-300 : 1e-30;
}
