import { Random } from "../core/random.js";
import type { FloatDType, Tensor } from "../core/tensor.js";
import { mapTree } from "../core/tree.js";
import { uploadTree } from "../runtime/compile-program.js";
import type { Runtime } from "../runtime/runtime.js";
import type { Resident } from "../train/updater.js";
import { takeSamples } from "./dataset.js";
import { measuring } from "./measuring.js";
import type { AnyTask } from "./task.js";
import type { ModelValues } from "./values.js";

/** How far the two may be apart, relative to the loss: what sums in another order leave, and nothing else. */
const tolerance = { float32: 1e-4, float64: 1e-9 } as const;

/**
 * Whether the loss of a batch is the mean of those of its parts, as it should be: tried out on the first samples there are,
 * after training, where nothing is random, with parameters beside the initial ones: a layer that begins as zeros makes the same of all
 * samples, which nothing would tell apart. It is not where samples of a batch depend on each other, by statistics of the
 * batch, a solve that chooses steps for all of them, or a loss that is no mean.
 */
export async function isMeanOfParts(
  task: AnyTask,
  { parameters, buffers }: ModelValues,
  setting: {
    readonly runtime: Runtime;
    readonly dtype: FloatDType;
    readonly batchSize: number;
    readonly parts: number;
    readonly resident: Resident | null;
  },
): Promise<boolean> {
  const { runtime, dtype, batchSize, parts, resident } = setting;
  if (resident === null || Object.keys(buffers).length > 0) return false;
  // as uneven as the batch is, where it does not divide into parts
  const count = Math.min(batchSize, ofPart * parts - (batchSize % parts === 0 ? 0 : 1));
  const first = Array.from({ length: count }, (_, i) => i);
  const data = takeSamples((resident.samples as { data: Readonly<Record<string, Tensor>> }).data, first);
  const random = Random.seeded(0);
  const moved = mapTree(parameters, (value) => movedBy(value as Tensor, random)) as typeof parameters;
  const lossOf = async (atOnce: number): Promise<number> => {
    const compiled = await measuring(task, data, { runtime, dtype, what: "The training data", atOnce });
    try {
      return (await compiled.measure(uploadTree(runtime, { parameters: moved, buffers }) as never)).loss;
    } finally {
      await compiled.release();
    }
  };
  const [whole, split] = [await lossOf(count), await lossOf(Math.ceil(count / parts))];
  return Math.abs(whole - split) <= tolerance[dtype] * Math.abs(whole);
}

/** Samples that a part has when it is tried out: few, since what depends on others is seen among few. */
const ofPart = 8;

/** How far a parameter is moved, relative to its largest element, and at least. */
const [relative, least] = [0.05, 0.01];

function movedBy(value: Tensor, random: Random): Tensor {
  const data = value.data as Float64Array;
  const by = Math.max(least, relative * data.reduce((most, x) => Math.max(most, Math.abs(x)), 0));
  return { ...value, data: data.map((x) => x + by * random.normal()) } as Tensor;
}
