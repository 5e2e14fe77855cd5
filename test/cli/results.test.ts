import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect } from "chai";
import { tensor } from "../../src/core/tensor.js";
import { columnScale, timescaleIn } from "../../src/experiments/own-data.js";
import { parseTimeSeries } from "../../src/storage/csv.js";
import { encodeSafetensors } from "../../src/storage/safetensors.js";
import { json, readJson, refusal, run, scratch, written } from "./command.js";

/** An undamped oscillation, x = cos t and v = −sin t, at given times. */
const oscillation = (times: readonly number[], off = 0) =>
  `t,x,v\n${times.map((t, i) => `${t},${Math.cos(t) + (i === 0 ? 0 : off)},${-Math.sin(t)}`).join("\n")}\n`;
const upTo = (count: number, from = 0) => Array.from({ length: count }, (_, i) => from + 0.25 * i);

describe("runs that have ended", () => {
  const folder = scratch();
  const text = oscillation(upTo(30));

  /** A run whose field is x' = v, v' = −x exactly, in the units of the columns: what follows from it is known. */
  async function exactRun(name: string): Promise<string> {
    const place = folder(name);
    const data = written(folder("osc.csv"), text);
    const { shift, scale } = columnScale(parseTimeSeries(text, { source: "" }));
    const timescale = timescaleIn(parseTimeSeries(text, { source: "" }));
    const a = [
      [0, 1],
      [-1, 0],
    ];
    // s (W (y − m)/s + b) / τ = A y
    const weight = a.flatMap((row, i) => row.map((value, j) => (value * scale[j]! * timescale) / scale[i]!));
    const bias = a.map(
      (row, i) => (row.reduce((sum, value, j) => sum + value * shift[j]!, 0) * timescale) / scale[i]!,
    );
    const init = written(
      folder("init.safetensors"),
      encodeSafetensors({
        "layers.0.weight": tensor("float64", [2, 2], weight),
        "layers.0.bias": tensor("float64", [2], bias),
      }),
    );
    const words = ["--field", "mlp:", "--autonomous", "--init", init, "--steps", "0"];
    const solver = ["--solver", "rk4", "--step-size", "0.01", "--runtime", "jit"];
    const { code, stderr } = await run(["train", data, ...words, ...solver, "--out", place]);
    expect(code, stderr).to.equal(0);
    return place;
  }

  describe("revort predict", () => {
    it("goes on past the data as the equation does", async () => {
      const place = await exactRun("predicted");
      const { times, states, components } = await json("predict", place, "--to", "20", "--every", "2.5");
      expect(components).to.deep.equal(["x", "v"]);
      expect(times).to.deep.equal([0, 2.5, 5, 7.5, 10, 12.5, 15, 17.5, 20]);
      for (const [k, t] of times.entries()) {
        // rk4 with h = 0.01 over 20: h⁴/120 · 20 is 2e-9, and the interpolant is of third order
        expect(states[0][k]).to.be.closeTo(Math.cos(t), 1e-7);
        expect(states[1][k]).to.be.closeTo(-Math.sin(t), 1e-7);
      }
    });

    it("starts from a state, or from the first row of a file, and draws the data in", async () => {
      const place = await exactRun("started");
      const given = await json("predict", place, "--y0", "0,2", "--from", "1", "--to", "4", "--every", "1");
      expect(given.times).to.deep.equal([1, 2, 3, 4]);
      expect(given.states[0][3]).to.be.closeTo(2 * Math.sin(3), 1e-7);
      const later = written(folder("later.csv"), oscillation(upTo(10, 30)));
      const out = folder("f.csv");
      const { code, stdout } = await run(["predict", place, "--data", later, "--to", "40", "--out", out]);
      expect(code).to.equal(0);
      expect(stdout).to.equal("");
      const rows = readFileSync(out, "utf8").trim().split("\n");
      expect(rows[0]).to.equal("t,x,v");
      const [t, x] = rows.at(-1)!.split(",").map(Number) as [number, number];
      expect(t).to.equal(40);
      expect(x).to.be.closeTo(Math.cos(40), 1e-7);
      expect(readFileSync(folder("f.svg"), "utf8"))
        .to.include("forecast")
        .and.include("data");
      expect(existsSync(folder("f.png"))).to.equal(true);
      const csv = await run(["predict", place, "--to", "1", "--every", "1"]);
      expect(csv.stdout.split("\n")).to.have.length(4);
    });

    it("shows from a later time on what it shows from the beginning, whatever the kind of the run", async () => {
      const rows = Array.from({ length: 11 }, (_, i) => `${i / 2},${Math.exp(-i / 4)}\n`).join("");
      const data = written(folder("later.csv"), `t,x\n${rows}`);
      for (const [name, ...more] of [["alone"], ["several", "--time", "t"]] as const) {
        const place = folder(`later-${name}`);
        await json("train", data, "--field", "dx = -k*x", "--steps", "5", "--out", place, ...more);
        const { times, states } = await json("predict", place, "--from", "3", "--to", "4", "--every", "1");
        expect(times).to.deep.equal([3, 4]);
        // rk4's steps of a quarter are off by 1e-6
        expect(states[0][0]).to.be.closeTo(Math.exp(-1.5), 1e-5);
        expect(await refusal(2, "predict", place, "--from", "-1")).to.include("--y0");
        expect(await refusal(2, "predict", place, "--from", "3", "--to", "2")).to.match(
          /goes forwards, .*Give a later --to/,
        );
      }
    });

    it("shows the mean and the range over the seeds of a sweep", async () => {
      const place = folder("sweep");
      const data = written(folder("few.csv"), text);
      mkdirSync(place);
      const sweep = { subject: data, options: {}, seeds: [0, 1], grid: [], files: {} };
      writeFileSync(`${place}/sweep.json`, JSON.stringify({ format: 1, revort: "0", sweep }));
      const runs: number[][] = [];
      for (const seed of [0, 1]) {
        const own = ["--field", "mlp:4", "--steps", "3", "--runtime", "jit", "--seed", String(seed)];
        expect((await run(["train", data, ...own, "--out", `${place}/seed-${seed}`])).code).to.equal(0);
        runs.push((await json("predict", `${place}/seed-${seed}`, "--to", "9", "--every", "3")).states[0]);
      }
      const all = await json("predict", place, "--to", "9", "--every", "3");
      expect(all.runs).to.have.length(2);
      for (const k of [1, 2, 3]) {
        const [one, other] = [runs[0]![k]!, runs[1]![k]!];
        expect(all.states[0][k]).to.be.closeTo((one + other) / 2, 1e-12);
        expect(all.low[0][k]).to.equal(Math.min(one, other));
        expect(all.high[0][k]).to.equal(Math.max(one, other));
      }
      const { stdout } = await run(["predict", place, "--to", "9", "--every", "3"]);
      expect(stdout).to.match(/^t,x,x low,x high,v,v low,v high\n/);
    });

    it("refuses what it cannot go on with, and says what to do", async () => {
      const place = await exactRun("refused");
      expect(await refusal(2, "predict", place, "--to", "0")).to.include("nothing to solve");
      expect(await refusal(2, "predict", place, "--y0", "1,2,3")).to.include("Give 2 numbers");
      expect(await refusal(2, "predict", folder("none"))).to.include("holds no run");
      const moons = folder("moons");
      const small = ["--steps", "1", "--batch-size", "8", "--step-size", "0.5", "--runtime", "jit"];
      const points = written(folder("p.csv"), "x,y\n0,1\n1,0\n2,1\n0,0\n1,1\n3,2\n2,2\n4,1\n");
      await run(["train", "two-moons", "--data", points, ...small, "--out", moons]);
      expect(await refusal(2, "predict", moons)).to.include("sample.onnx");
      const { measures } = await json("evaluate", moons, "--data", points);
      expect(measures["p.csv"].loss).to.be.closeTo(readJson(`${moons}/result.json`).training.loss, 1e-6);
      const own = await json("evaluate", moons);
      expect(own.measures["training data"].loss).to.equal(readJson(`${moons}/result.json`).training.loss);
    });
  });

  describe("revort evaluate", () => {
    it("measures the loss in the units of training, and the errors in those of the data", async () => {
      const place = await exactRun("evaluated");
      const { scale } = columnScale(parseTimeSeries(text, { source: "" }));
      // every x but the first, the initial state, is 0.3 off; v is right
      const held = written(folder("held.csv"), oscillation(upTo(12, 7.5), 0.3));
      const { measures, errors, step } = await json("evaluate", place, "--data", held);
      expect(step).to.equal(0);
      // the solver's own error, 1e-9, times twice the distance
      expect(measures["held.csv"].loss).to.be.closeTo((0.3 / scale[0]!) ** 2 / 2, 1e-8);
      expect(errors[0].rootMeanSquare).to.be.closeTo(0.3, 1e-8);
      expect(errors[1].rootMeanSquare).to.be.below(1e-8);
      const own = await json("evaluate", place);
      expect(own.measures["training data"].loss).to.be.below(1e-15);
      const { stdout } = await run(["evaluate", place, "--data", held]);
      expect(stdout).to.include("loss, held.csv (in standard deviations of each column)");
    });

    it("takes columns by their names, some of them, and an initial state", async () => {
      const place = await exactRun("columns");
      const x = written(
        folder("x.csv"),
        `t,x\n${upTo(8)
          .map((t) => `${t},${Math.cos(t)}`)
          .join("\n")}\n`,
      );
      expect(await refusal(2, "evaluate", place, "--data", x))
        .to.include("has no v")
        .and.include("--y0 x,v");
      const { measures } = await json("evaluate", place, "--data", x, "--y0", "1,0");
      expect(measures["x.csv"].loss).to.be.below(1e-15);
      const other = written(folder("other.csv"), "t,x,w\n0,1,0\n1,1,1\n");
      expect(await refusal(2, "evaluate", place, "--data", other)).to.include('column "w"');
      expect(await refusal(2, "evaluate", place, "--y0", "1,0")).to.include("--data");
    });
  });

  describe("revort compare", () => {
    it("shows the numbers of each run, and the settings that differ alone", async () => {
      const one = await exactRun("one");
      const other = folder("other-run");
      const words = ["train", folder("osc.csv"), "--field", "mlp:4", "--steps", "2", "--runtime", "jit"];
      expect((await run([...words, "--out", other])).code).to.equal(0);
      const out = folder("compare.svg");
      const { settings, measures, runs } = await json("compare", one, other, "--out", out);
      expect(runs).to.deep.equal([one, other]);
      expect(settings).to.include.keys("field", "steps").and.not.include.keys("dtype", "seed");
      expect(settings.field).to.deep.equal(["mlp:", "mlp:4"]);
      expect(measures.loss[1]).to.equal(readJson(`${other}/result.json`).check.trainedLoss);
      expect(readFileSync(out, "utf8")).to.include("Loss before each update");
      const { stdout } = await run(["compare", one, other, "--out", out]);
      expect(stdout).to.match(/^field +mlp: +mlp:4$/m);
      expect(await refusal(2, "compare", one, "--out", out)).to.include("two or more");
    });

    it("shows of settings within settings those that differ, and the parameters of several trajectories", async () => {
      const rows = ["a", "b"].flatMap((id, i) =>
        [0, 0.5, 1, 1.5].map((t) => `${id},${t},${(i + 1) * Math.exp(-0.7 * t)}\n`),
      );
      const data = written(folder("decays.csv"), `id,t,x\n${rows.join("")}`);
      const words = ["train", data, "--trajectory", "id", "--steps", "5"];
      const fields = ["dx = -k*x", "dx = -k*x + c"];
      const places = fields.map((_, i) => folder(`decays-${i}`));
      for (const [i, field] of fields.entries()) {
        expect((await run([...words, "--field", field, "--out", places[i]!])).code).to.equal(0);
      }
      const { settings, measures } = await json("compare", ...places, "--out", folder("decays.svg"));
      expect(settings["series.field"]).to.deep.equal(fields);
      expect(settings).not.to.have.any.keys("series", "series.trajectory");
      expect(measures.k[0]).to.be.closeTo(0.7, 1e-4);
      expect(measures.c[0]).to.equal(null);
    });
  });
});
