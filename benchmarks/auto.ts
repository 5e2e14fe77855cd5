/**
 * Does the runtime auto choose well? Gradients (reversible midpoint, 2-width-width-2, tanh) over a grid of batches,
 * widths and dtypes, on both runtimes and on what auto makes of them.
 *
 *   npx tsx benchmarks/auto.ts [--rounds 9] [--widths 8,32,64,128] [--batches 1,4,16,64,256] [--json] [--save]
 *
 * `penalty` is the time on the chosen runtime over that on the faster one: 1 where the choice was right.
 */
import { auto, type Choice } from "../src/runtimes/auto.js";
import { jit } from "../src/runtimes/jit/jit.js";
import { ortNode } from "../src/runtimes/ort-node.js";
import { conclude, readOptions, say } from "./conclude.js";
import { batchedTask, compileGradient } from "./gradient-task.js";
import { measure, provenance, table } from "./measure.js";
import { target } from "./result.js";

const options = readOptions({ rounds: "9", widths: "8,32,64,128", batches: "1,4,16,64,256" });
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
  const { runtime, why } = choices.at(-1)!;
  const penalty = (runtime === "jit" ? onJit : onOrt) / Math.min(onJit, onOrt);
  return { dtype, width, batch, jit: onJit, ort: onOrt, auto: onAuto, choice: runtime, why, penalty };
}

const rows = [];
for (const dtype of ["float32", "float64"] as const) {
  for (const width of options.widths.split(",").map(Number)) {
    for (const batch of options.batches.split(",").map(Number)) {
      say(`${dtype}, width ${width}, batch ${batch}`);
      rows.push(await cell(dtype, width, batch));
    }
  }
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
        `${worst.dtype}, width ${worst.width}, batch ${worst.batch}: ${worst.choice}; right in ${right} of ${rows.length}`,
      ),
    ],
  },
  options,
  {
    text: `Microseconds per step, forward and backward, least of ${rounds} rounds\n\n${table(
      ["dtype", "width", "batch", "jit", "ort-cpu", "auto", "choice", "penalty"],
      rows.map((row) => [
        ...[row.dtype, String(row.width), String(row.batch)],
        ...[row.jit, row.ort, row.auto].map((us) => us.toFixed(1)),
        ...[row.choice, row.penalty.toFixed(2)],
      ]),
    )}`,
  },
);
