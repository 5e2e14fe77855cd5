/**
 * How fast is the same gradient in the other libraries of JavaScript that can differentiate: TensorFlow.js and jax-js, on
 * what of theirs runs in Node? Plain midpoint steps, the loss differentiated through stored states ("direct").
 *
 *   npx tsx benchmarks/javascript-peers.ts [--case small,large,white-dwarf] [--steps 100] [--rounds 5] [--json] [--save]
 *
 * They are no dependencies of the package: they are installed in node_modules/.cache, once, from
 * javascript-peers/package.json; without the network this says so and stops.
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openRuntime } from "../src/cli/runtimes.js";
import { midpoint } from "../src/methods/tableaux.js";
import { conclude, readOptions, say, skip } from "./conclude.js";
import { batchedTask, compileGradient, type GradientTask, whiteDwarfTask } from "./gradient-task.js";
import { type Contender, measure, provenance, type RemoteContender, table } from "./measure.js";
import { cacheFolder, firstLine } from "./peers/environment.js";
import { Peer } from "./peers/process.js";
import { writtenTask } from "./peers/written-task.js";

const options = readOptions({ case: "small,large,white-dwarf", steps: "100", rounds: "5" });
const [steps, rounds] = [Number(options.steps), Number(options.rounds)];
const scripts = join(import.meta.dirname, "javascript-peers");
const folder = join(cacheFolder, "revort-js-peers");

const cases: Readonly<Record<string, (coupled: boolean) => GradientTask>> = {
  small: (coupled) => batchedTask({ batch: 16, width: 32, steps, dtype: "float32" }, coupled),
  large: (coupled) => batchedTask({ batch: 512, width: 64, steps, dtype: "float32" }, coupled),
  "white-dwarf": (coupled) => whiteDwarfTask(coupled, midpoint, steps),
};

/** Installs the peers, once; returns why it cannot, if so. */
function install(): string | null {
  const isThere = () =>
    ["@jax-js/jax", "@tensorflow/tfjs", "@tensorflow/tfjs-backend-wasm"].every((name) =>
      existsSync(join(folder, "node_modules", name, "package.json")),
    );
  if (isThere()) return null;
  try {
    say("Installing the peers, once …");
    mkdirSync(folder, { recursive: true });
    for (const file of ["package.json", "package-lock.json"])
      copyFileSync(join(scripts, file), join(folder, file));
    const npm = process.platform === "win32" ? "npm.cmd" : "npm";
    execFileSync(npm, ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: folder, stdio: "pipe" });
  } catch (cause) {
    return `The peers cannot be installed from the npm registry: ${firstLine(cause)}`;
  }
  return isThere() ? null : "The peers are installed, but cannot be found.";
}

interface About {
  readonly library: string;
  readonly scheme: string;
  readonly gradient: string;
  readonly variant: string;
  readonly loss: number;
  readonly norm: number;
  readonly startSeconds: number;
}

type Entry = (Contender | RemoteContender) & { readonly about: About };

async function ownEntries(make: (coupled: boolean) => GradientTask): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const [scheme, gradient] of [
    ["midpoint", "direct"],
    ["coupled", "reversible"],
  ] as const) {
    for (const name of ["jit", "ort-cpu", "ort-wasm"] as const) {
      const runtime = await openRuntime(name);
      const compiled = await compileGradient(make(scheme === "coupled"), runtime, gradient);
      const { run, loss, gradientNorm, start } = compiled;
      const found = { loss, norm: gradientNorm, startSeconds: start };
      const about = { library: "revort", scheme, gradient, variant: name, ...found };
      entries.push({ name: `revort ${scheme} ${gradient} ${name}`, run, about });
    }
  }
  return entries;
}

async function compare(name: string) {
  const temporary = mkdtempSync(join(tmpdir(), "revort-js-peers-"));
  const peers: Peer[] = [];
  try {
    const make = cases[name]!;
    const file = join(temporary, "task.json");
    writeFileSync(file, writtenTask(make(false)));
    say(`${name}: compiling …`);
    const all = await ownEntries(make);
    const failures: string[] = [];
    const versions: Record<string, string> = {};
    for (const script of ["in-tfjs.mjs", "in-jax-js.mjs"]) {
      say(`${name}: ${script} …`);
      const { peer, ready } = await Peer.start<{
        versions: Readonly<Record<string, string>>;
        contenders: readonly (Omit<About, "startSeconds"> & { start: number; failure?: string })[];
      }>(process.execPath, [join(scripts, script), file, folder]);
      peers.push(peer);
      Object.assign(versions, ready.versions);
      for (const [i, { start, failure, ...about }] of ready.contenders.entries()) {
        const who = `${about.library} (${about.variant})`;
        if (failure !== undefined) failures.push(`${name}: ${who}: ${failure}`);
        else {
          const full = { ...about, scheme: "midpoint", gradient: "direct", startSeconds: start };
          all.push({ name: who, time: (repeats) => peer.time(i, repeats), about: full });
        }
      }
    }
    const timings = await measure(all, { rounds, warmUp: 0.3, turn: 0, limit: 10, progress: say });
    const rows = all.map(({ about }, i) => {
      const { median, least, processor } = timings[i]!;
      const perStep = (seconds: number) => (seconds * 1e6) / steps;
      const times = { usPerStep: perStep(median), least: perStep(least), processor: perStep(processor) };
      return { case: name, steps, ...about, ...times };
    });
    return { rows, failures, versions };
  } finally {
    for (const peer of peers) peer.end();
    rmSync(temporary, { recursive: true });
  }
}

const reason = install();
if (reason !== null) skip("javascript-peers", reason, options);
else {
  const where = provenance([await openRuntime("jit"), await openRuntime("ort-cpu")]);
  const rows = [];
  const failures: string[] = [];
  let versions = where.versions;
  for (const name of options.case.split(",")) {
    const found = await compare(name);
    rows.push(...found.rows);
    failures.push(...found.failures);
    versions = { ...versions, ...found.versions };
  }
  await conclude(
    {
      ...{ benchmark: "javascript-peers", ...where, versions, settings: { steps, rounds } },
      ...{ rows, failures, targets: [] },
    },
    options,
    {
      text: `${steps} steps, forward and backward\n\n${table(
        ["case", "us/step", "least", "processor", "library", "scheme", "gradient", "how", "loss", "start s"],
        [...rows]
          .sort((a, b) => a.case.localeCompare(b.case) || a.usPerStep - b.usPerStep)
          .map((row) => [
            ...[row.case, ...[row.usPerStep, row.least, row.processor].map((us) => us.toFixed(2))],
            ...[row.library, row.scheme, row.gradient, row.variant],
            ...[row.loss.toPrecision(7), row.startSeconds.toFixed(2)],
          ]),
      )}`,
    },
  );
}
