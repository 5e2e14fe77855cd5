/**
 * What does one gradient of a batch cost: a perceptron 2-H-H-2 with tanh, midpoint steps, a loss at the end?
 *
 *   npx tsx benchmarks/batched-mlp.ts [--batch 512] [--width 64] [--steps 100] [--runtime ort-cpu,jit,auto]
 *     [--dtype float32] [--gradient reversible,direct] [--threads 1] [--parts 1] [--rounds 15] [--json] [--save]
 *
 * Several batches take as many widths: `--batch 512,16 --width 64,32`. With `--parts 1,2` each is also measured in two
 * parts of the batch, one of them in a thread beside this one. `--threads` are those inside an operator.
 *
 * `reversible` is the coupled method, which takes two midpoint steps in each of its own; `direct` is the plain one.
 */
import { openRuntime, type RuntimeName } from "../src/cli/runtimes.js";
import { RevortError } from "../src/core/errors.js";
import type { FloatDType } from "../src/core/tensor.js";
import type { ExactGraphGradient } from "../src/programs/adjoints.js";
import type { Runtime } from "../src/runtime/runtime.js";
import { type ThreadRuntime, threadRuntime } from "../src/runtimes/thread.js";
import type { ThreadedRuntime } from "../src/runtimes/threaded-runtime.js";
import { conclude, readOptions, say } from "./conclude.js";
import { batchedTask, compileGradient } from "./gradient-task.js";
import { measure, provenance, table } from "./measure.js";

const options = readOptions({
  ...{ batch: "512", width: "64", steps: "100", runtime: "ort-cpu,jit,auto", dtype: "float32" },
  ...{ gradient: "reversible,direct", threads: "1", parts: "1", rounds: "15" },
});
const [batches, widths, parts] = [options.batch, options.width, options.parts].map((list) =>
  list.split(",").map(Number),
) as [number[], number[], number[]];
if (batches.length !== widths.length) {
  throw new RevortError(
    `There are ${batches.length} batches and ${widths.length} widths; give as many of each (--batch, --width).`,
  );
}
const [steps, threads, rounds] = [options.steps, options.threads, options.rounds].map(Number) as [
  number,
  number,
  number,
];

/** A runtime with so many threads inside an operator. */
function threaded(runtime: Runtime): Runtime {
  return { ...runtime, compile: (graph) => runtime.compile(graph, { threads }) };
}

const runtimes: Runtime[] = [];
for (const name of options.runtime.split(","))
  runtimes.push(threaded(await openRuntime(name as RuntimeName)));

async function measured(batch: number, width: number) {
  const helpers: ThreadRuntime[] = [];
  const contenders = [];
  for (const gradient of options.gradient.split(",") as ExactGraphGradient[]) {
    const size = { batch, width, steps, dtype: options.dtype as FloatDType };
    const task = batchedTask(size, gradient === "reversible");
    for (const runtime of runtimes) {
      // a thread is started with one runtime, and auto is two
      for (const count of parts.filter((n) => n <= batch && (n === 1 || runtime.name !== "auto"))) {
        const others: ThreadRuntime[] = [];
        for (let k = 1; k < count; k++) others.push(await threadRuntime(runtime.name as ThreadedRuntime));
        helpers.push(...others);
        const { run, loss, gradientNorm, start } = await compileGradient(task, runtime, gradient, others);
        const about = { batch, width, gradient, runtime: runtime.name, parts: count };
        contenders.push({
          name: Object.values(about).join(" "),
          ...{ run, about: { ...about, loss, gradientNorm, startSeconds: start } },
        });
      }
    }
  }
  const timings = await measure(contenders, { rounds, progress: say });
  for (const helper of helpers) await helper.close();
  return contenders.map(({ about }, i) => {
    const { median, least, processor, quartiles } = timings[i]!;
    const [lower, upper] = quartiles;
    return { ...about, secondsPerGradient: median, least, processor, lower, upper };
  });
}

const rows = [];
for (const [i, batch] of batches.entries()) rows.push(...(await measured(batch, widths[i]!)));
const perStep = (seconds: number) => ((seconds * 1e6) / steps).toFixed(1);
await conclude(
  {
    ...{
      benchmark: "batched-mlp",
      ...provenance(runtimes),
      settings: { steps, dtype: options.dtype, threads, rounds },
    },
    // that of the first row, for scripts that ask for one
    ...{ secondsPerGradient: rows[0]!.secondsPerGradient, rows, failures: [], targets: [] },
  },
  options,
  {
    text: `2-H-H-2, ${steps} steps, ${options.dtype}; microseconds per step\n\n${table(
      ["batch", "width", "gradient", "runtime", "parts", "us/step", "least", "processor", "start s", "loss"],
      rows.map((row) => [
        ...[row.batch, row.width, row.gradient, row.runtime, row.parts].map(String),
        ...[row.secondsPerGradient, row.least, row.processor].map(perStep),
        ...[row.startSeconds.toFixed(2), row.loss.toPrecision(7)],
      ]),
    )}`,
  },
);
