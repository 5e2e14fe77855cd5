import { readFileSync } from "node:fs";
import { expect } from "chai";
import { tensor } from "../../src/core/tensor.js";
import { inspectModel } from "../../src/deploy/inspect.js";
import { loadModel } from "../../src/deploy/load-model.js";
import { node, file as onnxFile, stored, value } from "../import/onnx-file.js";
import { fixture, json, run, scratch, written } from "./command.js";

describe("revort inspect", () => {
  const folder = scratch();

  it("lists what a file holds, for people", async () => {
    const { code, stdout, stderr } = await run(["inspect", fixture("gelu-dynamo-18.onnx")]);
    expect(code, stderr).to.equal(0);
    expect(stderr).to.equal("");
    expect(stdout).to.match(/ {2}y {2}float32 \[batch, 2\]\n/);
    expect(stdout).to.match(/ {2}Gemm +2 +yes +yes\n/);
    expect(stdout).to.include("Parameters: 38 numbers to train");
    expect(stdout).to.match(
      /net\.0\.weight {2}float32 \[6, 3\] +trained: is a parameter of the exported module/,
    );
    expect(stdout).to.match(/vector field +yes: dy\/dt = dydt, state \[batch, 2\], time t\n/);
    expect(stdout).to.match(/can be trained yes: 38 numbers in 4 arrays\n/);
    expect(stdout).to.match(/ort-wasm +yes\n$/);
  });

  it("says of a whole solve what it is for, and nothing of training it", async () => {
    const solve = folder("solve.onnx");
    await json("train", "influenza", "--steps", "1", "--out", folder("flu"));
    await json("export", folder("flu"), "--what", "solve", "--out", solve);
    const { stdout } = await run(["inspect", solve]);
    expect(stdout).to.match(
      /vector field +no, because it is a whole solve: .* Give it to ONNX Runtime as it is;/,
    );
    expect(stdout).to.not.match(/trained:|numbers to train|--output-name/);
    expect(stdout).to.match(/Arrays inside\n +parameters\/b +float64 \[\]/);
  });

  it("prints the whole inspection as JSON", async () => {
    const path = fixture("layer-norm-dynamo-17.onnx");
    const found = await json("inspect", path);
    expect(found).to.deep.equal(JSON.parse(JSON.stringify(inspectModel(await loadModel(path)))));
  });

  it("shows how a field of revort was trained", async () => {
    await json("train", "influenza", "--steps", "1", "--out", folder("run"));
    const { stdout } = await run(["inspect", folder("run", "field.onnx")]);
    for (const line of [
      "revort.solver = midpoint",
      "revort.trainedOn = influenza",
      'revort.components = ["susceptible","infected","recovered"]',
    ]) {
      expect(stdout).to.include(line);
    }
  });

  it("says of a model that is no vector field why, and is no failure", async () => {
    const path = written(
      folder("classifier.onnx"),
      onnxFile({
        input: [value("image", "float32", "n", 8)],
        output: [value("label", "float32", "n", 3)],
        initializer: [stored("w", tensor("float32", [8, 3], new Array(24).fill(1)))],
        node: [node("MatMul", ["image", "w"], ["label"])],
      }),
    );
    const { code, stdout } = await run(["inspect", path]);
    expect(code).to.equal(0);
    expect(stdout).to.match(/vector field +no, because .*\n {2}can be trained no, for the same reason\n/);
    const { code: solved, stderr } = await run(["solve", path, ..."--y0 1 --t0 0 --t1 1".split(" ")]);
    expect(solved).to.equal(2);
    expect(stderr).to.match(/^revort: .*classifier\.onnx.*\n$/);
  });

  it("does not let names from the file move the cursor", async () => {
    const name = "\u001b[2J\u0007evil\u202e";
    const path = written(
      folder("evil.onnx"),
      onnxFile({
        input: [value("y", "float32", 2)],
        output: [value(name, "float32", 2)],
        node: [node("Neg", ["y"], [name])],
      }),
    );
    const { stdout } = await run(["inspect", path]);
    expect(stdout).to.include("\\u{1b}[2J\\u{7}evil\\u{202e}");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(stdout).not.to.match(/[\u001b\u0007\u202e]/);
  });

  it("lists every exported field", async () => {
    const cases = JSON.parse(readFileSync(fixture("cases.json"), "utf8")) as { file: string }[];
    for (const { file } of cases.filter((_, i) => i % 5 === 0)) {
      const { code, stdout, stderr } = await run(["inspect", fixture(file)]);
      expect(code, `${file}: ${stderr}`).to.equal(0);
      expect(stdout, file).to.match(/vector field +yes/);
    }
  });
});
