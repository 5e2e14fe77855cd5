import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { openRuntime, type RuntimeName } from "../../src/cli/runtimes.js";
import { largestMemory } from "../../src/figures/largest-memory.js";
import { adamw } from "../../src/learning/optimisers.js";
import { fit as trained, type UpdateReport } from "../../src/models/fit.js";
import type { Choice } from "../../src/runtimes/auto.js";
import { nodeThreads } from "../../src/runtimes/node-threads.js";
import { allowFusedMultiplyAdd } from "../../src/runtimes/relaxed-simd.js";
import type { CaseOptions } from "./case.js";
import { cases } from "./cases.js";

// One contender of revort in a process of its own, so that what memory it takes is its own; it takes turns as those of the
// peers do (peers/experiments/contender.py).
//
//   one CASE {"scheme", "gradient", "batch", "finer"} RUNTIME THREADS

allowFusedMultiplyAdd();
const [name, asked, runtimeName, threads] = process.argv.slice(2) as [string, string, RuntimeName, string];
const options = JSON.parse(asked) as CaseOptions;
const { task, data, dtype, updatesPerRun } = cases[name]!;
const choices: Choice[] = [];
const runtime = await openRuntime(runtimeName, { explain: (choice) => choices.push(choice) });
const base = largestMemory();

const started = performance.now();
const samples = await data();
const batchSize = Object.values(samples)[0]!.shape[0]!;
/** Updates that are still to be done before anybody is told. */
let wanted = 1;
let told = (_: UpdateReport) => {};
let resume = () => {};
const first = new Promise<UpdateReport>((resolve) => {
  told = resolve;
});
const training = trained(await task(options), samples, {
  ...{ runtime, batchSize, dtype, seed: 0, steps: Number.MAX_SAFE_INTEGER },
  ...(options.batch === "whole" ? { parts: 1 } : { threads: nodeThreads(Number(threads)) }),
  ...{ optimiser: adamw({ learningRate: 1e-3, weightDecay: 1e-4 }), updatesPerRun },
  async onUpdate(report) {
    if (--wanted > 0) return;
    await new Promise<void>((go) => {
      resume = go;
      told(report);
    });
  },
});
training.catch((error: Error) => {
  console.error(error.message);
  process.exit(1);
});
const { loss, gradientNorm } = await first;
const start = (performance.now() - started) / 1000;
if (Number(threads) > 1 && options.batch !== "whole") {
  // threads join later updates, once they have compiled what was compiled here for the first one
  await setTimeout(2000 * start + 3000);
  await updates(2 * updatesPerRun);
}
const say = (line: object) => process.stdout.write(`${JSON.stringify(line)}\n`);
say({ loss, norm: gradientNorm, base, start, choices, versions: { [runtime.name]: runtime.version } });

/** Does so many updates. */
function updates(count: number): Promise<UpdateReport> {
  wanted = count;
  return new Promise((resolve) => {
    told = resolve;
    resume();
  });
}

for await (const line of createInterface(process.stdin)) {
  const repeats = Number(line.split("\t")[1]);
  const [began, busy] = [performance.now(), process.cpuUsage()];
  await updates(repeats * updatesPerRun);
  const { user, system } = process.cpuUsage(busy);
  say({
    clock: (performance.now() - began) / 1000 / updatesPerRun,
    processor: ((user + system) * 1e-6) / updatesPerRun,
    peak: largestMemory(),
  });
}
process.exit(0);
