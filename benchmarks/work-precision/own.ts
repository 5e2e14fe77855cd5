/**
 * revort's part of work-precision.ts, a process of its own that says what it has and runs it as the peers' scripts do
 * (peers/task.py). It runs compiled to JavaScript, as an installed package does.
 *
 *   node own.js TASK.json
 */
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { pid } from "../../src/control/control.js";
import { numbers, scalar, type Tensor, tensor } from "../../src/core/tensor.js";
import { solveGraph } from "../../src/deploy/solve-file.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { solve } from "../../src/integrate/solve.js";
import { explicit } from "../../src/methods/explicit.js";
import { dopri5, tsit5 } from "../../src/methods/tableaux.js";
import { parameterName } from "../../src/programs/names.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { allowFusedMultiplyAdd } from "../../src/runtimes/relaxed-simd.js";
import { type ProblemName, problems } from "./problems.js";

allowFusedMultiplyAdd();
const runtime = jit();
const { problems: asked, tolerances } = JSON.parse(readFileSync(process.argv[2]!, "utf8")) as {
  readonly problems: Readonly<Record<ProblemName, unknown>>;
  readonly tolerances: readonly number[];
};

/** What a solve ends with. */
interface Ended {
  readonly y: readonly number[];
  readonly steps: number;
}

/** What is timed, and what it comes to. */
interface Contender {
  readonly run: () => Promise<unknown>;
  readonly ended: () => Promise<Ended>;
}

const ready: object[] = [];
const runs: Contender["run"][] = [];
for (const name of Object.keys(asked) as ProblemName[]) {
  const { field, parameters: given, y0, t1 } = problems[name];
  const parameters = Object.fromEntries(
    Object.entries(given).map(([key, value]) => [key, scalar("float64", value)]),
  );
  for (const tableau of [tsit5, dopri5]) {
    const ode = neuralOde({ field, method: explicit(tableau), dtype: "float64" });
    /** `solve`, the call of the library */
    const called = (tolerance: number): Contender => {
      const start = tensor("float64", [1, y0.length], y0);
      const control = pid({ rtol: tolerance, atol: tolerance });
      const run = () => solve(ode, { runtime, parameters, y0: start, t0: 0, t1, control });
      return {
        run,
        async ended() {
          const { ys, stats } = await run();
          return { y: numbers(ys), steps: stats.steps };
        },
      };
    };
    /** the whole solve as one graph, as it is exported, compiled; inputs are there, as those of a compiled diffeqsolve are */
    const graph = solveGraph(ode, pid({ rtol: 1e-6, atol: 1e-6 }));
    const whole = await runtime.compile(graph);
    const fixed = (value: Tensor) => runtime.upload(value);
    const constant = {
      ...Object.fromEntries(
        Object.entries(parameters).map(([key, value]) => [parameterName(key), fixed(value)]),
      ),
      t0: fixed(scalar("float64", 0)),
      t1: fixed(scalar("float64", t1)),
      ts: fixed(tensor("float64", [1], [t1])),
      maxSteps: fixed(scalar("int64", 100_000)),
    };
    const compiled = (tolerance: number): Contender => {
      const feeds = {
        ...constant,
        y0: fixed(tensor("float64", [1, y0.length], y0)),
        rtol: fixed(scalar("float64", tolerance)),
        atol: fixed(scalar("float64", tolerance)),
      };
      const run = () => whole.run(feeds);
      return {
        run,
        async ended() {
          const { y1, accepted } = await run();
          return {
            y: numbers(await runtime.download(y1!)),
            steps: numbers(await runtime.download(accepted!))[0]!,
          };
        },
      };
    };
    for (const tolerance of tolerances) {
      for (const [library, make] of [
        ["revort, solve", called],
        ["revort, whole solve", compiled],
      ] as const) {
        const { run, ended } = make(tolerance);
        ready.push({ library, problem: name, solver: tableau.name, tolerance, ...(await ended()) });
        runs.push(run);
      }
    }
  }
}
process.stdout.write(`${JSON.stringify({ contenders: ready })}\n`);
for await (const line of createInterface(process.stdin)) {
  const [which, repeats] = line.split("\t").map(Number) as [number, number];
  const busy = process.cpuUsage();
  const started = performance.now();
  for (let i = 0; i < repeats; i++) await runs[which]!();
  const clock = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(busy);
  process.stdout.write(`${JSON.stringify({ clock, processor: (user + system) * 1e-6 })}\n`);
}
