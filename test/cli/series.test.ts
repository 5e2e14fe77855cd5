import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect } from "chai";
import { json, readJson, refusal, run, scratch, written } from "./command.js";

/** x' = −a x + u at irregular times: rows of a table, with what it is exactly. */
const rate = 0.8;
function decay(id: string, x0: number, count: number): string[] {
  return Array.from({ length: count }, (_, k) => {
    const t = 0.25 * k + 0.05 * Math.sin(3 * k + x0);
    const start = 0.05 * Math.sin(x0);
    return `${id},${t},${x0 * Math.exp(-rate * (t - start))}`;
  });
}
const table = (...parts: string[][]) => `id,t,x\n${parts.flat().join("\n")}\n`;

const small = ["--runtime", "jit", "--field", "mlp:8"];

describe("revort train, on several trajectories", () => {
  const folder = scratch();
  const many = () =>
    written(
      folder("many.csv"),
      table(decay("a", 1, 9), decay("b", 2, 12), decay("c", -1, 7), decay("d", 1.5, 14)),
    );

  it("learns what they have in common, and says how far off it is in both units", async () => {
    const out = folder("learnt");
    const words = [many(), "--trajectory", "id", "--test", "id=d", "--validation", "id=b", ...small];
    const report = await json("train", ...words, "--warm-start", "4:150", "--steps", "150", "--out", out);
    expect(report).to.include({ stopped: "done", steps: 150 });
    expect(report.findings.parts).to.deep.equal({ training: ["a", "c"], validation: ["b"], test: ["d"] });
    const test = report.findings.errors.find(({ part }: { part: string }) => part === "test");
    // d was not seen, and lies within what was: a few thousandths after so few updates
    expect(test.rootMeanSquare).to.be.below(0.05);
    expect(test.inDeviations).to.be.closeTo(test.rootMeanSquare / report.findings.scales.x.deviation, 1e-12);
    expect(report.test.loss).to.be.closeTo(test.inDeviations ** 2, 1e-12);
    expect(readdirSync(out)).to.include.members([
      "field.onnx",
      "fit.svg",
      "losses.csv",
      "initial-params.safetensors",
    ]);
    const field = await json("solve", `${out}/field.onnx`, "--y0", "1", "--t0", "0", "--t1", "1");
    expect(field.ys[0][0]).to.be.closeTo(Math.exp(-rate), 0.05);
    const { times, states } = await json("predict", out, "--trajectory", "d", "--to", "6", "--every", "3");
    expect(times.at(-1)).to.equal(6);
    expect(states[0].at(-1)).to.be.closeTo(1.5 * Math.exp(-rate * 6), 0.2);
    const unseen = written(folder("unseen.csv"), table(decay("e", 1.2, 6), decay("f", 0.7, 9)));
    const { measures } = await json("evaluate", out, "--data", unseen);
    expect(measures["unseen.csv"].loss).to.be.below(0.01);
    const given = await json("predict", out, "--y0", "1", "--to", "1", "--every", "1");
    expect(given.states[0]).to.have.length(2);
    const compared = await run(["compare", out, out, "--out", folder("c.svg")]);
    expect(compared.stdout).to.include("test loss");
  });

  it("learns without options from trajectories too short for a warm start", async () => {
    const few = written(folder("few.csv"), table(decay("a", 1, 4), decay("b", 2, 5), decay("c", -1, 4)));
    const words = [few, "--trajectory", "id", ...small, "--out", folder("few")];
    const { loss } = await json("train", ...words);
    // exponentials without noise; 0.8 where the rate of updates is that of a fit that was warmed up
    expect(loss.last).to.be.below(0.02);
  });

  it("says where the fit depends on the errors of its solver; an error with --strict", async () => {
    const words = [many(), "--trajectory", "id", ...small, "--warm-start", "none", "--steps", "300"];
    const good = await json("train", ...words, "--learning-rate", "1e-2", "--out", folder("fine"));
    expect(good.warnings).to.deep.equal([]);
    expect(good.findings.check.loss).to.be.closeTo(good.findings.check.trainedLoss, 0.05 * good.loss.last);
    // two steps of Euler's rule over the longest of them
    const coarse = ["--solver", "euler", "--step-size", "2", "--learning-rate", "1e-2", "--strict"];
    const { code, stderr } = await run(["train", ...words, ...coarse, "--out", folder("coarse")]);
    expect(code).to.equal(1);
    expect(stderr).to.match(
      /Warning: The fit depends on the errors of its solver: with steps 8 times as short/,
    );
    expect(existsSync(folder("coarse/field.onnx"))).to.equal(true);
  });

  it("goes on to the bit, from its warm start as well", async () => {
    const words = [
      many(),
      "--trajectory",
      "id",
      "--train-y0",
      "--batch",
      "2",
      "--warm-start",
      "4:5",
      ...small,
    ];
    const [whole, parts] = [folder("whole"), folder("parts")];
    const train = async (...more: string[]) => {
      const { code, stderr } = await run(["train", ...more]);
      expect(code, stderr).to.equal(0);
    };
    await train(
      ...words.slice(0, 3),
      "--batch",
      "2",
      "--steps",
      "4",
      "--warm-start",
      "4:5",
      ...small,
      "--out",
      whole,
    );
    await train(
      ...words.slice(0, 3),
      "--batch",
      "2",
      "--steps",
      "4",
      "--warm-start",
      "4:5",
      ...small,
      "--out",
      parts,
    );
    expect(readJson(`${parts}/result.json`).losses).to.deep.equal(readJson(`${whole}/result.json`).losses);
    expect(await refusal(2, "train", "--resume", parts, "--window", "3")).to.include("keeps its settings");
    // an interruption in the warm start leaves a run without updates, which begins anew
    const stopped = folder("stopped");
    const { code } = await run(["train", ...words, "--steps", "4", "--out", stopped], /warm start/);
    expect(code).to.equal(130);
    expect(readJson(`${stopped}/run.json`).task.init).to.equal(false);
    await train("--resume", stopped);
    const again = folder("again");
    await train(...words, "--steps", "4", "--out", again);
    for (const name of ["params.safetensors", "losses.csv", "initial-params.safetensors"]) {
      expect(readFileSync(`${stopped}/${name}`).equals(readFileSync(`${again}/${name}`)), name).to.equal(
        true,
      );
    }
  });

  it("forecasts to a date, and goes by the days of the run in new data, however short", async () => {
    const start = Date.UTC(2024, 1, 1);
    const dated = (hours: readonly number[], from: number) =>
      `when,x\n${hours.map((h) => `${new Date(from + h * 3.6e6).toISOString()},${2 * Math.exp(-h / 240)}\n`).join("")}`;
    const days = written(folder("days.csv"), dated([0, 30, 48, 75, 96], start));
    const out = folder("dated");
    await json("train", days, "--field", "dx = -k*x", "--steps", "1", "--runtime", "jit", "--out", out);
    const { times, states } = await json("predict", out, "--to", "2024-02-10", "--every", "1");
    expect(times).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const rate = Math.log(states[0][0] / states[0][1]);
    const hours = written(folder("hours.csv"), dated([0, 1, 6], start + 29 * 8.64e7));
    const later = await json("predict", out, "--data", hours, "--to", "2024-03-02T12:00Z", "--every", "0.25");
    expect(later.times.slice(0, 2)).to.deep.equal([29, 29.25]);
    expect(later.times.at(-1)).to.equal(30.5);
    // a linear equation decays alike from wherever it starts; both within the errors of one solver
    expect(later.states[0].at(-1)).to.be.closeTo(2 * Math.exp(-rate * 1.5), 1e-4);
    expect(await refusal(2, "predict", out, "--to", "02/10/2024")).to.include("as in ISO 8601 (2024-03-01)");
    const plain = folder("plain");
    await json(
      "train",
      many(),
      "--trajectory",
      "id",
      ...small,
      "--steps",
      "1",
      "--warm-start",
      "none",
      "--out",
      plain,
    );
    expect(await refusal(2, "predict", plain, "--to", "2024-03-01")).to.include(
      "times of these data are numbers",
    );
  });

  it("takes several files, a folder of them, dates, decimal commas, hidden states, inputs and errors", async () => {
    const place = folder("files");
    mkdirSync(place);
    const rows = (x0: number) =>
      Array.from(
        { length: 6 },
        (_, k) => `2024-03-0${k + 1};${String(x0 * 0.5 ** k).replace(".", ",")};0,5;0,1`,
      );
    for (const [i, x0] of [1, 2].entries()) {
      writeFileSync(`${place}/${i}.csv`, `day;x;u;sx\n${rows(x0).join("\n")}\n`);
    }
    const own = ["--input", "u", "--error", "x=sx", "--hidden", "1", "--steps", "2", "--warm-start", "none"];
    const out = folder("of-files");
    const { code, stderr } = await run(["train", place, ...own, ...small, "--out", out]);
    expect(code, stderr).to.equal(0);
    expect(stderr).to.include("2 trajectories of 6 times of x, driven by u over day (d)");
    expect(stderr).to.include("Commas are read as decimal commas").and.include("d since 2024-03-01");
    const { findings } = readJson(`${out}/result.json`);
    expect(findings.errors[0].chiSquare).to.be.closeTo((findings.errors[0].rootMeanSquare / 0.1) ** 2, 1e-9);
    expect(readdirSync(out)).to.include("rates.onnx");
    const { stderr: said } = await run(["predict", out, "--to", "9", "--every", "9"]);
    expect(said).to.include("stay at their last values");
    // dates alone are enough
    const { stderr: dates } = await run([
      "train",
      `${place}/0.csv`,
      "--steps",
      "1",
      ...small,
      "--out",
      folder("dates"),
    ]);
    expect(dates).to.include("1 trajectory of 6 times");
  });

  it("has presets, and windows in mini-batches", async () => {
    const out = folder("long");
    const words = [
      "train",
      many(),
      "--trajectory",
      "id",
      "--preset",
      "long",
      "--window",
      "3",
      "--batch",
      "4",
    ];
    const { code, stderr } = await run([
      ...words,
      "--steps",
      "3",
      "--warm-start",
      "3:3",
      ...small,
      "--out",
      out,
    ]);
    expect(code, stderr).to.equal(0);
    expect(readJson(`${out}/run.json`).task).to.deep.include({ batchSize: 4, steps: 3 });
    expect(readJson(`${out}/run.json`).task.series).to.include({ window: 3 });
    const noisy = folder("noisy");
    const restarts = ["--preset", "noisy", "--restarts", "2", "--warm-start", "3:3", "--steps", "1"];
    const { stderr: said } = await run([
      "train",
      many(),
      "--trajectory",
      "id",
      ...restarts,
      ...small,
      "--out",
      noisy,
    ]);
    expect(said).to.include("the best of 2 attempts");
    expect(readJson(`${noisy}/run.json`).task.series).to.include({ loss: "huber", trainY0: true });
  });

  it("says of options that they have no effect: of a warm start that there is not, of intervals of a network, of long steps", async () => {
    const rows = Array.from({ length: 6 }, (_, i) => `${i / 4},${Math.exp(-i)}\n`).join("");
    const file = written(folder("little.csv"), `t,x\n${rows}`);
    const words = [
      "train",
      file,
      "--field",
      "mlp:4",
      "--steps",
      "1",
      "--out",
      folder("little"),
      "--overwrite",
    ];
    expect(await refusal(2, ...words, "--restarts", "3")).to.include("--restarts is of a warm start");
    expect(await refusal(2, ...words, "--time", "t", "--full")).to.include("--full");
    expect(await refusal(2, ...words, "--restarts", "3", "--init", file)).to.include("Give either --init");
    expect(await refusal(2, "train", "influenza", "--memory-budget", "1MB")).to.include("--gradient auto");
    expect(await refusal(2, "train", "influenza", "--time-unit", "h")).to.include("--time-unit is for files");
    const none = "no parameters that are single numbers";
    expect((await run([...words, "--intervals"])).stdout).to.include(none);
    expect((await run([...words, "--intervals", "--time", "t"])).stderr).to.include(none);
    expect((await run([...words, "--step-size", "3"])).stderr).to.include("which are 0.25 apart at most");
  });

  it("refuses what makes no sense, before anything is written", async () => {
    const data = many();
    const out = folder("refused");
    const train = (...words: string[]) => refusal(2, "train", data, ...words, "--out", out);
    expect(await train("--trajectory", "name")).to.include("its columns are id, t, x");
    expect(await train()).to.include("id");
    expect(await train("--trajectory", "id", "--validation", "2")).to.include("--validation takes a share");
    expect(await train("--trajectory", "id", "--rtol", "1e-6")).to.include("--rtol");
    expect(await train("--trajectory", "id", "--gradient", "continuous")).to.include("checkpoint:8");
    expect(await train("--trajectory", "id", "--field", "f.onnx")).to.include("f.onnx cannot be read");
    expect(await train("--trajectory", "id", "--window", "3", "--train-y0")).to.include("Leave out --window");
    expect(await train("--trajectory", "id", "--warm-start", "8")).to.include("8:400,24:300");
    expect(await train("--trajectory", "id", "--error", "x")).to.include("x=x_sd");
    expect(await refusal(2, "train", "influenza", "--validation", "0.2")).to.include(
      "for files of trajectories",
    );
    expect(await refusal(2, "train", "influenza", data)).to.include("Name one experiment");
    expect(readdirSync(folder())).not.to.include("refused");
  });
});
