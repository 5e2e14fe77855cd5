/**
 * Whose gradients are fastest? revort against diffrax (with the reversible method added to it), plain JAX, torchdiffeq
 * and torchode: the same fields, initial weights, midpoint steps and losses, each compiled once, warm, in turns.
 *
 *   npx tsx benchmarks/peers.ts [--case white-dwarf,large,small] [--rounds 9] [--threads 1,2] [--json] [--save]
 *
 * Of revort's, `threads` are parts of the batch, each in a thread. The peers' Python environment is made in
 * node_modules/.cache from peers/requirements.txt; without Python or the network this says so and stops.
 *
 * What finds another loss or gradient norm than revort's stored steps of the same scheme is not timed, and said.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GradientSpec } from "../src/gradients/method.js";
import { jit } from "../src/runtimes/jit/jit.js";
import { ortNode } from "../src/runtimes/ort-node.js";
import { type ThreadRuntime, threadRuntime } from "../src/runtimes/thread.js";
import type { ThreadedRuntime } from "../src/runtimes/threaded-runtime.js";
import { conclude, readOptions, say, skip } from "./conclude.js";
import { batchedTask, compileGradient, type GradientTask, whiteDwarfTask } from "./gradient-task.js";
import { type Contender, measure, provenance, type RemoteContender, table } from "./measure.js";
import { type PeerRow, peerTargets } from "./peer-targets.js";
import { makePeers, python } from "./peers/environment.js";
import { Peer } from "./peers/process.js";
import { writtenTask } from "./peers/written-task.js";
import type { Target } from "./result.js";
import { compileUpdate } from "./update.js";

const options = readOptions({ case: "white-dwarf,large,small", rounds: "9", threads: "1,2" });
const threadCounts = options.threads.split(",").map(Number);

const cases: Readonly<Record<string, (coupled: boolean) => GradientTask>> = {
  "white-dwarf": whiteDwarfTask,
  large: (coupled) => batchedTask({ batch: 512, width: 64, steps: 100, dtype: "float32" }, coupled),
  small: (coupled) => batchedTask({ batch: 16, width: 32, steps: 100, dtype: "float32" }, coupled),
};

/** Scheme and gradient of each of ours. */
const ours: readonly (readonly [scheme: "coupled" | "midpoint", GradientSpec])[] = [
  ["coupled", "reversible"],
  ["coupled", "direct"],
  ["midpoint", "direct"],
  ["midpoint", "checkpoint"],
  ["midpoint", "continuous"],
];

/** What is known of a contender before it is timed. */
type About = Omit<PeerRow, "usPerStep"> & {
  readonly loss: number;
  readonly norm: number | null;
  readonly startSeconds: number;
};

type Entry = (Contender | RemoteContender) & { readonly about: About };

/** A contender of another process, as peers/task.py tells of it. */
type PeerAbout = Omit<About, "case" | "threads" | "startSeconds"> & {
  readonly start: number;
  readonly failure?: string;
};

/** Ours, on each runtime, in as many parts of the batch as there may be threads. */
async function ownEntries(name: string, make: (coupled: boolean) => GradientTask, helpers: ThreadRuntime[]) {
  const entries: Entry[] = [];
  for (const [scheme, gradient] of ours) {
    const task = make(scheme === "coupled");
    const common = { case: name, library: "revort", scheme, gradient: String(gradient) };
    for (const runtime of [jit(), await ortNode()]) {
      for (const threads of threadCounts.filter((count) => count <= task.fit.y0.shape[0]!)) {
        const others: ThreadRuntime[] = [];
        for (let k = 1; k < threads; k++) others.push(await threadRuntime(runtime.name as ThreadedRuntime));
        helpers.push(...others);
        const { run, start, loss, gradientNorm } = await compileGradient(task, runtime, gradient, others);
        const found = { loss, norm: gradientNorm, startSeconds: start };
        const about = { ...common, variant: runtime.name, work: "gradient", threads, ...found };
        entries.push({ name: `revort ${scheme} ${gradient} ${runtime.name} ${threads}`, run, about });
      }
      if (name !== "white-dwarf") continue;
      const { run, start, loss } = await compileUpdate(task, runtime, gradient);
      const found = { loss, norm: null, startSeconds: start };
      const about = { ...common, variant: runtime.name, work: "update", threads: 1, ...found };
      entries.push({ name: `revort ${scheme} ${gradient} ${runtime.name} update`, run, about });
    }
  }
  return entries;
}

