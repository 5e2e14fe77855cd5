/**
 * What ONNX Runtime does on the GPU of this machine, by CUDA and by WebGPU over Vulkan: what every runtime must do, gradients of
 * white dwarf, 512 × 64 and 4096 × 256, the flow of two moons, and JAX beside them where a Python has one for this GPU.
 *
 *   npx tsx benchmarks/gpu.ts [--minutes 8] [--runtimes ort-cuda,ort-webgpu,ort-cpu,jit] [--parts conformance,512x64,…]
 *     [--python python3] [--dry] [--json] [--save]
 *
 * Each part is a process of its own with a limit of time: what fails, hangs or is not there is said with its reason, and the
 * others go on. `--dry` does all of it in small, to see whether it would run.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { conclude, readOptions, say } from "./conclude.js";
import { gradientTasks, stepsIn } from "./gpu/tasks.js";
import { provenance, table } from "./measure.js";
import { Peer } from "./peers/process.js";
import { writtenTask } from "./peers/written-task.js";
import { type Cell, type Row, showNumber } from "./result.js";

const dry = process.argv.includes("--dry");
process.argv = process.argv.filter((word) => word !== "--dry");
const options = readOptions({
  minutes: "8",
  runtimes: "ort-cuda,ort-webgpu,ort-cpu,jit",
  parts: ["conformance", ...Object.keys(gradientTasks), "two-moons", "jax"].join(","),
  python: process.env.REVORT_PYTHON ?? "python3",
});
const end = performance.now() + 60_000 * Number(options.minutes);
const started = promisify(execFile);
/** Runs a program that is ended at once when its time is up: some go on for a while when they are only asked to stop. */
const run = (program: string, words: readonly string[], limit: number) =>
  started(program, [...words], { timeout: limit, killSignal: "SIGKILL", maxBuffer: 1 << 26 });
const rows: Row[] = [];
const failures: string[] = [];
const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
const folder = mkdtempSync(join(tmpdir(), "revort-gpu-"));

/** Milliseconds that a part may take: so many seconds, or what is left, of which the last seconds are for the end. */
const within = (seconds: number) => Math.max(1, Math.min(1000 * seconds, end - performance.now() - 5_000));

/** What was found not to be here at all: a runtime, or JAX. */
const absent = new Set<string>();

/** Does a part on something; what goes wrong is kept as a sentence, and that something is not here is said once. */
async function guarded(part: string, on: string, work: () => Promise<void>): Promise<void> {
  if (absent.has(on)) return;
  const what = `${part} on ${on}`;
  if (end - performance.now() < 10_000) {
    failures.push(`${what}: no time was left of ${options.minutes} minutes`);
    return;
  }
  say(`${what} …`);
  await work().catch((cause: Error & { killed?: boolean; stderr?: string }) => {
    const lines = (cause.stderr || cause.message)
      .trim()
      .split("\n")
      .map((line) => line.trim());
    const said = lines.findLast((line) => /^(revort: |\w*Error: )/.test(line)) ?? lines.at(-1) ?? "it ended";
    const isAbsent = /does not work here|has no GPU|No module named|ENOENT/.test(said);
    if (isAbsent) absent.add(on);
    failures.push(`${isAbsent ? on : what}: ${cause.killed ? "it took too long" : said}`);
  });
}

/** The graphics cards of NVIDIA, with driver and memory, as its own tool names them. */
async function cards(): Promise<{ readonly gpu?: string }> {
  const query = ["--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"];
  return run("nvidia-smi", query, 20_000).then(
    ({ stdout }) => ({ gpu: stdout.trim().split("\n").join("; ") }),
    (cause: Error) => {
      failures.push(`nvidia-smi: ${cause.message.split("\n")[0]}`);
      return {};
    },
  );
}

async function part(what: string, runtime: string, seconds: number): Promise<void> {
  await guarded(what, runtime, async () => {
    const words = [
      "--import",
      tsx,
      join(import.meta.dirname, "gpu", "part.ts"),
      what,
      runtime,
      ...(dry ? ["dry"] : []),
    ];
    const { stdout } = await run(process.execPath, words, within(seconds));
    for (const line of stdout.split("\n").filter((text) => text.startsWith("{"))) rows.push(JSON.parse(line));
  });
}

