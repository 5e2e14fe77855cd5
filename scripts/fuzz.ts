import { type ChildProcess, spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Command } from "commander";
import { count } from "../src/cli/usage.js";

// Tries mutants in processes of their own, which are stopped where one hangs or fills the memory.

interface Options {
  readonly models: number;
  readonly files: number;
  readonly compared: number;
  readonly seed: number;
  readonly first: number;
  readonly jobs: number;
  readonly batch: number;
  readonly seconds: number;
  readonly megabytes: number;
  readonly out: string;
}

const kinds = ["models", "files", "compared"] as const;
type Kind = (typeof kinds)[number];

/** Mutants from one number to before another, of one kind. */
interface Batch {
  readonly kind: Kind;
  readonly from: number;
  readonly to: number;
}

/** What a worker says: that it begins a mutant, or how one ended. */
interface Line {
  readonly index: number;
  readonly start?: string;
  readonly path?: string;
  readonly done?: readonly string[];
  readonly fault?: string | null;
}

const options = new Command("fuzz")
  .description("Tries mutants of models and other files; what goes wrong is written to a folder.")
  .option("--models <n>", "mutants of models", count("--models"), 1000)
  .option("--files <n>", "mutants of other files", count("--files"), 250)
  .option(
    "--compared <n>",
    "mutants of models that run here and in ONNX Runtime, whose results must agree",
    count("--compared"),
    0,
  )
  .option("--seed <n>", "what the mutants follow from", count("--seed"), 1)
  .option(
    "--first <n>",
    "the number of the first mutant: one that failed is tried again by --first N --models 1",
    count("--first"),
    0,
  )
  .option("--jobs <n>", "processes at once", count("--jobs"), 2)
  .option("--batch <n>", "mutants in a process", count("--batch"), 250)
  .option("--seconds <s>", "longest time for a mutant, of one processor", count("--seconds"), 10)
  .option("--megabytes <n>", "largest memory of a process", count("--megabytes"), 1000)
  .option("--out <folder>", "where mutants that fail are kept", "fuzz-findings")
  .parse()
  .opts<Options>();

const worker = fileURLToPath(new URL("../test/fuzz/worker.ts", import.meta.url));
const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
const out = resolve(options.out);
mkdirSync(out, { recursive: true });

const counts = new Map<string, number>();
const tally = (what: string) => counts.set(what, (counts.get(what) ?? 0) + 1);
let faults = 0;
let largest = 0;
let slowest = { seconds: 0, what: "" };

/** Largest resident memory of a process so far, in megabytes; 0 where the system does not say. */
function memoryOf({ pid }: ChildProcess): number {
  try {
    return Number(/VmHWM:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

/** Seconds of processor time that a process has taken; `null` where the system does not say. */
function processorTimeOf({ pid }: ChildProcess): number | null {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return null;
  }
}

function report(batch: Batch, line: Line, what: string, current: string): void {
  faults++;
  const kept = line.path ?? join(out, `${batch.kind}-${options.seed}-${line.index}`);
  if (!existsSync(kept) && existsSync(current)) copyFileSync(current, kept);
  writeFileSync(`${kept}.txt`, `${what}\n`);
  process.stdout.write(
    `${batch.kind} --seed ${options.seed} --first ${line.index} (${line.start}): ${what.slice(0, 800)}\n  kept as ${kept}\n`,
  );
}

/** Runs a batch; where it is cut short, the rest goes on in another process, without the mutant that did it. */
async function runBatch(batch: Batch): Promise<void> {
  const words = [batch.kind, String(options.seed), String(batch.from), String(batch.to), out];
  const child = spawn(process.execPath, ["--import", tsx, "--max-old-space-size=700", worker, ...words], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const current = join(out, `current-${child.pid}`);
  let stderr = "";
  child.stderr!.on("data", (chunk) => {
    stderr = `${stderr}${chunk}`.slice(-4000);
  });
  let line: Line = { index: batch.from };
  let since = performance.now();
  let usedBefore = 0;
  let cause: string | null = null;
  let isReady = false;
  const watch = setInterval(() => {
    const memory = memoryOf(child);
    largest = Math.max(largest, memory);
    // on a busy machine a process may wait for others; one that begins compiles what it runs
    const waited = (performance.now() - since) / 1000;
    const worked = (processorTimeOf(child) ?? usedBefore + waited) - usedBefore;
    const limit = isReady ? options.seconds : 10 * options.seconds;
    if (worked > limit || waited > 10 * limit) cause ??= `takes longer than ${limit} s`;
    if (memory > options.megabytes) cause ??= `takes ${Math.round(memory)} MB`;
    if (cause !== null) child.kill("SIGKILL");
  }, 100);
  for await (const text of createInterface({ input: child.stdout! })) {
    const said = JSON.parse(text) as Line;
    const seconds = (performance.now() - since) / 1000;
    if (said.start !== undefined) line = said;
    else {
      if (seconds > slowest.seconds)
        slowest = { seconds, what: `${batch.kind} ${line.index} (${line.start})` };
      tally(`${batch.kind}: ${said.fault === null ? (said.done!.at(-1) ?? "refused") : "fault"}`);
      if (said.fault !== null) report(batch, line, said.fault!, current);
      line = { index: said.index + 1 };
    }
    isReady = true;
    since = performance.now();
    usedBefore = processorTimeOf(child) ?? 0;
  }
  const code = child.exitCode ?? (await new Promise((done) => child.once("exit", done)));
  clearInterval(watch);
  if (code !== 0 || cause !== null) {
    tally(`${batch.kind}: ended the process`);
    report(batch, line, cause ?? `the process ended with ${code}: ${stderr}`, current);
    if (line.index + 1 < batch.to) await runBatch({ ...batch, from: line.index + 1 });
  }
  rmSync(current, { force: true });
}

const batches: Batch[] = kinds.flatMap((kind) => {
  const end = options.first + options[kind];
  return Array.from({ length: Math.ceil(options[kind] / options.batch) }, (_, i) => {
    const from = options.first + i * options.batch;
    return { kind, from, to: Math.min(end, from + options.batch) };
  });
});

const began = performance.now();
await Promise.all(
  Array.from({ length: options.jobs }, async () => {
    for (let batch = batches.shift(); batch !== undefined; batch = batches.shift()) {
      await runBatch(batch);
      process.stderr.write(`${batch.kind} ${batch.from} to ${batch.to - 1} done, ${faults} faults so far\n`);
    }
  }),
);
const minutes = ((performance.now() - began) / 60_000).toFixed(1);
process.stdout.write(
  `${[...counts]
    .sort()
    .map(([what, n]) => `${String(n).padStart(7)}  ${what}`)
    .join("\n")}\n${faults} faults in ${minutes} minutes; largest memory ${Math.round(largest)} MB; ` +
    `longest ${slowest.seconds.toFixed(1)} s, ${slowest.what}\n`,
);
process.exitCode = faults === 0 ? 0 : 1;
