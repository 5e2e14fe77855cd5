import { emptyData, numbers, scalar, sizeOf, type Tensor, type TensorData } from "../core/tensor.js";
import { byPath, type Like, mapLeaves, mapTree } from "../core/tree.js";
import type { Tensors } from "../fields/field.js";
import { locateDivergence } from "../integrate/divergence.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import { disposeTree, downloadTree, uploadTree } from "../runtime/compile-program.js";
import type { DeviceTensor, Runtime } from "../runtime/runtime.js";
import {
  type Differentiator,
  type DifferentiatorOptions,
  type Fit,
  type FixedInputs,
  fixedInputs,
  type GradientResults,
  lossSetting,
  solveInputsOf,
  type TrainedInputs,
} from "./differentiator.js";
import { differentiator } from "./evaluate.js";
import { addTimes, bounds, SplitError, sharesOf } from "./parts.js";

export { SplitError };

/** The fixed inputs of each part of the batch, beside those of all of it. */
interface SplitInputs extends FixedInputs {
  readonly parts: readonly FixedInputs[];
  /** what part of the mean is taken over each, adding up to 1 */
  readonly shares: readonly number[];
}

/** What is trained, on the host. */
interface OnHost {
  readonly parameters: Tensors;
  readonly y0?: Tensor;
}

/**
 * Compiles a gradient that runs in parts of the batch at the same time, each on a runtime of its own (one of them here,
 * the others in threads), and adds them up on the first:
 *
 *   L = Σₖ sₖ Lₖ,   ∇L = Σₖ sₖ ∇Lₖ
 *
 * where sₖ is the part of what was observed that lies in part k. The loss must be a mean over what was observed, as
 * those of `learning/losses.ts` are.
 *
 * @param helpers  runtimes that run beside `options.runtime`, as `threadRuntime` gives them
 * @throws {SplitError} if the batch has fewer trajectories than there are runtimes, or steps are chosen by their error
 */
export async function parallelDifferentiator(
  ode: NeuralOde,
  options: DifferentiatorOptions & { readonly helpers: readonly Runtime[] },
): Promise<Differentiator> {
  const { runtime: home, helpers, fit } = options;
  if (options.control?.kind === "pid") {
    throw new SplitError(
      "Adaptive steps are chosen by the error of the whole batch, so it cannot be split among threads. " +
        "Use steps of a fixed size, or one thread.",
    );
  }
  const runtimes = [home, ...helpers];
  const parts = split(fit, runtimes.length);
  const compiled = await Promise.all(
    parts.map((part, k) => differentiator(ode, { ...options, runtime: runtimes[k]!, fit: part })),
  );

  async function runPart(k: number, { parameters, y0 }: OnHost, fixed: SplitInputs) {
    const runtime = runtimes[k]!;
    const part = y0 && rows(y0, 0, bounds(y0.shape[0]!, runtimes.length, k));
    const own = uploadTree(runtime, { parameters, ...(part === undefined ? {} : { y0: part }) });
    const results = await compiled[k]!.run(own as TrainedInputs, fixed.parts[k]!);
    const values = await onHost(runtime, results);
    disposeTree(runtime, own);
    return values;
  }

  return {
    cost: compiled[0]!.cost,
    work: compiled[0]!.work,
    gradient: compiled[0]!.gradient,
    notes: compiled[0]!.notes,
    fixed(data): SplitInputs {
      const pieces = split(data, runtimes.length);
      return {
        ...fixedInputs(ode, home, data),
        parts: pieces.map((piece, k) => compiled[k]!.fixed(piece)),
        shares: sharesOf(observedIn(pieces)),
      };
    },
    async run(trained, fixed) {
      const given = fixed as SplitInputs;
      const here = (await onHost(home, trained)) as OnHost;
      // the others first: what runs here keeps this thread busy
      const others = Promise.all(helpers.map((_, k) => runPart(k + 1, here, given)));
      const own = runPart(0, here, given).then((results) => {
        for (const helper of helpers) helper.lookOut?.();
        return results;
      });
      const [mine, theirs] = await Promise.all([own, others]);
      const parts = [mine, ...theirs].map((part) => byPath<Tensor>(part));
      return mapTree(mine, (_, path) => {
        const whole = together(
          path,
          parts.map((part) => part[path]!),
          given.shares,
        );
        return home.host === undefined ? home.upload(whole) : home.host.wrap(whole);
      }) as GradientResults;
    },
    locate: (trained, own) =>
      locateDivergence(ode, home, lossSetting(ode, options), own.grid, solveInputsOf(trained, own)),
    async release() {
      for (const one of compiled) await one.release();
    },
  };
}

/** Tensors here, to be read only, without a copy where their runtime keeps them here anyway. */
async function onHost<T>(runtime: Runtime, tree: T): Promise<Like<T, Tensor>> {
  const { host } = runtime;
  return host === undefined
    ? downloadTree(runtime, tree)
    : mapLeaves(tree, (leaf) => host.read(leaf as DeviceTensor));
}

/** A result of all parts: means by their shares, what belongs to trajectories side by side, the worst of what is watched. */
function together(path: string, parts: readonly Tensor[], shares: readonly number[]): Tensor {
  if (path === "drift" || path === "reconstructionError") {
    // NaN is worse than any number, and Math.max keeps it
    return scalar(parts[0]!.dtype, Math.max(...parts.map((part) => numbers(part)[0]!)));
  }
  const factors = path === "reconstructed" ? shares.map(() => 1) : shares;
  const { dtype, shape } = parts[0]!;
  const isBeside = path === "reconstructed" || path === "gradients/y0";
  const whole = isBeside ? [total(parts.map((part) => part.shape[0]!)), ...shape.slice(1)] : shape;
  const data = emptyData(dtype, sizeOf(whole)) as TensorData;
  let at = 0;
  for (const [k, part] of parts.entries()) {
    addTimes(data as Float64Array, at, factors[k]!, part.data as Float64Array);
    if (isBeside) at += part.data.length;
  }
  return { dtype, shape: whole, data } as Tensor;
}

function split({ grid, y0, target, weight }: Fit, n: number): Fit[] {
  const batch = y0.shape[0]!;
  if (batch < n) {
    throw new SplitError(
      `A batch of ${batch} cannot be split among ${n} runtimes; use at most as many as there are trajectories.`,
    );
  }
  return Array.from({ length: n }, (_, k) => {
    const range = bounds(batch, n, k);
    return {
      grid,
      y0: rows(y0, 0, range),
      target: rows(target, 1, range),
      weight: weight && rows(weight, 1, range),
    };
  });
}

/** How much was observed in each part. */
function observedIn(parts: readonly Fit[]): number[] {
  return parts.map(({ target, weight }) =>
    weight === null ? sizeOf(target.shape) : numbers(weight).reduce((sum, w) => sum + w, 0),
  );
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

/** Elements from–to along an axis. */
function rows(value: Tensor, axis: number, [from, to]: readonly [number, number]): Tensor {
  const { shape, data } = value;
  const dim = shape[axis]!;
  const inner = sizeOf(shape.slice(axis + 1));
  const outer = sizeOf(shape.slice(0, axis));
  const count = (to - from) * inner;
  const picked = data.slice(0, outer * count) as TensorData;
  for (let i = 0; i < outer; i++) {
    const start = (i * dim + from) * inner;
    picked.set(data.subarray(start, start + count) as never, i * count);
  }
  return { ...value, shape: shape.map((d, a) => (a === axis ? to - from : d)), data: picked } as Tensor;
}
