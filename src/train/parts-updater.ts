import { numbers, scalar, type Tensor } from "../core/tensor.js";
import { type Branch, leavesOf, mapTree, withLeaves } from "../core/tree.js";
import { bounds, SplitError, sharesOf, weightedSum } from "../gradients/parts.js";
import type { ValueType } from "../graph/graph.js";
import type { Observed, SampledType } from "../programs/objective.js";
import { descentProgram } from "../programs/parts.js";
import {
  type CompiledProgram,
  compileProgram,
  handOverTree,
  uploadTree,
} from "../runtime/compile-program.js";
import type { DeviceTensor, Runtime } from "../runtime/runtime.js";
import { applying } from "./applying.js";
import { joinedAlong, takenOf } from "./samples.js";
import type { Batch, Standing, Updater, UpdaterOptions } from "./updater.js";

/**
 * Updates whose batch is gone through in parts, each on one of several runtimes: here, and in threads at the same time. They
 * are added up here, in order, so that numbers depend on how many parts there are, and not on how many runtimes.
 *
 * @throws {SplitError} if the batch has fewer samples than parts
 */
export async function partsUpdater(options: UpdaterOptions): Promise<Updater> {
  const { runtime: home, helpers, batchSize, objectiveOf, optimiser, clip, keepsBest, dtype } = options;
  const runtimes = [home, ...helpers];
  const count = options.parts ?? runtimes.length;
  const ranges = rangesOf(batchSize, count);
  const whole = objectiveOf(batchSize);
  const workers = await Promise.all(runtimes.map((runtime, k) => workerOn(runtime, k, ranges, options)));
  const apply = await applying(home, { optimiser, clip, dtype, keepsBest }, whole.trained);
  let latest: { readonly batch: Batch; readonly parts: readonly Branch[] } | null = null;

  /** The data of each part of a batch, on its runtime. */
  const partsOf = (batch: Batch): readonly Branch[] => {
    if (latest !== null && sameBatch(latest.batch, batch)) return latest.parts;
    const all = batch.data ?? options.resident!.samples;
    const parts = ranges.map((range, k) => {
      const own = batch.data === undefined ? batch.which.slice(...range) : indicesFrom(range);
      return uploadTree(runtimes[k % runtimes.length]!, takenOf(whole.data, all, own)) as Branch;
    });
    latest = { batch, parts };
    return parts;
  };

  return {
    most: 1,
    async run(from, lowest, [planned]) {
      const { trained, buffers } = from;
      const now = await onHost(home, { trained, buffers });
      const data = partsOf(planned!);
      // the others first: what runs here keeps this thread busy
      const others = workers.slice(1).map((worker) => worker.run(now, data, planned!.count));
      const found = (await Promise.all([workers[0]!.run(now, data, planned!.count), ...others])).flat();
      found.sort((one, other) => one.k - other.k);
      const { loss, gradients, buffers: kept, observed } = together(whole.trained, found, ranges);
      const place = (tree: Branch): Branch => handOverTree(home, tree);
      const after: Standing = { ...from, buffers: place(kept) };
      if (!Number.isFinite(loss)) {
        return { losses: [loss], gradientNorms: [Number.NaN], observed, after };
      }
      return {
        observed,
        ...(await apply.run(after, lowest, { loss, gradients: place(gradients), planned: planned! })),
      };
    },
    async release() {
      for (const worker of workers) await worker.release();
      await apply.release();
    },
  };
}

function rangesOf(batch: number, parts: number): [number, number][] {
  if (batch >= parts) return Array.from({ length: parts }, (_, k) => bounds(batch, parts, k));
  throw new SplitError(
    `A batch of ${batch} cannot be split in ${parts} parts for as many runtimes; use at most as many as there are samples.`,
  );
}

function indicesFrom([from, to]: readonly [number, number]): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

function sameBatch(one: Batch, other: Batch): boolean {
  if (one.data !== undefined || other.data !== undefined) return false;
  return one.which.length === other.which.length && one.which.every((index, i) => index === other.which[i]);
}

