import { readdirSync } from "node:fs";
import { expect } from "chai";
import { readJson, run, scratch } from "../cli/command.js";
import { missingModules, python } from "../support/python.js";

describe("revort train turbulence", () => {
  const folder = scratch();

  it("follows the flow by each model, and writes a sampler that Python's onnxruntime runs", async function () {
    this.timeout(300_000);
    const place = folder("flow");
    const words = ["--steps", "2", "--batch-size", "4", "--runtime", "jit", "--json", "--out", place];
    const { code, stdout, stderr } = await run(["train", "turbulence", ...words]);
    expect(code, stderr).to.equal(0);
    const report = JSON.parse(stdout);
    expect(report).to.deep.equal(readJson(`${place}/result.json`));
    const { models } = report.findings;
    expect(Object.keys(models)).to.deep.equal(["whole flow", "not closed", "network", "latent SDE"]);
    expect(models["whole flow"]).to.deep.include({ spectrumOff: 0, flatnessOff: 0, finite: 16 });
    // energy stays in what is not closed
    expect(models["not closed"].spectrumOff).to.be.above(0.5);
    expect(readdirSync(place)).to.include.members([
      "sample.onnx",
      "reconstruct.onnx",
      "turbulence.svg",
      "turbulence.png",
    ]);
    const missing = missingModules("onnxruntime", "numpy");
    if (missing !== null) {
      console.log(`      skipped: ${missing}`);
      this.skip();
    }
    const script = `
import sys, numpy as np, onnxruntime as ort
u = np.random.default_rng(0).standard_normal((3, 12)).astype(np.float32)
run = lambda seeds: ort.InferenceSession(sys.argv[1]).run(None, {"u0": u, "seed": np.array(seeds)})[0]
one, same, other = run([1, 2, 3]), run([1, 2, 3]), run([4, 5, 6])
print(one.shape, (one == same).all(), (one != other).any())`;
    expect(python(script, `${place}/sample.onnx`)).to.deep.include({
      ok: true,
      stdout: "(3, 8, 12) True True\n",
    });
  });
});
