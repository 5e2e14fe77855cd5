import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { exitCodes } from "../../src/cli/exit-codes.js";
import { numbers, scalar, tensor } from "../../src/core/tensor.js";
import { decodeSafetensors } from "../../src/storage/safetensors.js";
import { bareSession, float } from "../deploy/bare.js";
import { distance } from "../support/distance.js";
import { missingModules, python } from "../support/python.js";
import { json, readJson, refusal, run, scratch, sentence, written } from "./command.js";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

const checker = `
import json, sys, onnx
m = onnx.load(sys.argv[1])
onnx.checker.check_model(m, full_check=True)
dims = lambda v: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim]
print(json.dumps({
  "inputs": {v.name: dims(v) for v in m.graph.input},
  "outputs": {v.name: dims(v) for v in m.graph.output},
  "metadata": {p.key: p.value for p in m.metadata_props},
}))
`;

describe("revort export", () => {
  const folder = scratch();
  let place: string;
  before(async () => {
    place = folder("run");
    await json("train", "white-dwarf", "--steps", "3", "--learning-rate", "0.5", "--out", place);
  });

  it("writes a model that ONNX's own checker accepts, with an open batch, units and how it was trained", function () {
    const why = missingModules("onnx");
    if (why !== null) {
      console.log(`      skipped: ${why}`);
      this.skip();
    }
    const checked = python(checker, `${place}/field.onnx`);
    expect(checked.ok, checked.stderr).to.equal(true);
    const found = JSON.parse(checked.stdout);
    expect(found.inputs).to.deep.equal({ t: [], y: ["batch", 2] });
    expect(found.outputs).to.deep.equal({ dydt: ["batch", 2] });
    expect(found.metadata).to.include({
      "revort.solver": "midpoint",
      "revort.coupling": "0.999",
      "revort.stepSize": "0.005",
      "revort.dtype": "float64",
      "revort.trainedOn": "white-dwarf",
      "revort.unit.time": "dimensionless",
      "revort.components": `["φ","φ'"]`,
    });
  });

  it("writes what the run has already, or its best parameters", async () => {
    const [last, best] = [folder("last.onnx"), folder("best.onnx")];
    const printed = await json("export", place, "--out", last);
    expect(printed).to.deep.include({
      ...{ run: place, what: "field", out: last, bytes: readFileSync(last).length },
      inputs: [
        { name: "t", dtype: "float64", shape: [] },
        { name: "y", dtype: "float64", shape: ["batch", 2] },
      ],
      outputs: [{ name: "dydt", dtype: "float64", shape: ["batch", 2] }],
    });
    expect(readFileSync(last).equals(readFileSync(`${place}/field.onnx`))).to.equal(true);
    await json("export", place, "--best", "--out", best);
    const { losses } = readJson(`${place}/result.json`);
    expect(losses[0], "the large rate makes things worse").to.be.lessThan(losses[2]);
    // the best are those before the first update
    await json("train", "white-dwarf", "--steps", "0", "--out", folder("initial"));
    const solved = async (file: string) =>
      (await json("solve", file, ..."--y0 1,0 --t0 0 --t1 5".split(" "))).ys;
    expect(await solved(best)).to.deep.equal(await solved(folder("initial", "field.onnx")));
    expect(await solved(best)).not.to.deep.equal(await solved(last));
  });

  it("solves to the trajectory that the loss was taken on", async () => {
    // the loss before an update at rate 0 of the loss is that of the exported parameters
    const report = await json("train", "--resume", place, "--steps", "4", "--out", folder("further"));
    const { ys } = await json(
      ...[
        "solve",
        `${place}/field.onnx`,
        "--y0",
        "1,0",
        "--t0",
        "0",
        "--t1",
        "5",
        "--save-at",
        "0.005:5:0.005",
      ],
    );
    const data = await json("train", "white-dwarf", "--steps", "0", "--out", folder("data"));
    expect(data.losses).to.deep.equal([]);
    const observed = whiteDwarf(0.005, 1000);
    const loss =
      ys.flat().reduce((sum: number, y: number, i: number) => sum + (y - observed[i]!) ** 2, 0) / 2000;
    // the data are made by coupled midpoint with h = 0.005, here by RK4: midpoint's error is h² ≈ 2e-5
    expect(report.losses[3]).to.be.closeTo(loss, 1e-4 * loss);
  });

  describe("of whole solves", () => {
    const over = (t0: number, t1: number, ts: readonly number[]) => ({
      ...{ t0: float(t0), t1: float(t1), ts: float(ts) },
      y0: tensor("float64", [1, 2], [1, 0]),
    });
    const exported = async (...words: string[]) => {
      const out = folder("solve.onnx");
      const printed = await json("export", place, "--what", "solve", "--out", out, ...words);
      return { printed, session: await bareSession(readFileSync(out)) };
    };

    it("writes a solver that needs nothing of revort, with the steps of training", async () => {
      const { printed, session } = await exported();
      expect(printed.inputs.map(({ name }: { name: string }) => name)).to.deep.equal([
        ...["y0", "t0", "t1", "ts", "maxSteps", "stepSize"],
      ]);
      expect(printed.inputs.at(-1)).to.deep.include({ shape: [], dtype: "float64", default: 0.005 });
      expect(printed.outputs[0]).to.deep.equal({
        ...{ name: "ys", dtype: "float64", shape: ["saves", "batch", 2] },
      });
      const { ys, accepted } = await session.run(over(0, 5, [1, 2.5]));
      const words = "--y0 1,0 --t0 0 --t1 5 --save-at 1,2.5".split(" ");
      const own = await json("solve", `${place}/field.onnx`, ...words);
      // 1000 steps of either, in two graphs
      expect(distance(numbers(ys!), own.ys.flat())).to.be.below(1e-12);
      expect(numbers(accepted!)).to.deep.equal([1000]);
    });

    it("shows an example that starts where the trained model does", async () => {
      const data = written(folder("decay.csv"), "t,x\n0,1.2\n1,0.6\n2,0.42\n3,0.2\n");
      const place = folder("decay");
      await json("train", data, "--field", "dx = -k*x", "--steps", "20", "--out", place);
      const { stdout } = await run(["export", place, "--what", "solve", "--out", folder("decay.onnx")]);
      const { states } = await json("predict", place, "--to", "3");
      const [, y0] = /np\.array\(\[(\S+)\]\)/.exec(stdout)!;
      // the initial state was trained, so it is not the first row
      expect(Number(y0)).not.to.equal(1.2);
      expect(Number(y0)).to.equal(states[0][0]);
    });

    it("writes those of a fit with data set aside, which start where its first trajectory does", async () => {
      const rows = ["a", "b"].flatMap((id, i) =>
        [0, 0.5, 1, 1.5].map((t) => `${id},${t},${(i + 1) * Math.exp(-0.7 * t)}\n`),
      );
      const data = written(folder("set-aside.csv"), `id,t,x\n${rows.join("")}`);
      const place = folder("set-aside");
      const words = [
        "train",
        data,
        "--trajectory",
        "id",
        "--test",
        "id=b",
        "--field",
        "mlp:4",
        "--steps",
        "5",
      ];
      await json(...words, "--out", place);
      const out = folder("set-aside.onnx");
      const { stdout } = await run(["export", place, "--what", "solve", "--out", out]);
      const { times, states } = await json("predict", place, "--every", "0.5");
      const [, y0] = /np\.array\(\[(\S+)\]\)/.exec(stdout)!;
      expect(Number(y0)).to.equal(states[0][0]);
      const session = await bareSession(readFileSync(out));
      const { ys } = await session.run({
        ...{ t0: float(0), t1: float(1.5), ts: float(times), y0: tensor("float64", [1, 1], [Number(y0)]) },
      });
      // the same steps in two graphs
      expect(distance(numbers(ys!), states[0])).to.be.below(1e-9);
      const adaptive = await json("export", place, "--what", "solve", "--adaptive", "--out", out);
      expect(adaptive.inputs.map(({ name }: { name: string }) => name)).to.include("rtol");
      await json("export", place, "--out", out);
      expect(readFileSync(out).equals(readFileSync(`${place}/field.onnx`))).to.equal(true);
      expect(await refusal(2, "export", place, "--what", "tfjs", "--out", out)).to.include(
        "field, solve and state-dict",
      );
    });

    for (const start of [[], ["--train-y0"]]) {
      it(`has the hidden states that were trained in its example${start.map((word) => `, ${word}`)}`, async () => {
        const rows = [0, 0.5, 1, 1.5, 2].map((t) => `a,${t},${Math.cos(t)}\nb,${t},${2 * Math.cos(t)}\n`);
        const data = written(folder("hidden.csv"), `id,t,x\n${rows.join("")}`);
        const place = folder(`hidden${start.length}`);
        const words = ["--trajectory", "id", "--hidden", "1", "--field", "mlp:4", "--warm-start", "none"];
        await json("train", data, ...words, "--steps", "20", ...start, "--out", place);
        const out = folder("hidden.onnx");
        const { stdout } = await run(["export", place, "--what", "solve", "--out", out]);
        const y0 = JSON.parse(/np\.array\((\[.*?\])\)/.exec(stdout)![1]!) as number[];
        expect(y0[1]).not.to.equal(0);
        const { times, states } = await json("predict", place, "--every", "0.5");
        const { ys } = await (await bareSession(readFileSync(out))).run({
          ...{ t0: float(0), t1: float(2), ts: float(times), y0: tensor("float64", [1, 2], y0) },
        });
        const observed = numbers(ys!).filter((_, i) => i % 2 === 0);
        // the same steps in two graphs
        expect(distance(observed, states[0])).to.be.below(1e-9);
        const dict = folder("hidden.safetensors");
        const { tensors } = await json("export", place, "--what", "state-dict", "--out", dict);
        const { metadata } = await json("export", place, "--out", folder("hidden-field.onnx"));
        expect(Object.keys(tensors)).to.have.members(JSON.parse(metadata["revort.parameters"]));
      });
    }

    it("chooses steps where asked to, by a solver that can, however it was trained", async () => {
      const by = (solver: string) =>
        json("solve", `${place}/field.onnx`, ...`--y0 1,0 --t0 0 --t1 5 --solver ${solver}`.split(" "));
      const { ys: exact } = await by("rk4");
      for (const [words, solver, rtol] of [
        [["--adaptive", "--rtol", "1e-9", "--atol", "1e-9"], "dopri5", "1e-9"],
        [["--adaptive", "tsit5", "--rtol", "1e-9", "--atol", "1e-9"], "tsit5", "1e-9"],
        [["--rtol", "1e-5"], "dopri5", "0.00001"],
      ] as const) {
        const { printed, session } = await exported(...words);
        expect(printed.metadata).to.include({ "revort.solver": solver, "revort.rtol": rtol });
        const { y1, accepted, reached } = await session.run(over(0, 5, []));
        expect(numbers(reached!)).to.deep.equal([1]);
        // RK4 over 1000 steps is exact to 1e-10; the control is 1e-6 in atol for the last of them
        expect(distance(numbers(y1!), exact[0].flat())).to.be.below(rtol === "1e-9" ? 1e-7 : 1e-4);
        expect(numbers(accepted!)[0]).to.be.within(5, 300);
      }
    });

    it("goes on choosing steps as a run did, unless told otherwise", async () => {
      const own = folder("adaptive");
      const words = "--solver bosh3 --rtol 1e-4 --atol 1e-5 --steps 1 --out".split(" ");
      await json("train", "influenza", ...words, own);
      const out = folder("adaptive.onnx");
      const as = async (...more: string[]) =>
        (await json("export", own, "--what", "solve", "--out", out, ...more)).metadata;
      expect(await as()).to.include({ "revort.solver": "bosh3", "revort.rtol": "0.0001" });
      expect(await as()).to.include({ "revort.coupling": "0.999", "revort.atol": "0.00001" });
      expect(await as("--rtol", "1e-3")).to.include({ "revort.rtol": "0.001", "revort.atol": "0.00001" });
      expect(await as("--adaptive", "dopri8")).to.include({ "revort.solver": "dopri8" });
      const step = await refusal(2, "export", own, "--what", "train-step", "--out", out);
      expect(step).to.include("no single graph").and.include("step size");
    });

    it("makes inputs of what else it has values for, where asked to", async () => {
      const { session } = await exported("--adaptive", "--no-defaults");
      expect(session.inputs).to.include.members(["rtol", "atol", "maxSteps"]);
      const limits = { rtol: float(1e-6), atol: float(1e-6), maxSteps: scalar("int64", 4) };
      const { reached } = await session.run({ ...over(0, 5, []), ...limits });
      expect(numbers(reached!)).to.deep.equal([0]);
    });

    it("is told what to do with it, in lines that do it", async () => {
      const out = folder("told.onnx");
      const { stdout, stderr } = await run(["export", place, "--what", "solve", "--out", out]);
      expect(stderr).to.include(`Written to ${out}`);
      expect(stdout).to.match(/ {2}ts {2}float64 \[saves\]\n/);
      expect(stdout).to.match(/ {2}stepSize {2}float64 \[\] {2}0\.005 unless given\n/);
      const listing = (await run(["inspect", out])).stdout;
      expect(listing).to.include("is a whole solve");
      expect(listing).to.match(/Inputs that may be left out\n {2}maxSteps {2}int64 \[\]\n/);
      expect(listing).to.match(/Arrays inside\n {2}parameters\/layers\.0\.weight/);
      const js = await run(["export", place, "--what", "solve", "--adaptive", "--no-defaults", "--out", out]);
      const lines = js.stdout.split("In JavaScript, with ONNX Runtime alone:")[1]!;
      // inside the checkout, so that packages resolve
      const file = written(
        join(root, `test/.portable-${process.pid}.mjs`),
        `${lines}\nconsole.log(reached.data[0]);`,
      );
      try {
        expect(execFileSync(process.execPath, [file], { encoding: "utf8" })).to.equal("1\n");
      } finally {
        rmSync(file);
      }
    });

    it("is told so in Python as well", async function () {
      const why = missingModules("numpy", "onnxruntime");
      if (why !== null) {
        console.log(`      skipped: ${why}`);
        this.skip();
      }
      for (const what of ["solve", "train-step"]) {
        const out = folder(`python-${what}.onnx`);
        const { stdout } = await run(["export", place, "--what", what, "--out", out]);
        const lines = stdout.split("In Python, with ONNX Runtime alone:")[1]!.replace(/^ {2}/gm, "");
        const shown = what === "solve" ? "print(bool(reached))" : "print(new['loss'] < 10)";
        const found = python(`${lines}\n${shown}`);
        expect(found.ok, found.stderr).to.equal(true);
        expect(found.stdout.trim().split("\n").at(-1)).to.equal("True");
      }
    });
  });

  describe("of training steps", () => {
    it("writes a step and what it takes first, which go on where the run has stopped", async () => {
      const out = folder("step.onnx");
      const printed = await json("export", place, "--what", "train-step", "--out", out);
      expect(printed.start).to.equal(folder("step.start.onnx"));
      const further = await json("train", "--resume", place, "--steps", "6", "--out", folder("on"));
      const step = await bareSession(readFileSync(out));
      let values = await (await bareSession(readFileSync(printed.start))).run({});
      expect(numbers(values.count!)).to.deep.equal([4]);
      const losses: number[] = [];
      for (let k = 0; k < 3; k++) {
        const out = await step.run(values);
        losses.push(numbers(out.loss!)[0]!);
        const next = Object.entries(out).filter(([name]) => name.startsWith("next/"));
        values = { ...values, ...Object.fromEntries(next.map(([name, value]) => [name.slice(5), value])) };
      }
      // on ONNX Runtime here, on the compiled runtime there; Adam at a rate of 0.5 makes millions of rounding
      expect(distance(losses, further.losses.slice(3))).to.be.below(1e-6);
      const { stdout } = await run(["inspect", out]);
      expect(stdout).to.include("is a whole training step").and.include("revort.optimiser = ");
      expect((await run(["inspect", printed.start])).stdout).to.include(
        "as it was when the file was written",
      );
    });

    it("writes one of many updates in a run", async () => {
      const out = folder("steps.onnx");
      const printed = await json("export", place, "--what", "train-step", "--updates", "7", "--out", out);
      expect(printed.outputs[0]).to.deep.equal({ name: "losses", dtype: "float64", shape: ["updates"] });
      const start = await (await bareSession(readFileSync(printed.start))).run({});
      expect(start.learningRates!.shape).to.deep.equal([7]);
      const { losses } = await (await bareSession(readFileSync(out))).run(start);
      expect(new Set(numbers(losses!)).size).to.equal(7);
    });

    it("starts with the base rate where the run's own has ended at nothing, and says so", async () => {
      // the schedule of influenza is half a cosine over its updates, which ends at 0
      const ended = folder("ended");
      await json("train", "influenza", "--steps", "4", "--learning-rate", "0.25", "--out", ended);
      const out = folder("ended.onnx");
      const { stderr } = await run(["export", ended, "--what", "train-step", "--out", out]);
      expect(stderr).to.match(/After 4 updates .* ended at 0, .* starts with the base rate, 0\.25\./);
      const start = await (await bareSession(readFileSync(folder("ended.start.onnx")))).run({});
      expect(numbers(start.learningRate!)).to.deep.equal([0.25]);
      // white dwarf has no schedule
      const other = await run(["export", place, "--what", "train-step", "--out", folder("same.onnx")]);
      expect(other.stderr).not.to.include("base rate");
    });

    it("starts anew where asked to, with the whole schedule: all of a training in one run", async () => {
      const out = folder("fresh.onnx");
      const words = ["export", place, "--what", "train-step", "--fresh", "--updates", "3", "--out", out];
      const { start } = await json(...words);
      const step = await bareSession(readFileSync(out));
      const { losses } = await step.run(await (await bareSession(readFileSync(start))).run({}));
      const own = readJson(`${place}/result.json`).losses;
      // as above
      expect(distance(numbers(losses!), own)).to.be.below(1e-6);
      // also from parameters that the run was given
      const given = folder("given");
      const init = `${place}/params.safetensors`;
      await json("train", "white-dwarf", "--init", init, "--steps", "2", "--out", given);
      const again = ["export", given, "--what", "train-step", "--fresh", "--out", out];
      const first = await (await bareSession(readFileSync((await json(...again)).start))).run({});
      const { tensors } = decodeSafetensors(readFileSync(init));
      expect(numbers(first["parameters/layers.0.bias"]!)).to.deep.equal(numbers(tensors["layers.0.bias"]!));
      expect(numbers(first.count!)).to.deep.equal([1]);
    });

    it("has the gradient of the run, or another", async () => {
      const own = folder("checkpointed");
      await json("train", "influenza", "--gradient", "checkpoint:4", "--steps", "1", "--out", own);
      const words = ["export", own, "--what", "train-step", "--out", folder("other.onnx")];
      expect((await json(...words)).metadata["revort.gradient"]).to.equal("checkpoint:4");
      const { metadata } = await json(...words, "--gradient", "direct");
      expect(metadata["revort.gradient"]).to.equal("direct");
    });
  });

  it("writes folders that TensorFlow.js loads, of the field and of its solve, and inspect says what they are", async () => {
    const [own, solved] = [folder("tfjs"), folder("tfjs-solve")];
    const { stdout } = await run(["export", place, "--what", "tfjs", "--out", own]);
    expect(stdout).to.contain("is a GraphModel of TensorFlow.js").and.contain("tf.loadGraphModel(");
    await json(
      "export",
      place,
      "--what",
      "tfjs-solve",
      "--step-size",
      "0.1",
      "--save-at",
      "0:5:0.5",
      "--out",
      solved,
    );
    const report = await json("inspect", solved);
    expect(report).to.deep.include({
      inputs: [{ name: "y0", dtype: "float", shape: [null, 2] }],
      metadata: { ...(report.metadata as object), "revort.kind": "solve", "revort.stepSize": "0.1" },
    });
    expect(existsSync(join(solved, "group1-shard1of1.bin"))).to.equal(true);
    const tooLong = await refusal(
      exitCodes.failed,
      "export",
      place,
      "--what",
      "tfjs-solve",
      "--out",
      folder("long"),
    );
    expect(tooLong).to.contain("more than 50000 operators").and.contain("a larger step size");
  });

  it("refuses options that say nothing about what is exported", async () => {
    const out = folder("never.onnx");
    for (const [words, why] of [
      ["--rtol 1e-3", "--rtol is for --what solve, not for --what field"],
      ["--no-defaults", "--no-defaults is for --what solve"],
      ["--what solve --fresh", "--fresh is for --what train-step"],
      ["--what train-step --open-parameters", "--open-parameters is for --what solve"],
      ["--what solve --updates 3", "--updates is for --what train-step"],
      ["--what train-step --best", "--best is for --what field or solve"],
      ["--what solve --adaptive rk4", "no error estimate"],
      ["--what solve --adaptive rk5", 'no solver "rk5"'],
      ["--what solver", 'did you mean "solve"'],
    ] as const) {
      expect(await refusal(2, "export", place, "--out", out, ...words.split(" "))).to.include(why);
    }
    expect(existsSync(out)).to.equal(false);
  });

  it("refuses what is no run, and fails where it cannot write", async () => {
    await refusal(2, "export", folder("no"), "--out", folder("x.onnx"));
    expect(await refusal(2, "export", place)).to.include("required option '--out <file>'");
    const { code, stderr } = await run(["export", place, "--out", "/proc/revort/x.onnx"]);
    expect(code).to.equal(1);
    expect(sentence(stderr)).to.include("Cannot write");
    const { code: onFolder } = await run(["export", place, "--out", folder()]);
    expect(onFolder).to.equal(1);
  });
});

/** Chandrasekhar's equation by classical RK4: φ and φ' after each of n steps of h, flat. */
function whiteDwarf(h: number, n: number): number[] {
  const f = (t: number, [y, v]: [number, number]): [number, number] => [
    v,
    -((y * y - 0.001) ** 1.5) - (2 * v) / (t + 0.5),
  ];
  const shifted = ([y, v]: [number, number], [a, b]: [number, number], by: number): [number, number] => [
    y + by * a,
    v + by * b,
  ];
  let state: [number, number] = [1, 0];
  return Array.from({ length: n }, (_, i) => {
    const t = i * h;
    const k1 = f(t, state);
    const k2 = f(t + h / 2, shifted(state, k1, h / 2));
    const k3 = f(t + h / 2, shifted(state, k2, h / 2));
    const k4 = f(t + h, shifted(state, k3, h));
    state = [0, 1].map((j) => state[j]! + (h / 6) * (k1[j]! + 2 * k2[j]! + 2 * k3[j]! + k4[j]!)) as [
      number,
      number,
    ];
    return state;
  }).flat();
}
