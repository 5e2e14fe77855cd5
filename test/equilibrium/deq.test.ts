import { expect } from "chai";
import { OptionError } from "../../src/core/options.js";
import { Random } from "../../src/core/random.js";
import { tensor } from "../../src/core/tensor.js";
import { anderson } from "../../src/equilibrium/anderson.js";
import { type DeqOptions, deq } from "../../src/equilibrium/deq.js";
import { reversibleIteration } from "../../src/equilibrium/reversible.js";
import { Builder } from "../../src/graph/builder.js";
import { mse } from "../../src/learning/losses.js";
import { sgd } from "../../src/learning/optimisers.js";
import { fit as fitted } from "../../src/models/fit.js";
import { defineModel } from "../../src/models/model.js";
import { defineTask } from "../../src/models/task.js";
import { parametersOf, partOf } from "../../src/nn/layer.js";
import { linear } from "../../src/nn/linear.js";
import { sequential } from "../../src/nn/sequential.js";
import { add } from "../../src/ops/arithmetic.js";
import { tanh } from "../../src/ops/trigonometry.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import type { UpdateReport } from "../../src/train/run.js";

const width = 4;
const parts = { w: linear(width, width), u: linear(2, width) };
/** tanh(W z + U x) of a state that is wider than x */
const cell = {
  ...parametersOf(parts),
  apply: (b: Builder, theta: Parameters<typeof partOf>[0], z: ReturnType<typeof tanh>, x: typeof z) =>
    tanh(b, add(b, parts.w.apply(b, partOf(theta, "w"), z), parts.u.apply(b, partOf(theta, "u"), x))),
};

const random = Random.seeded(3);
const samples = 12;
const draw = (n: number) => Array.from({ length: n }, () => random.normal());
const data = {
  x: tensor("float64", [samples, 2], draw(2 * samples)),
  y: tensor("float64", [samples, 1], draw(samples)),
};

/** Trains a layer with a readout, and says what was seen of each update. */
async function trained(options: DeqOptions, parts_: number | null = null) {
  const layer = sequential(deq(cell, { shape: [width], ...options }), linear(width, 1));
  const task = defineTask({
    model: defineModel({
      name: "layer",
      ...layer,
      inputs: { x: { shape: [2] } },
      apply: (b, theta, { x }, training) => ({ y_: layer.apply(b, theta, x, training) }),
    }),
    targets: { y: { shape: [1] } },
    loss: (b, { outputs, targets }) => mse().apply(b, outputs.y_, targets.y, null),
  });
  const updates: UpdateReport[] = [];
  const { losses, notes } = await fitted(task, data, {
    ...{ runtime: jit(), steps: 5, batchSize: samples, optimiser: sgd({ learningRate: 0.5 }) },
    ...(parts_ === null ? {} : { parts: parts_ }),
    onUpdate: (update) => void updates.push(update),
  });
  return { losses, notes, updates };
}

describe("deq", () => {
  const reversible = reversibleIteration({ relaxation: 0.8 });

  it("is a layer with the parameters of its cell, whose state may have another shape than x", async () => {
    const layer = deq(cell, { shape: [width] });
    expect(layer.parameters).to.have.keys("w.weight", "w.bias", "u.weight", "u.bias");
    const { losses } = await trained({ stop: { rtol: 1e-9, maxSteps: 50 } });
    expect(losses.at(-1)).to.be.below(losses[0]!);
  });

  it("trains the same by every solver and gradient that converges", async () => {
    const stop = { rtol: 1e-13, maxSteps: 200 };
    const known = (await trained({ solver: anderson(), stop })).losses;
    for (const [options, tolerance] of [
      [{ solver: reversibleIteration({ relaxation: 0.5 }), gradient: "direct" }, 1e-10],
      [{ solver: reversibleIteration({ relaxation: 0.5 }), gradient: "reversible:10" }, 1e-10],
      [{ solver: anderson(), gradient: "direct" }, 1e-9],
    ] as const) {
      const { losses } = await trained({ ...options, stop });
      for (const [i, loss] of losses.entries()) expect(loss).to.be.closeTo(known[i]!, tolerance);
    }
  });

  it("reports in each update how far z was from a fixed point, and how far states came back", async () => {
    const rough = (await trained({ solver: reversible, stop: { rtol: 0, atol: 0, maxSteps: 2 } })).updates;
    for (const { residual, reconstructionError } of rough) {
      expect(residual).to.be.within(1e-3, 1);
      expect(reconstructionError).to.be.within(1e-18, 1e-12);
    }
    const fine = (await trained({ stop: { rtol: 1e-9, maxSteps: 60 } })).updates;
    for (const { residual } of fine) expect(residual).to.be.within(1e-14, 1e-9);
    // the worst of the parts of a batch is that of the batch
    const split = (await trained({ solver: reversible, stop: { rtol: 0, atol: 0, maxSteps: 2 } }, 3)).updates;
    expect(split[0]!.residual).to.be.closeTo(rough[0]!.residual!, 1e-12);
  });

  it("stores states closer where undoing loses them, says so, and has the losses of stored steps", async () => {
    const options = { solver: reversible, stop: { rtol: 0, atol: 0, maxSteps: 24 } };
    const { losses, notes, updates } = await trained(options);
    // before anything is done, that there are more steps than can be undone; then what was made of that
    expect(notes[0]).to.include({ code: "undoing", step: 0 });
    expect(notes[0]!.message).to.match(/Undoing 24 steps .* in float64, no more than 13 can be relied on/);
    expect(notes[1]).to.include({ code: "refresh" });
    expect(notes[1]!.message).to.match(/states stored closer \(gradient reversible:\d+\)/);
    for (const { reconstructionError } of updates) expect(reconstructionError).to.be.below(1e-6);
    const known = (await trained({ ...options, gradient: "direct" })).losses;
    for (const [i, loss] of losses.entries()) expect(loss).to.be.closeTo(known[i]!, 1e-8);
  });

  it("refuses options that it has not", () => {
    expect(() => deq(cell, { tolerance: 1e-3 } as object)).to.throw(OptionError, /say stop: \{ rtol \}/);
    expect(() => deq(cell, { z0: null } as object)).to.throw(OptionError, /fixedPoint takes a z0/);
    const b = new Builder();
    const x = b.input("x", "float64", [2, 2]);
    const theta = Object.fromEntries(
      Object.entries(cell.parameters).map(([name, { shape }]) => [name, b.input(name, "float64", shape)]),
    );
    // without a shape the state has that of x, which W does not take
    expect(() => deq(cell).apply(b, theta, x)).to.throw(/linear\(4, 4\) takes \[\.\.\., 4\]/);
  });
});
