/**
 * How long does it take until training gets going: from a fresh process to the first update of the white-dwarf
 * experiment (1000 coupled midpoint steps), and what of it is what?
 *
 *   npx tsx benchmarks/start-up.ts [--rounds 7] [--runtime jit,ort-cpu] [--json] [--save]
 *
 * `load` is reading the modules (sources through tsx, with its cache warm); `compile` is building the graphs, compiling
 * them, and the first update, as `train` does it. What diffrax takes for the latter is in the results of peers.ts.
 */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { jit } from "../src/runtimes/jit/jit.js";
import { ortNode } from "../src/runtimes/ort-node.js";
import { conclude, readOptions, say } from "./conclude.js";
import { provenance, table } from "./measure.js";
import { target } from "./result.js";

const options = readOptions({ rounds: "7", runtime: "jit,ort-cpu" });
const rounds = Number(options.rounds);
const names = options.runtime.split(",");
const parts = ["processMs", "loadMs", "compileMs", "nextMs"] as const;
type Times = Readonly<Record<(typeof parts)[number], number>>;

async function fresh(runtime: string): Promise<Times> {
  const program = join(import.meta.dirname, "start-up", "one.ts");
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...["--import", import.meta.resolve("tsx"), program, runtime, "reversible"],
  ]);
  return JSON.parse(stdout) as Times;
}

const samples = new Map<string, Times[]>(names.map((name) => [name, []]));
// the first of each fills the caches of the disk and of tsx
for (const name of names) await fresh(name);
for (let round = 0; round < rounds; round++) {
  say(`round ${round + 1} of ${rounds}`);
  for (const name of names) samples.get(name)!.push(await fresh(name));
}
const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;
const rows = [...samples].map(([runtime, times]) => ({
  runtime,
  ...(Object.fromEntries(parts.map((part) => [part, median(times.map((one) => one[part]))])) as Record<
    (typeof parts)[number],
    number
  >),
  leastCompileMs: Math.min(...times.map(({ compileMs }) => compileMs)),
}));
const own = rows.find(({ runtime }) => runtime === "jit");
await conclude(
  {
    ...{ benchmark: "start-up", ...provenance([jit(), await ortNode()]), settings: { rounds, steps: 1000 } },
    ...{ rows, failures: [] },
    targets:
      own === undefined
        ? []
        : [
            target(
              {
                name: "start-up/jit",
                what: "white dwarf on jit, fresh process: building, compiling and the first update",
                wanted: { atMost: 300 },
                unit: "ms",
              },
              own.compileMs,
              `median of ${rounds} processes; reading the modules takes ${own.loadMs.toFixed(0)} ms more`,
            ),
          ],
  },
  options,
  {
    text: `Milliseconds in a fresh process, medians of ${rounds}\n\n${table(
      ["runtime", "process", "load", "compile, first update", "next update"],
      rows.map((row) => [row.runtime, ...parts.map((part) => row[part].toFixed(1))]),
    )}`,
  },
);
