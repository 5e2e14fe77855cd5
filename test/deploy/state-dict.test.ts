import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { Random } from "../../src/core/random.js";
import { numbers } from "../../src/core/tensor.js";
import { loadModel } from "../../src/deploy/load-model.js";
import { stateDictOf } from "../../src/deploy/state-dict.js";
import { initialParameters } from "../../src/fields/field.js";
import { importedField } from "../../src/fields/imported.js";
import { decodeSafetensors } from "../../src/storage/safetensors.js";
import { fixture, json, run, scratch, written } from "../cli/command.js";
import { missingModules, pythonScript } from "../support/python.js";

/** What PyTorch says of the modules that the fixtures were exported from. */
interface Case {
  readonly name: string;
  readonly file: string;
  readonly parameters: Readonly<Record<string, { readonly shape: readonly number[] }>>;
  readonly buffers: Readonly<Record<string, unknown>>;
  readonly initializers: Readonly<
    Record<string, { readonly name: string; readonly transposed: boolean } | null>
  >;
}

const cases: readonly Case[] = JSON.parse(readFileSync(fixture("cases.json"), "utf8"));

/** Exports that hold parameters only as what was computed from them, or merge those that are equal. */
const lossy = /^(linear-3d-dynamo-14|pointwise-dynamo|unbind|scalar-parameter|tied|derived)/;

async function dictOf(file: string) {
  const model = await loadModel(fixture(file));
  const field = importedField(model);
  const trained = initialParameters(field, Random.seeded(0), field.dtype!);
  return { trained, ...stateDictOf(model, trained) };
}

describe("a state dict of an imported field", () => {
  it("has the names, shapes and numbers of the module, whichever exporter wrote the file", async () => {
    let transposed = 0;
    for (const { name, file, parameters, buffers, initializers } of cases.filter(
      (one) => !lossy.test(one.name),
    )) {
      const { tensors, trained, unknown, missing } = await dictOf(file);
      const wanted = [...Object.keys(parameters), ...Object.keys(buffers)];
      expect(Object.keys(tensors), name).to.have.members(wanted);
      expect([unknown, missing], name).to.deep.equal([[], []]);
      for (const [parameter, { shape }] of Object.entries(parameters)) {
        expect(tensors[parameter]!.shape, `${name}: ${parameter}`).to.deep.equal(shape);
        const place = initializers[parameter]!;
        const values = trained[place.name];
        if (values === undefined) continue;
        const columns = shape[1] ?? 1;
        const own = numbers(tensors[parameter]!);
        // W[i, j] of the module is Wᵀ[j, i] of the file
        const expected = place.transposed
          ? own.map((_, i) => numbers(values)[(i % columns) * shape[0]! + Math.floor(i / columns)]!)
          : numbers(values);
        expect(own, `${name}: ${parameter}`).to.deep.equal(expected);
        transposed += place.transposed ? 1 : 0;
      }
    }
    expect(transposed).to.be.greaterThan(20);
  });

  it("says what the file does not hold as the module has it", async () => {
    const derived = await dictOf("derived-dynamo-18.onnx");
    expect(derived.missing).to.deep.equal(["log_rate", "M"]);
    expect(derived.unknown).to.deep.include({ name: "exp", computedFrom: ["log_rate"] });
    const older = await dictOf("derived-torchscript-17.onnx");
    expect(older.unknown.map(({ name }) => name)).to.deep.equal(["onnx::MatMul_11"]);
    expect((await dictOf("tied-dynamo-18.onnx")).missing).to.deep.equal(["left.bias", "right.bias"]);
  });
});

describe("export --what state-dict", () => {
  const folder = scratch();
  const data = () =>
    written(
      folder("series.csv"),
      `t,a,b,c\n${Array.from({ length: 8 }, (_, i) => [i / 4, ...[0, 1, 2].map((k) => Math.sin(i / 4 + k))].join()).join("\n")}\n`,
    );

  it("is loaded by PyTorch into the module that was exported, which then equals the trained graph", async function () {
    const why = missingModules("safetensors.torch", "onnx", "onnxruntime");
    if (why !== null) {
      console.log(`      skipped: ${why}`);
      this.skip();
    }
    const files: string[] = [];
    for (const exporter of ["dynamo-18", "torchscript-17"]) {
      const out = folder(exporter);
      const field = fixture(`vector-state-${exporter}.onnx`);
      const { losses } = await json("train", data(), "--field", field, "--steps", "20", "--out", out);
      expect(losses.at(-1)).to.be.lessThan(losses[0]);
      const dict = folder(`${exporter}.safetensors`);
      const report = await json("export", out, "--what", "state-dict", "--out", dict);
      expect(report.tensors).to.deep.equal({
        ...{ "net.0.bias": [8], "net.2.bias": [3], "net.0.weight": [8, 4], "net.2.weight": [3, 8] },
      });
      files.push(dict, `${out}/field.onnx`);
    }
    const script = fileURLToPath(new URL("./load-state-dict.py", import.meta.url));
    const { ok, stdout, stderr } = pythonScript(script, ...files);
    expect(ok, stderr).to.equal(true);
    const distances = stdout.trim().split("\n").map(Number);
    expect(distances).to.have.length(2);
    // float32, a dozen of sums each
    for (const distance of distances) expect(distance).to.be.lessThan(1e-6);
  });

  it("has the parameters of other fields under their own names, and shows how it is loaded", async () => {
    const out = folder("own");
    await json("train", data(), "--field", "mlp:4", "--steps", "2", "--out", out);
    const file = folder("own.safetensors");
    const { code, stdout } = await run(["export", out, "--what", "state-dict", "--best", "--out", file]);
    expect(code).to.equal(0);
    expect(stdout).to.include("layers.0.weight  float64 [4, 4]").and.include("load_state_dict(load_file(");
    const { tensors, metadata } = decodeSafetensors(new Uint8Array(readFileSync(file)));
    expect(Object.keys(tensors)).to.have.members(
      [0, 1].flatMap((i) => [`layers.${i}.weight`, `layers.${i}.bias`]),
    );
    expect(metadata).to.include({ format: "pt", "revort.trainedOn": "series.csv" });
  });

  it("tells of parameters that the file does not hold", async () => {
    const out = folder("derived");
    const words = [
      "train",
      written(folder("two.csv"), "t,x,y\n0,1,0\n1,0.5,0.2\n2,0.3,0.1\n"),
      "--steps",
      "1",
    ];
    await json(...words, "--field", fixture("derived-dynamo-18.onnx"), "--out", out);
    const { stdout, stderr } = await run([
      "export",
      out,
      "--what",
      "state-dict",
      "--out",
      folder("d.safetensors"),
    ]);
    expect(stdout).to.include("strict=False");
    expect(stderr).to.include("computed it from log_rate").and.include("also has log_rate, M");
  });
});
