/**
 * What does one gradient of the white-dwarf experiment cost (3-10-2 tanh perceptron, float64, one trajectory, 1000
 * steps, a loss at each), per solver step and per update, on the compiled runtime and on ONNX Runtime?
 *
 *   npx tsx benchmarks/white-dwarf.ts [--json] [--repeats 15]
 *
 * Repeats of the contenders take turns, so that a machine that slows down slows all of them. Start-up is the time from
 * a graph to its first result.
 */
import { cpus } from "node:os";
import { Random } from "../src/core/random.js";
import { numbers, scalar, tensor } from "../src/core/tensor.js";
import { initialParameters } from "../src/fields/field.js";
import { mlp } from "../src/fields/mlp.js";
import { differentiator, type Fit, gradientOf, readScalar } from "../src/gradients/evaluate.js";
import { neuralOde } from "../src/integrate/neural-ode.js";
import { named, upload } from "../src/integrate/solve.js";
import { mse } from "../src/learning/losses.js";
import { adamw } from "../src/learning/optimisers.js";
import { reversible } from "../src/methods/reversible.js";
import { euler, midpoint, ralston3, rk4, type Tableau } from "../src/methods/tableaux.js";
import type { ExactGraphGradient } from "../src/programs/gradient.js";
import { gridThrough } from "../src/programs/grid.js";
import {
  gradientName,
  learningRateName,
  lossName,
  nextName,
  updateCountName,
} from "../src/programs/names.js";
import { updateProgram } from "../src/programs/training.js";
import type { DeviceTensors, Runtime } from "../src/runtime/runtime.js";
import { jit } from "../src/runtimes/jit/jit.js";
import { ortNode } from "../src/runtimes/ort-node.js";
import { contestInC, type Limit } from "./c/limit.js";

const steps = 1000;
const json = process.argv.includes("--json");
const repeats = Number(process.argv[process.argv.indexOf("--repeats") + 1]) || 15;

const field = mlp({ dim: 2, hidden: [10] });
const parameters = initialParameters(field, Random.seeded(1), "float64");
const times = Array.from({ length: steps }, (_, i) => ((i + 1) * 5) / steps);
const fit: Fit = {
  grid: gridThrough(0, times, 5 / steps),
  y0: tensor("float64", [1, 2], [1, 0]),
  target: tensor(
    "float64",
    [steps, 1, 2],
    times.flatMap((t) => [Math.cos(t), -Math.sin(t)]),
  ),
  weight: null,
};

/** One way to compute the gradient, ready to run. */
interface Contender {
  readonly tableau: string;
  readonly gradient: ExactGraphGradient;
  readonly runtime: string;
  readonly startMs: number;
  /** the gradient alone */
  readonly run: () => Promise<unknown>;
  /** gradient, loss on the host, and optimiser */
  readonly update: () => Promise<unknown>;
  readonly gradientMs: number[];
  readonly updateMs: number[];
}

async function contender(
  tableau: Tableau,
  gradient: ExactGraphGradient,
  runtime: Runtime,
): Promise<Contender> {
  const started = performance.now();
  const ode = neuralOde({ field, method: reversible(tableau), stepSize: 5 / steps, dtype: "float64" });
  const compiled = await differentiator(ode, { runtime, loss: mse(), gradient, fit });
  const fixed = compiled.fixed(fit);
  const trained = upload(runtime, named(parameters));
  await readScalar(runtime, (await compiled.run(trained, fixed))[lossName]!);
  const startMs = performance.now() - started;

  const optimiser = adamw();
  const shapes = Object.fromEntries(
    Object.entries(named(parameters)).map(([name, { shape }]) => [name, shape]),
  );
  const updater = await runtime.compile(updateProgram({ optimiser, shapes, dtype: "float64", clip: null }));
  const zeros = Object.fromEntries(
    Object.keys(updater.inputs)
      .filter((name) => name.startsWith("memory/"))
      .map((name) => {
        const shape = updater.inputs[name]!.shape as number[];
        return [name, tensor("float64", shape, new Float64Array(shape.reduce((p, d) => p * d, 1)))];
      }),
  );
  let state: DeviceTensors = { ...trained, ...upload(runtime, zeros) };
  const update = async () => {
    const own = Object.fromEntries(Object.keys(shapes).map((name) => [name, state[name]!]));
    const results = await compiled.run(own, fixed);
    await readScalar(runtime, results[lossName]!);
    const gradients = Object.keys(shapes).map((name) => [gradientName(name), results[gradientName(name)]!]);
    const updated = await updater.run({
      ...state,
      ...Object.fromEntries(gradients),
      [learningRateName]: runtime.upload(scalar("float64", 1e-4)),
      [updateCountName]: runtime.upload(scalar("float64", 1)),
    });
    state = Object.fromEntries(Object.keys(state).map((name) => [name, updated[nextName(name)]!]));
  };
  return {
    tableau: tableau.name,
    gradient,
    runtime: runtime.name,
    startMs,
    run: () => compiled.run(trained, fixed),
    update,
    gradientMs: [],
    updateMs: [],
  };
}

