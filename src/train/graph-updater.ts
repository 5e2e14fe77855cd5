import { emptyData, type FloatDType, numbers, scalar, type Tensor, tensor } from "../core/tensor.js";
import { type Branch, mapTree } from "../core/tree.js";
import { type AnyObjective, observations, typesOf } from "../programs/objective.js";
import { inParts } from "../programs/parts.js";
import { changingTypes, readFrom, updatesProgram, written } from "../programs/updates.js";
import { compileProgram, handOverTree, uploadTree } from "../runtime/compile-program.js";
import type { DeviceTensor, Runtime } from "../runtime/runtime.js";
import { joined } from "./samples.js";
import type { Planned, Reports, Updater, UpdaterOptions } from "./updater.js";

/** How many updates a graph is made for: it may do fewer. */
const mostUpdates = 1024;
/** How many indices of samples may go in with a run. */
const mostIndices = 1 << 16;
/** How many bytes of samples may go in with a run, where they are not on the device. */
const mostBytes = 1 << 26;

/** The graph of many updates. */
export function updatesOf(options: UpdaterOptions) {
  const { resident, batchSize, keepsBest: best, optimiser, clip } = options;
  const objective = objectiveIn(options);
  const isWhole = resident !== null && resident.count === batchSize;
  const samples = isWhole ? null : (resident?.count ?? "samples");
  const most = isWhole ? mostUpdates : mostOf(objective, options);
  const setting = { objective, samples, optimiser, clip };
  const types = changingTypes(setting);
  return { objective, isWhole, most, types, program: updatesProgram(setting, { capacity: most, best }) };
}

/**
 * Updates as one graph, with what is trained, the memory and the data on the device throughout.
 *
 * @param updates  the graph, where it is there already
 */
export async function graphUpdater(options: UpdaterOptions, updates = updatesOf(options)): Promise<Updater> {
  const { runtime, resident, batchSize, dtype, keepsBest: best } = options;
  const { objective, isWhole, most, types } = updates;
  const compiled = await compileProgram(runtime, updates.program);
  const setup = handOverTree(runtime, options.setup) as Branch;
  const held = resident === null ? null : (uploadTree(runtime, resident.samples) as Branch);
  const rowsOf = (plan: readonly Planned[]) =>
    resident === null
      ? plan.map((_, k) => Array.from({ length: batchSize }, (_, i) => k * batchSize + i))
      : plan.map(({ which }) => which);
  return {
    most,
    get ran() {
      const { runsOn = runtime.name } = compiled.executable;
      return { runtime: runsOn, threads: 1, parts: options.parts ?? 1 };
    },
    async run(from, lowest, plan) {
      const data =
        held ??
        (uploadTree(
          runtime,
          joined(
            objective.data,
            plan.map(({ data }) => data!),
          ),
        ) as Branch);
      const results = await compiled.run({
        ...written(from),
        ...(best ? { best: from.best, bestLoss: runtime.upload(scalar(dtype, lowest)) } : {}),
        ...(uploadTree(runtime, {
          learningRates: withRoom(
            dtype,
            plan.map(({ learningRate }) => learningRate),
            most,
          ),
          count: scalar(objective.draws ? "int64" : dtype, plan[0]!.count),
          updates: scalar("int64", plan.length),
          batches: isWhole ? null : indices(rowsOf(plan), most),
        }) as Branch),
        ...data,
        ...setup,
      });
      const next = results.next as Branch;
      return {
        ...(await reportsFrom(runtime, objective, results, plan.length)),
        after: { ...readFrom(types, next), best: best ? (next.best as Branch) : {} },
      };
    },
    release: () => compiled.release(),
  };
}

/** The objective of a batch, gone through in parts where that is asked for. */
function objectiveIn({ objectiveOf, batchSize, parts }: UpdaterOptions): AnyObjective {
  return parts === null || parts === 1
    ? objectiveOf(batchSize)
    : inParts(objectiveOf(batchSize / parts), parts);
}

/** How many updates a graph is made for. */
function mostOf({ data }: AnyObjective, { resident, batchSize }: UpdaterOptions): number {
  let most = Math.min(mostUpdates, Math.floor(mostIndices / batchSize));
  if (resident === null) {
    let bytes = 0;
    mapTree(typesOf(data, batchSize), (leaf) => {
      const { shape } = leaf as DeviceTensor;
      bytes += 8 * shape.reduce((size, dim) => size * dim, 1);
    });
    most = Math.min(most, Math.floor(mostBytes / bytes));
  }
  return Math.max(1, most);
}

/** A list with room for so many numbers. */
function withRoom(dtype: FloatDType, values: readonly number[], room: number): Tensor {
  const data = emptyData(dtype, room);
  values.forEach((value, i) => {
    data[i] = value;
  });
  return { dtype, shape: [room], data } as Tensor;
}

/** Rows of indices, with room for so many rows. */
function indices(rows: readonly (readonly number[])[], room: number): Tensor {
  const width = rows[0]!.length;
  const data = new BigInt64Array(room * width);
  rows.forEach((row, i) => {
    data.set(row.map(BigInt), i * width);
  });
  return tensor("int64", [room, width], data);
}

/** What updates say of themselves, on the host. */
async function reportsFrom(
  runtime: Runtime,
  { observes }: AnyObjective,
  results: Branch,
  updates: number,
): Promise<Reports> {
  const read = async (name: string) =>
    numbers(await runtime.download(results[name] as DeviceTensor)).slice(0, updates);
  const observed: Record<string, readonly number[]> = {};
  for (const name of observes) observed[name] = await read(observations[name].many);
  return { losses: await read("losses"), gradientNorms: await read("gradientNorms"), observed };
}
