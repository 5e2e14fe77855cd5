/**
 * What does one gradient of the white-dwarf experiment cost (3-10-2 tanh perceptron, float64, one trajectory, 1000
 * steps, a loss at each), per solver step and per update, on the compiled runtime, on ONNX Runtime, and in C written by
 * hand? And how long do the experiment's 1000 updates take?
 *
 *   npx tsx benchmarks/white-dwarf.ts [--rounds 15] [--json] [--save]
 *
 * Contenders take turns, so that a machine that slows down slows all of them. Start-up is the time from a graph to its
 * first result, in a process that has done such work before; start-up.ts measures it in a fresh one.
 */
import { numbers } from "../src/core/tensor.js";
import { mse } from "../src/learning/losses.js";
import { adamw } from "../src/learning/optimisers.js";
import { euler, midpoint, ralston3, rk4 } from "../src/methods/tableaux.js";
import type { Runtime } from "../src/runtime/runtime.js";
import { jit } from "../src/runtimes/jit/jit.js";
import { ortNode } from "../src/runtimes/ort-node.js";
import { train } from "../src/train/train.js";
import { type Contest, contestInC, flags } from "./c/limit.js";
import { conclude, readOptions, say } from "./conclude.js";
import { type CompiledGradient, compileGradient, whiteDwarfTask } from "./gradient-task.js";
import { type Contender, measure, provenance, type RemoteContender, table } from "./measure.js";
import { type Row, type Target, target, unmeasured } from "./result.js";
import { compileUpdate } from "./update.js";

const options = readOptions({ rounds: "15" });
const steps = 1000;
const updates = 1000;
/** "1.74 minutes" for 1000 updates by the reversible midpoint rule (McCallum & Foster 2024). */
const publishedSeconds = 1.74 * 60;
const inC = "C, written by hand";

/** @throws unless the C program computes what the compiled runtime does */
function checkLimit(contest: Contest, own: CompiledGradient): void {
  const one = contest.run(1);
  const differs = (found: number, wanted: number) => !(Math.abs(found / wanted - 1) < 1e-9);
  if (differs(one.loss, own.loss) || differs(one.squares, own.parameterSquares)) {
    throw new Error(
      `C finds loss ${one.loss} and squares ${one.squares}, the compiled runtime ${own.loss} and ${own.parameterSquares}.`,
    );
  }
}

/** Seconds of so many gradients in C, as it measures them: nothing but the gradient, the median of at least 20. */
function limitSeconds(contest: Contest, repeats: number) {
  const seconds = (contest.run(Math.max(repeats, 20)).usPerStep * steps * repeats) / 1e6;
  return { clock: seconds, processor: seconds };
}

/** Seconds of the whole experiment by `train`, compilation included. */
async function trainingSeconds(runtime: Runtime): Promise<number> {
  const { ode, fit } = whiteDwarfTask(true, midpoint, steps);
  const times = fit.grid.times.slice(1);
  const started = performance.now();
  const result = await train(
    ode,
    { t0: 0, times, y0: fit.y0, observations: fit.target },
    // updates alone, as the published time is of: no accurate solve of the trained field at the end
    { runtime, loss: mse(), optimiser: adamw({ learningRate: 1e-3 }), steps: updates, check: false },
  );
  if (result.losses.length !== updates) throw new Error(`Only ${result.losses.length} updates were made.`);
  return (performance.now() - started) / 1000;
}

const runtimes = [jit(), await ortNode()];
const contenders: ((Contender | RemoteContender) & { about: Row })[] = [];
let contest: Contest | null = null;
for (const tableau of [euler, midpoint, ralston3, rk4]) {
  const task = whiteDwarfTask(true, tableau, steps);
  for (const gradient of ["reversible", "direct"] as const) {
    for (const runtime of runtimes) {
      const about = { tableau: tableau.name, gradient, runtime: runtime.name };
      const name = Object.values(about).join(" ");
      const compiled = await compileGradient(task, runtime, gradient);
      const update = await compileUpdate(task, runtime, gradient);
      contenders.push({
        ...{ name, run: compiled.run },
        about: { ...about, work: "gradient", startMs: compiled.start * 1e3 },
      });
      contenders.push({
        ...{ name: `${name} update`, run: update.run },
        about: { ...about, work: "update", startMs: update.start * 1e3 },
      });
      if (tableau !== midpoint || gradient !== "reversible" || runtime.name !== "jit") continue;
      contest = contestInC(steps, [
        ...Object.values(task.parameters).flatMap(numbers),
        ...numbers(task.fit.target),
      ]);
      if (contest === null) continue;
      checkLimit(contest, compiled);
      const program = contest;
      contenders.push({
        name: inC,
        time: async (repeats) => limitSeconds(program, repeats),
        about: { ...about, runtime: inC, work: "gradient", startMs: null },
      });
    }
  }
}
const timings = await measure(contenders, { rounds: Number(options.rounds), progress: say });
contest?.end();
say(`${updates} updates …`);
const seconds = await trainingSeconds(jit());

const rows = contenders.map(({ about }, i) => {
  const { median, least, processor, quartiles } = timings[i]!;
  const perStep = (time: number) => (time * 1e6) / steps;
  const [lower, upper] = quartiles.map(perStep) as [number, number];
  const times = { usPerStep: perStep(median), least: perStep(least), processor: perStep(processor) };
  return { ...about, ...times, lower, upper };
});
const midpointOn = (runtime: string) =>
  rows.find(
    (row: Row) =>
      row.tableau === "midpoint" &&
      row.gradient === "reversible" &&
      row.work === "gradient" &&
      row.runtime === runtime,
  );
const limit = {
  name: "white-dwarf/c",
  what: `white dwarf, per solver step: time over that of C written by hand (${flags.join(" ")})`,
  wanted: { atMost: 1.5 },
};
const [own, hand] = [midpointOn("jit")!, midpointOn(inC)];
const targets: Target[] = [
  hand === undefined
    ? unmeasured(limit, "gcc is not there")
    : target(limit, own.usPerStep / hand.usPerStep, `jit, reversible midpoint ÷ ${inC}`),
  target(
    {
      name: "white-dwarf/training",
      what: `white dwarf, ${updates} updates over ${steps} steps (published: ${publishedSeconds.toFixed(0)} s)`,
      wanted: { atMost: 10 },
      unit: "s",
    },
    seconds,
    "train on jit, compilation included",
  ),
];
const where = provenance(runtimes);
await conclude(
  {
    ...{ benchmark: "white-dwarf", ...where, settings: { steps, rounds: Number(options.rounds) } },
    ...{ rows, failures: hand === undefined ? ["C: gcc is not there"] : [], targets },
  },
  options,
  {
    text: `Forward and backward, medians of ${options.rounds} rounds\n\n${table(
      ["tableau", "gradient", "runtime", "work", "us/step", "least", "processor", "start ms"],
      rows.map((row: Row) => [
        ...[row.tableau, row.gradient, row.runtime, row.work].map(String),
        ...[row.usPerStep, row.least, row.processor].map((us) => (us as number).toFixed(2)),
        row.startMs === null ? "–" : (row.startMs as number).toFixed(0),
      ]),
    )}`,
  },
);
