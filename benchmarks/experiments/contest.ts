import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Tensor } from "../../src/core/tensor.js";
import { initialValues } from "../../src/models/values.js";
import { encodeSafetensors } from "../../src/storage/safetensors.js";
import { say } from "../conclude.js";
import { measure, type RemoteContender, type Sample } from "../measure.js";
import { python } from "../peers/environment.js";
import { Peer, PeerError } from "../peers/process.js";
import type { CaseOptions, Contestant, ExperimentCase } from "./case.js";
import { cases } from "./cases.js";

/** One contender in one case, as it is measured. */
export interface ExperimentRow {
  readonly case: string;
  readonly library: string;
  readonly scheme: string;
  readonly gradient: string;
  readonly threads: number;
  /** whether a batch is gone through at once, or in parts */
  readonly batch: string;
  /** of an update: the gradient, AdamW, the loss on the host */
  readonly seconds: number;
  readonly least: number;
  readonly lower: number;
  readonly upper: number;
  readonly processor: number;
  /** the largest memory of the process, and that before it had anything to do */
  readonly peakMebibytes: number;
  readonly idleMebibytes: number;
  readonly loss: number;
  readonly norm: number;
  readonly startSeconds: number;
}

type About = Pick<ExperimentRow, "library" | "scheme" | "gradient" | "threads" | "batch">;

/** What a process says of itself first. */
interface Ready {
  readonly loss: number;
  readonly norm: number;
  readonly base: number;
  readonly start: number;
  readonly versions: Readonly<Record<string, string>>;
}

interface Entry {
  readonly about: About;
  readonly peer: Peer;
  readonly ready: Ready;
  /** the largest memory so far, in bytes */
  peak: number;
}

export interface Contest {
  readonly rows: readonly ExperimentRow[];
  readonly failures: readonly string[];
  readonly versions: Readonly<Record<string, string>>;
}

const mebibytes = (bytes: number) => bytes / 2 ** 20;
const nameOf = ({ library, scheme, gradient, threads, batch }: About) =>
  `${library}, ${scheme}, ${gradient}, ${threads} ${threads === 1 ? "thread" : "threads"}, ${batch}`;

/**
 * How revort is asked for: the way of the experiment as `train` goes, in a thread and in all; beside peers, the plain stored
 * steps that these take, in all threads too; and ways on whole batches, all of them or, beside peers, the stored steps that
 * losses and gradients are held against.
 */
function ownWays({ own }: ExperimentCase, threads: number, withPeers: boolean) {
  const asTrained = [...new Set([1, threads])].map((count) => ({ way: own[0]!, count }));
  const likePeers = own
    .filter(({ scheme, gradient }) => withPeers && scheme === "plain" && gradient === "direct")
    .filter((way) => threads > 1 && way !== own[0])
    .map((way) => ({ way, count: threads }));
  const whole = own
    .filter(({ gradient }) => !withPeers || gradient === "direct")
    .map((way) => ({ way: { ...way, batch: "whole" as const }, count: 1 }));
  return [...asTrained, ...likePeers, ...whole];
}

/** A process of revort. */
export async function ownProcess(name: string, way: CaseOptions, threads = 1) {
  const program = join(import.meta.dirname, "one.ts");
  const words = [program, name, JSON.stringify(way), "auto", String(threads)];
  return Peer.start<Ready>(process.execPath, ["--import", import.meta.resolve("tsx"), ...words]);
}

/** The parameters and data of a case, as the scripts of the peers read them. */
async function writtenCase({ task, data, dtype, setting, given, own }: ExperimentCase): Promise<Uint8Array> {
  const { model } = await task(own[0]!);
  const { parameters } = initialValues(model, { dtype, seed: 0 });
  const named = (kind: string, tensors: Readonly<Record<string, Tensor>>) =>
    Object.entries(tensors).map(([name, tensor]) => [`${kind}.${name}`, tensor] as const);
  const all = [
    ...named("parameters", parameters),
    ...named("data", { ...(await data()), ...(await given?.()) }),
  ];
  return encodeSafetensors(Object.fromEntries(all), { setting: JSON.stringify({ ...setting, dtype }) });
}

function peerProcess(name: string, { library, variant }: Contestant, file: string, threads: number) {
  const script = join(import.meta.dirname, "..", "peers", "experiments", "run.py");
  return Peer.start<Ready>(python, [script, name, library, variant, file, String(threads)]);
}

/**
 * Times the contenders of a case in turns, each in a process of its own.
 *
 * What finds another loss or norm of the gradient than revort's stored steps of the same scheme is not timed, and said.
 */
