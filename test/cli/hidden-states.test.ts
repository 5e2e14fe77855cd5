import { readFileSync } from "node:fs";
import { expect } from "chai";
import { Random } from "../../src/core/random.js";
import { json, readJson, refusal, run, scratch, written } from "./command.js";

/** An epidemic of which the infected alone were counted, and SciPy's fit to it (`hidden-states-scipy.py`). */
const scipy = JSON.parse(readFileSync(new URL("hidden-states-scipy.json", import.meta.url), "utf8"));

const epidemic = "dS = -b*S*I; dI = b*S*I - g*I";

describe("equations with states that are not observed", () => {
  const folder = scratch();
  const rows = (times: readonly number[], values: readonly number[]) =>
    times.map((t, i) => `${t},${values[i]}\n`).join("");
  const counted = () => written(folder("counted.csv"), `t,I\n${rows(scipy.times, scipy.observed)}`);
  const fitted = (field: string, hidden: number, ...more: string[]) =>
    json("train", counted(), "--field", field, "--hidden", String(hidden), "--steps", "20", ...more);

  it("finds parameters and initial values with intervals, as SciPy does", async () => {
    const out = folder("epidemic");
    const report = await fitted(epidemic, 1, "--step-size", "0.1", "--out", out);
    const [b, g, infected, susceptible] = scipy.values as number[];
    const errors = scipy.errors as number[];
    const found = report.parameters;
    // both at the same minimum, found to a hundredth of a standard error; rk4's steps of a tenth are off by 1e-6
    expect(found.b.value).to.be.closeTo(b!, 0.01 * errors[0]!);
    expect(found.g.value).to.be.closeTo(g!, 0.01 * errors[1]!);
    expect(found.S0.value).to.be.closeTo(susceptible!, 0.01 * errors[3]!);
    expect(found.b.standardError).to.be.closeTo(errors[0]!, 0.01 * errors[0]!);
    expect(found.S0.standardError).to.be.closeTo(errors[3]!, 0.01 * errors[3]!);
    const { deviation } = report.findings.scales.I;
    expect(report.training.loss * deviation ** 2).to.be.closeTo(scipy.square, 1e-5 * scipy.square);
    // states that were not observed are predicted with the others
    const end = await json("predict", out, "--to", "14", "--every", "14");
    expect(end.components).to.deep.equal(["I", "S"]);
    expect(end.states[0][0]).to.be.closeTo(infected!, 0.01 * errors[2]!);
    for (const j of [0, 1]) expect(end.states[j].at(-1)).to.be.closeTo(scipy.end[j], 1e-3 * scipy.end[j]);
    // the exported field is that of the equations, and its solve starts where the fit does
    const file = `${out}/field.onnx`;
    const asked = ["--y0", `${infected},${susceptible}`, "--t0", "0", "--t1", "14", "--rtol", "1e-9"];
    const { ys } = await json("solve", file, ...asked);
    for (const j of [0, 1]) expect(ys[0][j]).to.be.closeTo(scipy.end[j], 1e-3 * scipy.end[j]);
    const { stdout } = await run(["export", out, "--what", "solve", "--out", folder("solve.onnx")]);
    expect(stdout).to.match(/"y0": np\.array\(\[2\.\d+,7\d\d\.\d+\]\)/);
    // and goes on, with the options that it has
    const again = ["--resume", out, "--steps", "25"];
    const more = await json("train", ...again, "--field", epidemic, "--hidden", "1");
    expect(more.steps).to.equal(25);
    expect(await refusal(2, "train", ...again, "--parameter", "S0=1")).to.include("leave out --parameter");
  });

  it("says of a state without effect on what was observed that nothing is known of it", async () => {
    const whole = `${epidemic}; dR = g*I`;
    const report = await fitted(whole, 2, "--out", folder("whole"));
    expect(report.parameters.R0.interval).to.equal(null);
    expect(report.parameters.S0.interval).not.to.equal(null);
    expect(report.intervals.problem).to.include("R0 has no effect on what was observed");
  });

  it("says what cannot be told apart, and has intervals where one of them is given", async () => {
    // x' = k y, y' = −m y: of k and y0 the data know the product alone
    const random = Random.seeded(2);
    const times = Array.from({ length: 31 }, (_, i) => i / 5);
    const grown = times.map((t) => 2 * (1 - Math.exp(-0.7 * t)) + 0.01 * random.normal());
    const file = written(folder("grown.csv"), `t,x\n${rows(times, grown)}`);
    const words = ["train", file, "--hidden", "1", "--steps", "20", "--field"];
    const open = await json(...words, "dx = k*y; dy = -m*y", "--out", folder("open"));
    expect(open.parameters.y0.interval).to.equal(null);
    expect(open.intervals.problem).to.include("do not determine the parameters");
    const known = await json(...words, "dx = 1.4*y; dy = -m*y", "--out", folder("known"));
    // noise of a hundredth leaves a percent of either
    expect(known.parameters.m.value).to.be.closeTo(0.7, 0.03);
    expect(known.parameters.y0.value).to.be.closeTo(1, 0.03);
    const [low, high] = known.parameters.y0.interval;
    expect(low).to.be.below(1);
    expect(high).to.be.above(1);
    // bounds and guesses are said as those of parameters are
    const bounded = ["dx = 1.4*y; dy = -m*y", "--parameter", "y0=0.5:0:0.9 mol", "--no-train-y0"];
    const kept = await json(...words, ...bounded, "--out", folder("bounded"));
    expect(kept.parameters.y0).to.deep.include({ value: 0.9, interval: null });
    expect(kept.intervals.problem).to.include("y0 ended on a bound");
    expect(readJson(folder("bounded", "run.json")).task.series.hiddenStarts.y).to.deep.equal({
      ...{ guess: 0.5, low: 0, high: 0.9, unit: "mol" },
    });
    // so are they where updates alone lead to the fit, and where nobody guessed: 0.9 / s · s is 0.9 to rounding
    const robust = ["dx = 1.4*y; dy = -m*y", "--parameter", "y0=:0:0.9", "--loss", "huber"];
    const held = await json(...words, ...robust, "--out", folder("robust"));
    expect(held.parameters.y0.value).to.be.within(0.8, 0.9 + 1e-15);
    expect(held.parameters.m.value).to.be.below(0.7);
  });

  it("estimates initial values of each trajectory, and of those that are set apart", async () => {
    const random = Random.seeded(7);
    const times = Array.from({ length: 25 }, (_, i) => i / 4);
    const grown = (y0: number) =>
      times.map((t) => (y0 / 0.7) * (1 - Math.exp(-0.7 * t)) + 0.01 * random.normal());
    const table = [1, 2, 3].flatMap((y0) => grown(y0).map((x, i) => `${"abc"[y0 - 1]},${times[i]},${x}\n`));
    const file = written(folder("three.csv"), `id,t,x\n${table.join("")}`);
    const words = ["train", file, "--trajectory", "id", "--hidden", "1", "--steps", "20"];
    const field = ["--field", "dx = y; dy = -m*y"];
    const out = folder("three");
    const report = await json(...words, ...field, "--test", "id=c", "--out", out);
    expect(Object.keys(report.parameters)).to.deep.equal(["m", "y0 (a)", "y0 (b)"]);
    expect(report.parameters["y0 (b)"].value).to.be.closeTo(2, 0.05);
    expect(report.heldOut).to.include("initial state of c is estimated");
    // noise of 0.01, once in the loss of each part
    const noise = (0.01 / report.findings.scales.x.deviation) ** 2;
    expect(report.test.loss).to.be.within(0.3 * noise, 3 * noise);
    const { states } = await json("predict", out, "--trajectory", "c", "--to", "1", "--every", "1");
    expect(states[1][0]).to.be.closeTo(3, 0.1);
    // where nothing is known of them they have to be given
    expect(await refusal(2, "predict", out, "--data", file, "--to", "1")).to.include(
      "--y0 takes 2 numbers (x, y)",
    );
    const given = await json("predict", out, "--y0", "0,1", "--from", "0", "--to", "2", "--every", "2");
    const m = report.parameters.m.value;
    expect(given.states[0].at(-1)).to.be.closeTo((1 - Math.exp(-2 * m)) / m, 1e-4);
    expect(await refusal(2, ...words, ...field, "--validation", "id=b")).to.include("cannot be validated by");
  });

  it("asks how many states are not observed, rather than taking a slip of the pen for one", async () => {
    const words = ["train", counted(), "--field", epidemic];
    expect(await refusal(2, ...words)).to.include("if S was not observed, --hidden 1");
    expect(await refusal(2, ...words, "--hidden", "2")).to.include("--hidden 2 says how many have no column");
    const clash = ["train", counted(), "--hidden", "1", "--field", "dS = -b*S*I/S0; dI = b*S*I/S0 - g*I"];
    expect(await refusal(2, ...clash)).to.include("S0 is the initial value of S");
    expect(await refusal(2, ...words, "--hidden", "1", "--parameter", "S0=5:6:9")).to.include(
      "between its bounds 6 and 9",
    );
  });
});
