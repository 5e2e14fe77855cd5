import type { FloatDType } from "../core/tensor.js";
import { type Branch, leavesOf, partOf, pathsOf, withLeaves } from "../core/tree.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import type { Optimiser } from "../learning/optimisers.js";
import { add, div, mul } from "../ops/arithmetic.js";
import { reduceSum } from "../ops/broadcast.js";
import { sqrt } from "../ops/elementwise.js";
import { minimum } from "../ops/extrema.js";
import { inputType, programOf } from "./program.js";

export interface UpdateSetting {
  readonly optimiser: Optimiser;
  readonly dtype: FloatDType;
  /** largest norm of the whole gradient; it is scaled down to it */
  readonly clip: number | null;
}

/** What an update works on: trees of values. */
export interface UpdateInputs {
  readonly trained: Branch;
  /** for each array that the optimiser remembers, a tree of the form of what is trained */
  readonly memory: Branch;
  readonly gradients: Branch;
  readonly learningRate: Value;
  /** number of this update, from 1 */
  readonly count: Value;
}

/** What an optimiser remembers of what is trained. @param trained  its types, or anything else of its form */
export function memoryOf<T extends Branch>({ memory }: Optimiser, trained: T): Readonly<Record<string, T>> {
  return Object.fromEntries(memory.map((part) => [part, trained]));
}

/**
 * One update of everything that is trained, with gradients scaled down to the norm c that they are clipped to:
 *
 *   g ← g min(1, c / ‖g‖),   ‖g‖ = √Σ g² over everything trained
 */
export function update(
  b: Builder,
  { optimiser, dtype, clip }: UpdateSetting,
  { trained, memory, gradients, learningRate, count }: UpdateInputs,
): Pick<UpdateInputs, "trained" | "memory"> & { readonly norm: Value } {
  const given = leavesOf<Value>(gradients);
  const norm = sqrt(
    b,
    given
      .map((gradient) => reduceSum(b, mul(b, gradient, gradient)))
      .reduce((sum, term) => add(b, sum, term)),
  );
  const scale =
    clip === null ? null : minimum(b, b.scalar(dtype, 1), div(b, clip, add(b, norm, tiny(dtype))));
  const remembered = optimiser.memory.map((part) => leavesOf<Value>(memory[part]));
  const after = pathsOf(trained).map(([path, parameter], i) =>
    optimiser.update(b, {
      name: path.replace(/^parameters\//, ""),
      parameter: parameter as Value,
      gradient: scale === null ? given[i]! : mul(b, given[i]!, scale),
      memory: Object.fromEntries(optimiser.memory.map((part, k) => [part, remembered[k]![i]!])),
      learningRate,
      count,
    }),
  );
  const treeOf = (values: readonly Value[]) => withLeaves(trained, values);
  return {
    norm,
    trained: treeOf(after.map(({ parameter }) => parameter)),
    memory: Object.fromEntries(
      optimiser.memory.map((part) => [part, treeOf(after.map(({ memory: own }) => own[part]!))]),
    ),
  };
}

/** What keeps a zero gradient from dividing by zero. */
function tiny(dtype: FloatDType): number {
  return dtype === "float64" ? 1e-300 : 1e-30;
}

/**
 * The graph of one update by gradients that were found elsewhere; ‖g‖ comes out as it was before it was clipped.
 *
 * @param trained  types of what is trained, by the names that files have for it
 */
export function updateProgram(setting: UpdateSetting, trained: Branch) {
  const { optimiser, dtype } = setting;
  const inputs = {
    ...trained,
    memory: memoryOf(optimiser, trained),
    gradients: trained,
    learningRate: inputType(dtype, []),
    count: inputType(dtype, []),
  };
  return programOf("update", inputs as Branch, (b, values): Branch => {
    const given = values as unknown as UpdateInputs;
    const next = update(b, setting, { ...given, trained: partOf(values, trained) });
    return { gradientNorm: next.norm, next: { ...next.trained, memory: next.memory } };
  });
}
