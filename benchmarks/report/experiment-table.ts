import { cases } from "../experiments/cases.js";
import type { ExperimentRow } from "../experiments/contest.js";
import { showNumber } from "../result.js";
import { markdownTable } from "./markdown.js";

/** Updates of each experiment in short: revort's two ways, and of the others the fastest, each on however many threads. */
export function shortExperimentTable(rows: readonly ExperimentRow[]): string {
  const names = [...new Set(rows.map((row) => row.case))];
  return markdownTable(
    [
      "",
      "**revort**, the experiment's own way",
      "**revort**, plain stored steps",
      "the fastest of the others",
    ],
    names.map((name) => {
      const all = rows.filter((row) => row.case === name);
      const own = all.filter(({ library }) => library === "revort");
      const asTrained = cases[name]?.own[0];
      const isOwn = ({ scheme, gradient }: ExperimentRow) =>
        scheme === asTrained?.scheme && gradient === asTrained.gradient;
      const isPlain = ({ scheme, gradient }: ExperimentRow) => scheme === "plain" && gradient === "direct";
      const others = all.filter(({ library }) => library !== "revort");
      return [
        `**${name}**: ${cases[name]?.about ?? ""}`,
        showFastest(own.filter(isOwn), howOwn),
        asTrained?.scheme === "plain" ? "the same" : showFastest(own.filter(isPlain), howOwn),
        showFastest(others, ({ library, scheme, gradient }) =>
          [library, ...(scheme === "plain" ? [] : [scheme]), gradient].join(", "),
        ),
      ];
    }),
  );
}

const howOwn = ({ gradient, scheme }: ExperimentRow) => (scheme === "plain" ? "" : gradient);

/** "1.67 s, 230 MiB (reversible)" */
function showFastest(rows: readonly ExperimentRow[], how: (row: ExperimentRow) => string): string {
  if (rows.length === 0) return "–";
  const best = rows.reduce((least, row) => (row.seconds < least.seconds ? row : least));
  const beside = how(best) === "" ? "" : ` (${how(best)})`;
  return `${showNumber(best.seconds)} s, ${best.peakMebibytes.toFixed(0)} MiB${beside}`;
}