/** Updates of the normalising flow of two moons, by the command that everybody uses. */
async function twoMoons(runtime: string): Promise<void> {
  await guarded("two-moons", runtime, async () => {
    const out = join(folder, `two-moons-${runtime}`);
    const words = [
      ...["train", "two-moons", "--runtime", runtime, "--dtype", "float32", "--steps", dry ? "1" : "10"],
      ...(dry ? ["--batch", "8"] : []),
      ...["--out", out, "--json"],
    ];
    const program = join(import.meta.dirname, "..", "scripts", "revort.mjs");
    const { stdout } = await run(process.execPath, [program, ...words], within(dry ? 30 : 60));
    const { secondsPerStep, loss } = JSON.parse(stdout) as { secondsPerStep: number; loss: { last: number } };
    rows.push({ part: "two-moons", runtime, secondsPerUpdate: secondsPerStep, loss: loss.last });
  });
}

/** The same gradients in JAX, where a Python has it. */
async function jax(task: string): Promise<void> {
  await guarded(task, "JAX", async () => {
    const { stdout } = await run(
      options.python,
      ["-c", "import jax, diffrax; print(jax.devices()[0].platform, jax.devices()[0].device_kind)"],
      within(60),
    );
    const own = gradientTasks[task]!(dry);
    const file = join(folder, `${task}.json`);
    writeFileSync(file, writtenTask(own, { library: "JAX", scheme: "coupled" }));
    const script = join(import.meta.dirname, "peers", "in_jax.py");
    const { peer, ready } = await Peer.start<{
      versions: Record<string, string>;
      contenders: Record<string, Cell>[];
    }>(options.python, [script, file, "2"]);
    const limit = setTimeout(() => peer.child.kill(), within(40));
    try {
      for (const [i, about] of ready.contenders.entries()) {
        if (typeof about.failure === "string") throw new Error(about.failure);
        await peer.time(i, 1);
        const { clock } = await peer.time(i, 3);
        rows.push({
          ...{ part: task, runtime: `JAX ${ready.versions.jax} on ${stdout.trim()}` },
          ...{ what: `${about.kind ?? ""} ${about.variant ?? ""}`.trim(), steps: stepsIn(own) },
          ...{ secondsPerGradient: clock / 3, firstSeconds: about.start ?? null, loss: about.loss ?? null },
        });
      }
    } finally {
      clearTimeout(limit);
      peer.end();
      peer.child.kill();
    }
  });
}

const parts = options.parts.split(",");
const runtimes = options.runtimes.split(",");
const gpus = runtimes.filter((name) => /cuda|webgpu/.test(name));
const where = provenance();
const found = await cards();
const versions = { ...where.versions, ...found };
const others = runtimes.filter((name) => !gpus.includes(name));
const tasks = Object.keys(gradientTasks).filter((name) => parts.includes(name));
// time may run out: the GPU comes first, and what the processor does of the same last
for (const task of tasks) {
  for (const runtime of gpus) await part(task, runtime, dry ? 60 : 35);
  if (parts.includes("jax")) await jax(task);
}
if (parts.includes("conformance")) for (const runtime of gpus) await part("conformance", runtime, 70);
if (parts.includes("two-moons")) for (const runtime of gpus) await twoMoons(runtime);
for (const runtime of others) {
  for (const task of tasks) await part(task, runtime, 30);
  if (parts.includes("two-moons")) await twoMoons(runtime);
}
rmSync(folder, { recursive: true, force: true });
if (rows.length === 0) rows.push({ part: "none", runtime: "none" });
const cell = (value: Cell | undefined) =>
  typeof value === "number" ? showNumber(value) : String(value ?? "–");
const columns = [
  "part",
  "runtime",
  "what",
  "firstSeconds",
  "secondsPerGradient",
  "secondsPerUpdate",
  "normError",
  "passed",
  "failed",
];
await conclude(
  {
    benchmark: "gpu",
    ...where,
    versions,
    settings: { dry, minutes: Number(options.minutes) },
    rows,
    failures,
    targets: [],
  },
  options,
  {
    text: `${found.gpu ?? "no GPU of NVIDIA was found"}\n\n${table(
      columns,
      rows.map((row) => columns.map((name) => cell(row[name]))),
    )}`,
  },
);
process.exit();
