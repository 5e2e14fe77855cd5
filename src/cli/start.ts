import { join } from "node:path";
import { Random } from "../core/random.js";
import { numbers, type Tensor } from "../core/tensor.js";
import { loadModel } from "../deploy/load-model.js";
import { initialParameters, type Tensors } from "../fields/field.js";
import { importedField } from "../fields/imported.js";
import { neuralOde } from "../integrate/neural-ode.js";
import { solve } from "../integrate/solve.js";
import type { Runtime } from "../runtime/runtime.js";
import { type Console, table } from "./console.js";
import { exitCodes } from "./exit-codes.js";
import { gradcheck } from "./gradcheck.js";
import type { Problem } from "./problem.js";
import { runFiles } from "./run-files.js";
import { openRuntime } from "./runtimes.js";
import { type TrainCommandOptions, trainRun } from "./train.js";
import type { TrainReport } from "./train-report.js";

/** Where the tour writes; what an earlier tour wrote is replaced. */
const folder = join("runs", "start");

/** Updates of each white-dwarf training, as many as were published. */
const updates = 1000;

/**
 * `npm start`: fits real data, trains a neural ODE both ways, exports it, and runs the export again.
 *
 * @returns the exit code
 */
export async function start(console: Console): Promise<number> {
  const say = (text: string) => console.stdout.write(`${text}\n`);

  say("1. Influenza in a boarding school, 1978: b and k of the SIR model from 14 daily counts\n");
  const influenza = await runNamed("influenza", { overwrite: true, out: join(folder, "influenza") }, console);
  if (influenza.interrupted) return exitCodes.interrupted;
  const published = influenza.problem.experiment.published ?? {};
  say(
    table([
      ["", "found", "published", ""],
      ...Object.entries(influenza.report.fitted).map(([name, value]) => [
        name,
        value.toFixed(4),
        String(published[name]!.value),
        "per day",
      ]),
    ]),
  );

  say(
    `\n2. A neural ODE learns the white-dwarf equation: ${updates} updates over 1000 steps, twice from the same weights\n`,
  );
  const options = { steps: updates, overwrite: true, reversible: true };
  const reversible = await runNamed(
    "white-dwarf",
    { ...options, gradient: "reversible", out: join(folder, "white-dwarf-reversible") },
    console,
  );
  if (reversible.interrupted) return exitCodes.interrupted;
  const direct = await runNamed(
    "white-dwarf",
    { ...options, gradient: "direct", out: join(folder, "white-dwarf-direct") },
    console,
  );
  if (direct.interrupted) return exitCodes.interrupted;
  const runtime = await openRuntime(reversible.report.runtime);
  const { ode } = reversible.problem;
  const checked = await gradcheck(
    reversible.problem,
    initialParameters(ode.field, Random.seeded(reversible.report.seed), ode.dtype),
    runtime,
  );
  const row = (name: string, of: (report: TrainReport) => string) => [
    name,
    of(reversible.report),
    of(direct.report),
  ];
  say(
    table([
      ["", "reversible", "backprop"],
      row("loss before the first update", ({ loss }) => loss.first!.toPrecision(6)),
      row("lowest loss", ({ loss }) => loss.min!.toPrecision(6)),
      row("time per update", ({ secondsPerStep }) => `${(1000 * secondsPerStep).toFixed(1)} ms`),
      row("states stored for the backward pass", ({ storedStates }) => String(storedStates)),
      row("evaluations of the field per update", ({ evaluations }) => String(evaluations)),
    ]),
  );
  const apart = checked.relativeError.reversible!;
  say(`largest relative difference between the two gradients: ${apart.toExponential(1)}`);

  say("\n3. The trained field as one .onnx, in a fresh session\n");
  const file = join(reversible.report.out, runFiles.field);
  const difference = await reloadedDifference(reversible.problem, reversible.parameters, file, runtime);
  say(
    `${file} solved again: largest difference from the trained model's own trajectory ${difference.toExponential(1)}`,
  );

  say("\n4. Everything is in\n");
  for (const { report } of [influenza, reversible, direct]) {
    say(
      `   ${report.out}/   params.safetensors, field.onnx, losses.csv, result.json, fit.svg, fit.png, losses.svg, losses.png`,
    );
  }
  return exitCodes.done;
}

async function runNamed(
  name: string,
  options: TrainCommandOptions,
  console: Console,
): Promise<{ problem: Problem; report: TrainReport; parameters: Tensors; interrupted: boolean }> {
  const { problem, report, result } = await trainRun(name, options, console);
  return { problem, report, parameters: result.parameters, interrupted: result.stopped === "aborted" };
}

/** Solves with a field's file, read anew, and with the field itself: the largest difference between the two. */
async function reloadedDifference(
  { ode, data }: Problem,
  parameters: Tensors,
  file: string,
  runtime: Runtime,
): Promise<number> {
  const request = { runtime, y0: data.y0, t0: data.t0, saveAt: data.times };
  const own = await solve(ode, { ...request, parameters });
  const field = importedField(await loadModel(file));
  const reloaded = await solve(neuralOde({ ...ode, field }), {
    ...request,
    runtime: await openRuntime("ort-cpu"),
    parameters: initialParameters(field, Random.seeded(0), ode.dtype),
  });
  return largestDifference(own.ys, reloaded.ys);
}

function largestDifference(a: Tensor, b: Tensor): number {
  const other = numbers(b);
  return numbers(a).reduce((largest, value, i) => Math.max(largest, Math.abs(value - other[i]!)), 0);
}
