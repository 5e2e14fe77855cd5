/**
 * Whose gradients are fastest? revort against diffrax, plain JAX, torchdiffeq and torchode: the same fields, initial
 * weights, midpoint steps and losses, each compiled once, warm, in turns.
 *
 *   npx tsx benchmarks/peers.ts [--case white-dwarf|large|small] [--rounds 7] [--threads 1,2] [--json]
 *
 * It makes a Python environment of its own in node_modules/.cache/revort-peers from peers/requirements.txt. Without Python
 * or the network it says so and stops.
 *
 * The losses and gradient norms of all contenders are shown, so that it can be seen that they compute the same.
 */
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import type { Tensor } from "../src/core/tensor.js";
import type { GradientSpec } from "../src/gradients/method.js";
import { jit } from "../src/runtimes/jit/jit.js";
import { ortNode } from "../src/runtimes/ort-node.js";
import { batchedTask, compileGradient, type GradientTask, whiteDwarfTask } from "./gradient-task.js";
import { type Contender, measure, provenance, table } from "./measure.js";

const { values: options } = parseArgs({
  options: {
    case: { type: "string", multiple: true },
    rounds: { type: "string", default: "7" },
    threads: { type: "string", default: "1,2" },
    json: { type: "boolean", default: false },
  },
});

const cases: Readonly<Record<string, (coupled: boolean) => GradientTask>> = {
  "white-dwarf": whiteDwarfTask,
  large: (coupled) => batchedTask({ batch: 512, width: 64, steps: 100, dtype: "float32" }, coupled),
  small: (coupled) => batchedTask({ batch: 16, width: 32, steps: 100, dtype: "float32" }, coupled),
};

const folder = join(import.meta.dirname, "..", "node_modules", ".cache", "revort-peers");
const python = join(folder, "venv", process.platform === "win32" ? "Scripts/python.exe" : "bin/python");
const scripts = join(import.meta.dirname, "peers");

/** Makes the environment of the peers; returns why it cannot, if so. */
function environment(): string | null {
  const quiet = { stdio: "pipe" } as const;
  try {
    mkdirSync(folder, { recursive: true });
    if (!existsSync(python)) execFileSync("python3", ["-m", "venv", join(folder, "venv")], quiet);
  } catch (cause) {
    return `Python 3 with venv is needed and cannot be run: ${firstLine(cause)}`;
  }
  try {
    const requirements = join(scripts, "requirements.txt");
    const installed = () => execFileSync(python, ["-c", "import diffrax, torchdiffeq, torchode"], quiet);
    try {
      installed();
    } catch {
      console.error("Installing the peers, once …");
      execFileSync(python, ["-m", "pip", "install", "-q", "-r", requirements], quiet);
      installed();
    }
  } catch (cause) {
    return `The peers cannot be installed from PyPI: ${firstLine(cause)}`;
  }
  return null;
}

function firstLine(cause: unknown): string {
  const { message, stderr } = cause as { message: string; stderr?: Buffer };
  const lines = (stderr?.toString() || message).trim().split("\n");
  return lines.find((line) => line.startsWith("ERROR")) ?? lines.at(-1)!;
}

interface PeerContender {
  readonly name: string;
  readonly loss?: number;
  readonly norm?: number;
  readonly start?: number;
  readonly failure?: string;
}

/** A Python process with contenders in it, which runs them by name. */
class Peer {
  /** processor seconds so far */
  processor = 0;
  readonly #waiting: ((line: string) => void)[] = [];

