import { expect } from "chai";
import { fromNested } from "../../src/core/tensor.js";
import { node, file as onnxFile, stored, value } from "../import/onnx-file.js";
import { json, readJson, refusal, run, scratch, written } from "./command.js";

const f64 = (nested: unknown) => fromNested("float64", nested);

describe("--trainable and --freeze PATTERN", () => {
  const folder = scratch();
  let made = 0;
  const out = () => folder(`run-${++made}`);
  /** y′ = −y + sin t, so the rates that fit are 1 and 1. */
  const series = () => {
    const times = Array.from({ length: 12 }, (_, i) => i / 4);
    const y = (t: number) => 0.5 * (Math.sin(t) - Math.cos(t)) + 1.5 * Math.exp(-t);
    return written(folder("series.csv"), `t,y\n${times.map((t) => `${t},${y(t)}\n`).join("")}`);
  };
  /** dy/dt = −const_1 y^power + const_2 sin t, as JAX writes a field with literals. */
  const rates = () =>
    written(
      folder("rates.onnx"),
      onnxFile({
        input: [value("t", "float64"), value("y", "float64", "n", 1)],
        output: [value("dy", "float64", "n", 1)],
        initializer: [stored("const_1", f64(0.7)), stored("const_2", f64(0.8)), stored("ipow_exp_0", f64(1))],
        node: [
          node("Pow", ["y", "ipow_exp_0"], ["p"], {}, { name: "power" }),
          node("Mul", ["const_1", "p"], ["decay"]),
          node("Sin", ["t"], ["s"]),
          node("Mul", ["const_2", "s"], ["drive"]),
          node("Sub", ["drive", "decay"], ["dy"]),
        ],
      }),
    );
  const words = () => ["train", series(), "--field", rates(), "--gradient", "direct", "--solver", "rk4"];

  it("reach rates that are single numbers, which are found from data", async () => {
    const place = out();
    const { fitted } = await json(
      ...words(),
      ...[
        "--trainable",
        "const_*",
        "--steps",
        "600",
        "--learning-rate",
        "0.03",
        "--weight-decay",
        "0",
        "--out",
        place,
      ],
    );
    // the data are exact, and rk4 errs by 1e-8; the rest is what 600 updates leave
    expect(Object.keys(fitted)).to.deep.equal(["const_1", "const_2"]);
    expect(fitted.const_1).to.be.closeTo(1, 5e-3);
    expect(fitted.const_2).to.be.closeTo(1, 5e-3);
  });

  it("are kept with a run, so that it resumes and exports as it began", async () => {
    const place = out();
    await json(...words(), "--trainable", "const_*", "--freeze", "const_2", "--steps", "2", "--out", place);
    expect(readJson(`${place}/run.json`).settings.fromFile).to.deep.equal({
      trainable: ["const_*"],
      freeze: ["const_2"],
    });
    const { fitted } = await json("train", "--resume", place, "--steps", "4");
    expect(Object.keys(fitted)).to.deep.equal(["const_1"]);
    expect((await run(["export", place, "--out", folder("trained.onnx")])).code).to.equal(0);
    // the file says what was trained, and so it is again
    const { parameters } = await json("inspect", folder("trained.onnx"));
    const trained = parameters.filter((p: { trainable: boolean }) => p.trainable);
    expect(trained.map((p: { name: string }) => p.name)).to.deep.equal(["const_1"]);
    expect(await refusal(2, "train", "--resume", place, "--freeze", "const_1")).to.include(
      "was started with --freeze const_2",
    );
  });

  it("are told before the first update what they lead to", async () => {
    const { code, stderr } = await run([
      ...words(),
      "--trainable",
      "const_1",
      "--steps",
      "1",
      "--out",
      out(),
    ]);
    expect(code, stderr).to.equal(0);
    expect(stderr).to.include("Trained: 1 number of rates.onnx, in const_1.\n");
    expect(stderr).to.match(
      /Kept, though they might be parameters: const_2 = 0\.8\. --trainable PATTERN trains them/,
    );
  });

  it("are asked for where nothing would be trained, with what there is to choose from", async () => {
    const message = await refusal(2, ...words(), "--steps", "1", "--out", out());
    expect(message).to.include("Choose with --trainable PATTERN among const_1 = 0.7, const_2 = 0.8;");
  });

  it("may choose what has no derivative at the data, which is said with its name and its node", async () => {
    const negative = written(folder("negative.csv"), "t,y\n0,-1\n0.5,-0.6\n1,-0.4\n");
    const message = await refusal(
      1,
      ...[
        "train",
        negative,
        ...words().slice(2),
        "--trainable",
        "ipow_exp_0",
        "--steps",
        "3",
        "--out",
        out(),
      ],
    );
    expect(message).to.match(
      /At update 1: The gradient of "ipow_exp_0" is not finite .* arises in the node "power" \(Pow\) at t = 0, for d xⁿ\/dn = xⁿ ln x/,
    );
  });

  it("is said by gradcheck, too, instead of comparing what is not finite", async () => {
    const negative = written(folder("negative.csv"), "t,y\n0,-1\n0.5,-0.6\n1,-0.4\n");
    const words = ["gradcheck", negative, "--field", rates(), "--trainable", "ipow_exp_0"];
    expect(await refusal(1, ...words)).to.match(
      /gradient of "ipow_exp_0" is not finite .* node "power" \(Pow\)/,
    );
  });

  it("are refused where they fit nothing, or the field comes from no file", async () => {
    expect(await refusal(2, ...words(), "--trainable", "k*", "--out", out())).to.match(
      /no array of floats is called "k\*"\. There are "const_1", "const_2", "ipow_exp_0"/,
    );
    expect(await refusal(2, "train", series(), "--freeze", "layers.*", "--out", out())).to.match(
      /--freeze is for a field from a file/,
    );
    expect(await refusal(2, "inspect", rates(), "--trainable", "k*")).to.match(/"k\*"/);
  });

  it("are shown by inspect, with why, and by how many nodes an array is shared", async () => {
    const path = written(
      folder("shared.onnx"),
      onnxFile({
        input: [value("y", "float64", "n", 2)],
        output: [value("dy", "float64", "n", 2)],
        initializer: [
          stored(
            "w",
            f64([
              [1, 2],
              [3, 5],
            ]),
          ),
          stored(
            "copy",
            f64([
              [1, 3],
              [2, 5],
            ]),
          ),
          stored("const_0", f64(2)),
        ],
        node: [
          node("MatMul", ["y", "w"], ["a"]),
          node("MatMul", ["a", "w"], ["b"]),
          node("MatMul", ["b", "copy"], ["c"]),
          node("Mul", ["c", "const_0"], ["dy"]),
        ],
      }),
    );
    const { stdout } = await run(["inspect", path, "--trainable", "const_0"]);
    expect(stdout).to.match(/ w +float64 \[2, 2\] +trained: is a weight of .*; shared by 2 nodes\n/);
    expect(stdout).to.match(
      / copy +float64 \[2, 2\] +trained: .*; one parameter with w, of which it is a copy\n/,
    );
    expect(stdout).to.match(/ const_0 +float64 \[\] = 2 +trained: was chosen\n/);
    expect(stdout).to.match(/can be trained yes: 5 numbers in 2 arrays\n/);
  });
});

