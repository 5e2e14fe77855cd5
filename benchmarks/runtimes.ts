/**
 * The same models on every runtime of this machine, in float32: evaluations of a field, solves, and gradients
 * (2-width-width-2, tanh; midpoint, and its reversible form for the gradient).
 *
 *   npx tsx benchmarks/runtimes.ts [--rounds 9] [--steps 20] [--runtimes jit,ort-cpu,…] [--json] [--save]
 *
 * `times jit` is CPU time over that on jit, which other work on the machine hardly changes. Runs begin and end on the
 * runtime's own device.
 */
import { openRuntime, type RuntimeName } from "../src/cli/runtimes.js";
import type { Tensor } from "../src/core/tensor.js";
import { tensor } from "../src/core/tensor.js";
import { fieldGraph } from "../src/deploy/field-file.js";
import { upload } from "../src/integrate/solve.js";
import { settingOf } from "../src/integrate/solve-inputs.js";
import { gridTensors } from "../src/programs/grid.js";
import { solveProgram } from "../src/programs/solve.js";
import { compileProgram, handOverTree, uploadTree } from "../src/runtime/compile-program.js";
import type { Runtime } from "../src/runtime/runtime.js";
import { conclude, readOptions, say } from "./conclude.js";
import { batchedTask, compileGradient, type GradientTask } from "./gradient-task.js";
import { measure, provenance, table } from "./measure.js";

const options = readOptions({
  rounds: "9",
  steps: "20",
  runtimes: "jit,ort-cpu,ort-wasm,tfjs-cpu,tfjs-wasm",
});
const [rounds, steps] = [Number(options.rounds), Number(options.steps)];
const runtimes: Runtime[] = [];
for (const name of options.runtimes.split(",")) runtimes.push(await openRuntime(name as RuntimeName));

interface Compiled {
  readonly run: () => Promise<unknown>;
  readonly release: () => Promise<void>;
}

/** What is computed, compiled for a runtime. */
const works: Readonly<Record<string, (task: GradientTask, runtime: Runtime) => Promise<Compiled>>> = {
  async field({ ode, fit, parameters }, runtime) {
    const executable = await runtime.compile(fieldGraph(ode));
    const given: Record<string, Tensor> = { ...parameters, t: tensor("float32", [], [0]), y: fit.y0 };
    const feeds = upload(
      runtime,
      Object.fromEntries(Object.keys(executable.inputs).map((name) => [name, given[name]!])),
    );
    return { run: () => executable.run(feeds), release: () => executable.release() };
  },
  async solve({ ode, fit, parameters }, runtime) {
    const program = await compileProgram(runtime, solveProgram(settingOf(ode, fit.y0.shape, fit.grid)));
    const inputs = {
      ...uploadTree(runtime, { parameters, y0: fit.y0 }),
      ...handOverTree(runtime, gridTensors(fit.grid, ode.dtype)),
    };
    return { run: () => program.run(inputs), release: () => program.release() };
  },
  async gradient(task, runtime) {
    const { compiled, run } = await compileGradient(task, runtime, "reversible");
    return { run, release: () => compiled.release() };
  },
};

const rows: {
  readonly work: string;
  readonly batch: number;
  readonly width: number;
  readonly runtime: string;
  readonly milliseconds: number;
  readonly least: number;
  readonly processor: number;
  readonly timesJit: number | null;
}[] = [];
for (const [batch, width] of [
  [1, 8],
  [16, 32],
  [256, 32],
] as const) {
  const task = batchedTask({ batch, width, steps, dtype: "float32" }, true);
  for (const [work, compile] of Object.entries(works)) {
    say(`${work}, batch ${batch}, width ${width}`);
    const compiled: Compiled[] = [];
    for (const runtime of runtimes) compiled.push(await compile(task, runtime));
    const timings = await measure(
      compiled.map(({ run }, i) => ({ name: runtimes[i]!.name, run })),
      { rounds, warmUp: 0.3, turn: 0.02, limit: 8 },
    );
    for (const { release } of compiled) await release();
    const own = timings[runtimes.findIndex(({ name }) => name === "jit")]?.processor;
    timings.forEach(({ median, least, processor }, i) => {
      const timesJit = own ? processor / own : null;
      const { name } = runtimes[i]!;
      rows.push({
        work,
        batch,
        width,
        runtime: name,
        milliseconds: median * 1e3,
        least: least * 1e3,
        processor: processor * 1e3,
        timesJit,
      });
    });
  }
}
await conclude(
  {
    ...{ benchmark: "runtimes", ...provenance(runtimes), settings: { steps, rounds }, rows, failures: [] },
    targets: [],
  },
  options,
  {
    text: `Milliseconds, median of ${rounds} rounds; a solve and a gradient take ${steps} steps\n\n${table(
      ["work", "batch", "width", "runtime", "ms", "CPU ms", "times jit"],
      rows.map((row) => [
        ...[row.work, String(row.batch), String(row.width), row.runtime],
        ...[
          row.milliseconds.toPrecision(3),
          row.processor.toPrecision(3),
          row.timesJit?.toPrecision(2) ?? "–",
        ],
      ]),
    )}`,
  },
);
