import { expect } from "chai";
import { exitCodes } from "../../src/cli/exit-codes.js";
import type { RuntimeReport } from "../../src/cli/runtime-report.js";
import { runtimeNames } from "../../src/cli/runtimes.js";
import { RuntimeUnavailableError } from "../../src/runtime/runtime.js";
import { ortCuda } from "../../src/runtimes/ort-cuda.js";
import { failure } from "../support/failure.js";
import { run } from "./command.js";

describe("which runtimes work here", () => {
  let reports: readonly RuntimeReport[];
  before(async () => {
    const { code, stdout } = await run(["inspect", "--runtimes", "--json"]);
    expect(code).to.equal(exitCodes.done);
    reports = JSON.parse(stdout).runtimes;
  });
  const of = (name: string) => reports.find(({ runtime }) => runtime === name)!;

  it("is told of every runtime that commands take, as JSON alone", () => {
    expect(reports.map(({ runtime }) => runtime)).to.deep.equal(runtimeNames);
  });

  it("says in which float types each computes, and in which version", () => {
    for (const name of ["auto", "jit", "ort-cpu", "ort-wasm"]) {
      expect(of(name)).to.include({ works: true, reason: null });
      expect(of(name).dtypes).to.deep.equal(["float32", "float64"]);
      expect(of(name).version).to.match(/\d/);
    }
    for (const name of ["tfjs-cpu", "tfjs-wasm"]) {
      expect(of(name)).to.include({ works: true, version: "4.22.0" });
      expect(of(name).dtypes).to.deep.equal(["float32"]);
    }
  });

  it("says of each that does not what to do", () => {
    for (const { works, version, reason } of reports) {
      if (works) continue;
      expect(version).to.equal(null);
      expect(reason).to.match(/It needs|Install|Without it|copy them/);
    }
    expect(of("tfjs-webgl").reason).to.contain("there is no browser").and.contain("tfjs-wasm");
  });

  it("is not asked for together with a file", async () => {
    const { code, stderr } = await run(["inspect", "field.onnx", "--runtimes"]);
    expect(code).to.equal(exitCodes.wrongRequest);
    expect(stderr).to.contain("--runtimes");
  });
});

describe("ONNX Runtime on CUDA", () => {
  it("is an error where it is not there, which says what is missing", async function () {
    const opened = await ortCuda().catch((cause: unknown) => cause);
    if (!(opened instanceof Error)) this.skip();
    expect(opened).to.be.instanceOf(RuntimeUnavailableError);
    expect((opened as Error).message)
      .to.match(/^ort-cuda does not work here: /)
      .and.match(/libonnxruntime_providers_cuda\.so|CUDA provider/);
    const { code, stderr } = await run(["train", "influenza", "--runtime", "ort-cuda", "--steps", "1"]);
    expect(code).to.equal(exitCodes.failed);
    expect(stderr).to.contain("ort-cuda does not work here");
    await failure(ortCuda(), RuntimeUnavailableError);
  });
});
