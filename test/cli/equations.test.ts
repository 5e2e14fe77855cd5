import { readFileSync } from "node:fs";
import { expect } from "chai";
import { Random } from "../../src/core/random.js";
import { decodeSafetensors } from "../../src/storage/safetensors.js";
import { json, readJson, refusal, run, scratch, written } from "./command.js";

/** dx = b − a x from x₀: exactly solvable, with noise of deviation 0.02. */
function decayed(): string {
  const random = Random.seeded(3);
  const rows = Array.from({ length: 31 }, (_, i) => {
    const x = 4 + 6 * Math.exp((-1.5 * i) / 10);
    return `${i / 10},${x + 0.02 * random.normal()},${10 * x + 0.2 * random.normal()}\n`;
  });
  return `day,x [g],y\n${rows.join("")}`;
}

describe("--field with equations", () => {
  const folder = scratch();
  const data = () => written(folder("decay.csv"), decayed());
  const equations = "dy = 10*b - a*y; dx = b - a*x";

  it("finds parameters from data alone, for columns in any order and with units in their names", async () => {
    const out = folder("run");
    const report = await json("train", data(), "--field", equations, "--steps", "100", "--out", out);
    // noise of 0.02 leaves about that of a, and four times that of b
    expect(report.fitted.a).to.be.closeTo(1.5, 0.05);
    expect(report.fitted.b).to.be.closeTo(6, 0.2);
    expect(report.check.warning).to.equal(null);
    expect(report.solver).to.equal("rk4");
    // the minimum of least squares, and intervals that a noise of 0.02 and 0.2 leaves
    expect(report.refinement.after).to.be.at.most(report.refinement.before);
    expect(report.check.trainedLoss).to.be.closeTo(report.refinement.after, 1e-9);
    const { a: estimate } = report.parameters;
    expect(estimate.value).to.equal(report.fitted.a);
    expect(estimate.interval[0]).to.be.within(1.4, 1.5);
    expect(estimate.interval[1]).to.be.within(1.5, 1.6);
    expect(report.intervals.noise["x [g]"] ?? report.intervals.noise.x).to.be.closeTo(0.02, 0.008);
    expect(report.intervals).to.deep.include({ level: 0.95, problem: null });
    const { settings } = readJson(`${out}/run.json`);
    expect(settings.field).to.equal(equations);
    expect(settings.trainY0).to.equal(true);
    expect(settings.parameters.a.guess).to.be.closeTo(1.5, 0.1);
    // goes on, is exported, and solved again from the file
    const more = await json("train", "--resume", out, "--steps", "120", "--field", equations);
    expect(more.steps).to.equal(120);
    const file = folder("field.onnx");
    expect((await run(["export", out, "--out", file])).code).to.equal(0);
    const { ys } = await json("solve", file, "--y0", "10,100", "--t0", "0", "--t1", "1", "--rtol", "1e-9");
    const { a, b } = more.fitted;
    expect(ys[0][0]).to.be.closeTo(b / a + (10 - b / a) * Math.exp(-a), 1e-6);
  });

  it("says of exact data that there is no noise for intervals, and of small noise that it is below the solver's errors", async () => {
    const decay = (noise: number) =>
      Array.from({ length: 21 }, (_, i) => 2 * Math.exp(-i / 8) * (1 + noise * (-1) ** i));
    const rows = (noise: number) =>
      decay(noise)
        .map((x, i) => `${i / 4},${x}\n`)
        .join("");
    const by = async (name: string, noise: number, ...more: string[]) => {
      const file = written(folder(`${name}.csv`), `t,x\n${rows(noise)}`);
      return json("train", file, "--field", "dx = -k*x", "--steps", "50", "--out", folder(name), ...more);
    };
    for (const more of [[], ["--time", "t"]]) {
      const exact = await by(`exact${more.length}`, 0, ...more);
      expect(exact.parameters.k).to.deep.include({ interval: null, standardError: null });
      expect(exact.parameters.k.value).to.be.closeTo(0.5, 1e-7);
      expect(exact.intervals.problem).to.include("no noise").and.not.include("not come to its minimum");
      expect((exact.check ?? exact.findings.check).warning).to.equal(null);
    }
    // rk4's errors are up to 2e-7 standard deviations here, in a fit whose residuals are 1e-9
    const small = await by("small", 1e-9);
    expect(small.parameters.k.interval).not.to.equal(null);
    expect(small.intervals.problem).to.include("The errors of the solver (up to 1.8e-7");
    expect((await by("large", 1e-3)).intervals.problem).to.equal(null);
  });

  it("keeps parameters within their bounds, and starts from guesses", async () => {
    const words = ["train", data(), "--field", equations, "--steps", "30"];
    const bounded = await json(
      ...words,
      "--parameter",
      "a=0.5:0:1",
      "--parameter",
      "b=:0:",
      "--out",
      folder("bounded"),
    );
    expect(bounded.fitted.a).to.be.at.most(1);
    const { settings } = readJson(folder("bounded", "run.json"));
    expect(settings.parameters.a).to.deep.equal({ guess: 0.5, low: 0, high: 1, unit: null });
    expect(bounded.parameters.a.interval).to.equal(null);
    expect(bounded.intervals.problem).to.include("a ended on a bound");
    const unit = await run([...words, "--parameter", "a=1.4:: 1/day", "--out", folder("unit")]);
    expect(unit.stdout).to.match(/^a = 1\.\d+ \[1\.\d+, 1\.\d+\] 1\/day$/m);
    expect(unit.stdout).to.match(/The 95 % intervals assume that the equations are right, .* y 0\.\d+\)/);
    const line = await refusal(2, "train", "--resume", folder("bounded"), "--parameter", "a=0.7");
    expect(line).to.include("--parameter a");
  });

  it("takes the first row as exact where that is asked for", async () => {
    const out = folder("exact");
    await json("train", data(), "--field", equations, "--steps", "5", "--no-train-y0", "--out", out);
    expect(readJson(`${out}/run.json`).settings).to.include({ trainY0: false, startY0: null });
    const { tensors } = decodeSafetensors(new Uint8Array(readFileSync(`${out}/params.safetensors`)));
    expect(Object.keys(tensors).sort()).to.deep.equal(["a", "b"]);
  });

  it("adds a network to what is known, which finds the rest", async () => {
    const words = ["train", data(), "--steps", "200", "--field"];
    const wrong = await json(...words, "dx = -a*x; dy = -a*y", "--out", folder("wrong"));
    const mended = await json(...words, "dx = -a*x; dy = -a*y; + mlp:8", "--out", folder("mended"));
    expect(mended.loss.last).to.be.lessThan(0.5 * wrong.loss.last);
    expect(mended.parameters.a.interval).to.equal(null);
    expect(mended.intervals.problem).to.include("network can take over");
    expect(mended.refinement).to.equal(null);
  });

  it("has no intervals of other losses than least squares, and of other fields where they are asked for", async () => {
    const words = ["train", data(), "--field", equations, "--steps", "5", "--loss", "huber"];
    expect((await json(...words, "--out", folder("huber"))).intervals.problem).to.include("--loss huber");
    const mechanism = ["train", "influenza", "--steps", "2", "--out", folder("boys")];
    const plain = await json(...mechanism);
    expect(plain.parameters.b).to.include({ value: plain.fitted.b, interval: null });
    const asked = await json(...mechanism, "--overwrite", "--intervals");
    expect(asked.parameters.b.interval[0]).to.be.lessThan(asked.fitted.b);
    // two updates lead nowhere near the minimum
    expect(asked.intervals.problem).to.include("not come to its minimum");
  });

  it("is checked by every gradient, and by differences", async () => {
    const check = await json("gradcheck", data(), "--field", "dx = b - a*x + mlp:3; dy = 10*b - a*y^1.5");
    expect(check.relativeError.checkpoint).to.be.lessThan(1e-12);
    expect(check.finiteDifference.relativeError).to.be.lessThan(1e-7);
  });

  it("is solved, with values of all its parameters", async () => {
    const words = ["solve", "--field", "dx = v; dv = -w^2*x", "--y0", "1,0", "--t0", "0", "--t1", "1"];
    const { ys } = await json(...words, "--parameter", "w=2", "--rtol", "1e-10", "--atol", "1e-10");
    expect(ys[0][0]).to.be.closeTo(Math.cos(2), 1e-8);
    expect(ys[0][1]).to.be.closeTo(-2 * Math.sin(2), 1e-8);
    expect(await refusal(2, ...words)).to.include("--parameter w=1");
    expect(await refusal(2, ...words, "--parameter", "w=2", "--parameter", "q=1")).to.include(
      'no parameter "q"',
    );
    expect(await refusal(2, "solve", "--y0", "1", "--t0", "0", "--t1", "1")).to.include("--field");
    const network = ["solve", "--field", "dx = mlp:4", "--y0", "1", "--t0", "0", "--t1", "1"];
    expect(await refusal(2, ...network)).to.include("until it is trained");
  });

  it("shows where equations cannot be read, with a caret", async () => {
    const { code, stderr } = await run(["train", data(), "--field", "dx = b - a*x; dy = ln(y)"]);
    expect(code).to.equal(2);
    expect(stderr).to.include(
      "  dx = b - a*x; dy = ln(y)\n                     ^^\nrevort: The equations cannot be read at character 20",
    );
  });

  it("refuses equations that do not fit the data, and parameters of no equations", async () => {
    const words = ["train", data(), "--field"];
    expect(await refusal(2, ...words, "dx = -a*x")).to.include('the data have "x [g]", "y"');
    expect(await refusal(2, ...words, "dx = 1; dy = 2; dz = 3")).to.include("those of x, y, z");
    expect(await refusal(2, ...words, "dx = day; dy = 1")).to.include("write t in place of");
    expect(await refusal(2, ...words, "mlp:4", "--parameter", "a=1")).to.include("for a field of equations");
    expect(await refusal(2, ...words, equations, "--parameter", "a")).to.include("NAME=GUESS");
    expect(await refusal(2, ...words, equations, "--parameter", "a=1", "--parameter", "a=2")).to.include(
      "twice",
    );
    expect(await refusal(2, ...words, equations, "--parameter", "a=1:2")).to.include("NAME=GUESS:LOW:HIGH");
    expect(await refusal(2, ...words, equations, "--parameter", "a=5:0:2")).to.include(
      "between its bounds 0 and 2",
    );
  });
});
