import { expect } from "chai";
import { numbers, tensor } from "../../src/core/tensor.js";
import { decodeCheckpoint, encodeCheckpoint } from "../../src/deploy/checkpoint-file.js";
import { ReconstructionError } from "../../src/gradients/reconstruction-limit.js";
import { TrainingError } from "../../src/gradients/training-error.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { mse } from "../../src/learning/losses.js";
import { adamw, sgd } from "../../src/learning/optimisers.js";
import { reversible } from "../../src/methods/reversible.js";
import { midpoint, rk4 } from "../../src/methods/tableaux.js";
// under another name: linters take a call of fit for a focused test
import { type FitOptions, type FitResult, fit as trained } from "../../src/models/fit.js";
import { defineModel } from "../../src/models/model.js";
import { odeSolve } from "../../src/models/ode-solve.js";
import { defineTask } from "../../src/models/task.js";
import { mul, sub } from "../../src/ops/arithmetic.js";
import { sqrt } from "../../src/ops/elementwise.js";
import { reduceMean } from "../../src/ops/reduce.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import type { Checkpoint } from "../../src/train/checkpoint.js";
import { failure } from "../support/failure.js";

const times = [0.5, 1, 2, 30];

/** y' = a (y − 1), whose solution from y0 is 1 + (y0 − 1) e^(a t), solved by steps that are undone. */
function relaxing(coupling: number, gradient: "reversible" | "direct") {
  const ode = neuralOde({
    field: {
      name: "relaxing",
      state: ["batch", 1],
      parameters: { a: { shape: [], initial: () => [-0.3] } },
      apply: (b, theta, _t, y) => mul(b, theta.a!, sub(b, y, 1)),
    },
    method: reversible(coupling === 1e-20 ? midpoint : rk4, { coupling }),
    stepSize: coupling === 1e-20 ? 0.5 : 0.04,
  });
  return defineTask({
    model: defineModel({
      name: "relaxing",
      parameters: ode.field.parameters,
      inputs: { y0: { shape: [1] } },
      apply: (b, theta, { y0 }, training) => ({
        ys: odeSolve(b, ode, { theta, y0, t0: 0, times, gradient, training }),
      }),
    }),
    targets: { ys_: { shape: [times.length] } },
    loss: (b, { outputs, targets }) =>
      // one trajectory: [times, 1, 1] and [1, times]
      mse().apply(b, reduceMean(b, outputs.ys, [1, 2]), reduceMean(b, targets.ys_, [0]), null),
  });
}

const data = {
  y0: tensor("float64", [1, 1], [2]),
  ys_: tensor(
    "float64",
    [1, times.length],
    times.map((t) => 1 + Math.exp(-1.2 * t)),
  ),
};

const values = ({ checkpoint: { seconds: _, trained: now, memory, best: __, ...rest } }: FitResult) => ({
  ...rest,
  trained: Object.values(now).map(numbers),
  memory: Object.values(memory).map(numbers),
});

describe("a solve inside a model whose states do not come back by undoing its steps", () => {
  const run = (gradient: "reversible" | "direct", options: Partial<FitOptions> = {}) =>
    trained(relaxing(0.99, gradient), data, {
      ...{ runtime: jit(), steps: 45, optimiser: adamw({ learningRate: 0.05, weightDecay: 0 }) },
      ...options,
    });

  it("stores states from the update on that needed them, says so, and goes the way of stored steps", async () => {
    const errors: (number | null)[] = [];
    const [undone, stored] = [
      await run("reversible", {
        onUpdate: ({ reconstructionError }) => void errors.push(reconstructionError),
      }),
      await run("direct"),
    ];
    const [note] = undone.notes;
    expect(note).to.include({ code: "refresh" });
    // the rounding of 750 steps grows by e^(−30 a) on the way back: past 1e−6 at a = −0.8, learned at 0.05 an update
    expect(note!.step).to.be.within(2, 44);
    expect(note!.message)
      .to.include(`At update ${note!.step + 1}: Undoing the steps of a solve`)
      .and.match(/\(gradient reversible:\d+\)/);
    for (const error of errors) expect(error).to.be.within(0, 1e-6);
    for (const [i, loss] of stored.losses.entries()) expect(undone.losses[i]! / loss).to.be.closeTo(1, 1e-5);
  });

  it("gives to the bit what one update at a time gives, and what goes on from a file of any update", async () => {
    const kept: Checkpoint[] = [];
    const one = await run("reversible", {
      updatesPerRun: 1,
      onUpdate: async ({ checkpoint }) => {
        kept.push(decodeCheckpoint(encodeCheckpoint(await checkpoint()), "kept"));
      },
    });
    expect(values(await run("reversible", { updatesPerRun: 16 }))).to.deep.equal(values(one));
    const { step } = one.notes[0]!;
    for (const at of [step - 1, step, step + 2]) {
      const further = await run("reversible", { resume: kept[at - 1]! });
      expect(values(further), `from update ${at}`).to.deep.equal(values(one));
    }
  });

  it("is refused, with the update, where not one step can be undone", async () => {
    const error = await failure(
      trained(relaxing(1e-20, "reversible"), data, { runtime: jit(), steps: 3 }),
      ReconstructionError,
    );
    expect(error.message)
      .to.match(/^At update 1: /)
      .and.include("lost within a single step");
  });
});

describe("a loss of a model that is not finite", () => {
  it("names λ where solves are coupled, and what to do", async () => {
    // it damps by 50 · 0.04 = 2 in a step, and is to damp by 0.01 at most
    const from = { a: tensor("float64", [], [-50]) };
    const message = async (coupling: number) => {
      const options = { runtime: jit(), steps: 2, parameters: from } as const;
      return (await failure(trained(relaxing(coupling, "direct"), data, options), TrainingError)).message;
    };
    expect(await message(0.99))
      .to.match(/^At update 1: the loss is not finite/)
      .and.include("rk4 with λ = 0.99 and steps of 0.04")
      .and.include("more than −ln λ = 0.01 in a step")
      .and.include("a smaller λ");
  });
});

describe("a gradient of a model that is not finite", () => {
  it("names the parameter, the operator and what to do", async () => {
    const rooted = defineTask({
      model: defineModel({
        name: "rooted",
        parameters: { a: { shape: [], initial: () => [0] }, c: { shape: [], initial: () => [1] } },
        inputs: { x: { shape: [1] } },
        // d√a/da is infinite at a = 0
        apply: (b, theta, { x }) => ({ y: mul(b, mul(b, x, theta.c!), sqrt(b, theta.a!)) }),
      }),
      targets: { y_: { shape: [1] } },
      loss: (b, { outputs, targets }) => mse().apply(b, outputs.y, targets.y_, null),
    });
    const one = { x: tensor("float64", [2, 1], [1, 2]), y_: tensor("float64", [2, 1], [1, 2]) };
    for (const batchSize of [1, 2]) {
      const error = await failure(
        trained(rooted, one, { runtime: jit(), steps: 2, batchSize, optimiser: sgd() }),
        TrainingError,
      );
      expect(error.message)
        .to.match(/^At update 1: the gradient of "a" is not finite although the loss is \(/)
        .and.include("arises in Sqrt, for its slope is infinite at 0")
        .and.include("an epsilon under the root");
    }
  });
});
