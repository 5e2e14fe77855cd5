import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { expect } from "chai";
import { Command } from "commander";
import { consoleOn } from "../../src/cli/console.js";
import { trainOptions } from "../../src/cli/shared-options.js";
import type { RunCommand } from "../../src/cli/sweep/child.js";
import { type SweepCommandOptions, sweepCommand } from "../../src/cli/sweep/command.js";
import { settingsOf } from "../../src/cli/sweep/folder.js";
import { parseAxis, parseSeeds, pointsOf } from "../../src/cli/sweep/grid.js";
import { givenOptions } from "../../src/cli/sweep/options.js";
import { showSpread, spreadOf } from "../../src/cli/sweep/report.js";
import type { OptionValue } from "../../src/cli/sweep/spec.js";
import { readJson, refusal, run, scratch, written } from "./command.js";

/** Runs a command line in this process, and counts. */
function inThisProcess(): { runCommand: RunCommand; lines: string[] } {
  const lines: string[] = [];
  const runCommand: RunCommand = async (words) => {
    lines.push(words.join(" "));
    return run(words);
  };
  return { runCommand, lines };
}

describe("revort sweep", () => {
  const folder = scratch();

  async function sweep(
    subject: string,
    options: SweepCommandOptions,
    train: Readonly<Record<string, OptionValue>>,
    runCommand: RunCommand,
  ) {
    const stream = { text: "", write: (text: string) => (stream.text += text) };
    const errors = { text: "", write: (text: string) => (errors.text += text) };
    const known = new Map(
      trainOptions(new Command()).options.map((option) => [option.long!.replace(/^--/, ""), option] as const),
    );
    const signal = new AbortController().signal;
    const console = consoleOn({ stdout: stream, stderr: errors, stopSignal: () => signal });
    const code = await sweepCommand(subject, options, { train, known, runCommand }, console);
    return { code, stdout: stream.text, stderr: errors.text };
  }

  /** x' = −x and what is between: a line that any field learns. */
  const decay = () => {
    const rows = Array.from({ length: 8 }, (_, i) => `${i / 4},${Math.exp(-i / 4)}`);
    return written(folder("decay.csv"), `t,x\n${rows.join("\n")}\n`);
  };
  const small = { steps: "5", field: "mlp:4", runtime: "jit" };

  it("trains each choice of values with each seed, and says mean, deviation and the best run", async () => {
    const out = folder("whole");
    const { runCommand, lines } = inThisProcess();
    const options = { seeds: "0:2", grid: ["learning-rate=1e-2,1e-1"], json: true, out };
    const { code, stdout } = await sweep(decay(), options, small, runCommand);
    expect(code).to.equal(0);
    expect(lines).to.have.length(4);
    // one job has the machine to itself
    expect(lines[0]).not.to.include("--threads");
    const report = JSON.parse(stdout);
    expect(report).to.deep.equal(readJson(`${out}/sweep-result.json`));
    for (const group of report.groups) {
      const losses: number[] = report.runs
        .filter((one: { values: object }) => JSON.stringify(one.values) === JSON.stringify(group.values))
        .map(({ folder: place }: { folder: string }) => readJson(`${place}/result.json`).check.trainedLoss);
      const mean = (losses[0]! + losses[1]!) / 2;
      // two numbers differ from their mean by half of what they are apart
      expect(group.measures.loss.mean).to.be.closeTo(mean, 1e-15);
      expect(group.measures.loss.sd).to.be.closeTo(Math.abs(losses[0]! - losses[1]!) / Math.SQRT2, 1e-15);
    }
    const all = report.runs.map(({ measures }: { measures: { loss: number } }) => measures.loss);
    expect(report.best.measures.loss).to.equal(Math.min(...all));
    const [head, ...rows] = readFileSync(`${out}/runs.csv`, "utf8").trim().split("\n");
    expect(head).to.match(/^learning-rate,seed,status,loss,/);
    expect(rows).to.have.length(4);
    expect(existsSync(`${out}/sweep.png`)).to.equal(true);
    expect(readFileSync(`${out}/sweep.svg`, "utf8")).to.include("loss of each run");
  });

  it("shares the cores among jobs, unless it is told how many threads each has", async () => {
    for (const [more, threads] of [
      [{}, Math.max(1, Math.floor(availableParallelism() / 2))],
      [{ threads: 3 }, 3],
    ] as const) {
      const { runCommand, lines } = inThisProcess();
      const options = { seeds: "0:2", jobs: 2, out: folder(`shared-${threads}`), ...more };
      expect((await sweep(decay(), options, small, runCommand)).code).to.equal(0);
      for (const line of lines) expect(line).to.include(`--threads=${threads}`);
    }
  });

  it("trains nothing twice, goes on with what was interrupted, and takes more seeds", async () => {
    const out = folder("again");
    const data = decay();
    const first = inThisProcess();
    await sweep(data, { seeds: "0:2", out }, small, first.runCommand);
    const before = readFileSync(`${out}/seed-1/params.safetensors`);
    const second = inThisProcess();
    // what an interruption leaves: settings, and a result that says so
    const result = readJson(`${out}/seed-1/result.json`);
    writeFileSync(`${out}/seed-1/result.json`, JSON.stringify({ ...result, stopped: "aborted" }));
    const { code, stdout } = await sweep(data, { seeds: "0:3", out }, small, second.runCommand);
    expect(code).to.equal(0);
    expect(second.lines).to.have.length(2);
    expect(second.lines[0]).to.equal(`train --resume=${out}/seed-1`);
    expect(second.lines[1]).to.include("--seed=2");
    expect(readFileSync(`${out}/seed-1/params.safetensors`).equals(before)).to.equal(true);
    expect(stdout).to.include("±");
    const third = inThisProcess();
    await sweep(data, { seeds: "0:3", out }, small, third.runCommand);
    expect(third.lines).to.deep.equal([]);
  });

  it("makes a row of a run that fails, with the reason, and exits with 1", async () => {
    const out = folder("failing");
    const { runCommand } = inThisProcess();
    const options = { seeds: "0", grid: ["coupling=0.999,7"], out };
    const { code, stdout, stderr } = await sweep(decay(), options, small, runCommand);
    expect(code).to.equal(1);
    expect(stdout).to.match(/Failed: coupling-7_seed-0: .*7/);
    expect(stderr).to.include("1 of 2 runs failed");
    const { runs } = readJson(`${out}/sweep-result.json`);
    expect(runs.map(({ status }: { status: string }) => status)).to.deep.equal(["done", "failed"]);
    expect(readFileSync(`${out}/runs.csv`, "utf8")).to.match(/7,0,failed/);
  });

  it("compares tasks by what they are measured by", async () => {
    const points = Array.from({ length: 20 }, (_, i) => `${Math.cos(i)},${Math.sin(i)}`);
    const data = written(folder("few.csv"), `x,y\n${points.join("\n")}\n`);
    const { runCommand } = inThisProcess();
    const train = { data, steps: "2", "batch-size": "8", "step-size": "0.25", runtime: "jit" };
    const out = folder("moons");
    const { code, stdout } = await sweep("two-moons", { seeds: "0:2", json: true, out }, train, runCommand);
    expect(code).to.equal(0);
    const { groups, measure } = JSON.parse(stdout);
    expect(groups[0].measures[measure].runs).to.equal(2);
    expect(Object.keys(groups[0].measures)).to.include("training loss");
  });

  it("refuses what it cannot do before anything is trained", async () => {
    const data = decay();
    const sweeping = (...words: string[]) => refusal(2, "sweep", data, ...words);
    expect(await sweeping("--grid", "learning-rat=1")).to.include('did you mean "learning-rate"?');
    expect(await sweeping("--grid", "learning-rate=1e-2,fast")).to.include("--learning-rate takes");
    expect(await sweeping("--seeds", "3:1")).to.include("ten seeds");
    expect(await sweeping("--grid", "steps=1", "--steps", "3")).to.include("both for all runs and in --grid");
    expect(await refusal(2, "sweep", "revdeq-lm")).to.include("revort train revdeq-lm");
    const spec = written(folder("spec.json"), '{ "train": "influenza", "seed": 3 }');
    expect(await refusal(2, "sweep", spec)).to.include('"seeds": "0:10"');
  });

  it("refuses a folder with another sweep, or of other data", async () => {
    const out = folder("other");
    const data = decay();
    await sweep(data, { seeds: "0", out }, small, inThisProcess().runCommand);
    const again = (train: object) =>
      sweep(data, { seeds: "0", out }, { ...small, ...train }, inThisProcess().runCommand).then(
        () => "nothing",
        (error: Error) => error.message,
      );
    expect(await again({ steps: "6" })).to.include("holds a sweep with --steps 5");
    const text = readFileSync(data, "utf8");
    writeFileSync(data, text.replace("0,1\n", "0,1.5\n"));
    expect(await again({})).to.include("another content of the file");
    writeFileSync(data, text);
    rmSync(`${out}/sweep.json`);
    writeFileSync(`${out}/run.json`, "{}");
    expect(await again({})).to.include("holds a run");
  });
});

