import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { entryOf } from "./experiments/entries.js";
import { experimentsPage, type Peers } from "./experiments/page.js";
import { type ExperimentRecord, recordOf, recordSchema } from "./experiments/record.js";

// docs/experiments.md, the table of all experiments, from docs/experiments/NAME.json. What is given are folders of sweeps, whose
// numbers are taken over first:
//
//   npx tsx scripts/sweep.ts heat --seeds 0:3
//   npx tsx scripts/experiments.ts runs/sweep-heat

const docs = join(import.meta.dirname, "..", "docs");
const records = join(docs, "experiments");

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
  const path = join(import.meta.dirname, "experiments", "torchcde-uea.json");
  const peers: Peers = { torchcde: JSON.parse(readFileSync(path, "utf8")) };
  return experimentsPage(recordedExperiments(), peers);
}

if (process.argv[1]?.endsWith("experiments.ts")) {
  const { args } = new Command("experiments")
    .description("Writes docs/experiments.md from docs/experiments/NAME.json.")
    .argument("[sweeps...]", "folders of finished sweeps, whose numbers are recorded first")
    .parse();
  for (const folder of args) {
    if (!existsSync(join(folder, "sweep-result.json"))) {
      console.error(
        `${folder} is not the folder of a finished sweep. Make one: npx tsx scripts/sweep.ts NAME --seeds 0:3`,
      );
      process.exit(2);
    }
    const record = recordOf(folder);
    const path = join(records, `${entryOf(record).id}.json`);
    writeFileSync(path, `${JSON.stringify(record, null, 2)}\n`);
    console.log(`Written to ${path}`);
  }
  writeFileSync(join(docs, "experiments.md"), currentPage());
}
