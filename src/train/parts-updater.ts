import { numbers, type Tensor } from "../core/tensor.js";
import { type Branch, leavesOf, mapTree, withLeaves } from "../core/tree.js";
import { bounds, SplitError, sharesOf, weightedSum } from "../gradients/parts.js";
import type { ValueType } from "../graph/graph.js";
import type { Observed, SampledType } from "../programs/objective.js";
import { handOverTree, uploadTree } from "../runtime/compile-program.js";
import { applying } from "./applying.js";
import { JoiningThreads, type PartsOptions } from "./joining-threads.js";
import { type Found, indicesFrom, onHost, programsFor, workerOn } from "./part-worker.js";
import { joinedAlong, takenOf } from "./samples.js";
import type { Batch, Standing, Updater } from "./updater.js";

/**
 * Updates whose batch is gone through in parts, each on one of several runtimes: here, and in threads at the same time. They
 * are added up here, in order, so that numbers depend on how many parts there are, and not on how many runtimes.
 *
 * Helpers are there from the beginning. Threads are started after the first update, which says on which runtime parts run
 * and how long they take, and join when they are ready.
 *
 * @throws {SplitError} if the batch has fewer samples than parts
 */
export async function partsUpdater(options: PartsOptions): Promise<Updater> {
  const {
    runtime: home,
    helpers,
    batchSize,
    objectiveOf,
    optimiser,
    clip,
    keepsBest,
    dtype,
    parts,
  } = options;
  const ranges = rangesOf(batchSize, parts);
  const whole = objectiveOf(batchSize);
  const programs = programsFor(ranges, objectiveOf);
  let workers = await Promise.all(
    [home, ...helpers].map((runtime, k) => workerOn(runtime, [k, helpers.length + 1], programs, options)),
  );
  const apply = await applying(home, { optimiser, clip, dtype, keepsBest }, whole.trained);
  const joining = new JoiningThreads(options, programs, workers[0]!);
  let latest: { readonly batch: Batch; readonly parts: readonly Branch[] } | null = null;

  /** The data of each part of a batch, on its runtime. */
  const partsOf = (batch: Batch): readonly Branch[] => {
    if (latest !== null && sameBatch(latest.batch, batch)) return latest.parts;
    const all = batch.data ?? options.resident!.samples;
    const parts = ranges.map((range, k) => {
      const own = batch.data === undefined ? batch.which.slice(...range) : indicesFrom(range);
      const { runtime } = workers[k % workers.length]!;
      return uploadTree(runtime, takenOf(whole.data, all, own)) as Branch;
    });
    latest = { batch, parts };
    return parts;
  };

  return {
    most: 1,
    get ran() {
      return {
        runtime: workers[0]!.runsOn,
        threads: Math.min(workers.length, parts),
        parts,
        ...joining.failure,
      };
    },
    async run(from, lowest, [planned]) {
      const joined = joining.joined();
      if (joined !== null) [workers, latest] = [joined, null];
      const { trained, buffers } = from;
      const now = await onHost(home, { trained, buffers });
      const data = partsOf(planned!);
      const started = performance.now();
      // the others first: what runs here keeps this thread busy
      const others = workers.slice(1).map((worker) => worker.run(now, data, planned!.count));
      const [own, ...theirs] = await Promise.all([
        workers[0]!.run(now, data, planned!.count).finally(() => {
          for (const { runtime } of workers.slice(1)) runtime.lookOut?.();
        }),
        ...others,
      ]);
      joining.ran((performance.now() - started) / 1000);
      const found = [...own, ...theirs.flat()].sort((one, other) => one.k - other.k);
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
      for (const worker of [...workers, ...(await joining.settled())]) await worker.release();
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

function sameBatch(one: Batch, other: Batch): boolean {
  if (one.data !== undefined || other.data !== undefined) return false;
  return one.which.length === other.which.length && one.which.every((index, i) => index === other.which[i]);
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
