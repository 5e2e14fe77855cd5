import { readdirSync, readFileSync } from "node:fs";
import { expect } from "chai";
import { taskNames } from "../../src/experiments/task-names.js";
import { taskExperiments } from "../../src/experiments/tasks.js";
import { missingModules, python } from "../support/python.js";
import { readJson, refusal, run, scratch, written } from "./command.js";

const small = ["--steps", "3", "--batch-size", "8", "--step-size", "0.25", "--runtime", "jit"];

describe("revort train NAME, for a task", () => {
  const folder = scratch();

  it("has the names of the experiments there are", () => {
    expect(taskNames).to.deep.equal(taskExperiments.map(({ name }) => name));
  });

  it("leaves a run behind: settings, losses, parameters, charts and models that are ready to use", async () => {
    const place = folder("moons");
    const { code, stdout, stderr } = await run(["train", "two-moons", ...small, "--json", "--out", place]);
    expect(code, stderr).to.equal(0);
    const report = JSON.parse(stdout);
    expect(report).to.deep.include({ experiment: "two-moons", steps: 3, batchSize: 8, parameters: 34824 });
    expect(report.losses).to.have.length(3);
    expect(report.losses[0]).to.be.within(1.5, 6);
    expect(report.test.loss).to.be.within(1.5, 6);
    expect(report).to.deep.equal(readJson(`${place}/result.json`));
    expect(readdirSync(place).sort()).to.deep.equal(
      [
        ...["checkpoint.safetensors", "logprob.onnx", "losses.csv", "losses.png", "losses.svg"],
        ...["params.safetensors", "result.json", "run.json", "sample.onnx", "samples.png", "samples.svg"],
      ].sort(),
    );
  });

  it("goes on to the bit, in its folder or in a copy of it", async () => {
    const [whole, parts, copy] = ["whole", "parts", "copy"].map((name) => folder(name)) as [
      string,
      string,
      string,
    ];
    const train = async (...words: string[]) => {
      const { code, stderr } = await run(["train", ...words]);
      expect(code, stderr).to.equal(0);
    };
    await train("two-moons", ...small, "--out", whole);
    await train("two-moons", ...small, "--steps", "1", "--out", parts);
    await train("--resume", parts, "--steps", "2", "--out", copy);
    await train("--resume", copy, "--steps", "3");
    for (const name of ["params.safetensors", "losses.csv", "samples.svg"]) {
      expect(readFileSync(`${copy}/${name}`).equals(readFileSync(`${whole}/${name}`)), name).to.equal(true);
    }
    expect(await refusal(2, "train", "--resume", whole, "--steps", "1")).to.include("3 updates already");
    expect(await refusal(2, "train", "--resume", whole, "--seed", "5")).to.include("leave out --seed");
  });

  it("takes data of one's own, and keeps a copy", async () => {
    const place = folder("own");
    const points = Array.from({ length: 20 }, (_, i) => `${Math.cos(i)},${Math.sin(i) + 3}\n`).join("");
    const data = written(folder("points.csv"), `x,y\n${points}`);
    const { code, stderr } = await run(["train", "two-moons", ...small, "--data", data, "--out", place]);
    expect(code, stderr).to.equal(0);
    expect(readFileSync(`${place}/data-points.csv`, "utf8")).to.include("x,y");
    expect(readJson(`${place}/result.json`)).to.have.property("test", null);
    const odd = written(folder("odd.csv"), "x,y\n1,2\n3,\n");
    const message = await refusal(2, "train", "two-moons", "--data", odd, "--out", folder("none"));
    expect(message).to.include("odd.csv").and.include("line 3").and.include("missing");
  });

  it("classifies series along their paths, and says which classes it takes for which", async () => {
    // circles run through either way
    const circle = (way: number, phase: number) =>
      Array.from({ length: 12 }, (_, k) => [
        Math.cos(0.5 * k * way + phase),
        Math.sin(0.5 * k * way + phase),
      ]);
    const series = Array.from({ length: 20 }, (_, i) => ({
      label: "lr"[i % 2],
      x: circle(i % 2 ? 1 : -1, i),
    }));
    const json = written(folder("series.json"), JSON.stringify(series));
    const words = ["--steps", "30", "--batch-size", "8", "--step-size", "0.2", "--runtime", "jit", "--json"];
    const place = folder("circles");
    const { code, stdout, stderr } = await run([
      ...[
        "train",
        "character-trajectories",
        "--data",
        json,
        ...words,
        "--learning-rate",
        "1e-2",
        "--out",
        place,
      ],
    ]);
    expect(code, stderr).to.equal(0);
    const { training, findings } = JSON.parse(stdout);
    // a coin would get a half
    expect(training.metrics.accuracy).to.be.above(0.8);
    expect(findings.classes).to.deep.equal(["l", "r"]);
    expect(findings.confusion.flat().reduce((sum: number, n: number) => sum + n)).to.equal(4);
    expect(readdirSync(place)).to.include.members(["predict.onnx", "data-series.json"]);
    const lines = series.map(
      ({ label, x }) => `${[0, 1].map((c) => x.map((row) => row[c]).join()).join(":")}:${label}`,
    );
    const [train, test] = ["A_TRAIN.ts", "A_TEST.ts"].map((name) =>
      written(folder(name), `@problemName A\n@data\n${lines.join("\n")}\n`),
    );
    const archive = [
      "train",
      "uea",
      "--data",
      `${train},${test}`,
      ...words,
      "--steps",
      "2",
      "--out",
      folder("uea"),
    ];
    const other = await run(archive);
    expect(other.code, other.stderr).to.equal(0);
    expect(JSON.parse(other.stdout).test.metrics.accuracy).to.be.within(0, 1);
    expect(await refusal(2, "train", "uea", "--data", train!))
      .to.include("FILE,FILE")
      .and.include("_TEST.ts");
    expect(await refusal(2, "train", "character-trajectories")).to.include("needs --data FILE");
  });

  it("refuses what it has no use for, and what belongs to other experiments", async () => {
    expect(await refusal(2, "train", "two-moons", "--rtol", "1e-3")).to.include("no use for --rtol");
    expect(await refusal(2, "train", "influenza", "--batch-size", "3")).to.include(
      "--batch-size is for two-moons, ",
    );
    const place = folder("taken");
    expect((await run(["train", "two-moons", ...small, "--steps", "0", "--out", place])).code).to.equal(0);
    expect(await refusal(2, "train", "two-moons", ...small, "--out", place)).to.include(
      "holds a run already",
    );
    expect(await refusal(2, "export", place, "--out", folder("x.onnx"))).to.include("no trajectory fit");
    expect((await run(["train", "two-moons", ...small, "--out", place, "--overwrite"])).code).to.equal(0);
  });

  it("writes models that Python's onnxruntime runs: samples have the density that the other one says", async function () {
    const missing = missingModules("onnxruntime", "numpy");
    if (missing !== null) {
      console.log(`      skipped: ${missing}`);
      this.skip();
    }
    const place = folder("moons");
    const script = `
import sys, numpy as np, onnxruntime as ort
base = np.random.default_rng(0).standard_normal((50, 2)).astype(np.float32)
run = lambda name, **given: ort.InferenceSession(sys.argv[1] + "/" + name).run(None, given)
x, = run("sample.onnx", base=base)
log, back = run("logprob.onnx", x=x)
print(np.abs(back - base).max(), log.shape[0])`;
    const { ok, stdout, stderr } = python(script, place);
    expect(ok, stderr).to.equal(true);
    const [off, count] = stdout.trim().split(" ").map(Number);
    // the solver's error of four coupled steps there and back
    expect(off).to.be.below(0.02);
    expect(count).to.equal(50);
  });

  /** Draws paths in Python from noise and seeds: their shape, and whether a path is its own whatever else is in the batch. */
  const drawnIn = (place: string) =>
    python(
      `
import sys, numpy as np, onnxruntime as ort
session = ort.InferenceSession(sys.argv[1] + "/sample.onnx")
noise = np.random.default_rng(0).standard_normal((7, session.get_inputs()[0].shape[1])).astype(np.float32)
run = lambda k, seeds: session.run(None, dict(noise=noise[:k], seed=np.array(seeds)))[0]
many, one = run(7, range(7)), run(1, [0])
print(many.shape, np.abs(many[0] - one[0]).max() < 1e-5, np.abs(run(1, [9]) - one).max() > 1e-3)`,
      place,
    );
  const once = ["--steps", "2", "--batch-size", "4", "--runtime", "jit", "--json"];

  it("trains a latent SDE, whose prior draws series in Python's onnxruntime", async function () {
    // measures 1024 series
    this.timeout(180_000);
    const place = folder("latent");
    const { code, stdout, stderr } = await run([
      "train",
      "latent-sde",
      ...once,
      "--step-size",
      "0.5",
      "--out",
      place,
    ]);
    expect(code, stderr).to.equal(0);
    const { test } = JSON.parse(stdout);
    const { logLikelihood, startDivergence, pathDivergence } = test.metrics;
    // float32 sums of numbers in the thousands
    expect(startDivergence + pathDivergence - logLikelihood).to.be.closeTo(test.loss, 1e-4 * test.loss);
    expect(readdirSync(place)).to.include.members(["sample.onnx", "reconstruct.onnx", "series.svg"]);
    const missing = missingModules("onnxruntime", "numpy");
    if (missing !== null) {
      console.log(`      skipped: ${missing}`);
      this.skip();
    }
    expect(drawnIn(place)).to.deep.include({ ok: true, stdout: "(7, 5, 3) True True\n" });
  });

  it("trains an SDE-GAN, whose generator draws paths in Python's onnxruntime", async function () {
    // measures 8192 paths
    this.timeout(180_000);
    const place = folder("gan");
    const { code, stdout, stderr } = await run(["train", "ou-sde-gan", ...once, "--out", place]);
    expect(code, stderr).to.equal(0);
    const { findings } = JSON.parse(stdout);
    // y(0) ~ U(−1, 1), to three standard deviations of 1024 paths; then to a mean of 0.2 · 63 − 2 (1 − e^(−6.3)) = 10.6
    expect(findings.real.deviation[0]).to.be.closeTo(1 / Math.sqrt(3), 0.03);
    expect(findings.real.mean[3]).to.be.closeTo(10.6, 0.16);
    expect(readdirSync(place)).to.include.members(["sample.onnx", "statistics.svg"]);
    const missing = missingModules("onnxruntime", "numpy");
    if (missing !== null) {
      console.log(`      skipped: ${missing}`);
      this.skip();
    }
    expect(drawnIn(place)).to.deep.include({ ok: true, stdout: "(7, 64, 1) True True\n" });
  });
});
