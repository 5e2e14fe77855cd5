import { copyFileSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { modelFiles } from "../../src/serve/folder.js";
import { centred, layer, oscillator, rowsAsked, type Served, serving } from "./served.js";

describe("the models of a folder", () => {
  let served: Served;
  before(async () => {
    served = await serving({ "layer.onnx": layer() }, { workers: 1 });
  });
  after(() => served.close());

  const names = () => served.models.map(({ name }) => name).sort();
  const path = (...parts: string[]) => join(served.folder, ...parts);
  const answer = async (model: string) => {
    const { json } = await served.send(`/v2/models/${model}/infer`, rowsAsked([[1, 2, 3, 4, 5]]));
    return json.outputs?.[0].data as number[];
  };

  it("are named after their files and folders", async () => {
    mkdirSync(path("run"));
    writeFileSync(path("run", "field.onnx"), oscillator());
    mkdirSync(path("task"));
    for (const name of ["sample.onnx", "logprob.onnx"]) writeFileSync(path("task", name), layer());
    mkdirSync(path("empty"));
    for (const hidden of [".hidden.onnx", "layer.onnx.0a1b2c3d.tmp", "notes.txt"])
      writeFileSync(path(hidden), "");
    symlinkSync("/etc/hostname", path("task", "leak.onnx"));
    const found = (await modelFiles(served.folder)).map(({ name }) => name);
    expect(found.sort()).to.deep.equal(["layer", "run", "task.logprob", "task.sample"]);
    await served.look();
    expect(names()).to.deep.equal(["layer", "run", "task.logprob", "task.sample"]);
    expect((await served.send("/v2/models/run")).json.revort.solve).to.equal(true);
    expect(await answer("task.sample")).to.deep.equal(await answer("layer"));
  });

  it("go with their files", async () => {
    rmSync(path("task"), { recursive: true });
    await served.look();
    expect(names()).to.deep.equal(["layer", "run"]);
    expect((await served.send("/v2/models/task.sample")).status).to.equal(404);
  });

  it("become what their files become, unless that cannot be served", async () => {
    const before = await answer("layer");
    writeFileSync(path("layer.onnx"), "no model");
    await served.look();
    const { json } = await served.send("/v2/repository/index", {});
    expect(json.find(({ name }: { name: string }) => name === "layer")).to.deep.include({ state: "READY" });
    expect(json.find(({ name }: { name: string }) => name === "layer").reason).not.to.equal("");
    expect(await answer("layer")).to.deep.equal(before);
    writeFileSync(path("layer.onnx"), centred());
    await served.look();
    expect(await answer("layer")).to.deep.equal([0, 0, 0, 0, 0]);
    expect((await served.send("/v2/models/layer")).json.revort.shares).to.equal(false);
  });

  it("are refused with a reason where they never could be", async () => {
    writeFileSync(path("broken.onnx"), Buffer.from([8, 9, 10]));
    await served.look();
    const got = await served.send("/v2/models/broken");
    expect(got.status).to.equal(503);
    expect(got.json.error).to.contain("cannot be served");
    expect((await served.send("/v2/health/ready")).status).to.equal(200);
    rmSync(path("broken.onnx"));
  });

  it("have no name twice", async () => {
    copyFileSync(path("layer.onnx"), path("run.onnx"));
    await served.look();
    const state = served.models.find(({ name }) => name === "run")!;
    expect(state.reason).to.match(/field\.onnx and .*run\.onnx would have one name/);
    rmSync(path("run.onnx"));
    await served.look();
    expect(served.models.find(({ name }) => name === "run")).to.include({ state: "READY", reason: "" });
  });
});
