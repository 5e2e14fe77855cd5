/**
 * The experiments at their published sizes, against diffrax, torchdiffeq, torchcde, torchsde, and JAX by hand: what an update
 * takes, in time and memory.
 *
 *   npx tsx benchmarks/experiment-peers.ts [--case two-moons,heat] [--rounds 3] [--threads 2] [--json] [--save]
 *
 * The same parameters, data, noise, steps and optimiser; each contender is a process of its own, and they take turns. The
 * peers' Python environment is made in node_modules/.cache from peers/requirements.txt; without Python or the network this
 * says so and stops. What finds another loss or norm of the gradient than revort's stored steps of the same scheme is not
 * timed, and said.
 */
import { conclude, readOptions, skip } from "./conclude.js";
import { cases } from "./experiments/cases.js";
import { contest, type ExperimentRow } from "./experiments/contest.js";
import { experimentsText } from "./experiments/table.js";
import { eagerTargets, plainTargets, speedTargets } from "./experiments/targets.js";
import { provenance } from "./measure.js";
import { makePeers } from "./peers/environment.js";
import type { Row, Target } from "./result.js";

const options = readOptions({ case: Object.keys(cases).join(), rounds: "3", threads: "2" });
const [rounds, threads] = [Number(options.rounds), Number(options.threads)];

const reason = makePeers();
if (reason !== null) skip("experiment-peers", reason, options);
else {
  const rows: (Row & ExperimentRow)[] = [];
  const failures: string[] = [];
  const targets: Target[] = [];
  const where = provenance();
  let { versions } = where;
  for (const name of options.case.split(",")) {
    const found = await contest(name, { threads, rounds, limit: 6, withPeers: true });
    rows.push(...(found.rows as (Row & ExperimentRow)[]));
    failures.push(...found.failures);
    const way = cases[name]!.own[0]!.gradient;
    targets.push(
      ...speedTargets(name, found.rows, way),
      ...plainTargets(name, found.rows),
      ...eagerTargets(name, found.rows, way),
    );
    versions = { ...versions, ...found.versions };
  }
  await conclude(
    {
      ...{ benchmark: "experiment-peers", ...where, versions },
      ...{ settings: { rounds, threads }, rows, failures, targets },
    },
    options,
    { text: experimentsText(rows) },
  );
}
