import { existsSync, readdirSync, readFileSync } from "node:fs";
import { expect } from "chai";
import { fromNested } from "../../src/core/tensor.js";
import { encodeSafetensors } from "../../src/storage/safetensors.js";
import { json, readJson, refusal, run, scratch, shared, written } from "./command.js";

describe("revort train", () => {
  const folder = scratch();
  let made = 0;
  const out = () => ["--out", folder(`run-${++made}`)];

  it("prints everything about a run as JSON, and leaves its files", async () => {
    const [flag, place] = out();
    const report = await json("train", "influenza", "--steps", "3", "--seed", "7", flag!, place!);
    expect(report).to.include({
      experiment: "influenza",
      solver: "midpoint",
      gradient: "reversible",
      coupling: 0.999,
      runtime: "auto",
      dtype: "float64",
      steps: 3,
      seed: 7,
      evaluations: 2 * 4 * 280,
      storedStates: 1,
      stopped: "done",
      out: place,
    });
    expect(report.losses).to.have.length(3);
    expect(report.loss).to.deep.equal({
      first: report.losses[0],
      last: report.losses[2],
      min: Math.min(...report.losses),
    });
    expect(report.seconds).to.be.greaterThan(0);
    expect(report.secondsPerStep).to.be.closeTo(report.seconds / 3, 1e-12);
    expect(report.fitted).to.have.keys("b", "k");
    expect(readdirSync(place!).sort()).to.deep.equal([
      "checkpoint.safetensors",
      "field.onnx",
      "fit.png",
      "fit.svg",
      "losses.csv",
      "losses.png",
      "losses.svg",
      "params.safetensors",
      "report.html",
      "result.json",
      "run.json",
    ]);
    expect(readJson(`${place}/result.json`)).to.deep.equal(report);
    const rows = report.losses.map((loss: number, i: number) => `${i},${loss}\n`);
    expect(readFileSync(`${place}/losses.csv`, "utf8")).to.equal(`update,loss\n${rows.join("")}`);
  });

  it("prints a table for people, with what was published", async () => {
    const { code, stdout, stderr } = await run(["train", "influenza", "--steps", "2", ...out()]);
    expect(code, stderr).to.equal(0);
    expect(stdout).to.match(/^loss, first +\S+\nloss, last/);
    expect(stdout).to.match(/b = [\d.]+ {3}\(published 1\.66, Murray/);
    expect(stderr).to.match(/100 % {2}2\/2/);
  });

  for (const experiment of ["influenza", "hare-lynx", "white-dwarf"]) {
    it(`lowers the loss of ${experiment}`, async () => {
      const { losses } = await json("train", experiment, "--steps", "6", ...out());
      expect(losses).to.have.length(6);
      expect(losses.at(-1)).to.be.lessThan(losses[0]);
    });
  }

  it("lowers the loss of coupled-oscillator, from its file", async function () {
    const data = shared("data", "physical", "real_double_linear_h_1.txt");
    if (!existsSync(data)) {
      console.log(`      skipped: there is no ${data}`);
      this.skip();
    }
    const { losses } = await json("train", "coupled-oscillator", "--data", data, "--steps", "6", ...out());
    expect(losses.at(-1)).to.be.lessThan(losses[0]);
    const other = shared("data", "physical", "real_double_pend_h_1.txt");
    expect(await refusal(2, "train", "coupled-oscillator", "--data", other, ...out())).to.include(
      "six columns",
    );
  });

  it("halves the loss of hare-lynx in 150 updates", async () => {
    const { loss } = await json("train", "hare-lynx", "--steps", "150", ...out());
    expect(loss.last).to.be.lessThan(loss.first / 2);
  });

  it("draws the same parameters from the same seed, and others from another", async () => {
    const first = async (seed: string) =>
      (await json("train", "white-dwarf", "--steps", "1", "--seed", seed, ...out())).loss.first;
    expect(await first("3")).to.equal(await first("3"));
    expect(await first("3")).not.to.equal(await first("4"));
  });

  it("trains nothing in 0 steps, and exports what it started with", async () => {
    const [flag, place] = out();
    const report = await json("train", "hare-lynx", "--steps", "0", flag!, place!);
    expect(report).to.deep.include({ steps: 0, losses: [], loss: { first: null, last: null, min: null } });
    expect(existsSync(`${place}/field.onnx`)).to.equal(true);
    expect((await run(["export", place!, "--out", folder("initial.onnx")])).code).to.equal(0);
  });

  it("trains perceptrons of any widths, with and without time", async () => {
    for (const field of [
      ["mlp:64,64"],
      ["mlp:"],
      ["mlp:5", "--activation", "softplus"],
      ["mlp:5", "--autonomous"],
    ]) {
      const { losses } = await json(
        "train",
        "hare-lynx",
        "--field",
        ...field,
        "--steps",
        "3",
        "--learning-rate",
        "1e-4",
        ...out(),
      );
      expect(losses, field.join(" ")).to.have.length(3);
    }
  });

  it("agrees between float64 and float32, and between runtimes", async () => {
    const words = ["train", "white-dwarf", "--field", "mlp:8", "--steps", "3"];
    const { losses } = await json(...words, ...out());
    const single = await json(...words, "--dtype", "float32", ...out());
    expect(single.dtype).to.equal("float32");
    const wasm = await json(...words, "--runtime", "ort-wasm", ...out());
    for (const [i, loss] of losses.entries()) {
      // 1000 steps in float32, each rounded to 6e-8
      expect(single.losses[i]).to.be.closeTo(loss, 1e-3 * loss);
      // the same operations in the same order, but for tanh and the order of sums within a matrix product
      expect(wasm.losses[i]).to.be.closeTo(loss, 1e-9 * loss);
    }
  });

  it("takes every option of training", async () => {
    const report = await json(
      ...[
        "train",
        "influenza",
        "--steps",
        "4",
        "--solver",
        "rk4",
        "--coupling",
        "0.99",
        "--step-size",
        "0.1",
      ],
      ...["--optimiser", "sgd", "--learning-rate", "1e-7", "--weight-decay", "1e-3", "--loss", "huber"],
      ...["--clip", "10", "--patience", "2", "--train-y0", ...out()],
    );
    expect(report).to.include({ solver: "rk4", coupling: 0.99, evaluations: 2 * 8 * 140 });
    expect(report.losses.at(-1)).to.be.lessThan(report.losses[0]);
  });

  it("takes solvers that are reversible by themselves, and a coupling only where there is one", async () => {
    const report = await json("train", "influenza", "--solver", "alf", "--steps", "2", ...out());
    expect(report).to.include({ solver: "alf", coupling: null, gradient: "reversible", storedStates: 1 });
    expect(
      await refusal(2, "train", "influenza", "--solver", "alf", "--coupling", "0.9", ...out()),
    ).to.include("without a coupling");
  });

  it("takes a coupling as a wish for the coupled solver also with stored steps", async () => {
    const words = ["train", "influenza", "--gradient", "direct", "--steps", "1"];
    expect((await json(...words, ...out())).coupling).to.equal(null);
    expect((await json(...words, "--reversible", ...out())).coupling).to.equal(0.999);
    expect((await json(...words, "--coupling", "0.9", ...out())).coupling).to.equal(0.9);
  });

  it("takes every gradient method, and counts what each costs", async () => {
    const words = "train influenza --steps 3 --gradient".split(" ");
    const direct = await json(...words, "direct", ...out());
    const checkpoint = await json(...words, "checkpoint:4", ...out());
    expect(checkpoint.gradient).to.equal("checkpoint:4");
    expect(checkpoint.storedStates).to.equal(4);
    expect(checkpoint.evaluations).to.be.greaterThan(direct.evaluations);
    // the same derivatives of the same steps, in another order
    for (const [i, loss] of direct.losses.entries()) {
      expect(checkpoint.losses[i]).to.be.closeTo(loss, 1e-9 * loss);
    }
    const continuous = await json(...words, "continuous", ...out());
    expect(continuous.losses[2]).to.be.lessThan(continuous.losses[0]);
    const refreshed = await json(...words, "reversible:50", ...out());
    expect(refreshed.gradient).to.equal("reversible:50");
    expect(refreshed.losses[2]).to.be.lessThan(refreshed.losses[0]);
  });

  it("chooses steps by tolerances, and a coupling by the field", async () => {
    const words = "train influenza --steps 3 --solver dopri5 --rtol 1e-6 --atol 1e-6".split(" ");
    const report = await json(...words, ...out());
    expect(report.losses[2]).to.be.lessThan(report.losses[0]);
    const [flag, place] = out();
    const { code, stderr } = await run([
      "train",
      "influenza",
      "--steps",
      "1",
      "--coupling",
      "auto",
      flag!,
      place!,
    ]);
    expect(code, stderr).to.equal(0);
    const { coupling } = readJson(`${place}/result.json`);
    expect(coupling).to.be.within(0.5, 1);
    expect(stderr).to.include(String(coupling));
  });

  for (const runtime of ["jit", "auto"]) {
    it(`trains on the runtime ${runtime} as on ONNX Runtime`, async () => {
      const words = "train influenza --steps 3 --runtime".split(" ");
      const expected = await json(...words, "ort-cpu", ...out());
      const found = await json(...words, runtime, ...out());
      expect(found.runtime).to.equal(runtime);
      for (const [i, loss] of expected.losses.entries()) {
        expect(found.losses[i]).to.be.closeTo(loss, 1e-9 * loss);
      }
    });
  }

  describe("from the published initial weights", () => {
    const file = shared("reference", "white-dwarf-seed1.json");
    before(function () {
      if (!existsSync(file)) {
        console.log(`      skipped: there is no ${file}`);
        this.skip();
      }
    });

    for (const [solver, key] of [
      ["euler", "euler"],
      ["midpoint", "midpoint"],
      ["ralston3", "rk3"],
      ["rk4", "rk4"],
    ] as const) {
      for (const [gradient, variant] of [
        ["reversible", "reversible"],
        ["direct", "checkpoint"],
      ] as const) {
        it(`starts with the published loss and gradient: ${solver}, ${gradient}`, async () => {
          const { params, runs: published } = readJson(file);
          const tensors = Object.fromEntries(
            Object.entries(params).map(([name, value]) => [name, fromNested("float64", value)]),
          );
          const init = written(folder("params.safetensors"), encodeSafetensors(tensors));
          const words = ["white-dwarf", "--solver", solver, "--gradient", gradient, "--init", init];
          const { loss0, grad } = published[`${key}/${variant}`];

          const { losses } = await json("train", ...words, "--steps", "1", ...out());
          // sums of 1000 states in another order: a few hundred roundings of 1e-16 each
          expect(losses[0]).to.be.closeTo(loss0, 1e-12 * loss0);

          const report = await json("gradcheck", ...words);
          expect(report.loss).to.be.closeTo(loss0, 1e-12 * loss0);
          const expected = Object.values(grad).flat(2) as number[];
          const found = Object.keys(grad).flatMap((name) => report.gradients[gradient][name] as number[]);
          const size = Math.hypot(...expected);
          const distance = Math.hypot(...expected.map((value, i) => value - found[i]!));
          expect(distance).to.be.lessThan(1e-9 * size);
          expect(report.finiteDifference.relativeError).to.be.lessThan(1e-8);
        });
      }
    }
  });
});
