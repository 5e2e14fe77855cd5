/**
 * The same models on every runtime, in Node and in a page in Chromium, in float32: evaluations of a field, steps of a solve,
 * and gradients (2-width-width-2, tanh; the reversible midpoint rule).
 *
 *   npx tsx benchmarks/runtimes.ts [--sizes 16x32] [--rounds 11] [--steps 20] [--runtimes jit,page/ort-wasm,…] [--json] [--save]
 *
 * `scripts/bench.ts` does the same for a model of your own.
 */

import { compare, type Row, versionsIn } from "../src/cli/bench/comparison.js";
import { hostNames } from "../src/cli/bench/hosts.js";
import { perceptron } from "../src/cli/bench/subjects.js";
import { comparisonColumns, reasonLines } from "../src/cli/bench/table.js";
import { conclude, readOptions, say } from "./conclude.js";
import { provenance, table } from "./measure.js";
import { pageHosts } from "./runtimes/page-hosts.js";

const pages = pageHosts();
const options = readOptions({
  sizes: "1x8,16x32,256x32",
  rounds: "11",
  steps: "20",
  runtimes: hostNames(pages).join(","),
});
const [rounds, steps] = [Number(options.rounds), Number(options.steps)];
const runtimes = options.runtimes.split(",");

const rows: Row[] = [];
for (const size of options.sizes.split(",")) {
  const [batch, width] = size.split("x").map(Number) as [number, number];
  const subject = perceptron(width, steps);
  rows.push(...(await compare(subject, { runtimes, batch, steps, dtype: "float32", rounds, say, pages })));
}
const where = provenance();
await conclude(
  {
    ...{ benchmark: "runtimes", ...where, settings: { steps, rounds } },
    versions: { ...where.versions, ...versionsIn(rows) },
    // what is missing may be said with the places of files on this machine
    rows: rows.map((row) => ({ ...row, reason: row.reason?.replaceAll(process.cwd(), ".") ?? null })),
    ...{ failures: [], targets: [] },
  },
  options,
  {
    text: [
      `The least of ${rounds} rounds in turns; a solve and a gradient take ${steps} steps`,
      table(
        ["model", "batch", ...Object.keys(comparisonColumns)],
        rows.map((row) => [
          ...[row.subject, String(row.batch)],
          ...Object.values(comparisonColumns).map((cell) => cell(row)),
        ]),
      ),
      ...reasonLines(rows),
    ].join("\n\n"),
  },
);
process.exit();
