import { expect } from "chai";
import { numbers, tensor } from "../../src/core/tensor.js";
import { inGroups } from "../../src/learning/groups.js";
import { sgd } from "../../src/learning/optimisers.js";
// under another name: linters take a call of fit for a focused test
import { fit as trained } from "../../src/models/fit.js";
import { defineModel } from "../../src/models/model.js";
import { defineTask } from "../../src/models/task.js";
import { mul, sub } from "../../src/ops/arithmetic.js";
import { clip } from "../../src/ops/extrema.js";
import { reduceMean } from "../../src/ops/reduce.js";
import { jit } from "../../src/runtimes/jit/jit.js";

describe("groups of parameters", () => {
  it("go other ways, at other rates, and within bounds, by one gradient", async () => {
    const one = { shape: [], initial: () => [1] };
    const model = defineModel({
      name: "game",
      parameters: { low: one, "high.fast": one, "high.bound": one },
      inputs: { x: { shape: [] } },
      apply: (b, theta, { x }) => ({
        score: sub(b, mul(b, x, theta.low!), mul(b, mul(b, x, theta["high.fast"]!), theta["high.bound"]!)),
      }),
    });
    const task = defineTask({ model, targets: {}, loss: (b, { outputs }) => reduceMean(b, outputs.score) });
    const optimiser = inGroups(sgd({ learningRate: 0.1 }), [
      { match: (name) => name === "high.bound", ascends: true, project: (b, p) => clip(b, p, 0.95, 1) },
      { match: (name) => name.startsWith("high."), ascends: true, rate: 3 },
    ]);
    const { parameters } = await trained(
      task,
      { x: tensor("float64", [1], [2]) },
      { runtime: jit(), steps: 1, optimiser },
    );
    // L = 2 low − 2 fast bound: low falls by 0.1 · 2; fast rises by 0.3 · (−2), bound by 0.1 · (−2) into [0.95, 1]
    const found = Object.fromEntries(
      Object.entries(parameters).map(([name, value]) => [name, numbers(value)[0]]),
    );
    expect(found.low).to.be.closeTo(0.8, 1e-15);
    expect(found["high.fast"]).to.be.closeTo(0.4, 1e-15);
    expect(found["high.bound"]).to.equal(0.95);
  });
});
