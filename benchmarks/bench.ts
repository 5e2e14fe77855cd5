import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { RevortError } from "../src/core/errors.js";
import { printable, printableJson } from "../src/core/printable.js";
import { renderChart } from "../src/plot/chart.js";
import { writeAtomic } from "../src/storage/atomic.js";
import { say } from "./conclude.js";
import { provenance, table } from "./measure.js";
import { compare, type Row, versionsIn } from "./runtimes/comparison.js";
import { hostNames } from "./runtimes/hosts.js";
import { SubjectError, subjectNamed } from "./runtimes/subjects.js";
import { comparisonChart, comparisonColumns, reasonLines } from "./runtimes/table.js";

const usage = `Usage: npx tsx scripts/bench.ts MODEL.onnx|EXPERIMENT [options]

A field on every runtime, in Node and in a page in Chromium (page/…): time to open it, of the first gradient, of an
evaluation, of a step of the reversible midpoint rule and of its gradient; errors against float64; memory.

  --runtimes <a,b,c>  ${hostNames.join(", ")}; all by default
  --batch <n,n,n>     states at once; 1,16,256 by default
  --steps <n>         steps of a solve and a gradient; 20 by default
  --dtype <dtype>     float32 by default, which all have, or float64
  --rounds <n>        rounds, in each of which every runtime has its turn; 11 by default
  --out <folder>      where the plot and the numbers go; runs/bench by default
  --json              print JSON alone on stdout
`;

/** `scripts/bench.ts`. @returns the exit code */
export async function bench(words: readonly string[]): Promise<number> {
  try {
    return await benchOf(words);
  } catch (cause) {
    if (!(cause instanceof RevortError) && !("code" in (cause as object))) throw cause;
    say(`revort: ${printable((cause as Error).message)}`);
    return 2;
  }
}

async function benchOf(words: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      ...{ runtimes: { type: "string" }, batch: { type: "string", default: "1,16,256" } },
      ...{ steps: { type: "string", default: "20" }, dtype: { type: "string", default: "float32" } },
      ...{ rounds: { type: "string", default: "11" }, out: { type: "string", default: "runs/bench" } },
      ...{ json: { type: "boolean", default: false }, help: { type: "boolean", short: "h", default: false } },
    },
  });
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  if (positionals.length !== 1)
    throw new SubjectError("Give one model: an .onnx file, or an experiment. --help says more.");
  const runtimes = values.runtimes?.split(",") ?? hostNames;
  const unknown = runtimes.find((name) => !hostNames.includes(name));
  if (unknown !== undefined)
    throw new SubjectError(`There is no runtime ${unknown}; there are ${hostNames.join(", ")}.`);
  const { dtype } = values;
  if (dtype !== "float32" && dtype !== "float64")
    throw new SubjectError(`--dtype takes float32 or float64, but ${dtype} was given.`);
  const [steps, rounds] = [countIn("--steps", values.steps), countIn("--rounds", values.rounds)];
  const subject = await subjectNamed(positionals[0]!, steps);
  const asked = values.batch.split(",").map((text) => countIn("--batch", text));
  const batches = subject.batched ? asked : [1];
  if (!subject.batched) say(`${subject.name} takes one state at a time: its file has no open dimension.`);
  const rows: Row[] = [];
  for (const batch of batches)
    rows.push(...(await compare(subject, { runtimes, batch, steps, dtype, rounds, say })));
  await report(subject.name, rows, { steps, rounds, dtype }, values);
  return 0;
}

/** @throws {SubjectError} */
function countIn(option: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new SubjectError(`${option} takes whole numbers from 1 on, but ${JSON.stringify(text)} was given.`);
}

async function report(
  name: string,
  rows: readonly Row[],
  settings: object,
  { out, json }: { readonly out: string; readonly json: boolean },
): Promise<void> {
  const { machine, versions, date } = provenance();
  const found = {
    model: name,
    date,
    machine,
    versions: { ...versions, ...versionsIn(rows) },
    settings,
    rows,
  };
  mkdirSync(out, { recursive: true });
  const base = join(out, name.replace(/\.onnx$/i, ""));
  await writeAtomic(`${base}.json`, `${printableJson(found, 2)}\n`);
  const written = [`${base}.json`];
  if (rows.some(({ gradientUs }) => gradientUs !== null)) {
    const { svg } = await renderChart(comparisonChart(rows, `${name} on the runtimes that work here`));
    await writeAtomic(`${base}.svg`, svg);
    written.push(`${base}.svg`);
  }
  if (json) process.stdout.write(`${printableJson(found)}\n`);
  else {
    const cells = rows.map((row) => [
      String(row.batch),
      ...Object.values(comparisonColumns).map((cell) => cell(row)),
    ]);
    const text = [table(["batch", ...Object.keys(comparisonColumns)], cells), ...reasonLines(rows)];
    process.stdout.write(`${text.map((part) => part.split("\n").map(printable).join("\n")).join("\n\n")}\n`);
  }
  for (const path of written) say(`Written to ${printable(path)}`);
}