describe("--time-input, --state-input and --output-name", () => {
  const folder = scratch();
  /** dy/dt = −y cos t with names that say nothing, and its square beside it. */
  const path = () =>
    written(
      folder("named.onnx"),
      onnxFile({
        input: [value("in_0", "float64", 1), value("in_1", "float64", 1)],
        output: [value("out_0", "float64", 1), value("out_1", "float64", 1)],
        node: [
          node("Cos", ["in_0"], ["c"]),
          node("Neg", ["in_1"], ["n"]),
          node("Mul", ["c", "n"], ["out_0"]),
          node("Mul", ["out_0", "out_0"], ["out_1"]),
        ],
      }),
    );
  const at = ["--y0", "1", "--t0", "0", "--t1", "1"];
  const said = ["--time-input", "in_0", "--output-name", "out_0"];

  it("are named where they are needed", async () => {
    expect(await refusal(2, "solve", path(), ...at)).to.match(/--output-name/);
    expect(await refusal(2, "solve", path(), ...at, "--output-name", "out_0")).to.match(
      /cannot be told which of its inputs "in_0" \[1\] and "in_1" \[1\] is time .*--time-input and --state-input/,
    );
    expect(await refusal(2, "solve", path(), ...at, ...said.slice(2), "--time-input", "t")).to.match(
      /no input "t"/,
    );
  });

  it("say it to every command that takes a field", async () => {
    const { ys } = await json("solve", path(), ...at, ...said);
    // exp(−sin 1), to the error of rk4 in 1000 steps
    expect(ys[0][0]).to.be.closeTo(Math.exp(-Math.sin(1)), 1e-12);
    const swapped = await json("solve", path(), ...at, "--state-input", "in_1", "--output-name", "out_0");
    expect(swapped.ys).to.deep.equal(ys);
    expect((await json("inspect", path(), ...said)).field).to.include({ ok: true, timeInput: "in_0" });
    const series = written(folder("series.csv"), "t,y\n0,1\n0.5,0.6\n1,0.4\n");
    const more = ["--field", path(), ...said, "--train-y0", "--gradient", "direct"];
    const { steps } = await json("train", series, ...more, "--steps", "2", "--out", folder("run"));
    expect(steps).to.equal(2);
    await json("gradcheck", series, ...more);
  });
});
