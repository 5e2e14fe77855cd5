import { table } from "../measure.js";
import { cases } from "./cases.js";
import type { ExperimentRow } from "./contest.js";

/** The rows of each case, the fastest first. */
export function experimentsText(rows: readonly ExperimentRow[]): string {
  const names = [...new Set(rows.map((row) => row.case))];
  return names
    .map((name) => {
      const own = rows.filter((row) => row.case === name).sort((a, b) => a.seconds - b.seconds);
      const cells = own.map((row) => [
        ...[row.seconds, row.least, row.processor].map((seconds) => seconds.toPrecision(3)),
        ...[row.peakMebibytes, row.peakMebibytes - row.idleMebibytes].map((size) => size.toFixed(0)),
        ...[row.library, row.scheme, row.gradient, row.batch, String(row.threads)],
        ...[row.loss.toPrecision(7), row.norm.toPrecision(5), row.startSeconds.toFixed(1)],
      ]);
      const headings = [
        "s/update",
        "least",
        "processor",
        "peak MiB",
        "of it used",
        "library",
        "scheme",
        "how",
      ];
      const all = [...headings, "threads", "loss", "|gradient|", "start s"];
      return `${name}: ${cases[name]!.about}\n\n${table(all, cells)}`;
    })
    .join("\n\n");
}
