import { cpSync, readFileSync } from "node:fs";
import { expect } from "chai";
import { run, scratch, written } from "./command.js";

// Every option of `train` beside every kind of subject: it changes what the run keeps of itself, or is refused or spoken of by name.

/** Options with a value that is no default, where one can be said of all. */
const values: Readonly<Record<string, readonly string[]>> = {
  "--parameter": ["k=0.7"],
  "--trainable": ["*"],
  "--freeze": ["*weight"],
  "--activation": ["relu"],
  "--autonomous": [],
  "--solver": ["heun"],
  "--gradient": ["checkpoint:4"],
  "--memory-budget": ["12345"],
  "--coupling": ["0.97"],
  "--step-size": ["0.0625"],
  "--controller": ["pid"],
  "--rtol": ["1e-3"],
  "--atol": ["1e-3"],
  "--dt0": ["0.01"],
  "--dtmin": ["1e-9"],
  "--dtype": ["float32"],
  "--runtime": ["ort-cpu"],
  "--loss": ["l1"],
  "--train-y0": [],
  "--seed": ["7"],
  "--optimiser": ["sgd"],
  "--learning-rate": ["0.00123"],
  "--weight-decay": ["0.0123"],
  "--schedule": ["constant"],
  "--clip": ["0.77"],
  "--patience": ["77"],
  "--batch-size": ["2"],
  "--validate-every": ["3"],
  "--samples": ["99"],
  "--network": ["small"],
  "--full": [],
  "--time": ["t"],
  "--time-unit": ["h"],
  "--decimal-comma": [],
  "--missing": ["-999"],
  "--hidden": ["1"],
  "--input": ["u"],
  "--error": ["x=sx"],
  "--validation": ["0.34"],
  "--test": ["0.34"],
  "--window": ["3"],
  "--warm-start": ["3:2"],
  "--restarts": ["2"],
  "--sees-time": [],
  "--preset": ["noisy"],
};

/** What a kind of subject has already, so that the option says nothing new. */
const usual: Readonly<Record<string, readonly string[]>> = {
  "a series by equations": ["--train-y0"],
  "trajectories by a network": ["--autonomous"],
  "a model": ["--dtype"],
};

/** What is no more than a condition that the data decide: equations and a refusal of the solver name the cause otherwise. */
const otherwise = /no error estimate|do not use the input|has states \[batch|those of x, but the data/;

describe("options beside subjects", function () {
  this.timeout(300_000);
  const folder = scratch();
  const series = () =>
    written(
      folder("series.csv"),
      `t,x\n${Array.from({ length: 12 }, (_, i) => `${i / 4},${Math.exp(-i / 8)}\n`).join("")}`,
    );
  const several = () =>
    written(
      folder("several.csv"),
      `id,t,x,u,sx\n${["a", "b", "c"]
        .flatMap((id, n) =>
          Array.from(
            { length: 12 },
            (_, i) => `${id},${i / 4},${(n + 1) * Math.exp(-i / 8)},${Math.sin(i)},0.1\n`,
          ),
        )
        .join("")}`,
    );
  const several1 = () => [several(), "--trajectory", "id", "--observe", "x", "--field"];
  const file = () => folder("field.onnx");

  before(async () => {
    const place = folder("made");
    await run(["train", series(), "--field", "mlp:4", "--steps", "1", "--out", place]);
    cpSync(`${place}/field.onnx`, file());
  });

  const kinds: Readonly<Record<string, () => readonly string[]>> = {
    "an experiment": () => ["influenza"],
    "a series": () => [series()],
    "a series by equations": () => [series(), "--field", "dx = -k*x"],
    "a series by a file": () => [series(), "--field", file()],
    "trajectories by a network": () => [...several1(), "mlp:4"],
    "trajectories by equations": () => [...several1(), "dx = -k*x"],
    "trajectories by a file": () => [...several1(), file()],
    "a model": () => ["two-moons"],
  };

  for (const [kind, words] of Object.entries(kinds)) {
    it(`say something of ${kind}, or are refused by name`, async () => {
      const kept = (place: string) => {
        const { settings, task } = JSON.parse(readFileSync(`${place}/run.json`, "utf8"));
        return JSON.stringify(settings ?? task);
      };
      const trained = (place: string, ...more: string[]) =>
        run(["train", ...words(), "--steps", "0", "--overwrite", "--out", place, ...more]);
      const base = folder("base");
      const { code, stderr } = await trained(base);
      expect(code, stderr).to.equal(0);
      const silent: string[] = [];
      for (const [flag, value] of Object.entries(values)) {
        if (words().includes(flag) || usual[kind]?.includes(flag)) continue;
        const place = folder("asked");
        const outcome = await trained(place, flag, ...value);
        const isSaid = outcome.stderr.includes(flag) || otherwise.test(outcome.stderr);
        if (outcome.code === 0 ? isSaid || kept(place) !== kept(base) : outcome.code === 2 && isSaid)
          continue;
        silent.push(`${flag}: ${outcome.code} ${outcome.stderr.trim().split("\n").at(-1)}`);
      }
      expect(silent).to.deep.equal([]);
    });
  }
});
