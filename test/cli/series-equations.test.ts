import { readFileSync, writeFileSync } from "node:fs";
import { expect } from "chai";
import { Random } from "../../src/core/random.js";
import { fixture, json, readJson, refusal, run, scratch, written } from "./command.js";

/** x' = −k (x − u) with u = sin t, exactly, with noise: rows of a table. */
const k = 0.8;
function driven(id: string, x0: number, count: number, random: Random): string[] {
  const steady = (t: number) => (k * (k * Math.sin(t) - Math.cos(t))) / (1 + k * k);
  return Array.from({ length: count }, (_, n) => {
    const t = 0.2 * n + 0.03 * Math.sin(3 * n);
    const x = steady(t) + (x0 - steady(0)) * Math.exp(-k * t);
    return [id, t, x + 0.05 * random.normal(), Math.sin(t), 0.05].join();
  });
}

describe("revort train, equations on several trajectories", () => {
  const folder = scratch();
  const rows = () => {
    const random = Random.seeded(5);
    const each = [["a", 2, 30] as const, ["b", -1, 40] as const, ["c", 1, 20] as const];
    return each.flatMap(([id, x0, count]) => driven(id, x0, count, random));
  };
  const data = () => written(folder("driven.csv"), `id,t,x,u,sx\n${rows().join("\n")}\n`);
  const words = [
    "--trajectory",
    "id",
    "--input",
    "u",
    "--runtime",
    "jit",
    "--test",
    "id=c",
    "--error",
    "x=sx",
  ];
  const equations = ["--field", "dx = -k*(x - u)"];

  it("finds their parameters with intervals over all of them, by inputs and errors of measurement", async () => {
    const out = folder("found");
    const asked = [data(), ...words, ...equations, "--steps", "30", "--out", out];
    const report = await json("train", ...asked);
    const { value, interval, standardError } = report.parameters.k;
    expect(interval[0]).to.be.below(k);
    expect(interval[1]).to.be.above(k);
    expect(value).to.be.closeTo(k, 3 * standardError);
    // 70 observations with errors of 0.05, whose size is known to a tenth
    expect(report.intervals.noise.x).to.be.closeTo(0.05, 0.015);
    expect(report.intervals.given).to.deep.equal(["x"]);
    expect(report.findings.parts).to.deep.equal({ training: ["a", "b"], validation: [], test: ["c"] });
    const chi = report.findings.errors.find(({ part }: { part: string }) => part === "training").chiSquare;
    expect(chi).to.be.closeTo(report.refinement.after, 1e-9);
    // what is exported and predicted are the refined parameters
    const { states } = await json("predict", out, "--y0", "1", "--to", "0.1", "--every", "0.1");
    expect(states[0].at(-1)).to.be.closeTo(Math.exp(-value * 0.1), 0.01);
    const { measures } = await json("evaluate", out);
    expect(measures["training data"].loss).to.equal(report.training.loss);
    expect(readFileSync(`${out}/report.html`, "utf8"))
      .to.include("Parameters")
      .and.include("in proportion to those given for x (root mean square, as found: x 0.0")
      .and.include("95 % interval");
  });

  it("measures trajectories that are set apart from initial states of their own, not from their noisy first rows", async () => {
    const random = Random.seeded(11);
    const times = Array.from({ length: 20 }, (_, n) => n / 5);
    const noisy = (x0: number, first: number) =>
      times.map((t, n) => x0 * Math.exp(-0.8 * t) + (n === 0 ? first : 0.01 * random.normal()));
    // the first row of c is off by 30 deviations of the noise
    const each = { a: noisy(2, 0), b: noisy(3, 0.01), c: noisy(2.5, 0.3) };
    const table = (of: readonly (keyof typeof each)[]) =>
      `id,t,x\n${of.flatMap((id) => each[id].map((x, n) => `${id},${times[n]},${x}\n`)).join("")}`;
    const all = written(folder("apart.csv"), table(["a", "b", "c"]));
    const out = folder("apart");
    const fit = ["--trajectory", "id", "--field", "dx = -k*x", "--test", "id=c", "--runtime", "jit"];
    const report = await json("train", all, ...fit, "--steps", "20", "--out", out);
    // least squares for x₀ e^(−kt) in x₀ alone is a quotient of two sums
    const { value: rate } = report.parameters.k;
    const decay = times.map((t) => Math.exp(-rate * t));
    const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
    const start = sum(decay.map((e, n) => e * each.c[n]!)) / sum(decay.map((e) => e * e));
    const square = sum(decay.map((e, n) => (start * e - each.c[n]!) ** 2)) / times.length;
    const { deviation } = report.findings.scales.x;
    // rk4's steps of a tenth are off by 1e-6
    expect(report.test.loss).to.be.closeTo(square / deviation ** 2, 1e-5 * (square / deviation ** 2));
    expect(report.heldOut).to.include("initial state of c is estimated");
    const { states } = await json("predict", out, "--trajectory", "c", "--to", "1", "--every", "1");
    expect(states[0][0]).to.be.closeTo(start, 1e-5);
    const { measures, start: said } = await json(
      "evaluate",
      out,
      "--data",
      written(folder("c.csv"), table(["c"])),
    );
    expect(measures["c.csv"].loss).to.be.closeTo(report.test.loss, 1e-9 * report.test.loss);
    expect(said).to.include("initial state of c is estimated");
    // rows that are taken as exact are so there as well
    const exact = await json("train", all, ...fit, "--no-train-y0", "--steps", "20", "--out", folder("rows"));
    expect(exact.test.loss).to.be.above(3 * report.test.loss);
    expect(exact.heldOut).to.equal(null);
    // a single series likewise, and --y0 says otherwise
    const bare = (id: keyof typeof each) => `t,x\n${each[id].map((x, n) => `${times[n]},${x}\n`).join("")}`;
    const one = folder("one");
    await json(
      "train",
      written(folder("a.csv"), bare("a")),
      ...fit.slice(2, 4),
      "--steps",
      "20",
      "--out",
      one,
    );
    const other = written(folder("bare.csv"), bare("c"));
    const found = await json("evaluate", one, "--data", other);
    const given = await json("evaluate", one, "--data", other, "--y0", String(start));
    expect(found.start).to.include("is estimated");
    expect(given.start).to.equal(null);
    // k of a alone is another by some hundredths, and with it the best start
    expect(found.measures["bare.csv"].loss).to.be.at.most(given.measures["bare.csv"].loss);
    expect(found.measures["bare.csv"].loss).to.be.above(0.5 * given.measures["bare.csv"].loss);
    const two = written(folder("two.csv"), bare("c").split("\n").slice(0, 2).join("\n"));
    expect((await json("evaluate", one, "--data", two)).start).to.include("is its first row");
  });

  it("has intervals by a bootstrap, the same for the same seed", async () => {
    const own = [data(), ...words, ...equations, "--no-train-y0", "--steps", "10"];
    const by = (intervals: string, name: string) =>
      json("train", ...own, "--intervals", intervals, "--out", folder(name));
    const first = await by("bootstrap:60", "boot");
    expect(first.intervals.method).to.equal("bootstrap:60");
    const [low, high] = first.parameters.k.interval;
    const again = await by("bootstrap:60", "boot-again");
    expect(again.parameters).to.deep.equal(first.parameters);
    const plain = await by("gauss-newton", "plain");
    expect(plain.parameters.k.value).to.equal(first.parameters.k.value);
    // nearly linear, so that both are alike; 60 replicates know a width to a fifth
    const width = plain.parameters.k.interval[1] - plain.parameters.k.interval[0];
    expect(high - low).to.be.within(0.6 * width, 1.5 * width);
    expect(await refusal(2, "train", ...own, "--intervals", "jackknife")).to.include("bootstrap:200");
  });

  it("goes on with a bootstrap that was stopped, to the bit, and with more replicates of one that was not", async () => {
    const random = Random.seeded(8);
    const decay = Array.from(
      { length: 30 },
      (_, n) => `${n / 5},${2 * Math.exp((-k * n) / 5) + 0.05 * random.normal()}\n`,
    );
    const alone = written(folder("alone.csv"), `t,x\n${decay.join("")}`);
    const several = [data(), ...words, ...equations, "--no-train-y0"];
    for (const [name, ...own] of [
      ["several", ...several],
      ["alone", alone, "--field", "dx = a - k*x"],
    ] as const) {
      const start = [...own, "--steps", "10"];
      const by = (count: number) => ["--intervals", `bootstrap:${count}`];
      const whole = await json("train", ...start, ...by(60), "--out", folder(`${name}-whole`));
      const out = folder(`${name}-stopped`);
      const { code, stderr } = await run(["train", ...start, ...by(60), "--out", out], /bootstrap/);
      expect(code).to.equal(130);
      expect(stderr).to.include(`Go on with it: revort train --resume ${out} --intervals bootstrap:60`);
      expect(readJson(`${out}/result.json`).intervals.problem).to.include("stopped after");
      const begun = readJson(`${out}/bootstrap.json`).replicates;
      expect(begun.length).to.be.within(1, 59);
      const { parameters } = await json("train", "--resume", out, ...by(60));
      expect(parameters).to.deep.equal(whole.parameters);
      // what there was is kept as it was, and only the rest is done
      const marked = readJson(`${out}/bootstrap.json`);
      const first = marked.replicates[0].map((value: number) => value + 1e6);
      const changed = { ...marked, replicates: [first, ...marked.replicates.slice(1)] };
      writeFileSync(`${out}/bootstrap.json`, JSON.stringify(changed));
      const more = await json("train", "--resume", out, ...by(80));
      expect(more.parameters.k.standardError).to.be.above(1e4);
      expect(readJson(`${out}/bootstrap.json`).replicates).to.have.length(80);
      // one about another minimum is begun anew
      writeFileSync(
        `${out}/bootstrap.json`,
        JSON.stringify({ ...changed, x: changed.x.map((x: number) => x + 1) }),
      );
      const anew = await json("train", "--resume", out, ...by(60));
      // from where the run has ended Levenberg–Marquardt comes to the same minimum, but for its last digits
      const { interval, standardError } = whole.parameters.k;
      expect(anew.parameters.k.interval[0]).to.be.closeTo(interval[0], 1e-3 * standardError);
      expect(anew.parameters.k.standardError).to.be.closeTo(standardError, 1e-3 * standardError);
    }
  });

  it("goes on with options that say what the run has, and with no others", async () => {
    const out = folder("resumed");
    await json(
      "train",
      data(),
      ...words,
      ...equations,
      "--parameter",
      "k=1:0:5",
      "--steps",
      "3",
      "--out",
      out,
    );
    const again = [...words, ...equations, "--parameter", "k=1:0:5", "--steps", "5"];
    const report = await json("train", "--resume", out, data(), ...again);
    expect(report.steps).to.equal(5);
    const refused = (...more: string[]) => refusal(2, "train", "--resume", out, ...more);
    expect(await refused("--test", "id=a")).to.include("leave out --test");
    expect(await refused("--parameter", "k=2")).to.include("leave out --parameter");
    expect(await refused("--field", "mlp:8")).to.include("leave out --field");
    const other = written(folder("other.csv"), "id,t,x,u,sx\na,0,1,0,1\na,1,2,0,1\n");
    expect(await refused(other)).to.include("leave out");
  });

  it("refuses what such a field has no use for", async () => {
    const one = [data(), ...words];
    const equation = (...more: string[]) => refusal(2, "train", ...one, ...equations, ...more);
    expect(await equation("--autonomous")).to.include("--autonomous has no use beside equations");
    expect(await equation("--activation", "relu")).to.include("--activation has no use beside equations");
    expect(await equation("--hidden", "1")).to.include("--hidden");
    expect(await equation("--warm-start", "4:5")).to.include("--warm-start");
    expect(await refusal(2, "train", ...one, "--field", "dx = -k*x")).to.include("do not use the input");
    expect(await refusal(2, "train", ...one, "--field", "dy = -k*(y - u)")).to.include(
      "one equation for each column",
    );
    const plain = written(folder("plain.csv"), "t,x\n0,1\n1,2\n2,3\n");
    const single = (...more: string[]) => refusal(2, "train", plain, "--field", "dx = -k*x", ...more);
    expect(await single("--autonomous")).to.include("--autonomous has no use beside equations");
    expect(await single("--activation", "relu")).to.include("--activation has no use beside equations");
  });

  it("fits a field from a file to several trajectories, and keeps it with the run", async () => {
    const rows = ["a", "b"].flatMap((id, i) =>
      [0, 0.5, 1.1].map((t) => [id, t, Math.exp(-t) * (1 + i), 1 - t * 0.1].join()),
    );
    const two = written(folder("two.csv"), `id,t,x,y\n${rows.join("\n")}\n`);
    const out = folder("imported");
    const field = ["--field", fixture("mlp-torchscript-14-float64.onnx")];
    const asked = [two, "--trajectory", "id", ...field, "--runtime", "jit", "--steps", "20"];
    const report = await json("train", ...asked, "--out", out);
    expect(report.loss.last).to.be.below(report.loss.first);
    expect(readJson(`${out}/run.json`).task.series.field).to.equal(
      "initial-field/mlp-torchscript-14-float64.onnx",
    );
    const { code, stderr } = await run(["train", "--resume", out, ...field, "--steps", "22"]);
    expect(code, stderr).to.equal(0);
    const only = ["--observe", "x", "--out", folder("one")];
    expect(await refusal(2, "train", ...asked, ...only)).to.match(
      /has states \[batch, 2\].*need \[batch, 1\]/,
    );
  });
});
