import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { expect } from "chai";
import { scalar, tensor } from "../../src/core/tensor.js";
import { decodeSafetensors, encodeSafetensors } from "../../src/storage/safetensors.js";
import { json, type Outcome, readJson, refusal, run, scratch, sentence, written } from "./command.js";

/** What must not depend on whether a run was stopped on the way. */
function outcomeOf(place: string) {
  const { losses, loss, steps, fitted, evaluations } = readJson(`${place}/result.json`);
  return {
    ...{ losses, loss, steps, fitted, evaluations },
    parameters: readFileSync(`${place}/params.safetensors`).toString("hex"),
    field: readFileSync(`${place}/field.onnx`).toString("hex"),
  };
}

describe("a run's folder", () => {
  const folder = scratch();
  let made = 0;
  const fresh = () => folder(`run-${++made}`);
  const train = async (place: string, ...words: string[]) => {
    const outcome = await run(["train", ...words, "--out", place]);
    expect(outcome.code, outcome.stderr).to.equal(0);
    return place;
  };
  const interrupted = async (words: string[], at: RegExp): Promise<Outcome> => {
    const outcome = await run(["train", ...words], at);
    expect(outcome.code, outcome.stderr).to.equal(130);
    return outcome;
  };
  const gaps = () => written(folder("gaps.csv"), "t,x,y\n0,,1\n1,2,\n2,1,0.5\n4,0.5,NaN\n");

  for (const [what, words] of Object.entries({
    "an experiment": () => ["influenza"],
    "a perceptron in float32": () => ["white-dwarf", "--field", "mlp:4", "--dtype", "float32"],
    "own data with gaps, whose initial state is trained": () => [gaps(), "--field", "mlp:4"],
    "a clipped gradient and another optimiser": () => [
      "influenza",
      "--optimiser",
      "rmsprop",
      "--clip",
      "100",
    ],
    "steps chosen by tolerances": () => "influenza --solver bosh3 --rtol 1e-4 --atol 1e-3".split(" "),
    "the compiled runtime": () => ["influenza", "--runtime", "jit"],
    "stored states between steps": () => ["influenza", "--gradient", "checkpoint:5"],
    "stored steps": () => ["influenza", "--gradient", "direct", "--solver", "rk4"],
  })) {
    it(`goes on to the bit as if it had never stopped: ${what}`, async () => {
      const whole = await train(fresh(), ...words(), "--steps", "8");
      const place = fresh();
      // progress is shown at the first update, and Ctrl-C is pressed then
      const { stderr } = await interrupted([...words(), "--steps", "8", "--out", place], /1\/8/);
      expect(stderr).to.include(`Stopped after update 1. Continue with: revort train --resume ${place}`);
      const { stopped, steps, losses } = readJson(`${place}/result.json`);
      expect({ stopped, steps }).to.deep.equal({ stopped: "aborted", steps: 1 });
      expect(losses).to.have.length(1);
      expect((await run(["train", "--resume", place])).code).to.equal(0);
      expect(outcomeOf(place)).to.deep.equal(outcomeOf(whole));
    });
  }

  it("goes on from the initial parameters it was given, stopped before its first update", async () => {
    const source = await train(fresh(), "influenza", "--steps", "3");
    const words = ["influenza", "--steps", "3", "--init", `${source}/params.safetensors`];
    const whole = await train(fresh(), ...words);
    const place = fresh();
    await interrupted([...words, "--out", place], /SIR model/);
    // as after a power cut before the first checkpoint
    rmSync(`${place}/checkpoint.safetensors`);
    expect((await run(["train", "--resume", place])).code).to.equal(0);
    expect(outcomeOf(place)).to.deep.equal(outcomeOf(whole));
  });

  it("goes further with more updates, and keeps that number", async () => {
    const whole = await train(fresh(), "white-dwarf", "--steps", "6", "--field", "mlp:4");
    const place = await train(fresh(), "white-dwarf", "--steps", "4", "--field", "mlp:4");
    await interrupted(["--resume", place, "--steps", "6"], /4\/6|5\/6/);
    const report = await json("train", "--resume", place);
    expect(report.steps).to.equal(6);
    expect(outcomeOf(place)).to.deep.equal(outcomeOf(whole));
    const again = await run(["train", "--resume", place]);
    expect(again.code).to.equal(0);
    expect(again.stderr).to.include("has its 6 updates already");
    expect(await refusal(2, "train", "--resume", place, "--steps", "5")).to.include("has 6 updates already");
  });

  it("goes on with the whole command line that began it, and refuses what differs", async () => {
    const data = gaps();
    const begun = [data, "--field", "mlp:4", "--seed", "3", "--solver", "rk4", "--learning-rate", "0.001"];
    const place = await train(fresh(), ...begun, "--steps", "1");
    const report = await json("train", ...begun, "--steps", "2", "--resume", place, "--out", place);
    expect(report).to.include({ steps: 2, experiment: "gaps.csv", out: place });
    for (const [words, what] of [
      [["--seed", "4"], "was started with --seed 3"],
      [["--learning-rate", "0.1"], "leave out --learning-rate 0.1"],
      [["--clip", "1"], "was started without --clip"],
      [["--solver", "euler"], "was started with --solver rk4"],
      [["--field", "mlp:5"], "was started with the field mlp:4"],
      [["--rtol", "1e-3"], "was started without --rtol"],
      [["--autonomous"], "leave out --autonomous"],
      [["--init", `${place}/params.safetensors`], "was started with other parameters"],
      [["--data", data], undefined],
    ] as const) {
      if (what !== undefined) expect(await refusal(2, "train", "--resume", place, ...words)).to.include(what);
    }
    expect(await refusal(2, "train", "influenza", "--resume", place)).to.include("trains on gaps.csv");
    const other = written(folder("other.csv"), "t,x\n0,1\n1,2\n");
    expect(await refusal(2, "train", other, "--resume", place)).to.include("trains on gaps.csv");
  });

  it("goes on in a copy, and leaves the first as it was", async () => {
    const data = gaps();
    const place = await train(fresh(), data, "--field", "mlp:4", "--steps", "2");
    const before = outcomeOf(place);
    const copy = fresh();
    const report = await json("train", "--resume", place, "--out", copy, "--steps", "4");
    expect(report.out).to.equal(copy);
    expect(outcomeOf(place)).to.deep.equal(before);
    expect(readJson(`${copy}/result.json`).losses.slice(0, 2)).to.deep.equal(before.losses);
    expect((await json("train", "--resume", copy, "--steps", "5")).steps).to.equal(5);
    expect(await refusal(2, "train", "--resume", place, "--out", copy)).to.include("holds a run already");
  });

  it("is not replaced unless that is asked for, and then leaves nothing of the old run", async () => {
    const place = await train(fresh(), "influenza", "--steps", "2");
    const before = outcomeOf(place);
    const message = await refusal(2, "train", "influenza", "--steps", "1", "--out", place);
    expect(message).to.include(`--resume ${place}`).and.to.include("--overwrite");
    expect(outcomeOf(place)).to.deep.equal(before);
    await interrupted(["white-dwarf", "--steps", "3", "--overwrite", "--out", place], /Chandrasekhar/);
    const { experiment, losses } = readJson(`${place}/result.json`);
    expect({ experiment, losses }).to.deep.equal({ experiment: "white-dwarf", losses: [] });
  });

  it("may hold other files, which stay", async () => {
    const place = fresh();
    mkdirSync(place);
    writeFileSync(`${place}/notes.txt`, "mine");
    await train(place, "influenza", "--steps", "1");
    expect(readFileSync(`${place}/notes.txt`, "utf8")).to.equal("mine");
  });

  it("is not left behind by a request that turns out to be wrong", async () => {
    const init = written(folder("wrong.safetensors"), encodeSafetensors({ b: scalar("float64", 1) }));
    for (const words of [
      ["influenza", "--init", init],
      ["influenza", "--field", "mlp:0"],
      ["influenza", "--solver", "euler", "--coupling", "2"],
    ]) {
      const place = fresh();
      await refusal(2, "train", ...words, "--out", place);
      expect(existsSync(place), words.join(" ")).to.equal(false);
    }
  });

  it("must be writable before anything is trained", async () => {
    const file = written(folder("file"), "");
    for (const place of [`${file}/run`, "/proc/revort/run", file]) {
      const { code, stdout, stderr } = await run(["train", "influenza", "--steps", "2", "--out", place]);
      expect(code, stderr).to.equal(1);
      expect(stdout).to.equal("");
      expect(sentence(stderr)).to.include("Cannot write");
      expect(stderr).not.to.include("training");
    }
  });

  describe("after a training that diverged", () => {
    const diverging = ["influenza", "--steps", "50", "--learning-rate", "1e5"];

    it("keeps what was done, as a run that can be looked at, exported and resumed", async () => {
      const place = fresh();
      const { code, stdout, stderr } = await run(["train", ...diverging, "--out", place]);
      expect(code, stderr).to.equal(1);
      expect(stdout).to.equal("");
      expect(sentence(stderr)).to.match(/not finite.* step \d+, at t = /);
      const kept = Number(/The (\d+) before it are kept in /.exec(stderr)![1]);
      expect(kept).to.be.greaterThan(0);
      expect(readFileSync(`${place}/losses.csv`, "utf8").trimEnd().split("\n")).to.have.length(kept + 1);
      expect((await run(["inspect", `${place}/field.onnx`])).code).to.equal(0);
      const best = folder("best.onnx");
      expect((await run(["export", place, "--best", "--out", best])).code).to.equal(0);
      expect((await run(["solve", best, "--y0", "762,1,0", "--t0", "0", "--t1", "1"])).code).to.equal(0);
      // goes on from there, and fails there again
      const again = await run(["train", "--resume", place]);
      expect(again.code).to.equal(1);
      expect(sentence(again.stderr)).to.equal(sentence(stderr));
    });

    it("keeps the request of one that diverged at once", async () => {
      const place = fresh();
      const data = written(folder("steep.csv"), "t,x\n0,1\n1,2\n2,1\n");
      await train(place, "influenza", "--steps", "1");
      const { code, stderr } = await run(["train", data, "--init", steep(), "--out", place, "--overwrite"]);
      expect(code, stderr).to.equal(1);
      sentence(stderr);
      // and nothing of the run that was there before
      expect(readdirSync(place).sort()).to.deep.equal([
        "data-steep.csv",
        "initial-params.safetensors",
        "run.json",
      ]);
      expect((await run(["train", "--resume", place])).code).to.equal(1);
    });

    it("is a finished run where only the last parameters diverge", async () => {
      const place = fresh();
      const { code, stderr } = await run([
        "train",
        "influenza",
        "--steps",
        "1",
        "--learning-rate",
        "1e5",
        "--out",
        place,
      ]);
      expect(code, stderr).to.equal(0);
      expect(stderr).to.include("There is no chart fit: The solution is not finite");
      expect(existsSync(`${place}/losses.svg`)).to.equal(true);
      expect(existsSync(`${place}/fit.svg`)).to.equal(false);
    });

    /** Parameters of a one-column series' perceptron that blow up. */
    function steep(): string {
      const wide = (shape: number[], value: number) =>
        tensor("float64", shape, new Array(shape.reduce((p, d) => p * d, 1)).fill(value));
      return written(
        folder("steep.safetensors"),
        encodeSafetensors({
          "layers.0.weight": wide([32, 2], 1),
          "layers.0.bias": wide([32], 1),
          "layers.1.weight": wide([32, 32], 1e200),
          "layers.1.bias": wide([32], 0),
          "layers.2.weight": wide([1, 32], 1e308),
          "layers.2.bias": wide([1], 0),
        }),
      );
    }
  });

  describe("that cannot be continued, with the reason", () => {
    let good: string;
    before(async () => {
      good = await train(fresh(), "influenza", "--steps", "2");
    });
    const damaged = async (file: string, change: (bytes: Buffer) => Uint8Array | string): Promise<string> => {
      const place = fresh();
      await json("train", "--resume", good, "--out", place);
      writeFileSync(`${place}/${file}`, change(readFileSync(`${place}/${file}`)));
      return place;
    };
    const replaced = (from: string | RegExp, to: string) => (bytes: Buffer) =>
      bytes.toString().replace(from, to);

    it("there is none", async () => {
      expect(await refusal(2, "train", "--resume", folder("nothing"))).to.include("holds no run");
      expect(await refusal(2, "train", "--resume", folder())).to.include("there is no run.json in it");
      expect(await refusal(2, "export", folder(), "--out", folder("x.onnx"))).to.include("holds no run");
    });

    it("another version wrote it", async () => {
      const place = await damaged(
        "run.json",
        replaced('"format": 1,\n  "revort": "0.1.0"', '"format": 99,\n  "revort": "7.0.0"'),
      );
      expect(await refusal(2, "train", "--resume", place)).to.match(
        /written by revort 7\.0\.0 .*99.*Use that version/,
      );
    });

    it("its run.json is damaged", async () => {
      for (const change of [
        (bytes: Buffer) => bytes.subarray(0, bytes.length / 2),
        () => "",
        () => "null",
        () => "[]",
        () => "\u0000\u0001",
        () => new Uint8Array([0xff, 0xfe, 0xfd]),
        replaced('"midpoint"', "5"),
        replaced('"seed"', '"sead"'),
        replaced('"experiment": "influenza"', '"experiment": "influensa"'),
        replaced('"dataFile": null', '"dataFile": "../../../etc/passwd"'),
        replaced('"experiment": "influenza"', '"experiment": null'),
        replaced('"format": 1', '"format": {}'),
        replaced('"reversible"', '"sideways"'),
      ]) {
        await refusal(2, "train", "--resume", await damaged("run.json", change));
      }
    });

    it("its checkpoint is damaged", async () => {
      for (const change of [
        (bytes: Buffer) => bytes.subarray(0, bytes.length - 8),
        () => "",
        () => new Uint8Array(1000).fill(7),
        replaced('\\"step\\":2', '\\"step\\":3'),
      ]) {
        const place = await damaged("checkpoint.safetensors", change);
        expect(await refusal(2, "train", "--resume", place)).to.match(
          /checkpoint\.safetensors is (damaged|not)/,
        );
      }
    });

    it("its checkpoint is another run's, or not one", async () => {
      const other = await train(fresh(), "white-dwarf", "--steps", "1");
      const foreign = await damaged("checkpoint.safetensors", () =>
        readFileSync(`${other}/checkpoint.safetensors`),
      );
      expect(await refusal(2, "train", "--resume", foreign)).to.include("belongs to another run");
      expect(await refusal(2, "export", foreign, "--out", folder("x.onnx"))).to.include(
        "belongs to another run",
      );
      const retyped = await damaged("run.json", replaced('"dtype": "float64"', '"dtype": "float32"'));
      for (const words of [
        ["train", "--resume", retyped],
        ["export", retyped, "--out", folder("x.onnx")],
      ]) {
        expect(await refusal(2, ...words)).to.match(
          /belongs to another run: its ".*" is float64, but the run is float32/,
        );
      }
      const params = await damaged("checkpoint.safetensors", () =>
        readFileSync(`${other}/params.safetensors`),
      );
      expect(await refusal(2, "train", "--resume", params)).to.include("is not a checkpoint");
    });

    it("but goes on with the last checkpoint where its results were deleted", async () => {
      const place = await damaged("result.json", (bytes) => bytes);
      for (const file of ["result.json", "params.safetensors", "field.onnx", "losses.csv"])
        rmSync(`${place}/${file}`);
      expect((await run(["export", place, "--out", folder("again.onnx")])).code).to.equal(0);
      expect((await json("train", "--resume", place)).losses).to.have.length(2);
    });
  });

  it("keeps its parameters as safetensors under the names of the field", async () => {
    const place = await train(fresh(), "white-dwarf", "--steps", "1");
    const { tensors } = decodeSafetensors(readFileSync(`${place}/params.safetensors`));
    expect(Object.keys(tensors).sort()).to.deep.equal([
      "layers.0.bias",
      "layers.0.weight",
      "layers.1.bias",
      "layers.1.weight",
    ]);
  });
});
