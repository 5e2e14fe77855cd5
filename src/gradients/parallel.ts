import { RevortError } from "../core/errors.js";
import { numbers, sizeOf, type Tensor, type TensorData } from "../core/tensor.js";
import { Builder } from "../graph/builder.js";
import type { Graph, Value } from "../graph/graph.js";
import type { NeuralOde } from "../integrate/neural-ode.js";
import { locateDivergence } from "../integrate/solve.js";
import { add, mul } from "../ops/arithmetic.js";
import { concat } from "../ops/slicing.js";
import { gradientName, reconstructedName, y0Name } from "../programs/names.js";
import type { DeviceTensors, Executable, Runtime } from "../runtime/runtime.js";
import {
  type Differentiator,
  type DifferentiatorOptions,
  type Fit,
  type FixedInputs,
  fixedInputs,
  lossSetting,
} from "./differentiator.js";
import { differentiator } from "./evaluate.js";

/** A batch that cannot be split among so many runtimes. */
export class SplitError extends RevortError {}

/** The fixed inputs of each part of the batch, beside those of all of it. */
interface SplitInputs extends FixedInputs {
  readonly parts: readonly FixedInputs[];
  /** what part of the mean is taken over each, adding up to 1 */
  readonly shares: readonly number[];
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
      "Steps that are chosen by their error are chosen for the whole batch, so it cannot be split among threads. " +
        "Use steps of a fixed size, or one thread.",
    );
  }
  const runtimes = [home, ...helpers];
  const parts = split(fit, runtimes.length);
  const compiled = await Promise.all(
    parts.map((part, k) => differentiator(ode, { ...options, runtime: runtimes[k]!, fit: part })),
  );
  let sum: Executable | null = null;

  async function runPart(k: number, trained: readonly (readonly [string, Tensor])[], fixed: SplitInputs) {
    const runtime = runtimes[k]!;
    const own = trained.map(([name, value]) => [
      name,
      runtime.upload(name === y0Name ? rows(value, 0, bounds(value.shape[0]!, runtimes.length, k)) : value),
    ]);
    return compiled[k]!.run(Object.fromEntries(own), fixed.parts[k]!);
  }

  return {
    cost: compiled[0]!.cost,
    work: compiled[0]!.work,
    fixed(data): SplitInputs {
      const pieces = split(data, runtimes.length);
      return {
        ...fixedInputs(ode, home, data),
        parts: pieces.map((piece, k) => compiled[k]!.fixed(piece)),
        shares: sharesOf(pieces),
      };
    },
    async run(trained, fixed) {
      const given = fixed as SplitInputs;
      const onHost = await Promise.all(
        Object.entries(trained).map(async ([name, value]) => [name, await home.download(value)] as const),
      );
      // the others first: what runs here keeps this thread busy
      const others = helpers.map((_, k) => runPart(k + 1, onHost, given));
      const own = runPart(0, onHost, given);
      const results = await Promise.all([own, ...others]);
      const inputs: Record<string, DeviceTensors[string]> = {};
      const moves = results.flatMap((result, k) =>
        Object.entries(result).map(async ([name, value]) => {
          inputs[`${k}/${name}`] = k === 0 ? value : home.upload(await runtimes[k]!.download(value));
          if (k > 0) runtimes[k]!.dispose(value);
        }),
      );
      await Promise.all(moves);
      const dtype = ode.dtype;
      given.shares.forEach((share, k) => {
        const data = dtype === "float64" ? Float64Array.of(share) : Float32Array.of(share);
        inputs[shareName(k)] = home.upload({ dtype, shape: [], data } as Tensor);
      });
      sum ??= await home.compile(sumProgram(results, dtype));
      return sum.run(inputs);
    },
    locate: (trained, { grid, tensors }) =>
      locateDivergence(ode, home, lossSetting(ode, options), grid, { ...tensors, ...trained }),
    async release() {
      for (const one of compiled) await one.release();
      await sum?.release();
    },
  };
}

const shareName = (k: number): string => `share/${k}`;

/** The graph that puts parts together: means by their shares, what belongs to trajectories side by side. */
function sumProgram(results: readonly DeviceTensors[], dtype: NeuralOde["dtype"]): Graph {
  const b = new Builder();
  const shares = results.map((_, k) => b.input(shareName(k), dtype, []));
  const outputs: Record<string, Value> = {};
  for (const name of Object.keys(results[0]!)) {
    const parts = results.map((result, k) => b.input(`${k}/${name}`, dtype, result[name]!.shape));
    const weighted = () => parts.map((part, k) => mul(b, part, shares[k]!));
    if (name === reconstructedName) outputs[name] = concat(b, parts, 0);
    else if (name === gradientName(y0Name)) outputs[name] = concat(b, weighted(), 0);
    else outputs[name] = weighted().reduce((total, part) => add(b, total, part));
  }
  return b.graph(outputs, "sum-of-parts");
}

/** From which to which trajectory part k of n goes. */
function bounds(batch: number, n: number, k: number): [number, number] {
  return [Math.floor((batch * k) / n), Math.floor((batch * (k + 1)) / n)];
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

function sharesOf(parts: readonly Fit[]): number[] {
  const sizes = parts.map(({ target, weight }) =>
    weight === null ? sizeOf(target.shape) : numbers(weight).reduce((sum, w) => sum + w, 0),
  );
  const total = sizes.reduce((sum, size) => sum + size, 0);
  return sizes.map((size) => size / total);
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