export async function contest(
  name: string,
  {
    threads,
    rounds,
    limit,
    withPeers,
  }: { threads: number; rounds: number; limit: number; withPeers: boolean },
): Promise<Contest> {
  const folder = mkdtempSync(join(tmpdir(), "revort-experiments-"));
  const entries: Entry[] = [];
  const failures: string[] = [];
  const open = async (about: About, start: () => Promise<{ peer: Peer; ready: Ready }>) => {
    say(`${name}: ${nameOf(about)} …`);
    try {
      const { peer, ready } = await start();
      entries.push({ about, peer, ready, peak: 0 });
    } catch (error) {
      if (!(error instanceof PeerError)) throw error;
      failures.push(`${name}: ${nameOf(about)}: ${error.message.trim().split("\n").at(-1)}`);
    }
  };
  const one = cases[name]!;
  try {
    const starts = ownWays(one, threads, withPeers).map(({ way, count }) => () => {
      const about = { library: "revort", ...way, batch: way.batch ?? "parts", threads: count };
      return open(about, () => ownProcess(name, way, count));
    });
    if (withPeers) {
      const file = join(folder, "case.safetensors");
      writeFileSync(file, await writtenCase(one));
      for (const other of one.peers) {
        const { library, scheme, variant: gradient } = other;
        const about = { library, scheme, gradient, threads, batch: "whole" };
        starts.push(() => open(about, () => peerProcess(name, other, file, threads)));
      }
    }
    // to compile and to make the first update takes a core, and longer than all that is timed
    const rest = starts.values();
    const startOthers = async () => {
      for (const start of rest) await start();
    };
    await Promise.all(Array.from({ length: threads }, startOthers));
    const agreeing = entries.filter((entry) => {
      const complaint = differs(entry, entries);
      if (complaint !== null) failures.push(`${name}: ${nameOf(entry.about)}: ${complaint}`);
      return complaint === null;
    });
    const timings = await measure(agreeing.map(remote), {
      ...{ rounds, limit, warmUp: 0, turn: 0.3, rest: 0.05 },
      progress: (text) => say(`${name}: ${text}`),
    });
    const rows = agreeing.map(({ about, ready, peak }, i): ExperimentRow => {
      const { median, least, processor, quartiles } = timings[i]!;
      const [lower, upper] = quartiles;
      return {
        ...{ case: name, ...about, seconds: median, least, lower, upper, processor },
        ...{ peakMebibytes: mebibytes(peak), idleMebibytes: mebibytes(ready.base) },
        ...{ loss: ready.loss, norm: ready.norm, startSeconds: ready.start },
      };
    });
    const versions = Object.assign({}, ...entries.map(({ ready }) => ready.versions));
    return { rows, failures, versions };
  } finally {
    for (const { peer } of entries) peer.end();
    rmSync(folder, { recursive: true });
  }
}

/** A contender whose memory is kept as it is told. */
function remote(entry: Entry): RemoteContender {
  return {
    name: nameOf(entry.about),
    async time(repeats) {
      const { peak, ...sample } = (await entry.peer.time(0, repeats)) as Sample & { readonly peak: number };
      entry.peak = Math.max(entry.peak, peak);
      return sample;
    },
  };
}

/** What of a contender's numbers is not that of revort's stored steps of the same scheme, if anything. */
function differs({ about, ready }: Entry, entries: readonly Entry[]): string | null {
  const reference = entries.find(
    ({ about: own }) => own.library === "revort" && own.scheme === about.scheme && own.gradient === "direct",
  )?.ready;
  if (reference === undefined) return "revort has no stored steps of this scheme to hold it against";
  const off = (found: number, expected: number, tolerance: number) =>
    !(Math.abs(found / expected - 1) < tolerance);
  // float32 over a hundred steps; a continuous adjoint is off by what a step is, 1.5 % in the four of mnist-ode
  if (off(ready.loss, reference.loss, 1e-4)) return `its loss is ${ready.loss}, not ${reference.loss}`;
  if (off(ready.norm, reference.norm, 2e-2)) {
    return `the norm of its gradient is ${ready.norm}, not ${reference.norm}`;
  }
  return null;
}

/** Mebibytes of a process that does two updates by undoing steps, of so many times as many: the largest that it has had. */
export async function memoryOfSteps(name: string, finer: number): Promise<number> {
  const { peer } = await ownProcess(name, {
    ...{ scheme: "coupled", gradient: "reversible", batch: "whole", finer },
  });
  const { peak } = (await peer.time(0, 1)) as Sample & { readonly peak: number };
  peer.end();
  return mebibytes(peak);
}