/** What comes of a part, on the host. */
interface Found {
  readonly k: number;
  readonly results: Branch;
}

/** Those parts of each batch that a runtime takes: every so many. */
async function workerOn(
  runtime: Runtime,
  first: number,
  ranges: readonly (readonly [number, number])[],
  { helpers, objectiveOf, setup: given, parts }: UpdaterOptions,
) {
  const own = ranges.flatMap((range, k) => (k % (helpers.length + 1) === first ? [{ k, range }] : []));
  const compiled = new Map<number, CompiledProgram<Branch, Branch>>();
  for (const {
    range: [from, to],
  } of own) {
    if (compiled.has(to - from)) continue;
    compiled.set(to - from, await compileProgram(runtime, descentProgram(objectiveOf(to - from))));
  }
  const setup: Branch = handOverTree(runtime, given);
  const types = objectiveOf(1);
  return {
    async run(now: Branch, data: readonly Branch[], count: number): Promise<Found[]> {
      const found: Found[] = [];
      for (const { k, range } of own) {
        const trained: Branch = uploadTree(
          runtime,
          takenOf(types.trained, now.trained as Branch, indicesFrom(range)),
        );
        const number = types.draws
          ? scalar("int64", count * (parts ?? ranges.length) + k)
          : scalar(types.dtype, count);
        const inputs = {
          ...{ ...trained, ...(uploadTree(runtime, now.buffers as Branch) as Branch), ...data[k]!, ...setup },
          count: runtime.upload(number),
        };
        const results = await compiled.get(range[1] - range[0])!.run(inputs);
        found.push({ k, results: await onHost(runtime, results) });
        for (const leaf of leavesOf<DeviceTensor>(trained)) runtime.dispose(leaf);
      }
      if (first === 0) for (const helper of helpers) helper.lookOut?.();
      return found;
    },
    async release() {
      for (const one of compiled.values()) await one.release();
    },
  };
}

/** Means of the parts by their shares; what belongs to samples side by side; the worst of what is seen. */
function together(trained: Branch, found: readonly Found[], ranges: readonly (readonly [number, number])[]) {
  const parts = found.map(({ results }) => results);
  const first = (name: string, k: number) => numbers(parts[k]![name] as Tensor)[0]!;
  const shares = sharesOf(
    ranges.map(([from, to], k) => (parts[k]!.weight === null ? to - from : first("weight", k))),
  );
  const mean = (tree: (part: Branch) => Branch, types: Branch | null): Branch => {
    const lists = parts.map((part) => leavesOf<Tensor>(tree(part)));
    const axes =
      types === null ? [] : leavesOf<ValueType>(types).map((type) => (type as Partial<SampledType>).axis);
    return withLeaves(
      tree(parts[0]!),
      lists[0]!.map((_, i) => {
        const own = lists.map((list) => list[i]!);
        const axis = axes[i];
        if (axis === undefined) return weightedSum(own, shares);
        return joinedAlong(
          own.map((part, k) => weightedSum([part], [shares[k]!])),
          axis,
        );
      }),
    );
  };
  return {
    loss: numbers(
      weightedSum(
        parts.map(({ loss }) => loss as Tensor),
        shares,
      ),
    )[0]!,
    gradients: mean((part) => part.gradients as Branch, trained),
    buffers: mean((part) => part.buffers as Branch, null),
    observed: mapTree(parts[0]!.observed as Branch, (_, name) => [
      // NaN is worse than any number, and Math.max keeps it
      Math.max(...parts.map(({ observed }) => numbers((observed as Record<string, Tensor>)[name]!)[0]!)),
    ]) as unknown as Observed<readonly number[]>,
  };
}

/** Tensors here, to be read only, without a copy where their runtime keeps them here anyway. */
async function onHost(runtime: Runtime, tree: Branch): Promise<Branch> {
  const { host } = runtime;
  if (host !== undefined) return mapTree(tree, (leaf) => host.read(leaf as DeviceTensor));
  const values = await Promise.all(leavesOf<DeviceTensor>(tree).map((value) => runtime.download(value)));
  return withLeaves(tree, values);
}
