import { existsSync, readFileSync } from "node:fs";
import { expect } from "chai";
import { scalar, type Tensor } from "../../src/core/tensor.js";
import { encodeField, type FieldMetadata } from "../../src/deploy/field-file.js";
import type { VectorField } from "../../src/fields/field.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { explicit } from "../../src/methods/explicit.js";
import { rk4 } from "../../src/methods/tableaux.js";
import { mul, neg } from "../../src/ops/arithmetic.js";
import { concat, split } from "../../src/ops/slicing.js";
import { parseTimeSeries } from "../../src/storage/csv.js";
import { fixture, json, refusal, run, scratch, sentence, written } from "./command.js";

/** y' = a y on states of any shape. */
const growth = (state: VectorField["state"], components?: string[]): VectorField => ({
  name: "growth",
  state,
  parameters: { a: { shape: [], initial: () => [1] } },
  ...(components === undefined ? {} : { components }),
  apply: (b, theta, _t, y) => mul(b, theta.a!, y),
});

/** u' = v, v' = -u: from (1, 0) the solution is (cos t, -sin t). */
const turning: VectorField = {
  name: "turning",
  state: ["batch", 2],
  parameters: {},
  components: ["position, m", "speed"],
  apply(b, _theta, _t, y) {
    const [u, v] = split(b, y, 1, [1, 1]);
    return concat(b, [v!, neg(b, u!)], 1);
  },
};

