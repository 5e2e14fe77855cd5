import { spawn } from "node:child_process";
import { expect } from "chai";
import { Random } from "../../src/core/random.js";
import { toNested } from "../../src/core/tensor.js";
import { columnScale, timescaleIn } from "../../src/experiments/own-data.js";
import { initialParameters } from "../../src/fields/field.js";
import { mlp } from "../../src/fields/mlp.js";
import { parseTimeSeries } from "../../src/storage/csv.js";
import { encodeSafetensors } from "../../src/storage/safetensors.js";
import { missingModules } from "../support/python.js";
import { rungeKutta } from "../support/systems.js";
import { json, scratch, written } from "./command.js";

// The last quarter of six systems, forecast from what was observed before: 48 rows at irregular times, with errors of 5 % of
// the standard deviation. Beside it the same fits by hand, in forecasts.py.

interface ForecastSystem {
  readonly columns: readonly [string, string];
  readonly derivative: (t: number, y: readonly number[]) => readonly number[];
  readonly equations: string;
  readonly y0: readonly number[];
  readonly end: number;
  /** where the fit by hand starts, in the order in which it has the parameters; ours starts from the data */
  readonly guess: readonly number[];
}

const systems: Readonly<Record<string, ForecastSystem>> = {
  "Lotka–Volterra": {
    columns: ["x", "y"],
    derivative: (_, [x, y]) => [0.55 * x! - 0.028 * x! * y!, -0.84 * y! + 0.026 * x! * y!],
    equations: "dx = a*x - b*x*y; dy = -c*y + d*x*y",
    ...{ y0: [30, 4], end: 25, guess: [0.6, 0.03, 0.8, 0.03] },
  },
  "damped pendulum": {
    columns: ["q", "v"],
    derivative: (_, [q, v]) => [v!, -0.2 * v! - 2 * Math.sin(q!)],
    equations: "dq = v; dv = -k*v - w*sin(q)",
    ...{ y0: [2, 0], end: 14, guess: [0.3, 1.8] },
  },
  "FitzHugh–Nagumo": {
    columns: ["v", "w"],
    derivative: (_, [v, w]) => [v! - v! ** 3 / 3 - w! + 0.5, 0.08 * (v! + 0.7 - 0.8 * w!)],
    equations: "dv = v - v^3/3 - w + i; dw = c*(v + a - b*w)",
    ...{ y0: [-1, 1], end: 100, guess: [0.45, 0.09, 0.65, 0.75] },
  },
  "Van der Pol": {
    columns: ["x", "v"],
    derivative: (_, [x, v]) => [v!, (1 - x! ** 2) * v! - x!],
    equations: "dx = v; dv = m*(1 - x^2)*v - k*x",
    ...{ y0: [0.5, 0], end: 18, guess: [0.8, 1.1] },
  },
  SIR: {
    columns: ["S", "I"],
    derivative: (_, [s, i]) => [(-1.7 * s! * i!) / 763, (1.7 * s! * i!) / 763 - 0.45 * i!],
    equations: "dS = -b*S*I/763; dI = b*S*I/763 - k*I",
    ...{ y0: [760, 3], end: 14, guess: [1.5, 0.5] },
  },
  "two compartments": {
    columns: ["centre", "outside"],
    derivative: (_, [c, o]) => [0.2 * o! - 0.7 * c!, 0.4 * c! - 0.2 * o!],
    equations: "dcentre = r*outside - (k + u)*centre; doutside = u*centre - r*outside",
    ...{ y0: [100, 0], end: 14, guess: [0.2, 0.5, 0.3] },
  },
};

const seeds = [0, 1, 2];
const updates = 1000;
const hidden = [32, 32];
const [rows, asked] = [48, 33];

const median = (values: readonly number[]) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

