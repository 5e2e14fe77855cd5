import { scalar } from "../core/tensor.js";
import { type Branch, leavesOf, mapTree, withLeaves } from "../core/tree.js";
import { descentProgram } from "../programs/parts.js";
import type { Program } from "../programs/program.js";
import {
  type CompiledProgram,
  compileProgram,
  handOverTree,
  uploadTree,
} from "../runtime/compile-program.js";
import type { DeviceTensor, Runtime } from "../runtime/runtime.js";
import { takenOf } from "./samples.js";
import type { UpdaterOptions } from "./updater.js";

/** What comes of a part, on the host. */
export interface Found {
  readonly k: number;
  readonly results: Branch;
}

/** What parts of a batch run, by how many samples they have; and how many each has. */
export interface PartPrograms {
  readonly ranges: readonly (readonly [number, number])[];
  readonly bySize: ReadonlyMap<number, Program<Branch, Branch>>;
}

export function programsFor(
  ranges: PartPrograms["ranges"],
  objectiveOf: UpdaterOptions["objectiveOf"],
): PartPrograms {
  const sizes = new Set(ranges.map(([from, to]) => to - from));
  return {
    ranges,
    bySize: new Map([...sizes].map((size) => [size, descentProgram(objectiveOf(size))])),
  };
}

/** A runtime that takes parts of batches. */
export interface PartWorker {
  readonly runtime: Runtime;
  /** the runtime that its last part ran on, where it chooses among several */
  readonly runsOn: string;
  /** the same as the first of so many */
  readonly among: (count: number) => PartWorker;
  readonly run: (now: Branch, data: readonly Branch[], count: number) => Promise<Found[]>;
  readonly release: () => Promise<void>;
}

/** A worker that is the `first` of `count`, and takes every so many parts of a batch. */
export async function workerOn(
  runtime: Runtime,
  [first, count]: readonly [number, number],
  { ranges, bySize }: PartPrograms,
  { objectiveOf, setup: given }: UpdaterOptions,
): Promise<PartWorker> {
  const ownOf = (count: number) => ranges.flatMap((range, k) => (k % count === first ? [{ k, range }] : []));
  const compiled = new Map<number, CompiledProgram<Branch, Branch>>();
  for (const {
    range: [from, to],
  } of ownOf(count)) {
    const size = to - from;
    if (!compiled.has(size)) compiled.set(size, await compileProgram(runtime, bySize.get(size)!));
  }
  const setup: Branch = handOverTree(runtime, given);
  const types = objectiveOf(1);
  const worker = (own: ReturnType<typeof ownOf>): PartWorker => ({
    runtime,
    get runsOn() {
      const [any] = compiled.values();
      return any?.executable.runsOn ?? runtime.name;
    },
    among: (count) => worker(ownOf(count)),
    async run(now, data, batch) {
      const part = async ({ k, range }: (typeof own)[number]): Promise<Found> => {
        const trained: Branch = uploadTree(
          runtime,
          takenOf(types.trained, now.trained as Branch, indicesFrom(range)),
        );
        const number = types.draws ? scalar("int64", batch * ranges.length + k) : scalar(types.dtype, batch);
        const inputs = {
          ...{ ...trained, ...(uploadTree(runtime, now.buffers as Branch) as Branch), ...data[k]!, ...setup },
          count: runtime.upload(number),
        };
        const results = await compiled.get(range[1] - range[0])!.run(inputs);
        const found = { k, results: await onHost(runtime, results) };
        for (const leaf of leavesOf<DeviceTensor>(trained)) runtime.dispose(leaf);
        return found;
      };
      // a thread is given all its parts at once: this one, which takes parts meanwhile, could not hand over the next
      if (first > 0) return Promise.all(own.map(part));
      const found: Found[] = [];
      for (const one of own) found.push(await part(one));
      return found;
    },
    async release() {
      for (const one of compiled.values()) await one.release();
      compiled.clear();
    },
  });
  return worker(ownOf(count));
}

/** From one index up to another. */
export function indicesFrom([from, to]: readonly [number, number]): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

/** Tensors here, to be read only, without a copy where their runtime keeps them here anyway. */
export async function onHost(runtime: Runtime, tree: Branch): Promise<Branch> {
  const { host } = runtime;
  if (host !== undefined) return mapTree(tree, (leaf) => host.read(leaf as DeviceTensor));
  const values = await Promise.all(leavesOf<DeviceTensor>(tree).map((value) => runtime.download(value)));
  return withLeaves(tree, values);
}