describe("revort solve", () => {
  const folder = scratch();
  const fieldFile = (
    name: string,
    field: VectorField,
    parameters: Record<string, Tensor> = {},
    metadata: FieldMetadata = {},
  ) =>
    written(
      folder(`${name}.onnx`),
      encodeField(neuralOde({ field, method: explicit(rk4), stepSize: 0.01 }), parameters, metadata),
    );
  const grows = (name: string, state: VectorField["state"], a = 1) =>
    fieldFile(name, growth(state), { a: scalar("float64", a) });

  it("solves and prints times, states and costs as JSON", async () => {
    const file = fieldFile("turning", turning);
    const { ts, ys, stats } = await json(
      ..."solve".split(" "),
      file,
      ..."--y0 1,0 --t0 0 --t1 2 --save-at 0:2:0.5".split(" "),
    );
    expect(ts).to.deep.equal([0, 0.5, 1, 1.5, 2]);
    for (const [i, t] of ts.entries()) {
      // fourth order: 1e-8 · t / 120 per component
      expect(ys[i][0]).to.be.closeTo(Math.cos(t), 1e-9);
      expect(ys[i][1]).to.be.closeTo(-Math.sin(t), 1e-9);
    }
    expect(stats).to.include({ steps: 200, evaluations: 800 });
  });

  it("writes CSV with the names of the components, which reads back to the bit", async () => {
    const file = fieldFile("named", turning);
    const words = ["solve", file, ..."--y0 1,0 --t0 0 --t1 2 --save-at 0,0.25,2".split(" ")];
    const { stdout } = await run(words);
    expect(stdout).to.match(/^t,"position, m",speed\n0,1,(-)?0\n0\.25,/);
    const out = folder("deep", "solution.csv");
    const { stderr, stdout: nothing } = await run([...words, "--out", out]);
    expect(nothing).to.equal("");
    expect(stderr).to.include(out);
    expect(readFileSync(out, "utf8")).to.equal(stdout);
    const { values, times } = parseTimeSeries(stdout, { source: "solution.csv" });
    const { ts, ys } = await json(...words);
    expect([...times]).to.deep.equal(ts);
    expect([...values].map((value) => value + 0)).to.deep.equal(ys.flat().map((value: number) => value + 0));
  });

  it("takes the state in the field's own shape, whatever its rank", async () => {
    const e = Math.exp(1);
    for (const [name, state, y0, expected] of [
      ["rank-0", [], "2", 2 * e],
      ["rank-0 nested", [], "-2", -2 * e],
      ["vector", [3], "1,2,3", [e, 2 * e, 3 * e]],
      ["vector of one", [1], "1", [e]],
      [
        "matrix",
        [2, 2],
        "[[1,0],[0,1]]",
        [
          [e, 0],
          [0, e],
        ],
      ],
      [
        "matrix, flat",
        [2, 2],
        "1,0,0,1",
        [
          [e, 0],
          [0, e],
        ],
      ],
      ["batch of numbers", ["batch"], "1,2", [e, 2 * e]],
      ["one of a batch", ["batch", 2], "1,0", [e, 0]],
      ["one of a batch, with its axis", ["batch", 2], "[[1,0]]", [[e, 0]]],
      [
        "a batch",
        ["batch", 2],
        "[[1,0],[0,1],[1,1]]",
        [
          [e, 0],
          [0, e],
          [e, e],
        ],
      ],
      ["a batch of matrices", ["batch", 1, 2], "[[[1,2]],[[0,-1]]]", [[[e, 2 * e]], [[0, -e]]]],
      ["one matrix of a batch", ["batch", 1, 2], "[[1,2]]", [[e, 2 * e]]],
      ["signs, points and exponents", ["batch", 4], "-1,+.5,1e-3,-.25E1", [-e, 0.5 * e, 1e-3 * e, -2.5 * e]],
      ["spaces", ["batch", 2], " [ 1 , 0 ] ", [e, 0]],
    ] as const) {
      const file = grows("shapes", state);
      const { ys } = await json("solve", file, "--y0", y0, "--t0", "0", "--t1", "1");
      const flat = (value: unknown): number[] => [value].flat(9) as number[];
      expect(ys, name).to.have.length(1);
      expect(JSON.stringify(ys[0]).replace(/[^[\],]/g, ""), name).to.equal(
        JSON.stringify(expected).replace(/[^[\],]/g, ""),
      );
      for (const [i, value] of flat(expected).entries())
        expect(flat(ys[0])[i], name).to.be.closeTo(value, 1e-8);
    }
  });

  it("labels the columns of a batch and of components without names", async () => {
    const two = await run([
      "solve",
      fieldFile("turning", turning),
      ..."--y0 [[1,0],[0,1]] --t0 0 --t1 1".split(" "),
    ]);
    expect(two.stdout.split("\n")[0]).to.equal('t,"position, m[0]",speed[0],"position, m[1]",speed[1]');
    const plain = await run(["solve", grows("plain", [2, 2]), ..."--y0 1,0,0,1 --t0 0 --t1 1".split(" ")]);
    expect(plain.stdout.split("\n")[0]).to.equal("t,y0,y1,y2,y3");
    const time = fieldFile("time", growth(["batch", 1], ["t"]), { a: scalar("float64", 1) });
    expect((await run(["solve", time, ..."--y0 1 --t0 0 --t1 1".split(" ")])).stdout).to.match(/^time,t\n/);
  });

  it("solves backwards in time, from a negative or a far time", async () => {
    const file = grows("backwards", ["batch", 1]);
    const { ts, ys } = await json("solve", file, ..."--y0 1 --t0 -1 --t1 -3 --save-at -1:-3:-1".split(" "));
    expect(ts).to.deep.equal([-1, -2, -3]);
    expect(ys[2][0]).to.be.closeTo(Math.exp(-2), 1e-9);
    const far = await json("solve", file, ..."--y0 1 --t0 1e9 --t1 1000000001".split(" "));
    expect(far.ys[0][0]).to.be.closeTo(Math.E, 1e-7);
  });

  it("solves as the field was trained, unless it is told otherwise", async () => {
    const trained = folder("run");
    await json(
      "train",
      "white-dwarf",
      ..."--solver euler --coupling 0.9 --step-size 0.05 --steps 1 --out".split(" "),
      trained,
    );
    const words = ["solve", `${trained}/field.onnx`, ..."--y0 1,0 --t0 0 --t1 1".split(" ")];
    const own = await json(...words);
    expect(own.stats).to.include({ steps: 20, evaluations: 40 });
    const same = await json(...words, ..."--solver euler --coupling 0.9 --step-size 0.05".split(" "));
    expect(same).to.deep.equal(own);
    expect((await json(...words, "--solver", "euler")).stats.evaluations).to.equal(20);
    expect((await json(...words, "--solver", "euler", "--reversible")).stats.evaluations).to.equal(40);
    expect((await json(...words, "--step-size", "0.1")).stats.steps).to.equal(10);
  });

  it("solves with fields from PyTorch, in both types and on both runtimes", async () => {
    const words = "--y0 0.5,-0.5 --t0 0 --t1 1 --step-size 0.05".split(" ");
    const file = fixture("mlp-dynamo-20-float64.onnx");
    const { ys } = await json("solve", file, ...words);
    const wasm = await json("solve", file, ...words, "--runtime", "ort-wasm");
    const single = await json("solve", file, ...words, "--dtype", "float32");
    for (const i of [0, 1]) {
      expect(wasm.ys[0][i]).to.be.closeTo(ys[0][i], 1e-12);
      expect(single.ys[0][i]).to.be.closeTo(ys[0][i], 1e-5);
    }
    const external = await json("solve", fixture("external-data-dynamo-18/model.onnx"), ...words);
    expect(external.ys[0]).to.have.length(2);
  });

  it("chooses steps by tolerances, and says how many it tried", async () => {
    const words = ["solve", fieldFile("turning", turning), ..."--y0 1,0 --t0 0 --t1 2".split(" ")];
    const loose = await json(...words, "--rtol", "1e-4", "--atol", "1e-4");
    const tight = await json(...words, "--rtol", "1e-10", "--atol", "1e-10", "--controller", "pi");
    expect(tight.stats.steps).to.be.greaterThan(loose.stats.steps);
    expect(loose.ys[0][0]).to.be.closeTo(Math.cos(2), 1e-3);
    expect(tight.ys[0][0]).to.be.closeTo(Math.cos(2), 1e-9);
    const few = await run([...words, "--rtol", "1e-10", "--max-steps", "3"]);
    expect(few.code).to.equal(1);
    expect(sentence(few.stderr)).to.include("After 3 steps");
  });

  it("takes steps as long as their error allows, and no longer than --step-size where that is given", async () => {
    // the file says that it was trained with steps of 0.01
    const words = ["solve", fieldFile("free", turning), ..."--y0 1,0 --t0 0 --t1 2 --rtol 1e-3".split(" ")];
    expect((await json(...words)).stats.accepted).to.be.below(20);
    // 40 of that size, and the first ones, which are shorter
    expect((await json(...words, "--step-size", "0.05")).stats.accepted).to.be.within(40, 45);
  });

  it("prints a row for each time, where two are the same as well", async () => {
    const words = ["solve", fieldFile("twice", turning), ..."--y0 1,0 --t0 1000 --t1 1001".split(" ")];
    const saveAt = ["--save-at", "1000,1000.5,1000.5,1000.50001,1001"];
    for (const steps of [[], ["--rtol", "1e-5"], ["--rtol", "1e-5", "--dtype", "float32"]]) {
      const { ts, ys } = await json(...words, ...saveAt, ...steps);
      expect(ts).to.deep.equal([1000, 1000.5, 1000.5, 1000.50001, 1001]);
      for (const [i, t] of ts.entries()) expect(ys[i][0]).to.be.closeTo(Math.cos(t - 1000), 1e-4);
    }
  });

  it("warns of a coupled solve that is not to be trusted, and fails for it with --strict", async () => {
    const words = ["solve", grows("decay", ["batch", 1], -40), ..."--y0 1 --t0 0 --t1 5".split(" ")];
    const coupled = [...words, ..."--solver midpoint --coupling 0.999 --step-size 0.02".split(" ")];
    const { code, stdout, stderr } = await run([...coupled, "--json"]);
    expect(code, stderr).to.equal(0);
    expect(stderr).to.match(/^warning: /);
    expect(JSON.parse(stdout).warnings).not.to.deep.equal([]);
    const strict = await run([...coupled, "--strict"]);
    expect(strict.code).to.equal(1);
    sentence(strict.stderr);
    const chosen = await run([...words, ..."--solver midpoint --coupling auto --step-size 0.02".split(" ")]);
    expect(chosen.code, chosen.stderr).to.equal(0);
    expect(chosen.stderr).to.match(/λ/);
  });

  it("takes every solver that has a name", async () => {
    const file = fieldFile("turning", turning);
    const { stderr } = await run(["solve", file, ..."--y0 1,0 --t0 0 --t1 1 --solver no".split(" ")]);
    const names = /The solvers are (.*)\.$/m.exec(stderr)![1]!.split(", ");
    expect(names).to.include.members(["euler", "midpoint", "rk4", "dopri5", "alf", "reversible-heun"]);
    for (const name of names) {
      const { ys } = await json("solve", file, ..."--y0 1,0 --t0 0 --t1 1 --solver".split(" "), name);
      expect(ys[0][0], name).to.be.closeTo(Math.cos(1), 0.02);
    }
  });

  describe("refuses with a reason", () => {
    const given = "--y0 1,0 --t0 0 --t1 1".split(" ");
    let file: string;
    before(() => {
      file = fieldFile("turning", turning);
    });

    for (const [words, reason] of [
      ["--y0 1 --t0 0 --t1 1", /Give 2 numbers per trajectory/],
      ["--y0 1,0,0 --t0 0 --t1 1", /states of shape \[batch, 2\]/],
      ["--y0 [[1,0],[0]] --t0 0 --t1 1", /--y0: Nested arrays must be rectangular/],
      ["--y0 one,two --t0 0 --t1 1", /--y0 takes numbers with commas/],
      ["--y0 1,NaN --t0 0 --t1 1", /--y0 takes numbers/],
      ["--y0 1,1e999 --t0 0 --t1 1", /must be finite/],
      ["--y0 [] --t0 0 --t1 1", /Give 2 numbers/],
      ["--y0 1,,0 --t0 0 --t1 1", /--y0 takes numbers/],
      ['--y0 {"a":1} --t0 0 --t1 1', /--y0/],
      ["--y0 1,0 --t0 zero --t1 1", /--t0 takes a number, but "zero" was given/],
      ["--y0 1,0 --t0 0 --t1 Infinity", /--t1 takes a number/],
      ["--y0 1,0 --t0 0 --t1 0", /nothing to solve/],
      ["--y0 1,0 --t0 0 --t1 1 --step-size 0", /--step-size takes a positive number/],
      ["--y0 1,0 --t0 0 --t1 1 --step-size 1e-12", /more than 100000000/],
      ["--y0 1,0 --t0 0 --t1 1 --coupling 0", /coupling λ must lie in \(0, 1\]/],
      ["--y0 1,0 --t0 0 --t1 1 --coupling 1.5", /coupling λ must lie in \(0, 1\]/],
      ["--y0 1,0 --t0 0 --t1 1 --solver rk5", /did you mean "rk4"/],
      ["--y0 1,0 --t0 0 --t1 1 --solver alf --coupling 0.9", /without a coupling/],
      ["--y0 1,0 --t0 0 --t1 1 --runtime ort-cup", /did you mean "ort-cpu"/],
      ["--y0 1,0 --t0 0 --t1 1 --dtype float16", /--dtype takes one of float64, float32/],
      ["--y0 1,0 --t0 0 --t1 1 --save-at 2", /not between/],
      ["--y0 1,0 --t0 0 --t1 1 --save-at 0.5,0.25", /0\.25/],
      ["--y0 1,0 --t0 0 --t1 1 --save-at 0:1", /from:to:by/],
      ["--y0 1,0 --t0 0 --t1 1 --save-at 0:1:-0.1", /from:to:by/],
      ["--y0 1,0 --t0 0 --t1 1 --save-at 0:1:0", /from:to:by/],
      ["--y0 1,0 --t0 0 --t1 1 --save-at 0:1:1e-12", /give fewer/],
      ["--y0 1,0 --t0 0 --t1 1 --save-at soon", /--save-at takes times/],
      ["--y0 1,0 --t0 0", /required option '--t1 <time>'/],
      ["--t0 0 --t1 1", /required option '--y0 <state>'/],
    ] as const) {
      it(words, async () => {
        expect(await refusal(2, "solve", file, ...words.split(" "))).to.match(reason);
      });
    }

    it("a file that is no model, or no vector field", async () => {
      const random = written(
        folder("random.onnx"),
        Uint8Array.from({ length: 500 }, (_, i) => (i * 7919) % 251),
      );
      const whole = readFileSync(fixture("gelu-dynamo-18.onnx"));
      const cut = written(folder("cut.onnx"), whole.subarray(0, whole.length / 2));
      const empty = written(folder("empty.onnx"), "");
      for (const bad of [random, cut, empty, folder("missing.onnx"), folder()]) {
        await refusal(2, "solve", bad, ...given);
        await refusal(2, "inspect", bad);
      }
      const text = written(folder("text.onnx"), "t,x\n0,1\n1,2\n");
      expect(await refusal(2, "solve", text, ...given)).to.match(/not an ONNX model|Export/);
    });

    it("a place that cannot be written", async () => {
      const { code, stderr, stdout } = await run(["solve", file, ...given, "--out", "/proc/revort/x.csv"]);
      expect(code).to.equal(1);
      expect(stdout).to.equal("");
      expect(sentence(stderr)).to.include("Cannot write");
    });
  });

  it("fails where the solution leaves the finite numbers, naming step and time", async () => {
    const file = fieldFile(
      "explosive",
      {
        ...growth(["batch", 1]),
        apply: (b, theta, _t, y) => mul(b, theta.a!, mul(b, y, y)),
      },
      { a: scalar("float64", 1) },
    );
    const out = folder("never.csv");
    const { code, stdout, stderr } = await run([
      "solve",
      file,
      ..."--y0 1 --t0 0 --t1 3 --json --out".split(" "),
      out,
    ]);
    expect(code).to.equal(1);
    expect(stdout).to.equal("");
    expect(sentence(stderr)).to.match(/not finite after step 10\d, at t = 1\.0/);
    expect(existsSync(out)).to.equal(false);
  });

  it("says how many steps of a given size there are, where they are more than it may take", async () => {
    const words = ["solve", "--field", "dx = -x", "--y0", "1", "--t0", "0", "--t1", "2", "--solver", "rk4"];
    const line = await refusal(1, ...words, "--step-size", "0.25", "--max-steps", "5");
    expect(line).to.include("From t = 0 to 2 there are 8 steps of 0.25, but maxSteps allows 5");
  });
});