/** Theirs, each script on each number of threads in a process of its own. */
async function peerEntries(name: string, file: string, peers: Peer[]) {
  const entries: Entry[] = [];
  const versions: Record<string, string> = {};
  const failures: string[] = [];
  for (const script of ["in_jax.py", "in_torch.py"]) {
    for (const threads of threadCounts) {
      say(`${name}: ${script} on ${threads} threads …`);
      const words = [join(import.meta.dirname, "peers", script), file, String(threads)];
      const { peer, ready } = await Peer.start<{ versions: object; contenders: readonly PeerAbout[] }>(
        python,
        words,
      );
      peers.push(peer);
      Object.assign(versions, ready.versions);
      for (const [i, { start, failure, ...about }] of ready.contenders.entries()) {
        const who = `${about.library} ${about.variant} ${about.work} ${threads}`;
        if (failure !== undefined) failures.push(`${name}: ${who}: ${failure}`);
        else {
          const full = { ...about, case: name, threads, startSeconds: start };
          entries.push({ name: who, time: (repeats) => peer.time(i, repeats), about: full });
        }
      }
    }
  }
  return { entries, versions, failures };
}

/**
 * What of a contender's numbers is not that of stored steps of the same scheme, if anything: continuous adjoints are off
 * by what a step is, and float32 by rounding, both well below a hundredth here.
 */
function differs({ scheme, loss, norm }: About, own: readonly Entry[]): string | null {
  const reference = own.find(
    ({ about }) => about.scheme === scheme && about.gradient === "direct" && about.work === "gradient",
  )!.about;
  const off = (found: number, wanted: number, tolerance: number) =>
    !(Math.abs(found / wanted - 1) < tolerance);
  if (off(loss, reference.loss, 1e-4)) return `its loss is ${loss}, not ${reference.loss}`;
  if (norm !== null && off(norm, reference.norm!, 1e-2)) {
    return `the norm of its gradient is ${norm}, not ${reference.norm}`;
  }
  return null;
}

async function compare(name: string, make: (coupled: boolean) => GradientTask) {
  const folder = mkdtempSync(join(tmpdir(), "revort-peers-"));
  const [peers, helpers]: [Peer[], ThreadRuntime[]] = [[], []];
  try {
    say(`${name}: compiling …`);
    const task = make(true);
    const file = join(folder, "task.json");
    writeFileSync(file, writtenTask(task, { updates: name === "white-dwarf" }));
    const own = await ownEntries(name, make, helpers);
    const { entries, versions, failures } = await peerEntries(name, file, peers);
    const all: Entry[] = [];
    for (const entry of [...own, ...entries]) {
      const complaint = differs(entry.about, own);
      if (complaint === null) all.push(entry);
      else failures.push(`${name}: ${entry.name}: ${complaint}`);
    }
    const timings = await measure(all, {
      ...{ rounds: Number(options.rounds), warmUp: 0.3, turn: 0.05, limit: 8, rest: 0.02, lead: 0.05 },
      progress: (text) => say(`${name}: ${text}`),
    });
    const steps = task.fit.grid.times.length - 1;
    const perStep = (seconds: number) => (seconds * 1e6) / steps;
    const rows = all.map(({ about }, i) => {
      const { median, least, processor, quartiles } = timings[i]!;
      const times = { least: perStep(least), processor: perStep(processor) };
      const [lower, upper] = quartiles.map(perStep) as [number, number];
      return { ...about, steps, usPerStep: perStep(median), ...times, lower, upper };
    });
    return { rows, versions, failures };
  } finally {
    for (const peer of peers) peer.end();
    for (const helper of helpers) await helper.close();
    rmSync(folder, { recursive: true });
  }
}

function textOf(rows: Awaited<ReturnType<typeof compare>>["rows"]): string {
  const parts = [...new Set(rows.map((row) => row.case))].map((name) => {
    const own = rows.filter((row) => row.case === name).sort((a, b) => a.usPerStep - b.usPerStep);
    const cells = own.map((row) => [
      ...[row.usPerStep, row.least, row.processor].map((us) => us.toFixed(2)),
      `${row.lower.toFixed(1)}–${row.upper.toFixed(1)}`,
      ...[row.library, row.scheme, row.gradient, row.variant, row.work, String(row.threads)],
      ...[row.loss.toPrecision(7), row.norm?.toPrecision(6) ?? "–", row.startSeconds.toFixed(2)],
    ]);
    const headings = ["us/step", "least", "processor", "quartiles", "library", "scheme", "gradient", "how"];
    return `${name}: ${own[0]!.steps} steps, forward and backward\n\n${table(
      [...headings, "work", "threads", "loss", "|gradient|", "start s"],
      cells,
    )}`;
  });
  return parts.join("\n\n");
}

const reason = makePeers();
if (reason !== null) skip("peers", reason, options);
else {
  const where = provenance([await ortNode(), jit()]);
  const rows = [];
  const failures: string[] = [];
  const targets: Target[] = [];
  let versions = where.versions;
  for (const name of options.case.split(",")) {
    const found = await compare(name, cases[name]!);
    rows.push(...found.rows);
    failures.push(...found.failures);
    targets.push(...peerTargets(name, found.rows));
    versions = { ...versions, ...found.versions };
  }
  const settings = { rounds: Number(options.rounds), threads: options.threads };
  await conclude({ benchmark: "peers", ...where, versions, settings, rows, failures, targets }, options, {
    text: textOf(rows),
  });
}
