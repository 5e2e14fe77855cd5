/**
 * Does the runtime auto choose well? Gradients (reversible midpoint, 2-width-width-2, tanh) over a grid of batches,
 * widths and dtypes, and of tasks with convolutions and attention, on both runtimes and on what auto makes of them.
 *
 *   npx tsx benchmarks/auto.ts [--rounds 9] [--widths 8,32,64,128] [--batches 1,4,16,64,256] [--tasks yes] [--json] [--save]
 *
 * `penalty` is the time on the chosen runtime over that on the faster one: 1 where the choice was right. `--widths ""` leaves
 * tasks alone, `--tasks no` perceptrons alone. Of tasks, times are of an update, and of the processor: each takes long
 * enough that other work on the machine would disturb the clock.
 */
import { auto, type Choice } from "../src/runtimes/auto.js";
import { jit } from "../src/runtimes/jit/jit.js";
import { ortNode } from "../src/runtimes/ort-node.js";
import { type TaskUpdates, taskUpdates, updates } from "./auto/task-updates.js";
import { conclude, readOptions, say } from "./conclude.js";
import { batchedTask, compileGradient } from "./gradient-task.js";
import { measure, provenance, table } from "./measure.js";
import { target } from "./result.js";

const options = readOptions({ rounds: "9", widths: "8,32,64,128", batches: "1,4,16,64,256", tasks: "yes" });
const steps = 20;
const rounds = Number(options.rounds);
const [compiled, ort] = [jit(), await ortNode()];

async function cell(dtype: "float32" | "float64", width: number, batch: number) {
  const task = batchedTask({ batch, width, steps, dtype }, true);
  const choices: Choice[] = [];
  const chosen = auto(compiled, ort, { explain: (choice) => choices.push(choice) });
  const gradients = [];
  for (const runtime of [compiled, ort, chosen]) {
    gradients.push(await compileGradient(task, runtime, "reversible"));
  }
  const timings = await measure(
    gradients.map(({ run }, i) => ({ name: ["jit", "ort-cpu", "auto"][i]!, run })),
    { rounds, warmUp: 0.15, turn: 0.003 },
  );
  for (const { compiled: gradient } of gradients) await gradient.release();
  // the least of many: other work on the machine only ever adds
  const [onJit, onOrt, onAuto] = timings.map(({ least }) => (least * 1e6) / steps) as [
    number,
    number,
    number,
  ];
  const model = `2-${width}-${width}-2`;
  return { dtype, model, batch, ...judged(choices, [onJit, onOrt, onAuto]) };
}

/** The same for an update of a task. */
async function taskCell({ model, batch, dtype, compile }: TaskUpdates) {
  const choices: Choice[] = [];
  const chosen = auto(compiled, ort, { explain: (choice) => choices.push(choice) });
  const gradients = [];
  for (const runtime of [compiled, ort, chosen]) gradients.push(await compile(runtime));
  const timings = await measure(
    gradients.map(({ run }, i) => ({ name: ["jit", "ort-cpu", "auto"][i]!, run })),
    { rounds, warmUp: 0.15, turn: 0.01, limit: 3 },
  );
  for (const gradient of gradients) await gradient.release();
  const times = timings.map(({ processor }) => (processor * 1e6) / updates) as [number, number, number];
  return { dtype, model, batch, ...judged(choices, times) };
}

/** What auto chose, and what that costs beside the other. */
function judged(choices: readonly Choice[], [onJit, onOrt, onAuto]: readonly [number, number, number]) {
  const { runtime, why } = choices.at(-1)!;
  const penalty = (runtime === "jit" ? onJit : onOrt) / Math.min(onJit, onOrt);
  return { jit: onJit, ort: onOrt, auto: onAuto, choice: runtime, why, penalty };
}

const rows = [];
for (const dtype of ["float32", "float64"] as const) {
  for (const width of options.widths.split(",").filter(Boolean).map(Number)) {
    for (const batch of options.batches.split(",").map(Number)) {
      say(`${dtype}, width ${width}, batch ${batch}`);
      rows.push(await cell(dtype, width, batch));
    }
  }
}
for (const task of options.tasks === "yes" ? await taskUpdates() : []) {
  say(`${task.model}, batch ${task.batch}`);
  rows.push(await taskCell(task));
}
const worst = rows.reduce((found, row) => (row.penalty > found.penalty ? row : found));
const right = rows.filter(({ penalty }) => penalty === 1).length;
await conclude(
  {
    ...{ benchmark: "auto", ...provenance([compiled, ort]), settings: { steps, rounds }, rows, failures: [] },
    targets: [
      target(
        {
          name: "auto/choice",
          what: "auto: time on the runtime that it chooses over that on the faster one, at worst",
          wanted: { atMost: 1.1 },
        },
        worst.penalty,
        `${worst.dtype}, ${worst.model}, batch ${worst.batch}: ${worst.choice}; right in ${right} of ${rows.length}`,
      ),
    ],
  },
  options,
  {
    text: `Microseconds per step of a perceptron, forward and backward, least of ${rounds} rounds; of an update of a task\n\n${table(
      ["dtype", "model", "batch", "jit", "ort-cpu", "auto", "choice", "penalty"],
      rows.map((row) => [
        ...[row.dtype, row.model, String(row.batch)],
        ...[row.jit, row.ort, row.auto].map((us) => us.toFixed(1)),
        ...[row.choice, row.penalty.toFixed(2)],
      ]),
    )}`,
  },
);
