/**
 * What does a solve cost that chooses its steps? Lotka–Volterra from 0 to 20 by Tsit5, all that `solve` does included, warm,
 * on both runtimes.
 *
 *   npm run build && npx tsx benchmarks/adaptive.ts --built [--rounds 2000] [--python PATH] [--json]
 *
 * Without `--built` the sources are timed as tsx transforms them, which makes every function that is created cost more.
 * With the path of a Python that has diffrax and SciPy, these solve it too. `error` is the largest relative error of a
 * component at the end, against a solve at tolerances of 1e-13.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Runtime, Tableau } from "../src/index.js";
import { provenance, table } from "./measure.js";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "2000" },
    python: { type: "string" },
    built: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});
const { dopri8, jit, lotkaVolterra, neuralOde, numbers, ortNode, pid, solve, tensor, tsit5 } = (await import(
  options.built ? "../dist/index.js" : "../src/index.js"
)) as typeof import("../src/index.js");

const rounds = Number(options.rounds);
const request = {
  t1: 20,
  y0: [30, 4],
  theta: [0.5, 0.025, 0.025, 0.8],
  tolerances: [1e-4, 1e-6, 1e-8, 1e-10],
};
const parameters = Object.fromEntries(
  ["alpha", "beta", "delta", "gamma"].map((name, i) => [name, tensor("float64", [], [request.theta[i]!])]),
);

interface Result {
  readonly name: string;
  readonly tolerance: number;
  readonly y: readonly number[];
  /** attempted ones */
  readonly steps: number;
  /** seconds of one solve */
  readonly median: number;
  readonly least: number;
}

async function timed(
  runtime: Runtime,
  tolerance: number,
  method: Tableau = tsit5,
  repeats = rounds,
): Promise<Result> {
  const ode = neuralOde({ field: lotkaVolterra(), method });
  const once = () =>
    solve(ode, {
      ...{ runtime, parameters, y0: tensor("float64", [1, 2], request.y0), t0: 0, t1: request.t1 },
      control: pid({ rtol: tolerance, atol: tolerance }),
    });
  const { ys, stats } = await once();
  for (let i = 0; i < repeats; i++) await once();
  const times: number[] = [];
  for (let i = 0; i < repeats; i++) {
    const start = performance.now();
    await once();
    times.push((performance.now() - start) / 1000);
  }
  times.sort((a, b) => a - b);
  const median = times[times.length >> 1]!;
  return { name: runtime.name, tolerance, y: numbers(ys), steps: stats.steps, median, least: times[0]! };
}

const [compiled, ort] = [jit(), await ortNode()];
const exact = (await timed(compiled, 1e-13, dopri8, 1)).y;
const results: Result[] = [];
for (const tolerance of request.tolerances) {
  results.push(await timed(compiled, tolerance));
  results.push(await timed(ort, tolerance, tsit5, Math.ceil(rounds / 100)));
}
if (options.python !== undefined) {
  const script = join(import.meta.dirname, "peers", "adaptive.py");
  const { status, stdout, stderr } = spawnSync(options.python, [script, String(rounds)], {
    input: JSON.stringify(request),
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`${options.python} cannot run the peers: ${stderr}`);
  results.push(...(JSON.parse(stdout) as Result[]));
}
const rows = results
  .map((result) => ({
    ...result,
    error: Math.max(...exact.map((value, i) => Math.abs(result.y[i]! / value - 1))),
  }))
  .sort((a, b) => b.tolerance - a.tolerance || a.median - b.median);
if (options.json) {
  console.log(JSON.stringify({ benchmark: "adaptive", ...provenance([compiled, ort]), rows }, null, 2));
} else {
  console.log("Microseconds of a whole solve, and per attempted step\n");
  console.log(
    table(
      ["rtol = atol", "", "steps", "error", "median", "least", "per step"],
      rows.map(({ tolerance, name, steps, error, median, least }) => [
        tolerance.toExponential(0),
        name,
        String(steps),
        error.toExponential(1),
        (median * 1e6).toFixed(1),
        (least * 1e6).toFixed(1),
        ((median * 1e6) / steps).toFixed(2),
      ]),
    ),
  );
}
