import { join } from "node:path";
import type { Chart } from "../../src/plot/chart.js";
import { writeAtomic } from "../../src/storage/atomic.js";
import { languageComparisonChart } from "../language-comparison/plot.js";
import type { Result, Row } from "../result.js";
import { resultsFolder } from "../results.js";
import { scalingChart } from "../scaling/plot.js";
import { workPrecisionChart } from "../work-precision/plot.js";

/** The plots of benchmarks whose rows say more in one, by the names of the benchmarks. */
export const plots: Readonly<Record<string, (rows: readonly Row[]) => Chart>> = {
  scaling: (rows) => scalingChart(rows as never),
  "language-comparison": (rows) => languageComparisonChart(rows as never),
  "work-precision": (rows) => workPrecisionChart(rows as never),
};

/** Draws those of results, beside them. */
export async function savePlots(results: ReadonlyMap<string, Result>): Promise<void> {
  const { renderChart } = await import("../../src/plot/chart.js");
  for (const [name, draw] of Object.entries(plots)) {
    const result = results.get(name);
    if (result === undefined) continue;
    const { svg } = await renderChart(draw(result.rows));
    await writeAtomic(join(resultsFolder, `${name}.svg`), svg);
  }
}
