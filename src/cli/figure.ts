import { join } from "node:path";
import { printable } from "../core/printable.js";
import { figures } from "../figures/all.js";
import { checkWritable, writeAtomic } from "../storage/atomic.js";
import type { Console } from "./console.js";
import { exitCodes } from "./exit-codes.js";
import { progress } from "./progress.js";
import { openRuntime, type RuntimeName, usualRuntime } from "./runtimes.js";
import { UsageError } from "./usage.js";

export interface FigureCommandOptions {
  readonly out?: string;
  readonly runtime?: RuntimeName;
  readonly coupling?: number;
  readonly json?: boolean;
}

/**
 * `revort figure`: makes a figure, as SVG, PNG and the JSON of its numbers. Nothing is written before it is
 * whole, so a signal ends it as it ends any program.
 *
 * @returns the exit code
 */
export async function figureCommand(
  name: string,
  { out = join("runs", "figures"), runtime = usualRuntime, coupling, json }: FigureCommandOptions,
  console: Console,
): Promise<number> {
  const figure = figures.find((candidate) => candidate.name === name);
  if (figure === undefined) {
    throw new UsageError(
      `There is no figure "${name}". Name one of ${figures.map((f) => f.name).join(", ")}.`,
    );
  }
  const place = (extension: string) => join(out, `${name}.${extension}`);
  // before the minutes that some of them take
  for (const extension of ["svg", "png", "json"]) await checkWritable(place(extension));
  console.note(`${figure.name}: ${figure.about}`);
  let bar: ReturnType<typeof progress> | null = null;
  const { chart, data } = await figure.make({
    runtime: await openRuntime(runtime, { say: console.note }),
    coupling: coupling ?? null,
    progress(done, total) {
      bar ??= progress({ stream: console.bar, total, label: "drawing" });
      bar.update(done);
    },
  });
  (bar as ReturnType<typeof progress> | null)?.finish();
  const { renderChart } = await import("../plot/chart.js");
  const { svg, png } = await renderChart(chart);
  await writeAtomic(place("svg"), svg);
  await writeAtomic(place("png"), png);
  await writeAtomic(place("json"), `${JSON.stringify(data, null, 2)}\n`);
  if (json) console.json(data);
  else console.stdout.write(`Written to ${printable(place("{svg,png,json}"))}\n`);
  return exitCodes.done;
}
