import { Random } from "../core/random.js";
import { castTensor, type FloatDType, numbers, tensor } from "../core/tensor.js";
import { initialParameters, type Tensors } from "../fields/field.js";
import { mlp } from "../fields/mlp.js";
import { differentiator } from "../gradients/evaluate.js";
import { neuralOde } from "../integrate/neural-ode.js";
import { mse } from "../learning/losses.js";
import { reversible } from "../methods/reversible.js";
import { midpoint } from "../methods/tableaux.js";
import { gridThrough } from "../programs/grid.js";
import { downloadTree, uploadTree } from "../runtime/compile-program.js";
import type { Runtime } from "../runtime/runtime.js";
import type { RuntimeName, Timing } from "./messages.js";

/** A gradient that is timed: of the mean square of the last state, by reversible midpoint steps. */
interface Model {
  readonly name: string;
  readonly batch: number;
  readonly hidden: readonly number[];
  readonly steps: number;
}

const models: readonly Model[] = [
  { name: "1 × 2, width 10, 100 steps", batch: 1, hidden: [10], steps: 100 },
  { name: "16 × 2, width 32-32, 16 steps", batch: 16, hidden: [32, 32], steps: 16 },
  { name: "512 × 2, width 64-64, 8 steps", batch: 512, hidden: [64, 64], steps: 8 },
];

/** So long each gradient is repeated, in seconds, but not less often than thrice. */
const patience = 0.7;
const fewest = 3;
/** So much is timed at once, in ms: browsers tell the time in tenths of it. */
const shortest = 5;

/**
 * Times gradients on some runtimes, one after the other, and holds each against that of `jit` in float64.
 *
 * @param open  opens a runtime; its time counts as a part of the first gradient on it
 */
export async function* benchmark(
  names: readonly RuntimeName[],
  open: (name: RuntimeName) => Promise<Runtime>,
): AsyncGenerator<Timing> {
  const opened = new Map<RuntimeName, Runtime>();
  const references = new Map<Model, readonly number[]>();
  const reference = await open("jit");
  for (const model of models) {
    references.set(model, (await timed(model, "float64", async () => reference, 0)).gradient);
  }
  for (const name of names) {
    const openOnce = async () => {
      const runtime = opened.get(name) ?? (await open(name));
      opened.set(name, runtime);
      return runtime;
    };
    for (const model of models) {
      for (const dtype of name === "ort-webgpu"
        ? (["float32"] as const)
        : (["float64", "float32"] as const)) {
        const { first, each, gradient } = await timed(model, dtype, openOnce, patience);
        const error = distance(gradient, references.get(model)!);
        yield { model: model.name, runtime: name, dtype, first, each, error };
      }
    }
  }
}

async function timed(
  { batch, hidden, steps }: Model,
  dtype: FloatDType,
  open: () => Promise<Runtime>,
  seconds: number,
): Promise<{ first: number; each: number; gradient: readonly number[] }> {
  const field = mlp({ dim: 2, hidden: [...hidden] });
  const ode = neuralOde({
    field,
    method: reversible(midpoint, { coupling: 0.999 }),
    stepSize: 1 / steps,
    dtype,
  });
  const random = Random.seeded(1);
  const draws = Float64Array.from({ length: 2 * batch }, () => random.normal());
  const y0 = castTensor(tensor("float64", [batch, 2], draws), dtype);
  const target = castTensor(
    tensor(
      "float64",
      [1, batch, 2],
      draws.map((x) => -x),
    ),
    dtype,
  );
  const parameters = initialParameters(field, Random.seeded(0), dtype);
  const fit = { grid: gridThrough(0, [1], 1 / steps), y0, target, weight: null };

  const begun = performance.now();
  const runtime = await open();
  const compiled = await differentiator(ode, { runtime, loss: mse(), gradient: "reversible", fit });
  try {
    const trained = { parameters: uploadTree(runtime, parameters) };
    const fixed = compiled.fixed(fit);
    const once = async (): Promise<Tensors> => {
      const { gradients } = await compiled.run(trained, fixed);
      return downloadTree(runtime, gradients.parameters);
    };
    const found = await once();
    const first = performance.now() - begun;
    const each = seconds === 0 ? first : await medianTime(once, seconds);
    return { first, each, gradient: Object.keys(found).flatMap((name) => numbers(found[name]!)) };
  } finally {
    await compiled.release();
    await ode.cache.release();
  }
}

/** The median time of something, in ms, repeated for some seconds. */
async function medianTime(work: () => Promise<unknown>, seconds: number): Promise<number> {
  const end = performance.now() + 1000 * seconds;
  const times: number[] = [];
  let count = 1;
  while (times.length < fewest || performance.now() < end) {
    const start = performance.now();
    for (let i = 0; i < count; i++) await work();
    const elapsed = performance.now() - start;
    if (elapsed < shortest) count *= 2;
    else times.push(elapsed / count);
  }
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)]!;
}

/** ‖x − y‖ / ‖y‖ */
function distance(x: readonly number[], y: readonly number[]): number {
  return Math.hypot(...x.map((value, i) => value - y[i]!)) / Math.hypot(...y);
}
