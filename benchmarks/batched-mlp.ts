/**
 * What does one gradient of a batch cost: a perceptron 2-H-H-2 with tanh, midpoint steps, a loss at the end?
 *
 *   npx tsx benchmarks/batched-mlp.ts [--batch 512] [--width 64] [--steps 100] [--runtime ort-cpu,jit,auto]
 *     [--dtype float32] [--gradient reversible,direct] [--threads 1] [--parts 1] [--rounds 15] [--json]
 *
 * With `--parts 2` it is also measured in two parts of the batch, one of them in a thread beside this one.
 *
 * `reversible` is the coupled method, which takes two midpoint steps in each of its own; `direct` is the plain one.
 */
import { parseArgs } from "node:util";
import { openRuntime, type RuntimeName } from "../src/cli/runtimes.js";
import type { FloatDType } from "../src/core/tensor.js";
import type { ExactGraphGradient } from "../src/programs/gradient.js";
import type { Runtime } from "../src/runtime/runtime.js";
import { type ThreadedRuntime, type ThreadRuntime, threadRuntime } from "../src/runtimes/thread.js";
import { batchedTask, compileGradient } from "./gradient-task.js";
import { measure, provenance, table } from "./measure.js";

const { values: options } = parseArgs({
  options: {
    batch: { type: "string", default: "512" },
    width: { type: "string", default: "64" },
    steps: { type: "string", default: "100" },
    runtime: { type: "string", default: "ort-cpu,jit,auto" },
    dtype: { type: "string", default: "float32" },
    gradient: { type: "string", default: "reversible,direct" },
    threads: { type: "string", default: "1" },
    parts: { type: "string", default: "1" },
    rounds: { type: "string", default: "15" },
    json: { type: "boolean", default: false },
  },
});

const size = {
  batch: Number(options.batch),
  width: Number(options.width),
  steps: Number(options.steps),
  dtype: options.dtype as FloatDType,
};

/** A runtime with so many threads inside an operator. */
function threaded(runtime: Runtime, threads: number): Runtime {
  return { ...runtime, compile: (graph) => runtime.compile(graph, { threads }) };
}

const runtimes: Runtime[] = [];
for (const name of options.runtime.split(",")) {
  runtimes.push(threaded(await openRuntime(name as RuntimeName), Number(options.threads)));
}
const contenders = [];
const parts = Number(options.parts);
const threads: ThreadRuntime[] = [];
for (const gradient of options.gradient.split(",") as ExactGraphGradient[]) {
  const task = batchedTask(size, gradient === "reversible");
  for (const runtime of runtimes) {
    contenders.push({ gradient, runtime: runtime.name, ...(await compileGradient(task, runtime, gradient)) });
    if (runtime.name === "auto") continue;
    const helpers = [];
    for (let k = 1; k < parts; k++) helpers.push(await threadRuntime(runtime.name as ThreadedRuntime));
    threads.push(...helpers);
    if (parts > 1) {
      contenders.push({
        gradient,
        runtime: `${runtime.name}, ${parts} parts`,
        ...(await compileGradient(task, runtime, gradient, helpers)),
      });
    }
  }
}
const timings = await measure(
  contenders.map(({ gradient, runtime, run }) => ({ name: `${gradient} ${runtime}`, run })),
  { rounds: Number(options.rounds) },
);
for (const thread of threads) await thread.close();
const rows = contenders.map(({ gradient, runtime, loss, gradientNorm, start }, i) => ({
  gradient,
  runtime,
  secondsPerGradient: timings[i]!.median,
  least: timings[i]!.least,
  processor: timings[i]!.processor,
  quartiles: timings[i]!.quartiles,
  startSeconds: start,
  loss,
  gradientNorm,
}));
if (options.json) {
  console.log(
    JSON.stringify(
      {
        benchmark: "batched-mlp",
        ...provenance(runtimes),
        ...size,
        threads: Number(options.threads),
        rounds: Number(options.rounds),
        // that of the first row, for scripts that ask for one
        secondsPerGradient: rows[0]!.secondsPerGradient,
        rows,
      },
      null,
      2,
    ),
  );
} else {
  console.log(`batch ${size.batch}, 2-${size.width}-${size.width}-2, ${size.steps} steps, ${size.dtype}\n`);
  console.log(
    table(
      ["ms/gradient", "us/step", "least", "processor", "gradient", "runtime", "start s", "loss"],
      rows.map((row) => [
        (row.secondsPerGradient * 1e3).toFixed(2),
        ((row.secondsPerGradient * 1e6) / size.steps).toFixed(1),
        ((row.least * 1e6) / size.steps).toFixed(1),
        ((row.processor * 1e6) / size.steps).toFixed(1),
        row.gradient,
        row.runtime,
        row.startSeconds.toFixed(2),
        row.loss.toPrecision(7),
      ]),
    ),
  );
}
