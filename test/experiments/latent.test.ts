import { expect } from "chai";
import { numbers, type Tensor } from "../../src/core/tensor.js";
import { irregularPeriodic } from "../../src/experiments/irregular-periodic.js";
import { latentSpirals } from "../../src/experiments/latent-spirals.js";
import { periodicSeries } from "../../src/experiments/periodic-series.js";
import { seenAngle, spiralPieces } from "../../src/experiments/spiral-paths.js";
import { spiralPath, spirals } from "../../src/experiments/spirals.js";
import { takeSamples } from "../../src/models/dataset.js";
import { fit as trainedOn } from "../../src/models/fit.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { scratch, written } from "../cli/command.js";
import { bareSession } from "../deploy/bare.js";
import { missingModules, python } from "../support/python.js";
import { prepared } from "./prepared.js";

const runtime = jit();

describe("experiments with latent variables", () => {
  const folder = scratch();
  for (const experiment of [latentSpirals, irregularPeriodic, spirals]) {
    it(`learn, draw and write models that run by themselves: ${experiment.name}`, async () => {
      const { task, training, files, charts, findings } = await prepared(experiment);
      const few = takeSamples(training, [0, 1, 2, 3, 4, 5, 6, 7]);
      const { protocol } = experiment;
      const result = await trainedOn(task, few, { runtime, steps: 12, batchSize: 8, dtype: protocol.dtype });
      expect(result.losses.at(-1)).to.be.below(result.losses[0]!);
      const trained = { runtime, dtype: protocol.dtype, ...result.best };
      expect(Object.keys((await charts?.(trained)) ?? {})).to.have.length(1);
      for (const found of Object.values((await findings?.(trained)) ?? {})) expect(found).to.be.finite;
      for (const [name, bytes] of Object.entries(files(trained))) {
        const session = await bareSession(bytes);
        if (name === "field.onnx") continue;
        const inputs = Object.fromEntries(
          Object.keys(task.model.inputs).map((key) => [key, few[key] as Tensor]),
        );
        const outputs = await session.run(inputs);
        for (const [key, value] of Object.entries(outputs)) {
          expect(value.shape[0], key).to.equal(8);
          expect(numbers(value).every(Number.isFinite), key).to.equal(true);
        }
      }
    });
  }

  it("write models that Python's onnxruntime runs: of a series by itself what it says of it among others", async function () {
    const missing = missingModules("onnxruntime", "numpy");
    if (missing !== null) {
      console.log(`      skipped: ${missing}`);
      this.skip();
    }
    const { task, training, files } = await prepared(latentSpirals);
    const few = takeSamples(training, [0, 1, 2, 3]);
    const { best } = await trainedOn(task, few, { runtime, steps: 0, dtype: "float32" });
    const path = written(
      folder("predict.onnx"),
      files({ runtime, dtype: "float32", ...best })["predict.onnx"]!,
    );
    const script = `
import sys, numpy as np, onnxruntime as ort
session, random = ort.InferenceSession(sys.argv[1]), np.random.default_rng(0)
values = random.standard_normal((5, 30, 2)).astype(np.float32)
times = np.sort(random.random((5, 30)).astype(np.float32), 1)
run = lambda k: session.run(["ode", "rnnBeyond"], dict(values=values[:k], times=times[:k]))
print([x.shape for x in run(5)], max(np.abs(a[:1] - c).max() for a, c in zip(run(5), run(1))) < 1e-4)`;
    expect(python(script, path)).to.deep.include({
      ok: true,
      stdout: "[(5, 200, 2), (5, 100, 2)] True\n",
    });
  });

  it("see spirals at times of their own, with noise of 0.3", () => {
    const { values, times, truth } = spiralPieces(40, { observed: 30, seed: 0, dtype: "float64" });
    const [t, x, exact] = [numbers(times!), numbers(values!), numbers(truth!)];
    expect(Math.max(...t)).to.be.below(seenAngle);
    // each observation beside the nearest of the points that are compared, a hundredth of a turn of some radius of 5 apart
    const distances = t.map((time, i) => {
      const [spiral, near] = [Math.floor(i / 30), Math.round((time / seenAngle) * 100) - 1];
      return near < 0 ? 0 : x[2 * i]! - exact[(spiral * 200 + near) * 2]!;
    });
    const variance = distances.reduce((sum, d) => sum + d * d, 0) / distances.length;
    expect(Math.sqrt(variance)).to.be.within(0.27, 0.33);
  });

  it("see half of each wave, at times of its own", () => {
    const { mask, values, times, seenTimes, seenValues } = periodicSeries(10, { seed: 0, dtype: "float64" });
    const kept = (of: Tensor) => numbers(of).filter((_, i) => numbers(mask!)[i] === 1);
    expect(kept(times!)).to.deep.equal(numbers(seenTimes!));
    expect(kept(values!)).to.deep.equal(numbers(seenValues!));
    expect(numbers(seenTimes!)).to.have.length(500);
  });

  it("turn the spiral inwards: r⁴ falls as its equation has it", () => {
    // d(x⁴ + y⁴)/dt = −0.4 (x⁶ + y⁶) along y' = Aᵀ y³, by the trapezoidal rule
    const path = spiralPath();
    const sum = (power: number, i: number) => path[i]![0] ** power + path[i]![1] ** power;
    let integral = 0;
    for (let i = 1; i < path.length; i++) integral += ((sum(6, i) + sum(6, i - 1)) / 2) * (25 / 999);
    // its error is h²/12 of second derivatives in the hundreds at the start
    expect(sum(4, 999) - sum(4, 0)).to.be.closeTo(-0.4 * integral, 0.05);
  });
});
