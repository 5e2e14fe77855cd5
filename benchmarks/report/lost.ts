import { type PeerRow, showRow } from "../peer-targets.js";
import { type Result, showMeasured, showNumber, showWanted } from "../result.js";
import { whyLost } from "./why.js";

/** Something that others do better, or that is not as good as it was to be. */
export interface Loss {
  readonly what: string;
  readonly why: string;
}

/** Targets that were missed, and rows of others that are faster than revort's gradient of the same kind. */
export function lossesOf(results: ReadonlyMap<string, Result>): Loss[] {
  const missed = [...results.values()]
    .flatMap(({ targets }) => targets)
    .filter(({ met }) => met === false)
    .map((one) => ({
      what: `${one.what}: ${showMeasured(one)} where ${showWanted(one)} was wanted (${one.from}).`,
      why: whyLost(one.name),
    }));
  const rows = ["peers", "javascript-peers"].flatMap((name) =>
    fasterThanOurs((results.get(name)?.rows ?? []) as unknown as readonly PeerRow[]).map((loss) => ({
      what: `${loss.case}: ${loss.what}.`,
      why: whyLost(name === "peers" ? `${loss.case}/row` : `${name}/row`),
    })),
  );
  return [...missed, ...rows];
}

/** Rows of others that beat the fastest of ours of the same case, kind of gradient and work, whatever the threads. */
function fasterThanOurs(rows: readonly PeerRow[]) {
  const kind = (row: PeerRow) => [row.case, row.gradient, row.work ?? "gradient"].join();
  const own = fastestOf(
    rows.filter(({ library }) => library === "revort"),
    kind,
  );
  const theirs = fastestOf(
    rows.filter(({ library }) => library !== "revort"),
    (row) => [kind(row), row.library, row.scheme, row.variant].join(),
  );
  return [...theirs.values()].flatMap((row) => {
    const best = own.get(kind(row));
    if (best === undefined || row.usPerStep >= best.usPerStep) return [];
    const factor = showNumber(best.usPerStep / row.usPerStep);
    return [{ case: row.case, what: `${showRow(row)} is ${factor} times faster than ${showRow(best)}` }];
  });
}

/** Of the rows with one key, the fastest. */
function fastestOf(rows: readonly PeerRow[], key: (row: PeerRow) => string): Map<string, PeerRow> {
  const fastest = new Map<string, PeerRow>();
  for (const row of rows) {
    const best = fastest.get(key(row));
    if (best === undefined || row.usPerStep < best.usPerStep) fastest.set(key(row), row);
  }
  return fastest;
}

/** A list in Markdown; one line that says so where there is nothing. */
export function lossList(losses: readonly Loss[]): string {
  if (losses.length === 0) return "Nothing that these benchmarks measure.";
  const reasons = new Map<string, string[]>();
  for (const { what, why } of losses) reasons.set(why, [...(reasons.get(why) ?? []), what]);
  return [...reasons]
    .map(([why, all]) => [`- ${why}`, ...all.map((what) => `  - ${what}`)].join("\n"))
    .join("\n");
}
