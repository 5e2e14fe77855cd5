import { join } from "node:path";
import { oneLine, printableJson } from "../../core/printable.js";
import type { FloatDType } from "../../core/tensor.js";
import { renderChart } from "../../plot/chart.js";
import { writeAtomic } from "../../storage/atomic.js";
import { type Console, table } from "../console.js";
import { exitCodes } from "../exit-codes.js";
import { oneOf, positiveCount } from "../usage.js";
import { compare, type Row, versionsIn } from "./comparison.js";
import { hostNames, type PageHosts } from "./hosts.js";
import { measuredHere } from "./machine.js";
import type { Subject } from "./subject.js";
import { subjectNamed } from "./subjects.js";
import { comparisonChart, comparisonColumns, reasonLines, runColumns } from "./table.js";

export interface BenchOptions {
  /** names with commas between them */
  readonly runtimes?: string;
  /** numbers with commas between them */
  readonly batch?: string;
  readonly steps?: number;
  readonly dtype?: FloatDType;
  readonly rounds?: number;
  readonly out?: string;
  readonly json?: boolean;
}

/**
 * `revort bench`: a field, a whole solve, a prediction or an experiment's update on every runtime, in Node and, from a clone, in a page.
 *
 * @returns the exit code
 */
export async function benchCommand(
  model: string,
  options: BenchOptions,
  console: Console,
  pages: PageHosts | null,
): Promise<number> {
  const { steps = 20, rounds = 11 } = options;
  const names = hostNames(pages);
  // what only a clone has is a row that says so
  const known = (name: string) =>
    name.startsWith("page/") && pages === null ? name : oneOf("--runtimes", names)(name);
  const runtimes = options.runtimes?.split(",").map(known) ?? names;
  const asked = (options.batch ?? "1,16,256").split(",").map(positiveCount("--batch"));
  const subject = await subjectNamed(model, steps);
  const dtype = options.dtype ?? subject.dtype ?? "float32";
  const batches = subject.batched ? asked : [1];
  if (!subject.batched)
    console.note(`${subject.name} takes one state at a time: its file has no open dimension.`);
  if (subject.about !== undefined) console.note(subject.about);
  const rows: Row[] = [];
  const say = (text: string) => console.note(text);
  for (const batch of batches)
    rows.push(...(await compare(subject, { runtimes, batch, steps, dtype, rounds, say, pages })));
  await report(subject, rows, { steps, rounds, dtype }, options, console);
  return exitCodes.done;
}

async function report(
  { name, works }: Subject,
  rows: readonly Row[],
  settings: object,
  { out = join("runs", "bench"), json }: BenchOptions,
  console: Console,
): Promise<void> {
  const found = {
    model: name,
    ...measuredHere(),
    versions: { node: process.version, ...versionsIn(rows) },
    settings,
    rows,
  };
  const isRun = works.includes("run");
  const base = join(out, name.replace(/\.onnx$/i, ""));
  await writeAtomic(`${base}.json`, `${printableJson(found, 2)}\n`);
  const written = [`${base}.json`];
  if (rows.some(({ gradientUs, runUs }) => gradientUs !== null || runUs !== null)) {
    const { svg } = await renderChart(comparisonChart(rows, `${name} on the runtimes that work here`));
    await writeAtomic(`${base}.svg`, svg);
    written.push(`${base}.svg`);
  }
  if (json) console.json(found);
  else {
    const columns = Object.entries(isRun ? runColumns : comparisonColumns);
    const lines = [
      [...columns.map(([heading]) => heading), "batch"],
      ...rows.map((row) => [...columns.map(([, cell]) => cell(row)), String(row.batch)]),
    ];
    console.stdout.write(`${[table(lines), ...reasonLines(rows).map(oneLine)].join("\n\n")}\n`);
  }
  for (const path of written) console.note(`Written to ${path}`);
}
