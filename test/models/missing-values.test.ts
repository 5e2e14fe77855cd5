import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { Random } from "../../src/core/random.js";
import { numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import { encodePrediction } from "../../src/deploy/model-file.js";
import { mse } from "../../src/learning/losses.js";
import { adam } from "../../src/learning/optimisers.js";
import { cdeSolve } from "../../src/models/cde-solve.js";
import { DatasetError } from "../../src/models/dataset.js";
// under another name: linters take a call of fit for a focused test
import { fit as trained } from "../../src/models/fit.js";
import { predict } from "../../src/models/measuring.js";
import { defineModel } from "../../src/models/model.js";
import { defineTask } from "../../src/models/task.js";
import { parametersOf, partOf } from "../../src/nn/layer.js";
import { linear, mlp } from "../../src/nn/linear.js";
import { gather } from "../../src/ops/slicing.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import type { ControlledField } from "../../src/systems/cde.js";
import { controlPath } from "../../src/systems/control-path.js";
import type { Interpolation } from "../../src/systems/interpolation.js";
import { pathCoefficients } from "../../src/systems/path-in-graph.js";
import { failure } from "../support/failure.js";
import { missingModules, python } from "../support/python.js";

const [samples, places, channels, hidden] = [6, 12, 3, 4];
const times = Array.from({ length: places }, (_, k) => k);
const kinds: readonly Interpolation[] = ["hermite", "natural", "linear", "rectilinear"];

/** Series of time and two waves, of which a third is missing; each begins with a value. */
function waves(seed: number): Tensor {
  const random = Random.seeded(seed);
  const rows = Array.from({ length: samples }, (_, i) =>
    times.map((t) => [
      t / places,
      ...[0, 1].map((c) =>
        t > 0 && random.uniform() < 0.33 ? Number.NaN : Math.sin((1 + 0.2 * i) * t * 0.5 + c),
      ),
    ]),
  );
  return tensor("float64", [samples, places, channels], rows.flat(2));
}

const inner = mlp([hidden, 8, hidden * channels]);
const field: ControlledField = {
  ...{ name: "F", hidden, channels, parameters: inner.parameters },
  apply: (b, theta, z) => inner.apply(b, theta, z),
};
const parts = { initial: linear(4 * channels, hidden), field, readout: linear(hidden, 1) };

/** Reads a wave, as raw series or as the coefficients of a path made beforehand. */
function modelOf(kind: Interpolation, missing: boolean | "beforehand") {
  const { knots } = controlPath(times, waves(0), { interpolation: kind });
  return defineModel({
    ...{ name: "reader", ...parametersOf(parts) },
    inputs: {
      x:
        missing === "beforehand"
          ? { shape: [knots.length - 1, 4 * channels] }
          : { shape: [places, channels], missing },
    },
    apply(b, theta, { x }, training) {
      const coefficients =
        missing === "beforehand" ? x : pathCoefficients(b, times, x, kind, { missing }).coefficients;
      const z0 = parts.initial.apply(b, partOf(theta, "initial"), gather(b, coefficients, 0, 1));
      const own = { knots, coefficients, theta: partOf(theta, "field"), z0, training };
      const zs = cdeSolve(b, { field, method: "midpoint", stepSize: 1 }, own);
      return { y: parts.readout.apply(b, partOf(theta, "readout"), gather(b, zs, 0)) };
    },
  });
}

function taskOf(kind: Interpolation, missing: boolean | "beforehand") {
  return defineTask({
    model: modelOf(kind, missing),
    targets: { y_: { shape: [1] } },
    loss: (b, { outputs, targets }) => mse().apply(b, outputs.y, targets.y_, null),
  });
}

const targets = { y_: tensor("float64", [samples, 1], [0, 1, 0, 1, 0.5, 0.2]) };
const fitted = (kind: Interpolation, missing: boolean | "beforehand", x: Tensor) =>
  trained(
    taskOf(kind, missing),
    { x, ...targets },
    {
      ...{ runtime: jit(), steps: 4, batchSize: samples, optimiser: adam({ learningRate: 0.01 }) },
    },
  );

describe("a model of a controlled equation that is given raw series with missing values", () => {
  for (const kind of kinds) {
    it(`learns what one of paths made beforehand learns: ${kind}`, async () => {
      const beforehand = controlPath(times, waves(1), { interpolation: kind }).coefficients;
      const [own, other] = [await fitted(kind, true, waves(1)), await fitted(kind, "beforehand", beforehand)];
      expect(own.losses[3]).to.be.below(own.losses[0]!);
      own.losses.forEach((loss, i) => {
        expect(loss / other.losses[i]!).to.be.closeTo(1, 1e-10);
      });
    });
  }

  it("says where to say that values are missing, and takes nothing infinite for it", async () => {
    const error = await failure(fitted("linear", false, waves(1)), DatasetError);
    expect(error.message).to.match(/have NaN in "x" of sample 0\. .*say missing: true of that array\.$/);
    const infinite = waves(1);
    (infinite.data as Float64Array)[4] = Number.POSITIVE_INFINITY;
    const other = await failure(fitted("linear", true, infinite), DatasetError);
    expect(other.message).to.include('have Infinity in "x" of sample 0. Let what was not observed be NaN.');
  });

  it("runs in Python's onnxruntime from a file, on raw series", async function () {
    const none = missingModules("onnxruntime", "numpy");
    if (none !== null) return this.skip();
    const folder = mkdtempSync(join(tmpdir(), "revort-missing-"));
    try {
      for (const kind of kinds) {
        const { parameters } = await fitted(kind, true, waves(1));
        const model = modelOf(kind, true);
        const path = join(folder, `${kind}.onnx`);
        writeFileSync(path, encodePrediction(model, { parameters }));
        const x = waves(2);
        const expected = await predict(model, { x }, { runtime: jit(), parameters });
        const given = numbers(x).map((value) => (Number.isNaN(value) ? null : value));
        const { ok, stdout, stderr } = python(
          `
import json, sys
import numpy as np, onnxruntime as ort
x = np.array(json.loads(sys.argv[2]), dtype=np.float64).reshape(${samples}, ${places}, ${channels})
assert np.isnan(x).any()
print(json.dumps(ort.InferenceSession(sys.argv[1]).run(["y"], {"x": x})[0].ravel().tolist()))
`,
          path,
          JSON.stringify(given),
        );
        expect(ok, stderr).to.equal(true);
        (JSON.parse(stdout) as number[]).forEach((y, i) => {
          expect(y, kind).to.be.closeTo(numbers(expected.y)[i]!, 1e-12);
        });
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