describe("the last quarter of a series, forecast from what was observed before", () => {
  const folder = scratch();

  it("is as near to the truth as by the same fit by hand, or nearer, on six systems", async function () {
    // three minutes on two quiet cores
    this.timeout(1_800_000);
    const missing = missingModules("torch", "torchdiffeq", "scipy");
    if (missing !== null) {
      console.log(`      skipped: ${missing}`);
      this.skip();
    }
    const cases = [];
    for (const [name, system] of Object.entries(systems)) cases.push(await caseOf(name, system));
    const byHand = handMade({ systems: cases.map(({ request }) => request), updates, rate: 1e-2 });
    const ours: Awaited<ReturnType<typeof forecastsOf>>[] = [];
    for (const one of cases) ours.push(await forecastsOf(one));
    const theirs = await byHand;
    const lines = cases.map((one, n) => {
      const error = (states: readonly (readonly number[])[]) => errorOf(one, states);
      const { networks, equations } = theirs[n]!;
      const own = ours[n]!;
      return {
        name: one.name,
        networks: { hand: networks.map(error), same: own.same.map(error), usual: own.usual.map(error) },
        equations: { hand: error(equations), ours: error(own.equations) },
      };
    });
    const digits = (value: number) => value.toPrecision(3);
    console.log(
      "      | system | by hand | from the same weights | by default | equations by hand | equations |",
    );
    for (const { name, networks: of, equations } of lines) {
      const each = [of.hand, of.same, of.usual].map(
        (errors) => `${digits(median(errors))} (${errors.map(digits).join(" ")})`,
      );
      console.log(`      | ${[name, ...each, digits(equations.hand), digits(equations.ours)].join(" | ")} |`);
    }
    for (const { name, networks: of, equations } of lines) {
      expect(median(of.usual), `${name}, network`).to.be.at.most(1.1 * median(of.hand));
      expect(equations.ours, `${name}, equations`).to.be.at.most(1.1 * equations.hand);
    }
  });

  /** A system's rows as a file, what is asked of the fit by hand, and the truth. */
  async function caseOf(name: string, { columns, derivative, equations, y0, end, guess }: ForecastSystem) {
    const random = Random.seeded(11);
    const cut = 0.75 * end;
    const times = [
      0,
      ...Array.from({ length: rows - 1 }, () => cut * random.uniform()).sort((a, b) => a - b),
    ];
    const exact = await rungeKutta(async (t, y) => derivative(t, y), y0, times, 200);
    const size = [0, 1].map((i) => deviation(exact.map((state) => state[i]!)));
    const noisy = exact.map((state) => state.map((value, i) => value + 0.05 * size[i]! * random.normal()));
    const text = `t,${columns.join()}\n${times.map((t, k) => [t, ...noisy[k]!].join()).join("\n")}\n`;
    const series = parseTimeSeries(text, { source: name });
    const every = end / 128;
    const ask = Array.from({ length: asked }, (_, k) => (96 + k) * every);
    const truth = (
      await rungeKutta(
        async (t, y) => derivative(t, y),
        y0,
        Array.from({ length: 129 }, (_, k) => k * every),
        200,
      )
    ).slice(96);
    const field = mlp({ dim: 2, hidden, time: false });
    const weights = seeds.map((seed) => initialParameters(field, Random.seeded(seed), "float64"));
    const { shift, scale } = columnScale(series);
    return {
      ...{ name, truth, size, end, equations, weights, every },
      file: written(folder(`${name}.csv`), text),
      request: {
        ...{ name, times, rows: noisy, shift, scale, tau: timescaleIn(series), ask, guess },
        weights: weights.map((own) =>
          Object.fromEntries(Object.entries(own).map(([key, value]) => [key, toNested(value)])),
        ),
      },
    };
  }

  type Case = Awaited<ReturnType<typeof caseOf>>;

  /** What the commands forecast: of a network from the same weights, of one as it comes, and of equations. */
  async function forecastsOf({ name, file, weights, equations, end, every }: Case) {
    const forecast = async (...words: string[]) => {
      const out = folder(`run-${name}`);
      await json("train", file, ...words, "--out", out, "--overwrite");
      const found = await json("predict", out, "--to", String(end), "--every", String(every));
      const states = found.states as number[][];
      return Array.from({ length: asked }, (_, k) => states.map((own) => own[96 + k]!));
    };
    const network = ["--field", `mlp:${hidden.join()}`, "--autonomous", "--steps", String(updates)];
    const [same, usual]: number[][][][] = [[], []];
    for (const seed of seeds) {
      const init = written(folder("weights.safetensors"), encodeSafetensors(weights[seed]!));
      same!.push(await forecast(...network, "--init", init));
      usual!.push(await forecast(...network, "--seed", String(seed)));
    }
    return { same: same!, usual: usual!, equations: await forecast("--field", equations) };
  }

  /** Root mean square distance from the truth, in standard deviations of each column. */
  function errorOf({ truth, size }: Case, states: readonly (readonly number[])[]): number {
    const squares = truth.flatMap((state, k) =>
      state.map((value, i) => ((states[k]![i]! - value) / size[i]!) ** 2),
    );
    const error = Math.sqrt(squares.reduce((sum, one) => sum + one, 0) / squares.length);
    return Number.isNaN(error) ? Infinity : error;
  }
});

function deviation(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}

/** Runs forecasts.py beside what goes on here. */
function handMade(
  request: unknown,
): Promise<{ networks: readonly (readonly number[][])[]; equations: readonly number[][] }[]> {
  const script = new URL("forecasts.py", import.meta.url).pathname;
  const child = spawn(process.env.REVORT_PYTHON ?? "python3", [script], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.on("data", (chunk) => {
    text += chunk;
  });
  child.stdin.end(JSON.stringify(request));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) =>
      code === 0
        ? // what has no solution is NaN, which JSON does not have
          resolve(JSON.parse(text.replace(/\bNaN\b/g, '"NaN"')))
        : reject(new Error(`forecasts.py: ${code}`)),
    );
  });
}
