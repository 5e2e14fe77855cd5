import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { expect } from "chai";
import fc from "fast-check";
import { ModelProtoSchema, TensorProto_DataLocation } from "onnx-buf";
import { RevortError } from "../../src/core/errors.js";
import { fromNested, numbers } from "../../src/core/tensor.js";
import { inspectModel } from "../../src/deploy/inspect.js";
import { loadModel } from "../../src/deploy/load-model.js";
import { decode } from "../../src/graph/decode.js";
import { ExternalDataError, ModelError } from "../../src/graph/model.js";
import { file, type GraphInit, node, stored, value } from "../import/onnx-file.js";
import { failure } from "../support/failure.js";

const fixtures = new URL("../fixtures/pytorch/", import.meta.url);

describe("inspectModel", () => {
  const io: GraphInit = {
    input: [value("t", "float32"), value("y", "float32", "n", 2)],
    output: [value("dy", "float32", "n", 2)],
  };
  const inspect = (graph: GraphInit) => inspectModel(decode(file({ ...io, ...graph }), { source: "m.onnx" }));

  it("tells all about an exported field, as plain data", () => {
    const found = inspectModel(
      decode(readFileSync(new URL("gelu-dynamo-18.onnx", fixtures)), { source: "gelu.onnx" }),
    );
    expect(JSON.parse(JSON.stringify(found))).to.deep.equal(found);
    expect(found).to.deep.include({
      source: "gelu.onnx",
      ir: 10,
      opsets: { "ai.onnx": 18 },
      gradient: { ok: true, reason: null },
      runtimes: { "ort-cpu": { ok: true, reason: null }, "ort-wasm": { ok: true, reason: null } },
      trainableCount: 3 * 6 + 6 + 6 * 2 + 2,
    });
    expect(found.producer).to.match(/^pytorch /);
    expect(found.inputs).to.deep.equal([
      { name: "t", dtype: "float32", shape: [] },
      { name: "y", dtype: "float32", shape: ["batch", 2] },
    ]);
    expect(found.field).to.deep.equal({
      ok: true,
      reason: null,
      stateInput: "y",
      state: ["batch", 2],
      timeInput: "t",
      time: [],
      output: "dydt",
    });
    expect(found.operators.find(({ operator }) => operator === "Gemm")).to.deep.equal({
      operator: "Gemm",
      count: 2,
      supported: true,
      differentiable: true,
      reason: null,
    });
    expect(found.parameters.find(({ name }) => name === "net.0.weight")).to.deep.equal({
      name: "net.0.weight",
      dtype: "float32",
      shape: [6, 3],
      count: 18,
      value: null,
      kind: "initializer",
      trainable: true,
      reason: "is a parameter of the exported module",
      doubtful: false,
      readers: 1,
      copyOf: null,
    });
    expect(found.parameters.find(({ name }) => name === "val_5")!.trainable).to.equal(false);
  });

  it("names in a page the runtimes that there are in a page alone", () => {
    const bytes = readFileSync(new URL("gelu-dynamo-18.onnx", fixtures));
    Object.assign(globalThis, { document: {} });
    try {
      expect(inspectModel(decode(bytes)).runtimes).to.deep.equal({ "ort-wasm": { ok: true, reason: null } });
    } finally {
      delete (globalThis as { document?: object }).document;
    }
  });

  it("finds every exported field to be one, differentiable and runnable", () => {
    const cases = JSON.parse(readFileSync(new URL("cases.json", fixtures), "utf8")) as {
      name: string;
      file: string;
      timeInput: string | null;
      stateInput: string;
    }[];
    for (const { name, file: path, timeInput, stateInput } of cases) {
      const model = decode(readFileSync(new URL(path, fixtures)), {
        readExternal: ({ location, offset, length }) =>
          readFileSync(new URL(location, new URL(path, fixtures))).subarray(offset, offset + length),
      });
      const found = inspectModel(model);
      expect(found.field, name).to.include({ ok: true, timeInput, stateInput });
      expect(found.gradient, name).to.deep.equal({ ok: true, reason: null });
      expect(found.runtimes["ort-wasm"], name).to.deep.equal({ ok: true, reason: null });
      expect(
        found.operators.every(({ supported, differentiable }) => supported && differentiable),
        name,
      ).to.equal(true);
    }
  });

  it("lists operators that it does not know, and says so", () => {
    const found = inspect({
      node: [
        node("Fancy", ["y"], ["h"]),
        node("Gelu", ["h"], ["g"], {}, { domain: "com.microsoft" }),
        node("Upsample", ["g"], ["u"]),
        node("Mul", ["u", "t"], ["dy"]),
      ],
    });
    const unknown = found.operators.filter(({ supported }) => !supported);
    expect(unknown.map(({ operator }) => operator)).to.have.members([
      "Fancy",
      "com.microsoft.Gelu",
      "Upsample",
    ]);
    for (const { reason, differentiable } of unknown) {
      expect(reason).to.match(/does not know/);
      expect(differentiable).to.equal(false);
    }
    expect(found.field.ok).to.equal(false);
    expect(found.field).to.include({ stateInput: "y", timeInput: "t" });
    expect(found.runtimes["ort-cpu"]!.reason).to.match(/Fancy/);
    expect(found.gradient.reason).to.match(/Fancy/);
  });

  it("says why gradients cannot be computed, with the name of the node", () => {
    const found = inspect({
      initializer: [stored("at", fromNested("int64", [[0, 1]]))],
      node: [node("ScatterElements", ["y", "at", "y"], ["dy"], { reduction: "mul" }, { name: "put" })],
      input: [value("y", "float32", 1, 2)],
      output: [value("dy", "float32", 1, 2)],
    });
    expect(found.field.ok).to.equal(true);
    expect(found.gradient.ok).to.equal(false);
    expect(found.gradient.reason).to.match(
      /^The derivative of the node "put" \(ScatterElements\): .*reduction "mul" has no derivative/,
    );
  });

  it("finds loops to be differentiable", () => {
    const body: GraphInit = {
      name: "body",
      input: [value("i", "int64"), value("c", "bool"), value("z", "float32", "n", 2)],
      output: [value("c1", "bool"), value("z1", "float32", "n", 2)],
      node: [node("Identity", ["c"], ["c1"]), node("Tanh", ["z"], ["z1"])],
    };
    const found = inspect({
      initializer: [stored("three", fromNested("int64", 3))],
      node: [node("Loop", ["three", "", "y"], ["dy"], { body: { graph: body } })],
    });
    expect(found.differentiable).to.deep.equal({ Loop: true, Identity: true, Tanh: true });
    expect(found.gradient).to.deep.equal({ ok: true, reason: null });
  });

  it("takes models that are no vector fields, and says why they are none", () => {
    const found = inspectModel(
      decode(
        file({
          input: [value("image", "float32", 1, 3)],
          output: [value("class", "float32", 1, 2)],
          initializer: [
            stored(
              "w",
              fromNested("float32", [
                [1, 2],
                [3, 4],
                [5, 6],
              ]),
            ),
          ],
          node: [node("MatMul", ["image", "w"], ["class"])],
        }),
      ),
    );
    expect(found.field.ok).to.equal(false);
    expect(found.field.reason).to.match(/float32\[1, 3\].*float32\[1, 2\]/);
    expect(found.runtimes["ort-cpu"]!.ok).to.equal(true);
  });
});

