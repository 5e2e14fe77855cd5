import { showSpread, spreadOf } from "../../src/cli/sweep/report.js";
import { experiments } from "../../src/experiments/all.js";
import { taskExperiments } from "../../src/experiments/tasks.js";
import { type Entry, entries, type Shown } from "./entries.js";
import type { ExperimentRecord } from "./record.js";

/** Every experiment that has a name, with what it is. */
const abouts = new Map([...experiments, ...taskExperiments].map(({ name, about }) => [name, about]));

const introduction = `# Experiments

Every experiment of the talks and papers, with one command each, and the published numbers beside ours. Ours are means ± standard
deviations over seeds (their number in brackets; a seed sets initial weights and the order of samples), by the **quick protocol**, which
takes minutes at most; \`--full\` is the published one. Differences between the protocols, and so in the numbers, are explained below the
table. Times are those of the updates of one run on two cores (AMD EPYC), which were not always alone with it.

\`\`\`
npx tsx scripts/train.ts heat                     # one run: charts, models, result.json
npx tsx scripts/sweep.ts heat --seeds 0:3         # what a row of this table is made from
\`\`\`

Where a command has \`--data\`, the data cannot be shipped; get the files from the source that is named.
`;

/** What the records of full protocols are called after, beside those of quick ones. */
export const fullSuffix = "-full";

/** What stands beside the records: accuracies of others on problems of the UEA archive. */
export interface Peers {
  /** by seed */
  readonly torchcde: Readonly<Record<string, readonly number[]>>;
  /** of the nearest neighbour by dynamic time warping, the archive's own baseline */
  readonly dtw: Readonly<Record<string, number>>;
}

/** A measured number in the table. */
function shown({ measures, seeds }: ExperimentRecord, { at, as, times = 1, unit = "" }: Shown): string {
  const values = measures[at];
  if (values === undefined) throw new Error(`No run has measured ${at}. Record its sweep again.`);
  const spread = spreadOf(values.map((value) => value * times));
  return `${as}: ${showSpread(spread, 3)}${unit === "" ? "" : ` ${unit}`} (${seeds.length})`;
}

function published({ shown: all, data = "" }: Entry, { torchcde, dtw }: Peers): string {
  const own = all.flatMap(({ as, published: known }) => (known === undefined ? [] : [`${as}: ${known}`]));
  const [theirs, nearest] = [torchcde[data], dtw[data]];
  const beside = [
    ...(nearest === undefined ? [] : [`nearest neighbour by DTW, run by us: ${nearest.toPrecision(3)}`]),
    ...(theirs === undefined
      ? []
      : [`torchcde 0.2.5, run by us: ${showSpread(spreadOf(theirs), 3)} (${theirs.length})`]),
  ];
  return [...own, ...beside].join("<br>") || "–";
}

function timeOf({ alone, updates }: ExperimentRecord): string {
  if (alone === undefined) return "–";
  const { seconds } = alone;
  const time =
    seconds < 10
      ? `${seconds.toFixed(1)} s`
      : seconds < 120
        ? `${seconds.toFixed(0)} s`
        : `${(seconds / 60).toFixed(1)} min`;
  return `${time}, ${updates} updates`;
}

function row(entry: Entry, record: ExperimentRecord | undefined, peers: Peers): string {
  const measured = record && entry.shown.map((one) => shown(record, one)).join("<br>");
  const cells = [
    `[${entry.id}](#${entry.id})`,
    `\`train ${entry.experiment}${entry.files === undefined ? "" : ` --data ${entry.files}`}\``,
    published(entry, peers),
    measured ??
      (entry.elsewhere === undefined ? "not over seeds" : `[as measured before](${entry.elsewhere})`),
    record === undefined ? "–" : timeOf(record),
  ];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

/** An experiment with what there is of it. */
interface Known {
  readonly entry: Entry;
  readonly record: ExperimentRecord | undefined;
  readonly full: ExperimentRecord | undefined;
  readonly isDrawn: boolean;
}

function paragraph({ entry, record, full, isDrawn }: Known): string {
  const { id, experiment, why } = entry;
  const about = abouts.get(experiment)!;
  const warned = !record?.warned
    ? ""
    : ` Of ${record.seeds.length} runs ${record.warned} warned of their result.`;
  const published =
    full &&
    ` By the full protocol, ${full.updates} updates: ${entry.shown.map((one) => shown(full, one)).join("; ")}.`;
  const picture = isDrawn ? `\n\n![${id}](images/experiments/${id}.svg)` : "";
  return `### ${id}\n\n${about[0]!.toUpperCase()}${about.slice(1)}. ${why}${warned}${published ?? ""}${picture}`;
}

/** The page of all experiments, from what was recorded of them. @throws {Error} for a record that has no place on it */
export function experimentsPage(
  records: ReadonlyMap<string, ExperimentRecord>,
  drawn: ReadonlySet<string>,
  peers: Peers,
): string {
  const unknown = [...records.keys(), ...drawn].filter((id) =>
    entries.every((entry) => entry.id !== id && entry.id + fullSuffix !== id),
  );
  if (unknown.length > 0)
    throw new Error(`scripts/experiments/entries.ts says nothing of ${unknown.join(", ")}.`);
  const known = entries.map((entry) => ({
    ...{ entry, record: records.get(entry.id), full: records.get(entry.id + fullSuffix) },
    isDrawn: drawn.has(entry.id),
  }));
  const head = "| name | command, after `revort` | published | here | time of a run |\n|---|---|---|---|---|";
  return [
    introduction,
    `${head}\n${known.map(({ entry, record }) => row(entry, record, peers)).join("\n")}\n`,
    "## What they are, and where they differ\n",
    known.map(paragraph).join("\n\n"),
    "",
  ].join("\n");
}
