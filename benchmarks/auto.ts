/**
 * Does the runtime auto choose well? Gradients (reversible midpoint, 2-width-width-2, tanh) over a grid of batches,
 * widths and dtypes, on both runtimes and on what auto makes of them.
 *
 *   npx tsx benchmarks/auto.ts [--rounds 9] [--json]
 *
 * `penalty` is the time on the chosen runtime over that on the faster one: 1 where the choice was right.
 */
import { parseArgs } from "node:util";
import { auto, type Choice } from "../src/runtimes/auto.js";
import { jit } from "../src/runtimes/jit/jit.js";
import { ortNode } from "../src/runtimes/ort-node.js";
import { batchedTask, compileGradient } from "./gradient-task.js";
import { measure, provenance, table } from "./measure.js";

const { values: options } = parseArgs({
  options: { rounds: { type: "string", default: "9" }, json: { type: "boolean", default: false } },
});

const steps = 20;
const [compiled, ort] = [jit(), await ortNode()];
const rows = [];
for (const dtype of ["float32", "float64"] as const) {
  for (const width of [8, 32, 64, 128]) {
    for (const batch of [1, 4, 16, 64, 256]) {
      const task = batchedTask({ batch, width, steps, dtype }, true);
      const choices: Choice[] = [];
      const chosen = auto(compiled, ort, { explain: (choice) => choices.push(choice) });
      const gradients = [];
      for (const runtime of [compiled, ort, chosen]) {
        gradients.push(await compileGradient(task, runtime, "reversible"));
      }
      const timings = await measure(
        gradients.map(({ run }, i) => ({ name: ["jit", "ort-cpu", "auto"][i]!, run })),
        { rounds: Number(options.rounds), warmUp: 0.15, turn: 0.003 },
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
      rows.push({ dtype, width, batch, jit: onJit, ort: onOrt, auto: onAuto, choice: runtime, why, penalty });
    }
  }
}
const worst = Math.max(...rows.map(({ penalty }) => penalty));
if (options.json) {
  console.log(
    JSON.stringify({ benchmark: "auto", ...provenance([compiled, ort]), steps, rows, worst }, null, 2),
  );
} else {
  console.log("Microseconds per step, forward and backward, least of the rounds\n");
  console.log(
    table(
      ["dtype", "width", "batch", "jit", "ort-cpu", "auto", "choice", "penalty"],
      rows.map((row) => [
        row.dtype,
        String(row.width),
        String(row.batch),
        ...[row.jit, row.ort, row.auto].map((us) => us.toFixed(1)),
        row.choice,
        row.penalty.toFixed(2),
      ]),
    ),
  );
  console.log(`\nAt worst ${worst.toFixed(2)} times the faster one.`);
}
