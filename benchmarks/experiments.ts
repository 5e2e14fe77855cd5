/**
 * What does an update of the experiments cost, in time and memory, at their published sizes: undoing steps, storing them,
 * taking them again?
 *
 *   npx tsx benchmarks/experiments.ts [--case two-moons,heat] [--rounds 3] [--threads 2] [--json] [--save]
 *
 * Each contender is a process of its own, and they take turns; memory is the largest that a process has had. Threads are
 * parts of the batch.
 */
import { conclude, readOptions, say } from "./conclude.js";
import { cases } from "./experiments/cases.js";
import { contest, type ExperimentRow, memoryOfSteps } from "./experiments/contest.js";
import { experimentsText } from "./experiments/table.js";
import { growthTarget, storedTarget } from "./experiments/targets.js";
import { provenance } from "./measure.js";
import type { Row, Target } from "./result.js";

const options = readOptions({ case: Object.keys(cases).join(), rounds: "3", threads: "2" });
const [rounds, threads] = [Number(options.rounds), Number(options.threads)];
/** where memory is asked about, and by how many times as many steps */
const [asked, finer] = [["two-moons", "character-trajectories"], 4] as const;

const rows: (Row & ExperimentRow)[] = [];
const failures: string[] = [];
const targets: Target[] = [];
let versions = {};
for (const name of options.case.split(",")) {
  const found = await contest(name, { threads, rounds, limit: 6, withPeers: false });
  rows.push(...(found.rows as (Row & ExperimentRow)[]));
  failures.push(...found.failures);
  versions = { ...versions, ...found.versions };
  if (!(asked as readonly string[]).includes(name)) continue;
  say(`${name}: memory over ${finer} times as many steps …`);
  const [few, many] = [await memoryOfSteps(name, 1), await memoryOfSteps(name, finer)];
  targets.push(storedTarget(name, found.rows), growthTarget(name, finer, few, many));
}
const where = provenance();
await conclude(
  {
    ...{ benchmark: "experiments", ...where, versions: { ...where.versions, ...versions } },
    ...{ settings: { rounds, threads }, rows, failures, targets },
  },
  options,
  { text: experimentsText(rows) },
);
