import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { entryOf } from "./experiments/entries.js";
import { experimentsPage, fullSuffix, type Peers } from "./experiments/page.js";
import {
  aloneOf,
  type ExperimentRecord,
  experimentOf,
  pictureOf,
  recordOf,
  recordSchema,
} from "./experiments/record.js";

// docs/experiments.md, the table of all experiments, from docs/experiments/NAME.json. What is given are folders of sweeps, whose
// numbers are taken over first, and of single runs, whose chart and time are:
//
//   npx tsx scripts/sweep.ts heat --seeds 0:3
//   npx tsx scripts/train.ts heat
//   npx tsx scripts/experiments.ts runs/sweep-heat runs/heat

const docs = join(import.meta.dirname, "..", "docs");
const records = join(docs, "experiments");
const pictures = join(docs, "images", "experiments");

/** The experiments that have a picture, by the names of their files. */
export function drawnExperiments(): Set<string> {
  if (!existsSync(pictures)) return new Set();
  return new Set(readdirSync(pictures).map((file) => file.replace(/\.svg$/, "")));
}

/** What is recorded of each experiment, by the name of its file. */
export function recordedExperiments(): Map<string, ExperimentRecord> {
  const files = readdirSync(records).filter((file) => file.endsWith(".json"));
  return new Map(
    files.map((file) => [
      file.replace(/\.json$/, ""),
      recordSchema.parse(JSON.parse(readFileSync(join(records, file), "utf8"))),
    ]),
  );
}

/** The page as the records have it. */
export function currentPage(): string {
  const found = (file: string) =>
    JSON.parse(readFileSync(join(import.meta.dirname, "experiments", file), "utf8"));
  const peers: Peers = { torchcde: found("torchcde-uea.json"), dtw: found("dtw-uea.json") };
  return experimentsPage(recordedExperiments(), drawnExperiments(), peers);
}

/** The name of the record of a sweep: that of its experiment, and of the full protocol one of its own. */
const nameOf = (record: ExperimentRecord) =>
  `${entryOf(record).id}${record.options.split(" ").includes("--full") ? fullSuffix : ""}`;

const pathOf = (id: string) => join(records, `${id}.json`);

function write(id: string, record: ExperimentRecord): void {
  writeFileSync(pathOf(id), `${JSON.stringify(record, null, 2)}\n`);
  console.log(`Written to ${pathOf(id)}`);
}

function keepSweep(folder: string): void {
  const record = recordOf(folder);
  const id = nameOf(record);
  const alone = recordedExperiments().get(id)?.alone;
  write(id, { ...record, ...(alone === undefined ? {} : { alone }) });
}

function keepRun(folder: string): void {
  const { id } = entryOf(experimentOf(folder));
  mkdirSync(pictures, { recursive: true });
  copyFileSync(pictureOf(folder), join(pictures, `${id}.svg`));
  const record = recordedExperiments().get(id);
  if (record === undefined)
    console.error(`There is no sweep of ${id} yet, so the time of its run has no place.`);
  else write(id, { ...record, alone: aloneOf(folder) });
}

if (process.argv[1]?.endsWith("experiments.ts")) {
  const { args } = new Command("experiments")
    .description("Writes docs/experiments.md from docs/experiments/NAME.json.")
    .argument(
      "[folders...]",
      "of finished sweeps, whose numbers are recorded first, and of runs, whose chart and time are",
    )
    .parse();
  for (const folder of args) {
    if (existsSync(join(folder, "sweep-result.json"))) keepSweep(folder);
    else if (existsSync(join(folder, "result.json"))) keepRun(folder);
    else {
      console.error(
        `${folder} is the folder of neither a finished sweep nor a run. Make one: npx tsx scripts/sweep.ts NAME --seeds 0:3`,
      );
      process.exit(2);
    }
  }
  writeFileSync(join(docs, "experiments.md"), currentPage());
}
