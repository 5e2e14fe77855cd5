import { join } from "node:path";
import {
  configurations,
  type LanguageConfiguration,
  type LanguageKind,
} from "../src/language/configuration.js";
import { generator } from "../src/language/generation.js";
import { type LanguageModel, languageModel, parameterCount } from "../src/language/language-model.js";
import { sampleText } from "../src/language/sample-text.js";
import { type TextWindows, tokenize, windowsOf } from "../src/language/text.js";
import { byteTokenizer } from "../src/language/tokenizer.js";
import { adamw } from "../src/learning/optimisers.js";
import { fit as trained } from "../src/models/fit.js";
import type { Runtime } from "../src/runtime/runtime.js";
import { jit } from "../src/runtimes/jit/jit.js";
import { ortNode } from "../src/runtimes/ort-node.js";
import { conclude, readOptions, say } from "./conclude.js";
import { type Contender, measure, provenance, type RemoteContender, table } from "./measure.js";
import { python as ownPython } from "./peers/environment.js";
import { Peer } from "./peers/process.js";
import { type Row, type Target, target, unmeasured } from "./result.js";

// Training and generation of language models, against the same models in PyTorch on the CPU in float32.

const options = readOptions({
  config: "tiny",
  models: "transformer,revdeq",
  works: "training,generation",
  runtimes: "jit,ort-cpu",
  batch: "8",
  drawn: "32",
  rounds: "9",
  threads: "1,2",
  "warm-up": "2",
  python: process.env.REVORT_PYTHON ?? ownPython,
});
const base: LanguageConfiguration = configurations[options.config as keyof typeof configurations];
// the peer has this block alone
const configuration: LanguageConfiguration = {
  ...base,
  ...{ cell: "block", tied: false, finalNorm: "applied", dropout: 0 },
  equilibrium: { ...base.equilibrium, tolerance: 0 },
};
const kinds = options.models.split(",") as LanguageKind[];
const works = options.works.split(",");
const threads = options.threads.split(",").map(Number);
const [batch, drawn] = [Number(options.batch), Number(options.drawn)];

/** Updates that one turn does. */
const updatesPerTurn = 4;

interface Timed {
  readonly about: Row;
  readonly contender: Contender | RemoteContender;
  /** tokens of one run of it */
  readonly tokens: number;
}

/** A training that goes on by so many updates whenever it is asked to. */
function training(language: LanguageModel, windows: TextWindows, runtime: Runtime): Contender["run"] {
  let resume = () => {};
  let done = () => {};
  const asked = () =>
    new Promise<void>((go) => {
      resume = go;
    });
  let next = asked();
  let failed: unknown = null;
  let begun = false;
  const begin = () => {
    const windowsAtHand = Array.from({ length: Math.min(windows.count, 64) }, (_, i) => i);
    trained(language.task, windows.samples(windowsAtHand), {
      ...{ runtime, steps: Number.MAX_SAFE_INTEGER, batchSize: batch, dtype: "float32", clip: 1 },
      ...{ optimiser: adamw({ learningRate: 1e-3 }), updatesPerRun: updatesPerTurn },
      async onUpdate({ step }) {
        if (step % updatesPerTurn !== 0) return;
        done();
        await next;
        next = asked();
      },
    }).catch((error) => {
      failed = error;
      done();
    });
  };
  return async () => {
    const finished = new Promise<void>((go) => {
      done = go;
    });
    if (begun) resume();
    else begin();
    begun = true;
    await finished;
    if (failed !== null) throw failed;
  };
}

async function generation(language: LanguageModel, runtime: Runtime): Promise<Contender["run"]> {
  const start = await trained(language.task, dataOf(language), { runtime, steps: 0, dtype: "float32" });
  const own = await generator(language, { runtime, parameters: start.parameters, dtype: "float32" });
  return async () => {
    for await (const _ of own.generate([1], { tokens: drawn, seed: 1 }));
  };
}

function dataOf({ configuration: { length } }: LanguageModel) {
  return windowsOf("the sample text", text, length).samples([0]);
}

