import { expect } from "chai";
import { experiments } from "../../src/experiments/all.js";
import { figures } from "../../src/figures/all.js";
import { figureNames } from "../../src/figures/names.js";
import { json, readJson, run, scratch } from "./command.js";

describe("run.json", () => {
  const folder = scratch();

  it("holds the settings in force, also those that nobody asked for", async () => {
    const place = folder("run");
    await json("train", "influenza", "--steps", "1", "--out", place);
    const { settings } = readJson(`${place}/run.json`);
    // of the experiment's protocol
    expect(settings).to.include({ optimiser: "adamw", learningRate: 0.05, weightDecay: 0, loss: "mse" });
    const other = folder("other");
    await json("train", "influenza", "--steps", "1", "--optimiser", "sgd", "--out", other);
    // of the optimiser itself, as in PyTorch
    expect(readJson(`${other}/run.json`).settings).to.include({ optimiser: "sgd", learningRate: 0.01 });
    // what is in force may be said again
    const again = ["train", "--resume", place, "--steps", "2", "--optimiser", "adamw", "--loss", "mse"];
    expect((await run(again)).code).to.equal(0);
  });
});

describe("revort --help", () => {
  it("shows what each experiment, and a file of data, is trained with by default", async () => {
    const { code, stdout } = await run(["train", "--help"]);
    expect(code).to.equal(0);
    const text = stdout.replace(/\s+/g, " ");
    expect(text).to.match(/a file of data: mlp\(32-32, tanh\), --solver \S+ .*--steps 1000/);
    for (const { name, protocol } of experiments) {
      const { learningRate } = protocol.optimiser({}).settings;
      const line = text.slice(text.indexOf(` ${name}: `));
      expect(line, name).to.match(new RegExp(`^ ${name}: [^:]*--solver ${protocol.solver} `));
      expect(line, name).to.match(new RegExp(`^ ${name}: [^:]*--steps ${protocol.steps} `));
      expect(line, name).to.match(new RegExp(`^ ${name}: [^:]*--learning-rate ${learningRate}`));
    }
  });

  it("says what each option is unless it is given, or that the subject decides", async () => {
    for (const command of [
      "train",
      "train revdeq-lm",
      "generate",
      "sweep",
      "evaluate",
      "predict",
      "compare",
      "gradcheck",
      "solve",
      "export",
      "bench",
      "bundle",
    ]) {
      const { stdout } = await run([...command.split(" "), "--help"]);
      const options = stdout.slice(stdout.search(/^[A-Z].*:\n {2}-/m), stdout.indexOf("Examples:"));
      const entries = options.split(/\n {2}(?=-)/).map((entry) => entry.replace(/\s+/g, " "));
      // what takes a value and need not be given; a file, a folder or a name of the user's own has none
      const given =
        /--(data|init|prompt|field|y0|t0|t1|out|resume|trainable|freeze|time-input|state-input|output-name)\b/;
      for (const entry of entries.filter((text) => /^--[\w-]+ </.test(text) && !given.test(text))) {
        expect(entry, command).to.match(/default|own|below|implies|where|ONNX|number of|as many/);
      }
    }
  });

  it("lists the figures that there are", async () => {
    expect(figureNames).to.deep.equal(figures.map(({ name }) => name));
    const { stdout } = await run(["figure", "--help"]);
    for (const name of figureNames) expect(stdout).to.include(name);
  });
});
