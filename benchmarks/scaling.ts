/**
 * What does a gradient cost in time and memory as the number of steps grows: reversible, and through stored steps?
 *
 *   npx tsx benchmarks/scaling.ts [--steps 100,300,1000,3000,10000,30000,100000] [--runtime jit,ort-cpu] [--rounds 5]
 *     [--json] [--save]
 *
 * Time is measured in turns in this process; memory is the largest resident memory of a process that computes one
 * gradient and nothing else, the least of three such processes.
 */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { openRuntime, type RuntimeName } from "../src/cli/runtimes.js";
import { logLogSlope } from "../src/figures/figure.js";
import type { Runtime } from "../src/runtime/runtime.js";
import { conclude, readOptions, say } from "./conclude.js";
import { compileGradient } from "./gradient-task.js";
import { measure, provenance, table } from "./measure.js";
import { type Row, type Target, target } from "./result.js";
import { scalingTask } from "./scaling/task.js";

const options = readOptions({
  ...{ steps: "100,300,1000,3000,10000,30000,100000", runtime: "jit,ort-cpu", rounds: "5" },
});
const counts = options.steps.split(",").map(Number);
const rounds = Number(options.rounds);
const gradients = ["reversible", "direct"] as const;

interface ScalingRow {
  readonly gradient: string;
  readonly runtime: string;
  readonly steps: number;
  readonly secondsPerGradient: number;
  readonly usPerStep: number;
  readonly least: number;
  readonly peakMebibytes: number;
  readonly storedStates: number;
}

/** What the process needs: the least of three, since garbage that was not collected only adds. */
async function memoryOf(gradient: string, runtime: string, steps: number) {
  say(`memory of ${gradient} on ${runtime}, ${steps} steps`);
  const words = [gradient, runtime, String(steps)];
  const program = join(import.meta.dirname, "scaling", "one.ts");
  let least: { bytes: number; storedStates: number } | null = null;
  for (let i = 0; i < 3; i++) {
    const { stdout } = await promisify(execFile)(process.execPath, [
      ...["--import", import.meta.resolve("tsx"), program, ...words],
    ]);
    const found = JSON.parse(stdout) as { bytes: number; storedStates: number };
    if (least === null || found.bytes < least.bytes) least = found;
  }
  return least!;
}

const runtimes: Runtime[] = [];
for (const name of options.runtime.split(",")) runtimes.push(await openRuntime(name as RuntimeName));
const rows: (Row & ScalingRow)[] = [];
for (const runtime of runtimes) {
  for (const gradient of gradients) {
    const contenders = [];
    for (const steps of counts) {
      const { run, compiled } = await compileGradient(scalingTask(steps), runtime, gradient);
      contenders.push({ name: `${gradient} ${runtime.name} ${steps} steps`, run, compiled, steps });
    }
    const timings = await measure(contenders, { rounds, warmUp: 0.2, limit: 15, progress: say });
    for (const [i, { steps, compiled }] of contenders.entries()) {
      await compiled.release();
      const { bytes, storedStates } = await memoryOf(gradient, runtime.name, steps);
      const { median, least } = timings[i]!;
      const times = { secondsPerGradient: median, usPerStep: (median * 1e6) / steps, least };
      rows.push({
        ...{ gradient, runtime: runtime.name, steps, ...times },
        ...{ peakMebibytes: bytes / 2 ** 20, storedStates },
      });
    }
  }
}

const seriesOf = (gradient: string, runtime: string) =>
  rows.filter((row) => row.gradient === gradient && row.runtime === runtime);
const [fewest, most] = [Math.min(...counts), Math.max(...counts)];
const targets: Target[] = runtimes.flatMap(({ name }) => {
  const series = seriesOf("reversible", name);
  const memory = series.map((row) => row.peakMebibytes);
  const span = `${fewest} to ${most} steps`;
  return [
    target(
      {
        name: `scaling/time-${name}`,
        what: `reversible on ${name}, ${span}: log-log slope of time over steps`,
        wanted: { atMost: 1.05 },
      },
      logLogSlope(
        counts,
        series.map((row) => row.secondsPerGradient),
      ),
      "least squares over all counts of steps",
    ),
    target(
      {
        name: `scaling/memory-${name}`,
        what: `reversible on ${name}, ${span}: growth of the whole process's largest memory`,
        wanted: { atMost: 1.1 },
      },
      memory.at(-1)! / memory[0]!,
      `${memory.at(-1)!.toFixed(0)} MiB ÷ ${memory[0]!.toFixed(0)} MiB`,
    ),
  ];
});

await conclude(
  {
    ...{
      benchmark: "scaling",
      ...provenance(runtimes),
      settings: { rounds, batch: 64, width: 8, dtype: "float64" },
    },
    ...{ rows, failures: [], targets },
  },
  options,
  {
    text: table(
      ["gradient", "runtime", "steps", "ms/gradient", "us/step", "peak MiB", "states stored"],
      rows.map((row) => [
        ...[row.gradient, row.runtime, String(row.steps), (row.secondsPerGradient * 1e3).toFixed(2)],
        ...[row.usPerStep.toFixed(2), row.peakMebibytes.toFixed(0), String(row.storedStates)],
      ]),
    ),
  },
);
