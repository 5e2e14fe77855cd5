import { Random } from "../core/random.js";
import type { FloatDType, Tensor } from "../core/tensor.js";
import { uploadTree } from "../runtime/compile-program.js";
import type { DeviceTensors, Runtime } from "../runtime/runtime.js";
import type { Measures } from "../train/checkpoint.js";
import type { Resident } from "../train/updater.js";
import { CompiledMeasures, meanOf } from "./compiled-measures.js";
import { type Dataset, takeSamples } from "./dataset.js";
import type { AnyTask } from "./task.js";
import type { ModelValues } from "./values.js";
import { rescaled, variedSamples } from "./varied-samples.js";

/** How far the two may be apart, relative to what is measured: what sums in another order leave, and nothing else. */
const tolerance = { float32: 1e-4, float64: 1e-9 } as const;
/** Different samples that it is tried on, at most: what depends on others is seen among few. */
const most = 32;
/** How the samples and the parameters of a try are; the next is for what one does not tell, as an accuracy of 0 does not. */
const tries = [
  { scaled: true, moved: true },
  { scaled: false, moved: true },
  { scaled: true, moved: true },
  { scaled: false, moved: false },
] as const;

/** Whether each is a mean; `null` where nothing tells, because it is finite nowhere. */
export interface Means {
  readonly loss: boolean | null;
  readonly metrics: Readonly<Record<string, boolean | null>>;
}

/**
 * Whether the loss and the metrics of samples are the means of those of parts of them, as they should be: tried on the halves of a
 * few samples, as after training, where nothing is random. They are not where samples depend on each other, by statistics of the
 * batch or a solve that chooses steps for all of them, or where they are a sum, a root of a mean, or a mean over something else
 * than the task says: the sum of a mask, say.
 *
 * A mean is one of any samples. So those of the try differ as much as they can, and parameters are beside the given ones: a layer that
 * begins as zeros makes the same of all samples, which nothing would tell apart.
 *
 * @param data  checked; two samples or more
 * @param atOnce  samples that may be measured at once
 */
export async function meansOf(
  compiled: CompiledMeasures,
  { parameters, buffers }: ModelValues,
  data: Dataset,
  { runtime, dtype, atOnce }: { runtime: Runtime; dtype: FloatDType; atOnce: number },
): Promise<Means> {
  const count = Object.values(data)[0]!.shape[0]!;
  const half = Math.floor(Math.min(most, Math.max(2, atOnce), count) / 2);
  const halves = [0, half].map((from) => Array.from({ length: half }, (_, i) => from + i));
  // a mean does not change where each sample is there several times, and so many at once are compiled in any case
  const together = atOnce % most === 0 && 2 * half === most ? atOnce : 2 * half;
  const all = Array.from({ length: together }, (_, i) => i % (2 * half));
  const chosen = takeSamples(data, variedSamples(data, 2 * half));
  const names = ["loss"];
  const verdicts: Verdict[] = [];
  for (const [k, { scaled, moved }] of tries.entries()) {
    const random = Random.seeded(k);
    const own = scaled ? rescaled(chosen, data, random) : chosen;
    const values = uploadTree(runtime, {
      parameters: moved ? movedBy(parameters, random) : parameters,
      buffers,
    }) as { parameters: DeviceTensors; buffers: DeviceTensors };
    const measure = (samples: Dataset, size: number) =>
      compiled.measure(size, { ...values, data: uploadTree(runtime, samples) as DeviceTensors });
    const whole = await measure(takeSamples(own, all), together);
    const parts = [];
    for (const which of halves) parts.push(await measure(takeSamples(own, which), half));
    const [first, second, split] = [parts[0]!, parts[1]!, meanOf(parts)].map(listed);
    names.splice(1, names.length, ...Object.keys(whole.metrics));
    for (const [i, value] of listed(whole).entries()) {
      if (typeof verdicts[i] === "boolean") continue;
      const found = verdict(value, split![i]!, [first![i]!, second![i]!], tolerance[dtype]);
      verdicts[i] = found ?? verdicts[i] ?? null;
    }
    if (verdicts.every((known) => typeof known === "boolean")) break;
  }
  // what is the same of all samples is the mean of them
  const [loss, ...metrics] = verdicts.map((known) => (known === "same" ? true : known));
  return { loss: loss!, metrics: Object.fromEntries(metrics.map((known, i) => [names[i + 1]!, known])) };
}

const listed = ({ loss, metrics }: Measures): number[] => [loss, ...Object.values(metrics)];

/** Whether something is a mean, or what tells nothing: that it is the same everywhere, or not finite (`null`). */
type Verdict = boolean | "same" | null;

function verdict(whole: number, split: number, halves: readonly [number, number], relative: number): Verdict {
  if (!Number.isFinite(whole)) return null;
  const scale = Math.max(...[whole, ...halves].map(Math.abs));
  // a comparison that NaN must not pass
  if (!(Math.abs(whole - split) <= relative * scale)) return false;
  return halves[0] === halves[1] ? "same" : true;
}

/**
 * Whether the loss of a batch is the mean of those of its parts; `null` where nothing tells: of a stream, or where statistics of batches
 * are kept.
 */
export async function isMeanOfParts(
  task: AnyTask,
  values: ModelValues,
  {
    resident,
    batchSize,
    ...on
  }: { runtime: Runtime; dtype: FloatDType; batchSize: number; resident: Resident | null },
): Promise<boolean | null> {
  if (resident === null || Object.keys(values.buffers).length > 0) return null;
  const compiled = new CompiledMeasures({ ...task, metrics: {} }, on);
  try {
    const { data } = resident.samples as { readonly data: Dataset };
    return (
      (await meansOf(compiled, values, data, { ...on, atOnce: Math.min(most, batchSize) })).loss === true
    );
  } finally {
    await compiled.release();
  }
}

/** How far a parameter is moved, relative to its largest element, and at least. */
const [relative, least] = [0.05, 0.01];

function movedBy(parameters: ModelValues["parameters"], random: Random): ModelValues["parameters"] {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => {
      const data = value.data as Float64Array;
      const by = Math.max(least, relative * data.reduce((largest, x) => Math.max(largest, Math.abs(x)), 0));
      return [name, { ...value, data: data.map((x) => x + by * random.normal()) } as Tensor];
    }),
  );
}
