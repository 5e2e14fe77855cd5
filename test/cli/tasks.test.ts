import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { expect } from "chai";
import { numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import { taskNames } from "../../src/experiments/task-names.js";
import { taskExperiments } from "../../src/experiments/tasks.js";
import { bareSession } from "../deploy/bare.js";
import { missingModules, python } from "../support/python.js";
import { readJson, refusal, run, scratch, written } from "./command.js";

const small = ["--steps", "3", "--batch-size", "8", "--step-size", "0.25", "--runtime", "jit"];

/** Outputs of a file, as anybody runs it. */
async function ran(
  path: string,
  inputs: Readonly<Record<string, Tensor>>,
): Promise<Record<string, number[]>> {
  const outputs = await (await bareSession(readFileSync(path))).run(inputs);
  return Object.fromEntries(Object.entries(outputs).map(([name, value]) => [name, numbers(value)]));
}

describe("revort train NAME, for a task", () => {
  const folder = scratch();
  /** Words for a flow of few points, which takes less to measure than those of the experiment. */
  const few = () => {
    const rows = Array.from({ length: 20 }, (_, i) => `${Math.cos(i)},${Math.sin(i)}`);
    return ["two-moons", "--data", written(folder("few.csv"), `x,y\n${rows.join("\n")}\n`), ...small];
  };

  it("has the names of the experiments there are", () => {
    expect(taskNames).to.deep.equal(taskExperiments.map(({ name }) => name));
  });

  it("leaves a run behind: settings, losses, parameters, charts and models that are ready to use", async () => {
    const place = folder("moons");
    const { code, stdout, stderr } = await run(["train", "two-moons", ...small, "--json", "--out", place]);
    expect(code, stderr).to.equal(0);
    const report = JSON.parse(stdout);
    expect(report).to.deep.include({ experiment: "two-moons", steps: 3, batchSize: 8, parameters: 34824 });
    // a batch of 8 points takes too little time to be shared
    expect(report.ran).to.deep.equal({ runtime: "jit", threads: 1, parts: 1 });
    expect(report.losses).to.have.length(3);
    // Node alone takes more than 20 MB
    expect(report.largestMemory).to.be.within(2e7, 1e11);
    expect(report.losses[0]).to.be.within(1.5, 6);
    expect(report.test.loss).to.be.within(1.5, 6);
    expect(report).to.deep.equal(readJson(`${place}/result.json`));
    expect(readdirSync(place).sort()).to.deep.equal(
      [
        ...["density.png", "density.svg"],
        ...["checkpoint.safetensors", "logprob.onnx", "losses.csv", "losses.png", "losses.svg"],
        ...[
          "params.safetensors",
          "report.html",
          "result.json",
          "run.json",
          "sample.onnx",
          "samples.png",
          "samples.svg",
        ],
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
    // the published rate is constant, and does not depend on how many updates there are to be
    await train(...few(), "--full", "--out", whole);
    await train(...few(), "--full", "--steps", "1", "--out", parts);
    await train("--resume", parts, "--steps", "2", "--out", copy);
    await train("--resume", copy, "--steps", "3");
    for (const name of ["params.safetensors", "losses.csv", "samples.svg"]) {
      expect(readFileSync(`${copy}/${name}`).equals(readFileSync(`${whole}/${name}`)), name).to.equal(true);
    }
    expect(await refusal(2, "train", "--resume", whole, "--steps", "1")).to.include("3 updates already");
    expect(await refusal(2, "train", "--resume", whole, "--seed", "5")).to.include("leave out --seed");
  });

  it("takes data of one's own, keeps a copy, and writes models in the units of it", async () => {
    const place = folder("own");
    const points = Array.from({ length: 20 }, (_, i) => [50 * Math.cos(i), 50 * Math.sin(i) + 300]);
    const data = written(
      folder("my points, all.csv"),
      `x,y\n${points.map((row) => row.join()).join("\n")}\n`,
    );
    const words = ["train", "two-moons", ...small, "--data", data, "--out", place];
    const { code, stderr } = await run(words);
    expect(code, stderr).to.equal(0);
    expect(readFileSync(`${place}/data-my points, all.csv`, "utf8")).to.include("x,y");
    const report = readJson(`${place}/result.json`);
    expect(report.test).to.equal(null);
    const x = tensor("float32", [20, 2], points.flat());
    const { logDensity, base } = await ran(`${place}/logprob.onnx`, { x });
    const mean = logDensity!.reduce((sum, value) => sum + value, 0) / 20;
    // the loss is that of standardised points: p(x) = p(s) / deviation²
    const all = points.flat();
    const middle = all.reduce((sum, value) => sum + value, 0) / 40;
    const deviation = Math.sqrt(all.reduce((sum, value) => sum + (value - middle) ** 2, 0) / 40);
    expect(report.findings.scale).to.deep.equal({ mean: middle, deviation });
    expect(-mean).to.be.closeTo(report.training.loss + 2 * Math.log(deviation), 1e-4);
    const back = (await ran(`${place}/sample.onnx`, { base: tensor("float32", [20, 2], base!) })).x!;
    // there and back by four coupled steps, in units of 50
    expect(Math.max(...back.map((value, i) => Math.abs(value - all[i]!)))).to.be.below(0.05 * deviation);
    const same = written(folder("same.csv"), "x,y\n1,1\n1,1\n");
    expect(await refusal(2, "train", "two-moons", "--data", same, "--out", folder("none"))).to.include(
      "all its numbers",
    );
    expect(await refusal(2, ...words, "--batch-size", "21", "--overwrite")).to.include(
      "--batch-size takes 1 to 20",
    );
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
    // series as they are in the file
    const all = tensor(
      "float32",
      [20, 12, 2],
      series.flatMap(({ x }) => x.flat()),
    );
    const logits = (await ran(`${place}/predict.onnx`, { series: all })).logits!;
    const right = series.filter(
      ({ label }, i) => (logits[2 * i]! > logits[2 * i + 1]! ? "l" : "r") === label,
    );
    expect(right.length).to.be.above(16);
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
    // scaled in the model as in training: it is as often right as the confusion matrix says
    const found = (await ran(`${folder("uea")}/predict.onnx`, { series: all })).logits!;
    const counted = [0, 1].map((c) =>
      [0, 1].map(
        (d) =>
          series.filter(
            ({ label }, i) => "lr"[c] === label && (found[2 * i]! >= found[2 * i + 1]! ? 0 : 1) === d,
          ).length,
      ),
    );
    expect(JSON.parse(other.stdout).findings.confusion).to.deep.equal(counted);
    expect(await refusal(2, "train", "uea", "--data", train!))
      .to.include("FILE,FILE")
      .and.include("_TEST.ts");
    expect(await refusal(2, "train", "character-trajectories")).to.include("needs --data FILE");
  });

  it("warns of a model that depends on the steps of its solver, which --strict makes a failure", async () => {
    const rows = Array.from({ length: 40 }, (_, i) => [Math.cos(0.9 * i), 0.3 * Math.sin(2.3 * i)]);
    const data = written(folder("ellipse.csv"), `x,y\n${rows.join("\n")}\n`);
    const ran = async (...more: string[]) => {
      const words = [
        "--data",
        data,
        "--steps",
        "12",
        "--full",
        "--learning-rate",
        "0.01",
        "--runtime",
        "jit",
        "--json",
      ];
      const { code, stdout, stderr } = await run([
        ...["train", "two-moons", ...words, ...more, "--strict"],
        ...["--out", folder("strict"), "--overwrite"],
      ]);
      return { code, stderr, report: JSON.parse(stdout) };
    };
    // in one step of Euler's method the logarithm of a determinant is taken for the trace
    const coarse = await ran("--solver", "euler", "--step-size", "1");
    expect(coarse.code, coarse.stderr).to.equal(1);
    expect(coarse.stderr).to.include(
      "The model depends on the steps of its solver: with steps 4 times as short",
    );
    const messages = coarse.report.warnings.map(({ message }: { message: string }) => message);
    expect(messages).to.include(coarse.report.findings.check.warning);
    // so coarse a step is none of a coupled method either
    expect(messages[0]).to.match(
      /^In 12 of 12 updates, .* reversible\(euler\): y and its companion differ by/,
    );
    expect(coarse.stderr).to.include("y and its companion differ by");
    const fine = await ran("--step-size", "0.1");
    expect(fine.code, fine.stderr).to.equal(0);
    expect(fine.report.findings.check.loss).to.be.closeTo(fine.report.findings.check.trainedLoss, 1e-2);
  });

  it("keeps two files of one name apart", async () => {
    const lines = `@data\n${Array(4).fill("1,2,3:3,2,1:c\n3,2,1:1,1,1:d").join("\n")}\n`;
    const [one, two] = ["a", "b"].map((name) => {
      mkdirSync(folder(name));
      return written(`${folder(name)}/x.ts`, lines.replace("1,2,3", name === "a" ? "1,2,3" : "7,8,9"));
    });
    const place = folder("two");
    const words = ["--steps", "0", "--step-size", "0.5", "--runtime", "jit", "--out", place];
    const { code, stderr } = await run(["train", "uea", "--data", `${one},${two}`, ...words]);
    expect(code, stderr).to.equal(0);
    expect(readFileSync(`${place}/data-1-x.ts`, "utf8")).to.include("1,2,3");
    expect(readFileSync(`${place}/data-2-x.ts`, "utf8")).to.include("7,8,9");
  });

  it("starts from given parameters, also where it goes on", async () => {
    const [from, place, other] = ["from", "started", "other"].map((name) => folder(name)) as [
      string,
      string,
      string,
    ];
    expect((await run(["train", ...few(), "--steps", "1", "--out", from])).code).to.equal(0);
    const init = ["--init", `${from}/params.safetensors`];
    const { code, stderr } = await run(["train", ...few(), ...init, "--steps", "0", "--out", place]);
    expect(code, stderr).to.equal(0);
    expect(readJson(`${place}/result.json`).training).to.deep.equal(readJson(`${from}/result.json`).training);
    expect((await run(["train", ...few(), ...init, "--out", other])).code).to.equal(0);
    expect((await run(["train", "--resume", place, "--steps", "3"])).code).to.equal(0);
    for (const name of ["params.safetensors", "losses.csv"]) {
      expect(readFileSync(`${place}/${name}`).equals(readFileSync(`${other}/${name}`)), name).to.equal(true);
    }
    const wrong = written(folder("wrong.safetensors"), "no tensors");
    expect(
      await refusal(2, "train", "two-moons", ...small, "--init", wrong, "--out", folder("wrong")),
    ).to.include("--init");
    expect(existsSync(folder("wrong"))).to.equal(false);
  });

  it("replaces a run of any kind, and leaves nothing of it", async () => {
    const place = folder("mixed");
    const runs = [
      ["train", "influenza", "--steps", "1"],
      ["train", ...few(), "--steps", "1"],
      [
        ...["train", "revdeq-lm", "--width", "8", "--heads", "2", "--hidden", "16", "--context", "16"],
        "--steps",
        "1",
      ],
      ["train", "influenza", "--steps", "1"],
    ];
    const left: string[][] = [];
    for (const words of runs) {
      const { code, stderr } = await run([...words, "--out", place, "--overwrite"]);
      expect(code, stderr).to.equal(0);
      left.push(readdirSync(place).sort());
    }
    expect(left[3]).to.deep.equal(left[0]);
    expect(left[1]).not.to.include("field.onnx");
    expect(left[2]).not.to.include("logprob.onnx");
  });

  it("refuses what it has no use for, and what belongs to other experiments", async () => {
    expect(await refusal(2, "train", "two-moons", "--rtol", "1e-3")).to.include("no use for --rtol");
    expect(await refusal(2, "train", "influenza", "--batch-size", "3")).to.include(
      "--batch-size is for two-moons, ",
    );
    expect(await refusal(2, "train", "two-moons", "--validate-every", "3")).to.include("no validation data");
    const place = folder("taken");
    expect((await run(["train", ...few(), "--steps", "0", "--out", place])).code).to.equal(0);
    expect(await refusal(2, "train", "two-moons", ...small, "--out", place)).to.include(
      "holds a run already",
    );
    expect(await refusal(2, "export", place, "--out", folder("x.onnx"))).to.include(
      "not the fit of a single trajectory",
    );
    expect((await run(["train", ...few(), "--out", place, "--overwrite"])).code).to.equal(0);
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
