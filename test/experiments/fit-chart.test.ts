import { expect } from "chai";
import { drawRun, type RunToDraw } from "../../src/cli/plots.js";
import { tensor } from "../../src/core/tensor.js";
import { ownData } from "../../src/experiments/own-data.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { observedLayer, timesToDraw } from "../../src/plot/fit-series.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { parseTimeSeries } from "../../src/storage/csv.js";
import { train } from "../../src/train/train.js";

describe("a chart of data and fit", () => {
  it("shows each of few observations, and the range of neighbours where symbols would hide each other", () => {
    const few = Array.from({ length: 1000 }, (_, i) => i);
    expect(observedLayer(few, few).kind).to.equal("points");
    const x = Array.from({ length: 50_000 }, (_, i) => i);
    const y = x.map((i) => Math.sin(i / 20));
    const band = observedLayer(x, y);
    if (band.kind !== "band") throw new Error(band.kind);
    expect(band.x).to.have.length(251);
    expect(band.name).to.equal("data, range of each 600 neighbours");
    // a range of 600 neighbours holds some five waves: 1 of phase between neighbours is at most 1/20 from their tops
    for (const value of Array.from(band.high)) expect(value).to.be.within(1 - 0.05 ** 2, 1);
    for (const value of Array.from(band.low)) expect(value).to.be.within(-1, -1 + 0.05 ** 2);
  });

  it("leaves out ranges in which nothing was observed", () => {
    const x = Array.from({ length: 5000 }, (_, i) => i);
    const band = observedLayer(
      x,
      x.map((i) => (i < 2500 ? i : Number.NaN)),
    );
    if (band.kind !== "band") throw new Error(band.kind);
    expect(band.low[100]).to.be.below(2500);
    expect(band.low[200]).to.be.NaN;
  });

  it("draws a fit of few steps smoothly, and one of many at the ends of its steps", () => {
    expect(timesToDraw(0, [1, 2], [0, 1, 2])).to.have.length(401);
    const steps = Array.from({ length: 50_001 }, (_, i) => i);
    const drawn = timesToDraw(0, [50_000], steps);
    expect(drawn).to.include.members([0, 3, 50_000]);
    expect(drawn.length).to.be.within(16_000, 20_001);
  });

  /** A run of no updates on a table. */
  async function runOn(text: string): Promise<RunToDraw> {
    const experiment = ownData("mine.csv", parseTimeSeries(text, { source: "mine.csv" }));
    const runtime = jit();
    const ode = neuralOde({ field: experiment.field(), method: "rk4", stepSize: 0.5 });
    const data = await experiment.data({ ode, runtime, file: null });
    return { experiment, ode, data, runtime, result: await train(ode, data, { runtime, steps: 0 }) };
  }

  async function fitOf(run: RunToDraw): Promise<string> {
    for await (const { name, chart, problem } of drawRun(run)) {
      if (name === "fit" && problem === null) return chart.svg;
    }
    throw new Error("There is no chart of the fit.");
  }

  const names = (count: number) => Array.from({ length: count }, (_, i) => `c${i}`);
  const table = (columns: string[]) =>
    ["t", ...columns].join() +
    [0, 1, 2].map((t) => `\n${[t, ...columns.map((_, i) => t + i)].join()}`).join("");

  it("has a panel for every component, in rows, and says how many it leaves out of very many", async () => {
    const svg = await fitOf(await runOn(table(names(7))));
    for (const name of names(7)) expect(svg).to.include(`>${name}<`);
    const [, width] = /^<svg [^>]*width="(\d+)"/.exec(svg)!;
    // what a page of 900 pixels shows without shrinking
    expect(Number(width)).to.be.below(900);
    expect(svg).not.to.include("components;");
    const many = await fitOf(await runOn(table(names(30))));
    expect(many).to.include(">24 of 30 components; all are in the files<");
  });

  it("draws the first observation with the others", async () => {
    const svg = await fitOf(await runOn(table(["a"])));
    const symbols = /<g [^>]*mark-symbol[^>]*>(.*?)<\/g>/gs;
    const counts = [...svg.matchAll(symbols)].map(([, inside]) => inside!.match(/<path/g)!.length);
    expect(Math.max(...counts)).to.equal(3);
  });

  it("draws a second solution beside the fit, by its name", async () => {
    const run = await runOn(table(["a"]));
    const states = tensor("float64", [3, 1, 1], [0, 1, 4]);
    const independent = { name: "the field itself", times: [0, 1, 2], states };
    expect(await fitOf({ ...run, independent })).to.include(">the field itself<");
    expect(await fitOf(run)).not.to.include("the field itself");
  });
});