describe("what a sweep goes over", () => {
  const folder = scratch();

  it("knows a folder of data by the files in it, where it is named as that", async () => {
    const data = folder("images");
    mkdirSync(data);
    mkdirSync(`${data}/within`);
    written(`${data}/a.bin`, "one");
    const hashOf = async () => {
      const spec = { subject: "mnist-ode", options: { data }, seeds: [0], grid: [] };
      return (await settingsOf(spec)).files[`data ${data}`];
    };
    const before = await hashOf();
    expect(before).to.match(/^[0-9a-f]{64}$/);
    expect(await hashOf()).to.equal(before);
    renameSync(`${data}/a.bin`, `${data}/b.bin`);
    const renamed = await hashOf();
    written(`${data}/b.bin`, "two");
    expect(new Set([before, renamed, await hashOf()]).size).to.equal(3);
  });

  it("takes seeds as a range without its end, or one by one", () => {
    expect(parseSeeds("2:5")).to.deep.equal([2, 3, 4]);
    expect(parseSeeds("7,1")).to.deep.equal([7, 1]);
    for (const text of ["", "a", "1:", "1:2:3", "1.5", "-1", "3,3"]) {
      expect(() => parseSeeds(text), text).to.throw(/--seeds/);
    }
  });

  it("takes values that hold commas where semicolons part them", () => {
    expect(parseAxis("field=mlp:16;mlp:32,32").values).to.deep.equal(["mlp:16", "mlp:32,32"]);
    expect(parseAxis("--rtol=1e-3,1e-6")).to.deep.equal({ option: "rtol", values: ["1e-3", "1e-6"] });
    for (const text of ["rtol", "rtol=", "rtol=1,,2", "rtol=1,1"])
      expect(() => parseAxis(text), text).to.throw(/--grid/);
  });

  it("gives its runs options that turn something off, and those that are given several times", () => {
    const command = trainOptions(new Command()).exitOverride();
    command.parse(["--no-train-y0", "--parameter", "a=0.5:0:2", "--parameter", "b=1 1/day"], {
      from: "user",
    });
    expect(givenOptions(command.opts(), command.options)).to.deep.equal({
      "no-train-y0": true,
      parameter: ["a=0.5:0:2", "b=1 1/day"],
    });
  });

  it("gives every run a folder of its own, whatever the values look like", () => {
    const axis = { option: "field", values: ["mlp:4/4", "mlp:4-4", "../x"] };
    const names = pointsOf([axis], [0, 1]).map(({ name }) => name);
    expect(new Set(names).size).to.equal(6);
    for (const name of names) expect(name).to.match(/^[\w.+-]+$/);
  });

  it("shows no deviation of equal numbers", () => {
    expect(showSpread(spreadOf([0.8333, 0.8333, 0.8333]), 3)).to.equal("0.833 ± 0");
    expect(showSpread(spreadOf([1, 1 + 1e-6]), 3)).to.equal("1 ± 7.1e-7");
  });

  it("computes the deviation of a sample", () => {
    // 2, 4, 4, 4, 5, 5, 7, 9: Σ (x − 5)² = 32, and 32 / 7
    const { mean, sd } = spreadOf([2, 4, 4, 4, 5, 5, 7, 9]);
    expect(mean).to.be.closeTo(5, 1e-14);
    expect(sd).to.be.closeTo(Math.sqrt(32 / 7), 1e-14);
    expect(spreadOf([3]).sd).to.equal(null);
  });
});