async function* sample() {
  yield sampleText(4000);
}
const text = await tokenize(byteTokenizer(), [sample()]);
const windows = windowsOf("the sample text", text, configuration.length);
const timed: Timed[] = [];
const failures: string[] = [];
const [compiled, ort] = [jit(), await ortNode()];
for (const kind of kinds) {
  const language = languageModel(kind, configuration);
  const parameters = parameterCount(language);
  const runs = [[compiled, 1] as const, ...threads.map((n) => [ort, n] as const)].filter(([{ name }]) =>
    options.runtimes.split(",").includes(name),
  );
  for (const [runtime, n] of runs) {
    const own: Runtime = {
      ...runtime,
      compile: (graph, given) => runtime.compile(graph, { threads: n, ...given }),
    };
    const about = { library: "revort", model: kind, runtime: runtime.name, threads: n, parameters };
    const name = `revort ${kind} ${runtime.name} ${n}`;
    if (works.includes("training")) {
      timed.push({
        about: { ...about, work: "training" },
        contender: { name: `${name} training`, run: training(language, windows, own) },
        tokens: updatesPerTurn * batch * configuration.length,
      });
    }
    if (works.includes("generation")) {
      timed.push({
        about: { ...about, work: "generation" },
        contender: { name: `${name} generation`, run: await generation(language, own) },
        tokens: drawn,
      });
    }
  }
}

interface Ready {
  readonly versions: Readonly<Record<string, string>>;
  readonly contenders: readonly { model: string; work: string; threads: number; parameters: number }[];
}

let peer: Peer | null = null;
let versions: Ready["versions"] = {};
try {
  const { relaxation, steps } = configuration.equilibrium;
  const setting = { ...configuration, ...{ batch, drawn, kinds, works, threads, relaxation, steps } };
  const script = join(import.meta.dirname, "peers", "language_model.py");
  const started = await Peer.start<Ready>(options.python, [script, JSON.stringify(setting)]);
  peer = started.peer;
  versions = started.ready.versions;
  for (const [i, about] of started.ready.contenders.entries()) {
    timed.push({
      about: { library: "PyTorch", runtime: "eager", ...about },
      contender: { name: `PyTorch ${about.model} ${about.work}`, time: (n) => started.peer.time(i, n) },
      tokens: about.work === "training" ? batch * configuration.length : drawn,
    });
  }
} catch (error) {
  failures.push(`PyTorch: ${(error as Error).message}`);
}

const timings = await measure(
  timed.map(({ contender }) => contender),
  { rounds: Number(options.rounds), warmUp: Number(options["warm-up"]), rest: 0.05, progress: say },
);
peer?.end();
const rows = timed.map(({ about, tokens }, i): Row => {
  const { median, least, processor } = timings[i]!;
  return {
    ...about,
    tokensPerSecond: tokens / median,
    most: tokens / least,
    perProcessorSecond: tokens / processor,
  };
});

/** The fastest row of a library, with the threads and the runtime that suit it best. */
function fastest(library: string, model: string, work: string): Row | undefined {
  const own = rows.filter((row) => row.library === library && row.model === model && row.work === work);
  return own.sort((a, b) => (b.tokensPerSecond as number) - (a.tokensPerSecond as number))[0];
}

const targets = kinds.flatMap((model) =>
  works.map((work): Target => {
    const wanted = { atLeast: options.config === "tiny" ? 2 : 1 };
    const asked = {
      name: `language-model/${options.config}/${model}/${work}`,
      what: `${work} of the ${options.config} ${model} against PyTorch, tokens a second, each at its best`,
      wanted,
    };
    const [own, other] = [fastest("revort", model, work), fastest("PyTorch", model, work)];
    if (own === undefined || other === undefined) return unmeasured(asked, failures[0] ?? "not run");
    const from = `revort on ${own.runtime}, ${own.threads} threads ÷ PyTorch, ${other.threads} threads`;
    return target(asked, (own.tokensPerSecond as number) / (other.tokensPerSecond as number), from);
  }),
);
const { machine, date, command, versions: own } = provenance([compiled, ort]);
await conclude(
  {
    benchmark: "language-model",
    ...{ date, command, machine, versions: { ...own, ...versions } },
    settings: { config: options.config, batch, context: configuration.length, drawn, dtype: "float32" },
    ...{ rows, failures, targets },
  },
  options,
  {
    text: table(
      ["library", "model", "work", "runtime", "threads", "tokens/s", "most", "per CPU second"],
      rows.map((row) => [
        ...[row.library, row.model, row.work, row.runtime, row.threads].map(String),
        ...[row.tokensPerSecond, row.most, row.perProcessorSecond].map((x) => (x as number).toFixed(0)),
      ]),
    ),
  },
);
process.exit(0);