describe("inspectModel, whatever was done to a file", () => {
  it("finds something to say, or the file is refused with a typed error", () => {
    const valid = [
      "attention-fused-torchscript-17.onnx",
      "indexing-dynamo-18.onnx",
      "layer-norm-dynamo-18.onnx",
    ].map((name) => readFileSync(new URL(name, fixtures)));
    const change = fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), byte: fc.nat(255) });
    fc.assert(
      fc.property(fc.nat(2), fc.array(change, { minLength: 1, maxLength: 4 }), (which, changes) => {
        const bytes = new Uint8Array(valid[which]!);
        for (const { at, byte } of changes) bytes[Math.floor(at * (bytes.length - 1))] = byte;
        try {
          inspectModel(decode(bytes));
        } catch (error) {
          if (!(error instanceof RevortError)) throw error;
        }
      }),
      { seed: 4, numRuns: 1000 },
    );
  });
});

describe("loadModel", () => {
  let folder = "";
  beforeEach(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), "revort-model-")));
    mkdirSync(join(folder, "model/data"), { recursive: true });
    writeFileSync(join(folder, "secret.bin"), new Uint8Array(64));
    writeFileSync(join(folder, "model/w.bin"), new Uint8Array(new Float32Array([0, 0, 5, 6]).buffer));
    writeFileSync(join(folder, "model/data/w.bin"), new Uint8Array(new Float32Array([7, 8]).buffer));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** Writes a model whose initializers, of two numbers each, are said to lie somewhere; returns its path. */
  function modelWith(entries: Record<string, string>, count = 1, size = 2): string {
    const path = join(folder, "model/m.onnx");
    const proto = create(ModelProtoSchema, {
      irVersion: 10n,
      opsetImport: [{ domain: "", version: 21n }],
      graph: {
        name: "g",
        input: [value("y", "float32", 2)],
        output: [value("dy", "float32", 2)],
        node: [node("Mul", ["y", "w0"], ["dy"])],
        initializer: Array.from({ length: count }, (_, i) => ({
          name: `w${i}`,
          dataType: 1,
          dims: [BigInt(size)],
          dataLocation: TensorProto_DataLocation.EXTERNAL,
          externalData: Object.entries(entries).map(([key, text]) => ({ key, value: text })),
        })),
      },
    });
    writeFileSync(path, toBinary(ModelProtoSchema, proto));
    return path;
  }
  const refusal = (path: string) => failure(loadModel(path), ModelError);
  async function refuses(entries: Record<string, string>, message: RegExp): Promise<void> {
    const error = await refusal(modelWith(entries));
    expect(error).to.be.instanceOf(ExternalDataError);
    expect(error.message).to.match(message).and.to.contain("m.onnx");
  }

  it("reads a model with its data beside it, or in a folder below", async () => {
    const w = async (entries: Record<string, string>) =>
      numbers((await loadModel(modelWith(entries))).graph.initializers.get("w0")!);
    expect(await w({ location: "w.bin", offset: "8", length: "8" })).to.deep.equal([5, 6]);
    expect(await w({ location: "data/w.bin" })).to.deep.equal([7, 8]);
    expect(await w({ location: "./data/w.bin" })).to.deep.equal([7, 8]);
    symlinkSync("data/w.bin", join(folder, "model/inside.bin"));
    expect(await w({ location: "inside.bin" })).to.deep.equal([7, 8]);
  });

  it("reads what PyTorch's exporter writes beside a model", async () => {
    const model = await loadModel(new URL("external-data-dynamo-18/model.onnx", fixtures).pathname);
    expect(model.graph.initializers.get("net.0.weight")!.shape).to.deep.equal([32, 3]);
  });

  it("refuses absolute paths", () =>
    refuses({ location: join(folder, "model/w.bin") }, /outside the model's folder/));
  it("refuses paths of Windows", () => refuses({ location: "C:\\w.bin" }, /outside the model's folder/));
  it("refuses paths that climb", async () => {
    await refuses({ location: "../secret.bin" }, /outside the model's folder/);
    await refuses({ location: "data/../../secret.bin" }, /outside the model's folder/);
    await refuses({ location: "data/../w.bin" }, /outside the model's folder/);
  });
  it("refuses links that leave the folder, to files and through folders", async () => {
    symlinkSync("../secret.bin", join(folder, "model/link.bin"));
    await refuses({ location: "link.bin" }, /outside the model's folder/);
    symlinkSync("..", join(folder, "model/up"));
    await refuses({ location: "up/secret.bin" }, /outside the model's folder/);
  });
  it("refuses devices, pipes and folders, without waiting for them", async () => {
    symlinkSync("/dev/zero", join(folder, "model/zero"));
    await refuses({ location: "zero" }, /outside the model's folder/);
    execFileSync("mkfifo", [join(folder, "model/pipe")]);
    await refuses({ location: "pipe" }, /not a plain file/);
    await refuses({ location: "data" }, /not a plain file/);
  });
  it("refuses offsets and lengths beyond the file, or that do not fit the tensor", async () => {
    await refuses({ location: "w.bin", offset: "12" }, /from byte 12 to 20, but the file ends at byte 16/);
    await refuses({ location: "w.bin", offset: "9007199254740000" }, /the file ends at byte 16/);
    await refuses({ location: "w.bin", length: "4" }, /needs 8 bytes, but is said to have 4/);
    await refuses({ location: "w.bin", offset: "-8" }, /not a whole number/);
  });
  it("refuses data that are missing", async () => {
    await refuses({ location: "v.bin" }, /ENOENT.*Copy it along/);
    await refuses({ location: "w.bin\0" }, /outside/);
    await refuses({}, /not in which one/);
  });
  it("refuses files whose tensors claim the same data again and again", async () => {
    writeFileSync(join(folder, "model/large.bin"), new Uint8Array(1 << 20));
    const error = await refusal(modelWith({ location: "large.bin" }, 5, 1 << 18));
    expect(error.message).to.match(/so many others/);
  });

  it("says what is wrong with a path", async () => {
    expect((await refusal(join(folder, "none.onnx"))).message).to.match(
      /none\.onnx cannot be read \(ENOENT\)/,
    );
    expect((await refusal(folder)).message).to.match(/is not a file/);
    expect((await refusal("/dev/zero")).message).to.match(/is not a file/);
    expect((await refusal(join(folder, "secret.bin"))).message).to.match(/secret\.bin: .*not an ONNX model/);
  });
});
