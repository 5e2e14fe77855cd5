/**
 * Is training as fast as anybody who just calls it would hope? Updates of the public `train`, with no option about runtimes
 * or threads, beside gradients of diffrax: a perceptron 2-64-64-2 on 512 states, 100 midpoint steps, float32.
 *
 *   npx tsx benchmarks/training.ts [--rounds 11] [--threads 1,2] [--json] [--save]
 *
 * An update is the gradient, AdamW, and its report on the host; of diffrax the gradient alone is timed, warm, on each number
 * of threads. The peers' Python environment is made in node_modules/.cache from peers/requirements.txt. It takes a minute
 * or two.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jit } from "../src/runtimes/jit/jit.js";
import { ortNode } from "../src/runtimes/ort-node.js";
import { conclude, readOptions, say, skip } from "./conclude.js";
import { batchedTask } from "./gradient-task.js";
import { measure, provenance, type RemoteContender, table } from "./measure.js";
import type { PeerRow } from "./peer-targets.js";
import { makePeers, python } from "./peers/environment.js";
import { Peer } from "./peers/process.js";
import { writtenTask } from "./peers/written-task.js";
import { type Target, target, unmeasured } from "./result.js";
import { PlainTraining } from "./training/plain-training.js";

const options = readOptions({ rounds: "11", threads: "1,2" });
const size = { batch: 512, width: 64, steps: 100, dtype: "float32" } as const;

type About = Omit<PeerRow, "case" | "usPerStep"> & { readonly loss: number };

type Entry = RemoteContender & { readonly about: About };

/** Runs of `train` that go on for as long as they are timed. */
async function ownRuns(): Promise<PlainTraining[]> {
  const runs = [];
  for (const coupled of [true, false]) runs.push(await PlainTraining.begun(batchedTask(size, coupled)));
  return runs;
}

/** diffrax, each number of threads in a process of its own. */
async function diffraxEntries(file: string, peers: Peer[]) {
  const [entries, failures]: [Entry[], string[]] = [[], []];
  let versions: object = {};
  for (const threads of options.threads.split(",").map(Number)) {
    say(`diffrax on ${threads} threads …`);
    const words = [join(import.meta.dirname, "peers", "in_jax.py"), file, String(threads)];
    type Ready = { versions: object; contenders: (Omit<About, "threads"> & { failure?: string })[] };
    const { peer, ready } = await Peer.start<Ready>(python, words);
    peers.push(peer);
    versions = ready.versions;
    for (const [i, { failure, ...found }] of ready.contenders.entries()) {
      const name = `diffrax ${found.scheme} ${found.gradient} ${found.variant} ${threads}`;
      if (failure !== undefined) failures.push(`${name}: ${failure}`);
      else entries.push({ name, time: (repeats) => peer.time(i, repeats), about: { ...found, threads } });
    }
  }
  return { entries, failures, versions: versions as Record<string, string> };
}

type Measured = About & { readonly seconds: number };

/** What is asked for: the fastest of theirs over one of ours. */
function targetsOf(rows: readonly Measured[]): Target[] {
  const theirs = rows.filter(
    ({ library, variant }) => library === "diffrax" && variant !== "midpoint unrolled",
  );
  const own = (scheme: string) => rows.find((row) => row.library === "revort" && row.scheme === scheme);
  const least = (of: readonly Measured[]) =>
    of.reduce<Measured | null>((best, row) => (best && best.seconds <= row.seconds ? best : row), null);
  const show = ({ library, scheme, gradient, variant, threads }: Measured) =>
    `${library}, ${scheme}, ${gradient} (${variant}), ${threads} threads`;
  const what = "batch 512, width 64: an update of plain train";
  return [
    [
      "reversible",
      `${what}, reversible, faster than our reversible add-on to diffrax`,
      2,
      "coupled",
      "reversible",
    ],
    ["fastest", `${what}, reversible, parity with diffrax's fastest gradient`, 1, "coupled", null],
    ["midpoint", `${what}, midpoint as diffrax's, parity with its fastest gradient`, 1, "midpoint", null],
  ].map(([name, text, atLeast, scheme, gradient]) => {
    const asked = { name: `training/${name}`, what: text as string, wanted: { atLeast: atLeast as number } };
    const one = own(scheme as string);
    const other = least(theirs.filter((row) => gradient === null || row.gradient === gradient));
    if (one === undefined || other === null) return unmeasured(asked, "diffrax could not be measured");
    return target(asked, other.seconds / one.seconds, `${show(other)} ÷ ${show(one)}`);
  });
}

const reason = makePeers();
if (reason !== null) skip("training", reason, options);
else {
  const where = provenance([jit(), await ortNode()]);
  const folder = mkdtempSync(join(tmpdir(), "revort-training-"));
  const peers: Peer[] = [];
  try {
    const file = join(folder, "task.json");
    writeFileSync(file, writtenTask(batchedTask(size, true), { library: "diffrax" }));
    const { entries, failures, versions } = await diffraxEntries(file, peers);
    say("revort …");
    const own = await ownRuns();
    const timed: RemoteContender[] = [...own, ...entries];
    const timings = await measure(timed, {
      ...{ rounds: Number(options.rounds), warmUp: 0.3, turn: 0.3, limit: 8, rest: 0.02, progress: say },
    });
    const abouts = [
      ...(await Promise.all(own.map((run) => run.end()))),
      ...entries.map(({ about }) => about),
    ];
    const rows = abouts.map((about, i) => {
      const { median, least, processor, quartiles } = timings[i]!;
      return { ...about, seconds: median, least, processor, lower: quartiles[0], upper: quartiles[1] };
    });
    for (const { library, scheme, variant, loss } of rows) {
      const ours = rows.find((row) => row.library === "revort" && row.scheme === scheme)!.loss;
      // float32, and adjoints that are off by what a step is
      if (!(Math.abs(loss / ours - 1) < 1e-4))
        failures.push(`${library} ${variant}: its loss is ${loss}, not ${ours}`);
    }
    const cells = rows.map((row) => [
      ...[row.seconds, row.least, row.processor].map((seconds) => (seconds * 1e3).toFixed(1)),
      ...[row.library, row.scheme, row.gradient, row.variant, row.work, String(row.threads)],
    ]);
    const settings = { ...size, rounds: Number(options.rounds) };
    await conclude(
      {
        ...{ benchmark: "training", ...where, versions: { ...where.versions, ...versions }, settings },
        ...{ rows, failures, targets: targetsOf(rows) },
      },
      options,
      {
        text: `Milliseconds\n\n${table(
          ["median", "least", "processor", "library", "scheme", "gradient", "how", "work", "threads"],
          cells,
        )}`,
      },
    );
  } finally {
    for (const peer of peers) peer.end();
    rmSync(folder, { recursive: true });
  }
}
