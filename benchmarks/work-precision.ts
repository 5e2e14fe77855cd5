/**
 * How long does a solve take for how small an error, where the solver chooses its steps: revort, diffrax and SciPy?
 *
 *   npx tsx benchmarks/work-precision.ts [--tolerances 1e-4,1e-5,1e-6,1e-7,1e-8,1e-9,1e-10] [--rounds 7]
 *     [--problem lotka-volterra,van-der-pol,brusselator,three-body] [--json] [--save]
 *
 * Everything is warm. revort, on jit, is `solve` with all that a call costs, and the whole solve as one compiled graph, as it
 * is exported; diffrax is a compiled `diffeqsolve` with SaveAt(t1=True); SciPy is `solve_ivp`. All get one number as relative and absolute tolerance, and the same kind of
 * controller. Errors are those of the state at the end, relative to its size, against SciPy's DOP853 at 1e-13, or where
 * an orbit is known to close, against its start.
 *
 * Of libraries with several solvers the fastest counts, at each error.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jit } from "../src/runtimes/jit/jit.js";
import { conclude, readOptions, say, skip } from "./conclude.js";
import { measure, provenance, type RemoteContender, table } from "./measure.js";
import { makePeers, python } from "./peers/environment.js";
import { Peer } from "./peers/process.js";
import { type Row, type Target, target, unmeasured } from "./result.js";
import { built } from "./work-precision/built.js";
import { atEqualError, seriesOf, type WorkRow } from "./work-precision/equal-error.js";
import { type ProblemName, problems } from "./work-precision/problems.js";

const options = readOptions({
  tolerances: "1e-4,1e-5,1e-6,1e-7,1e-8,1e-9,1e-10",
  ...{ rounds: "7", problem: Object.keys(problems).join(",") },
});
const names = options.problem.split(",") as ProblemName[];
const tolerances = options.tolerances.split(",").map(Number);
const rounds = Number(options.rounds);
const runtime = jit();

interface About {
  readonly library: string;
  readonly problem: string;
  readonly solver: string;
  readonly tolerance: number;
}

interface Ended extends About {
  /** the state at the end */
  readonly y: readonly number[];
  readonly steps: number;
}

type Entry = RemoteContender & { readonly about: Ended };

/** How far a state is from another, relative to the size of that. */
function distance(y: readonly number[], reference: readonly number[]): number {
  return Math.hypot(...y.map((value, i) => value - reference[i]!)) / Math.hypot(...reference);
}

/** What a process says of itself. */
interface Ready {
  readonly versions?: Readonly<Record<string, string>>;
  readonly contenders: readonly (Ended & { readonly failure?: string })[];
}

async function compare() {
  const folder = mkdtempSync(join(tmpdir(), "revort-work-"));
  const file = join(folder, "task.json");
  const asked = Object.fromEntries(
    names.map((name) => [name, { y0: problems[name].y0, t1: problems[name].t1 }]),
  );
  writeFileSync(file, JSON.stringify({ problems: asked, tolerances }));
  say("Compiling …");
  const processes = [
    { program: python, words: [join(import.meta.dirname, "peers", "work_precision.py"), file] },
    { program: process.execPath, words: [built("own.ts"), file] },
  ];
  const peers: Peer[] = [];
  const versions: Record<string, string> = {};
  try {
    const all: Entry[] = [];
    const failures: string[] = [];
    const references = new Map<string, readonly number[]>();
    for (const { program, words } of processes) {
      const { peer, ready } = await Peer.start<Ready>(program, words);
      peers.push(peer);
      Object.assign(versions, ready.versions);
      for (const [i, about] of ready.contenders.entries()) {
        const name = `${about.library} ${about.problem} ${about.solver} ${about.tolerance}`;
        if (about.failure !== undefined) failures.push(`${name}: ${about.failure}`);
        else if (about.library === "reference") references.set(about.problem, about.y);
        else all.push({ name, time: (repeats) => peer.time(i, repeats), about });
      }
    }
    const timings = await measure(all, { rounds, warmUp: 0.05, turn: 0.002, limit: 3, progress: say });
    const rows = all.map(({ about }, i) => {
      const { library, problem, solver, tolerance, y, steps } = about;
      const reference = problems[problem as ProblemName].end ?? references.get(problem)!;
      const { median, least } = timings[i]!;
      return {
        library,
        problem,
        solver,
        tolerance,
        error: distance(y, reference),
        steps,
        seconds: median,
        least,
      };
    });
    return { rows, failures, versions };
  } finally {
    for (const peer of peers) peer.end();
    rmSync(folder, { recursive: true });
  }
}

function targetsOf(rows: readonly WorkRow[]): Target[] {
  return names.flatMap((problem) =>
    ["diffrax", "SciPy"].map((peer) => {
      const asked = {
        name: `work-precision/${problem}-${peer.toLowerCase()}`,
        what: `${problem}, adaptive steps, exported as one graph: faster than ${peer} at equal error, at least`,
        wanted: { atLeast: 5 },
      };
      const found = atEqualError(
        seriesOf(rows, problem, peer),
        seriesOf(rows, problem, "revort, whole solve"),
      );
      if (found === null) return unmeasured(asked, "there is no error that both reach");
      const where = `smallest at an error of ${found.error.toExponential(0)}; median ${found.median.toPrecision(3)}`;
      return target(asked, found.smallest, where);
    }),
  );
}

const reason = makePeers();
if (reason !== null) skip("work-precision", reason, options);
else {
  const { rows, failures, versions } = await compare();
  const where = provenance([runtime]);
  await conclude(
    {
      ...{ benchmark: "work-precision", ...where, versions: { ...where.versions, ...versions } },
      ...{
        settings: { rounds, dtype: "float64" },
        rows: rows as readonly Row[] as Row[],
        failures,
        targets: targetsOf(rows),
      },
    },
    options,
    {
      text: table(
        ["problem", "library", "solver", "tolerance", "error", "steps", "us/solve", "us/step"],
        rows.map((row) => [
          ...[row.problem, row.library, row.solver, String(row.tolerance), row.error.toExponential(2)],
          ...[
            String(row.steps),
            (row.seconds * 1e6).toFixed(0),
            ((row.seconds * 1e6) / row.steps).toFixed(2),
          ],
        ]),
      ),
    },
  );
}
