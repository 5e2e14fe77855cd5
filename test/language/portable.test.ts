import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { Random } from "../../src/core/random.js";
import { numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import { encodeFitSteps, encodePrediction, fitStart } from "../../src/deploy/model-file.js";
import type { Tensors } from "../../src/fields/field.js";
import { configurations, languageKinds } from "../../src/language/configuration.js";
import { cellModel, languageModel } from "../../src/language/language-model.js";
import { fit as trained } from "../../src/models/fit.js";
import { predict } from "../../src/models/measuring.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { encodeSafetensors } from "../../src/storage/safetensors.js";
import { distance } from "../support/distance.js";
import { missingModules, python } from "../support/python.js";

const running = `
import json, sys
import numpy as np, onnx, onnxruntime as ort
from safetensors.numpy import load_file
path, inputs, *updates = sys.argv[1:]
onnx.checker.check_model(path, full_check=True)
session = ort.InferenceSession(path)
given = load_file(inputs)
names = [o.name for o in session.get_outputs()]
taken = {i.name: given[i.name] for i in session.get_inputs()}
out = dict(zip(names, session.run(None, taken)))
print(json.dumps({name: value.astype(float).ravel().tolist() for name, value in out.items()}))
`;

const configuration = {
  ...configurations.tiny,
  ...{ vocabulary: 11, length: 5, width: 8, heads: 2, hidden: [12], dropout: 0.1 },
};

describe("language models in Python, without revort", () => {
  let folder = "";

  before(function () {
    const why = missingModules("onnx", "onnxruntime", "numpy", "safetensors");
    if (why !== null) {
      console.log(`      skipped: ${why}`);
      this.skip();
    }
    folder = mkdtempSync(join(tmpdir(), "revort-language-"));
  });
  after(() => {
    if (folder !== "") rmSync(folder, { recursive: true });
  });

  /** Checks a file by onnx, and runs it there. */
  function run(name: string, bytes: Uint8Array, inputs: Tensors): Record<string, number[]> {
    const [path, given] = [join(folder, `${name}.onnx`), join(folder, `${name}.safetensors`)];
    writeFileSync(path, bytes);
    writeFileSync(given, encodeSafetensors(inputs));
    const { ok, stdout, stderr } = python(running, path, given);
    expect(ok, stderr).to.equal(true);
    return JSON.parse(stdout);
  }

  const random = Random.seeded(8);
  const windows = (count: number) => ({
    tokens: tensor(
      "int64",
      [count, 5],
      Array.from({ length: 5 * count }, () => random.integer(11)),
    ),
    next: tensor(
      "int64",
      [count, 5],
      Array.from({ length: 5 * count }, () => random.integer(11)),
    ),
  });

  for (const kind of languageKinds) {
    it(`${kind}: the whole model and its training step say and do what they do here`, async () => {
      const runtime = await ortNode();
      const { model, task } = languageModel(kind, configuration);
      const data = windows(6);
      const options = { dtype: "float32", batchSize: 3, seed: 2 } as const;
      const { parameters, losses } = await trained(task, data, { ...options, runtime, steps: 2 });
      const { tokens } = windows(4);
      const own = await predict(model, { tokens }, { runtime, parameters, dtype: "float32" });
      const there = run(kind, encodePrediction(model, { parameters, dtype: "float32" }), { tokens });
      // another version of ONNX Runtime, in float32
      expect(distance(there.logits!, numbers(own.logits as Tensor))).to.be.below(1e-5);

      const start = fitStart(task, data, { ...options, updates: 2 });
      const steps = encodeFitSteps(task, data, { ...options, updates: 2 });
      const after = run(`${kind}-steps`, steps, start);
      expect(distance(after.losses!, losses)).to.be.below(1e-5);
      const name = "body.mlp0.weight".replace("body.", kind === "transformer" ? "body.0." : "body.");
      // AdamW divides by √v, which is small after two updates
      expect(distance(after[`next/parameters/${name}`]!, numbers(parameters[name]!))).to.be.below(1e-3);
    });
  }

  it("a cell gives f(z, x)", async () => {
    const model = cellModel(configuration);
    const whole = languageModel("revdeq", configuration);
    const runtime = await ortNode();
    const all = (await trained(whole.task, windows(1), { runtime, steps: 0 })).parameters;
    const parameters = Object.fromEntries(
      Object.keys(model.parameters).map((name) => [name, all[`body.${name}`]!]),
    );
    const state = () =>
      tensor(
        "float64",
        [2, 5, 8],
        Array.from({ length: 80 }, () => random.normal()),
      );
    const given = { z: state(), x: state() };
    const own = await predict(model, given, { runtime, parameters });
    const there = run("cell", encodePrediction(model, { parameters }), given);
    // numbers of order one, in float64
    expect(distance(there.f!, numbers(own.f as Tensor))).to.be.below(1e-13);
  });
});