/** @throws unless the C program computes what the compiled runtime does */
async function checkLimit({ loss, squares }: Limit): Promise<void> {
  const runtime = jit();
  const ode = neuralOde({ field, method: reversible(midpoint), stepSize: 5 / steps, dtype: "float64" });
  const own = await gradientOf(ode, { runtime, loss: mse(), gradient: "reversible", fit, parameters });
  const sum = Object.values(own.parameters)
    .flatMap(numbers)
    .reduce((total, g) => total + g * g, 0);
  if (Math.abs(own.loss / loss - 1) < 1e-9 && Math.abs(sum / squares - 1) < 1e-9) return;
  throw new Error(
    `C finds loss ${loss} and squares ${squares}, the compiled runtime ${own.loss} and ${sum}.`,
  );
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await run();
  return performance.now() - started;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

const runtimes = [jit(), await ortNode()];
const contenders: Contender[] = [];
for (const tableau of [euler, midpoint, ralston3, rk4]) {
  for (const gradient of ["reversible", "direct"] as const) {
    for (const runtime of runtimes) contenders.push(await contender(tableau, gradient, runtime));
  }
}
// engines optimise what they have seen run for a while, in the background, one function after the other
for (let round = 0; round < 3; round++) {
  for (const { runtime, run } of contenders) {
    const until = performance.now() + (runtime === "jit" ? 400 : 1);
    while (performance.now() < until) await run();
  }
}
const c = contestInC(steps, [...Object.values(parameters).flatMap(numbers), ...numbers(fit.target)]);
const limits: number[] = [];
const one = c?.run(1);
if (one) await checkLimit(one);
for (let repeat = 0; repeat < repeats; repeat++) {
  const limit = c?.run(20);
  if (limit) limits.push(limit.usPerStep);
  for (const one of contenders) {
    one.gradientMs.push(await timed(one.run));
    one.updateMs.push(await timed(one.update));
  }
}

c?.end();
const inC = limits.length === 0 ? null : median(limits);

const rows = contenders.map(({ tableau, gradient, runtime, startMs, gradientMs, updateMs }) => ({
  tableau,
  gradient,
  runtime,
  startMs,
  usPerStep: (median(gradientMs) * 1000) / steps,
  msPerUpdate: median(updateMs),
}));
if (json) {
  const versions = Object.fromEntries(runtimes.map(({ name, version }) => [name, version]));
  const machine = { cpu: cpus()[0]?.model ?? "unknown", cores: cpus().length, node: process.version };
  console.log(
    JSON.stringify({ benchmark: "white-dwarf", machine, versions, steps, repeats, inC, rows }, null, 2),
  );
} else {
  console.log(`${cpus()[0]?.model}, Node ${process.version}; forward and backward, medians of ${repeats}\n`);
  console.log("tableau   gradient    runtime  us/step  ms/update  start ms");
  for (const row of rows) {
    console.log(
      [
        row.tableau.padEnd(9),
        row.gradient.padEnd(11),
        row.runtime.padEnd(8),
        row.usPerStep.toFixed(2).padStart(7),
        row.msPerUpdate.toFixed(2).padStart(10),
        row.startMs.toFixed(0).padStart(9),
      ].join(" "),
    );
  }
  if (inC !== null)
    console.log(`\nC, midpoint, reversible: ${inC.toFixed(2)} us/step (gcc -O3 -march=native -ffast-math)`);
}