  private constructor(readonly child: ChildProcessWithoutNullStreams) {
    createInterface(child.stdout).on("line", (line) => this.#waiting.shift()?.(line));
    child.stderr.on("data", (text) => {
      if (process.env.PEERS_DEBUG) process.stderr.write(text);
    });
  }

  static async start(script: string, task: string, threads: string) {
    const peer = new Peer(spawn(python, [join(scripts, script), task, threads]));
    const died = new Promise<never>((_, reject) => {
      peer.child.once("exit", (code) =>
        reject(new Error(`${script} ended with code ${code}; set PEERS_DEBUG=1.`)),
      );
    });
    died.catch(() => {});
    const ready = await Promise.race([peer.#line(), died]);
    return {
      peer,
      ...(JSON.parse(ready) as { versions: Record<string, string>; contenders: PeerContender[] }),
    };
  }

  #line(): Promise<string> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async run(name: string): Promise<void> {
    this.child.stdin.write(`${name}\t1\n`);
    this.processor = JSON.parse(await this.#line()) as number;
  }

  end(): void {
    this.child.stdin.end();
  }
}

interface Row {
  readonly who: string;
  readonly threads: string;
  readonly loss: number;
  readonly norm: number;
  readonly startSeconds: number;
}

/** A task as the scripts of the peers read it. */
function written({ ode, fit, parameters, time }: GradientTask): string {
  const layers = Object.keys(parameters).filter((name) => name.endsWith(".weight"));
  const nested = ({ shape, data }: Tensor): unknown => {
    const build = (axis: number, at: number): unknown => {
      if (axis === shape.length) return Number(data[at]);
      const stride = shape.slice(axis + 1).reduce((p, d) => p * d, 1);
      return Array.from({ length: shape[axis]! }, (_, i) => build(axis + 1, at + i * stride));
    };
    return build(0, 0);
  };
  return JSON.stringify({
    dtype: ode.dtype,
    time,
    layers: layers.map((name) => [
      nested(parameters[name]!),
      nested(parameters[name.replace(".weight", ".bias")]!),
    ]),
    y0: nested(fit.y0),
    target: nested(fit.target),
    times: fit.grid.times,
    everyStep: fit.grid.offsets.length > 2,
  });
}

async function compare(name: string, make: (coupled: boolean) => GradientTask) {
  const runtimes = [await ortNode(), jit()];
  const rows: Row[] = [];
  const contenders: Contender[] = [];
  const failures: string[] = [];
  const ours: readonly (readonly [boolean, GradientSpec])[] = [
    [true, "reversible"],
    [true, "direct"],
    [false, "direct"],
    [false, "checkpoint"],
    [false, "continuous"],
  ];
  for (const [coupled, gradient] of ours) {
    for (const runtime of runtimes) {
      const task = make(coupled);
      const { run, start, loss, gradientNorm } = await compileGradient(task, runtime, gradient);
      rows.push({
        who: `revort, ${coupled ? "coupled" : "midpoint"}, ${gradient}, ${runtime.name}`,
        threads: "1",
        loss,
        norm: gradientNorm,
        startSeconds: start,
      });
      contenders.push({ name: rows.at(-1)!.who, run });
    }
  }
  const file = join(folder, `${name}.json`);
  writeFileSync(file, written(make(true)));
  const versions: Record<string, string> = {};
  const peers: Peer[] = [];
  for (const script of ["in_jax.py", "in_torch.py"]) {
    for (const threads of options.threads.split(",")) {
      const { peer, contenders: found, versions: own } = await Peer.start(script, file, threads);
      peers.push(peer);
      Object.assign(versions, own);
      for (const { name: who, failure, loss, norm, start } of found) {
        if (failure !== undefined) {
          failures.push(`${who}: ${failure}`);
          continue;
        }
        rows.push({ who, threads, loss: loss!, norm: norm!, startSeconds: start! });
        contenders.push({ name: who, run: () => peer.run(who), processor: () => peer.processor });
      }
    }
  }
  const timings = await measure(contenders, {
    rounds: Number(options.rounds),
    warmUp: 0.3,
    turn: 0,
    limit: 8,
  });
  for (const peer of peers) peer.end();
  const { fit } = make(true);
  const steps = fit.grid.times.length - 1;
  return {
    case: name,
    steps,
    versions,
    failures: [...new Set(failures)],
    rows: rows.map((row, i) => ({
      ...row,
      secondsPerGradient: timings[i]!.median,
      least: timings[i]!.least,
      processor: timings[i]!.processor,
      quartiles: timings[i]!.quartiles,
      usPerStep: (timings[i]!.median * 1e6) / steps,
    })),
  };
}

const reason = environment();
if (reason !== null) {
  console.log(options.json ? JSON.stringify({ benchmark: "peers", skipped: reason }) : `Skipped. ${reason}`);
} else {
  const results = [];
  for (const name of options.case ?? Object.keys(cases)) {
    const result = await compare(name, cases[name]!);
    results.push(result);
    if (options.json) continue;
    console.log(`\n${name}: ${result.steps} steps, forward and backward\n`);
    console.log(
      table(
        ["us/step", "least", "processor", "quartiles", "who", "threads", "loss", "|gradient|", "start s"],
        [...result.rows]
          .sort((a, b) => a.usPerStep - b.usPerStep)
          .map((row) => [
            row.usPerStep.toFixed(2),
            ((row.least * 1e6) / result.steps).toFixed(2),
            ((row.processor * 1e6) / result.steps).toFixed(2),
            row.quartiles.map((q) => ((q * 1e6) / result.steps).toFixed(1)).join("–"),
            row.who,
            row.threads,
            row.loss.toPrecision(7),
            row.norm.toPrecision(6),
            row.startSeconds.toFixed(2),
          ]),
      ),
    );
    for (const failure of result.failures) console.log(`failed: ${failure}`);
  }
  const where = provenance([await ortNode(), jit()]);
  const versions = Object.assign({}, where.versions, ...results.map((result) => result.versions));
  if (options.json) console.log(JSON.stringify({ benchmark: "peers", ...where, versions, results }, null, 2));
  else console.log(`\n${where.machine.cpu}, ${where.machine.cores} cores; ${JSON.stringify(versions)}`);
}
