import { expect } from "chai";
import { RevortError } from "../../src/core/errors.js";
import { Random } from "../../src/core/random.js";
import { numbers, ShapeError, scalar, type Tensor, tensor } from "../../src/core/tensor.js";
import type { Tensors, VectorField } from "../../src/fields/field.js";
import { mlp } from "../../src/fields/mlp.js";
import { lotkaVolterra } from "../../src/fields/physical.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { DivergenceError, ParameterError, solve } from "../../src/integrate/solve.js";
import { adamw, optimisers, sgd } from "../../src/learning/optimisers.js";
import { cosine } from "../../src/learning/schedules.js";
import { reversible } from "../../src/methods/reversible.js";
import { euler, midpoint, rk4 } from "../../src/methods/tableaux.js";
import { mul } from "../../src/ops/arithmetic.js";
import { sqrt } from "../../src/ops/elementwise.js";
import { TimeError } from "../../src/programs/grid.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import type { Checkpoint } from "../../src/train/checkpoint.js";
import { TrainingDataError, type Trajectories } from "../../src/train/data.js";
import { TrainingError, type TrainOptions, type TrainResult, train } from "../../src/train/train.js";
import { failure } from "../support/failure.js";
import { squaring } from "../support/fields.js";

const field = mlp({ dim: 2, hidden: [6] });
const ode = neuralOde({ field, method: reversible(midpoint), stepSize: 0.1 });
const times = [0.2, 0.5, 1, 1.5];

/** Five trajectories of a linear spiral, every seventh value missing. */
function spirals(): Trajectories {
  const random = Random.seeded(6);
  const starts = Array.from({ length: 5 }, () => [random.normal(), random.normal()] as const);
  const at = (t: number) =>
    starts.flatMap(([x, y]) => {
      const [c, s, decay] = [Math.cos(2 * t), Math.sin(2 * t), Math.exp(-t / 5)];
      return [decay * (c * x - s * y), decay * (s * x + c * y)];
    });
  return {
    t0: 0,
    times,
    y0: tensor("float64", [5, 2], at(0)),
    observations: tensor(
      "float64",
      [times.length, 5, 2],
      times.flatMap(at).map((value, i) => (i % 7 === 3 ? Number.NaN : value)),
    ),
  };
}

const values = (tensors: Tensors) =>
  Object.fromEntries(Object.entries(tensors).map(([name, value]) => [name, numbers(value)]));

/** Equal to the bit, times apart. */
function expectSameRun(actual: TrainResult, expected: TrainResult): void {
  expect(actual.losses).to.deep.equal(expected.losses);
  expect(values(actual.parameters)).to.deep.equal(values(expected.parameters));
  expect(numbers(actual.y0)).to.deep.equal(numbers(expected.y0));
  const stateOf = ({ checkpoint: { trained, memory, sampler, step, best } }: TrainResult) => ({
    trained: values(trained),
    memory: values(memory),
    sampler,
    step,
    best: { ...best, trained: values(best.trained) },
  });
  expect(stateOf(actual)).to.deep.equal(stateOf(expected));
}

describe("training", () => {
  let runtime: Runtime;
  before(async () => {
    runtime = await ortNode();
  });
  const run = (options: Partial<TrainOptions> = {}, data = spirals()) =>
    train(ode, data, { runtime, steps: 20, optimiser: adamw({ learningRate: 0.05 }), ...options });

  it("lowers the loss, and says so after each update", async () => {
    const seen: { step: number; loss: number; learningRate: number; gradientNorm: number }[] = [];
    const result = await run({
      steps: 60,
      onUpdate: ({ step, loss, learningRate, gradientNorm }) => {
        seen.push({ step, loss, learningRate, gradientNorm });
      },
    });
    expect(result.losses.at(-1)).to.be.below(0.2 * result.losses[0]!);
    expect(result.losses.length).to.equal(60);
    expect(seen.map(({ step }) => step)).to.deep.equal(Array.from({ length: 60 }, (_, i) => i + 1));
    expect(seen.map(({ loss }) => loss)).to.deep.equal(result.losses);
    for (const { learningRate, gradientNorm } of seen) {
      expect(learningRate).to.equal(0.05);
      expect(gradientNorm).to.be.above(0);
    }
    expect(result.stopped).to.equal("done");
  });

  it("finds the numbers that made the data", async () => {
    const truth = lotkaVolterra({ alpha: 1.1, beta: 0.4, delta: 0.1, gamma: 0.4 });
    const made = neuralOde({ field: truth, method: rk4, stepSize: 0.125 });
    const parameters = Object.fromEntries(
      Object.entries(truth.parameters).map(([name, { initial }]) => [
        name,
        tensor("float64", [], initial(Random.seeded(0))),
      ]),
    );
    const at = Array.from({ length: 20 }, (_, i) => (i + 1) / 4);
    const y0 = tensor("float64", [1, 2], [10, 5]);
    const { ys } = await solve(made, { runtime, parameters, y0, t0: 0, saveAt: at });
    const guess = lotkaVolterra({ alpha: 1, beta: 0.5, delta: 0.12, gamma: 0.5 });
    const result = await train(
      { ...made, field: guess },
      { t0: 0, times: at, y0, observations: ys },
      {
        runtime,
        steps: 500,
        optimiser: adamw({ learningRate: 0.03, weightDecay: 0 }),
        schedule: cosine({ steps: 500 }),
      },
    );
    // the loss is zero at the truth, so only the optimiser keeps from it
    for (const [name, value] of Object.entries(values(parameters))) {
      expect(values(result.parameters)[name]![0]! / value[0]!).to.be.closeTo(1, 1e-3);
    }
  });

  it("gives the same losses for the same seed, to the bit, and others for another", async () => {
    const [first, second, other] = [
      await run({ seed: 4, batchSize: 2 }),
      await run({ seed: 4, batchSize: 2 }),
      await run({ seed: 5, batchSize: 2 }),
    ];
    expectSameRun(second, first);
    expect(other.losses[0]).not.to.equal(first.losses[0]);
  });

  const resumptions: Record<string, Partial<TrainOptions>> = {
    "on all trajectories": {},
    "on mini-batches": { batchSize: 2 },
    "with a schedule and clipped gradients": { schedule: cosine({ steps: 12, warmup: 3 }), clip: 0.1 },
    "with momentum": { optimiser: sgd({ learningRate: 0.02, momentum: 0.9 }) },
    "of rmsprop": { optimiser: optimisers.rmsprop({ learningRate: 0.01 }) },
    "of the initial states as well": { trainY0: true },
    "by stored steps": { gradient: "direct" },
  };
  for (const [what, options] of Object.entries(resumptions)) {
    it(`goes on from any update as if it had never stopped, ${what}`, async () => {
      const checkpoints: Checkpoint[] = [];
      const whole = await run({
        ...options,
        steps: 12,
        seed: 2,
        onUpdate: async ({ checkpoint }) => {
          checkpoints.push(await checkpoint());
        },
      });
      expect(checkpoints.length).to.equal(12);
      for (const k of [1, 5, 11]) {
        const resumed = await run({ ...options, steps: 12, seed: 99, resume: checkpoints[k - 1]! });
        expectSameRun(resumed, whole);
      }
    });
  }

  it("leaves a checkpoint alone when it goes on from it", async () => {
    const { checkpoint } = await run({ steps: 3, batchSize: 2 });
    const before = structuredClone(checkpoint);
    await run({ steps: 6, batchSize: 2, resume: checkpoint });
    expect(checkpoint).to.deep.equal(before);
  });

  it("counts updates from 1: the first of AdamW moves each parameter by the learning rate", async () => {
    const [before, after] = [await run({ steps: 0 }), await run({ steps: 1 })];
    for (const [name, value] of Object.entries(values(before.parameters))) {
      for (const [i, x] of value.entries()) {
        // m̂ / √v̂ = ±1, and weight decay adds a hundredth of the parameter
        const moved = x * (1 - 0.05 * 0.01) - values(after.parameters)[name]![i]!;
        expect(Math.abs(moved)).to.be.closeTo(0.05, 1e-6);
      }
    }
  });

  it("trains initial states where asked, and leaves them alone otherwise", async () => {
    const data = spirals();
    const [with0, without] = [await run({ trainY0: true }), await run()];
    expect(numbers(without.y0)).to.deep.equal(numbers(data.y0));
    expect(numbers(with0.y0)).not.to.deep.equal(numbers(data.y0));
    expect(Object.keys(with0.parameters)).to.deep.equal(Object.keys(field.parameters));
  });

  it("keeps the parameters of the lowest loss", async () => {
    // a learning rate so large that the loss goes up and down
    const { losses, checkpoint } = await run({ optimiser: adamw({ learningRate: 1 }) });
    const lowest = losses.indexOf(Math.min(...losses));
    expect(lowest).to.be.above(0).and.below(19);
    expect(checkpoint.best.step).to.equal(lowest);
    const again = await run({ optimiser: adamw({ learningRate: 1 }), steps: lowest });
    expect(values(checkpoint.best.trained)).to.deep.equal(values(again.checkpoint.trained));
  });

  it("stops after the current update when told to", async () => {
    const controller = new AbortController();
    const result = await run({
      signal: controller.signal,
      onUpdate: ({ step }) => {
        if (step === 7) controller.abort();
      },
    });
    expect([result.stopped, result.losses.length, result.checkpoint.step]).to.deep.equal(["aborted", 7, 7]);
    const never = await run({ signal: AbortSignal.abort() });
    expect([never.stopped, never.losses.length]).to.deep.equal(["aborted", 0]);
  });

  it("stops when the loss has not fallen for as many updates as its patience", async () => {
    const { losses, stopped } = await run({
      optimiser: adamw({ learningRate: 0.5 }),
      steps: 200,
      patience: 4,
    });
    expect(stopped).to.equal("patience");
    const lowest = losses.indexOf(Math.min(...losses));
    expect(losses.length - 1 - lowest).to.equal(4);
  });

  it("waits for what is to be done after each update", async () => {
    const order: string[] = [];
    await run({
      steps: 3,
      onUpdate: async ({ step }) => {
        order.push(`begin ${step}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
        order.push(`end ${step}`);
      },
    });
    expect(order).to.deep.equal(["begin 1", "end 1", "begin 2", "end 2", "begin 3", "end 3"]);
  });

  it("passes on what goes wrong after an update", async () => {
    const error = await failure(
      run({
        onUpdate: () => {
          throw new RangeError("full");
        },
      }),
      RangeError,
    );
    expect(error.message).to.equal("full");
  });

  it("scales gradients down to the norm given, and reports the norm before", async () => {
    const step = async (clip?: number) => {
      let norm = 0;
      const start = await run({ steps: 0 });
      const result = await run({
        steps: 1,
        optimiser: sgd({ learningRate: 1 }),
        ...(clip === undefined ? {} : { clip }),
        onUpdate: ({ gradientNorm }) => {
          norm = gradientNorm;
        },
      });
      const [before, after] = [values(start.parameters), values(result.parameters)];
      const moved = Object.keys(before).flatMap((name) =>
        before[name]!.map((value, i) => value - after[name]![i]!),
      );
      return { norm, moved: Math.hypot(...moved) };
    };
    const free = await step();
    // differences of numbers of size one
    expect(free.moved).to.be.closeTo(free.norm, 1e-14);
    const clipped = await step(free.norm / 4);
    expect(clipped.norm).to.equal(free.norm);
    expect(clipped.moved).to.be.closeTo(free.norm / 4, 1e-14);
  });

  describe("refuses", () => {
    async function message<E extends Error>(
      kind: abstract new (...args: never[]) => E,
      options: Partial<TrainOptions>,
      data: Trajectories = spirals(),
    ): Promise<string> {
      return (await failure(run(options, data), kind)).message;
    }
    const changed = (name: string, value: Tensor | null): Tensors => {
      const own: Record<string, Tensor> = Object.fromEntries(
        Object.entries(field.parameters).map(([key, { shape, initial }]) => [
          key,
          tensor("float64", shape, initial(Random.seeded(0))),
        ]),
      );
      if (value === null) delete own[name];
      else own[name] = value;
      return own;
    };

    it("a parameter that the field does not have, naming those it has", async () => {
      const parameters = changed("layers.7.bias", scalar("float64", 0));
      expect(await message(ParameterError, { parameters }))
        .to.contain('no parameter "layers.7.bias"')
        .and.contain("layers.0.weight, layers.0.bias");
    });

    it("a missing parameter, by name and shape", async () => {
      expect(await message(ParameterError, { parameters: changed("layers.1.weight", null) }))
        .to.contain('"layers.1.weight" [2, 6]')
        .and.contain("missing");
    });

    it("a parameter of another shape, naming both", async () => {
      const parameters = changed("layers.0.bias", tensor("float64", [2], [0, 0]));
      expect(await message(ParameterError, { parameters }))
        .to.contain('"layers.0.bias"')
        .and.contain("[6]")
        .and.contain("[2]");
    });

    it("observations that do not belong to the initial states", async () => {
      const data = spirals();
      const observations = tensor("float64", [5, times.length, 2], data.observations.data);
      expect(await message(ShapeError, {}, { ...data, observations }))
        .to.contain("[4, 5, 2]")
        .and.contain("[5, 4, 2]");
    });

    it("initial states of another dimension, naming the field's", async () => {
      const y0 = tensor("float64", [5, 3], new Float64Array(15));
      const observations = tensor("float64", [4, 5, 3], new Float64Array(60));
      expect(await message(ShapeError, {}, { ...spirals(), y0, observations }))
        .to.contain("[batch, 2]")
        .and.contain("[5, 3]");
    });

    it("a single trajectory whose observations lack the batch axis, saying what they should be", async () => {
      const y0 = tensor("float64", [2], [1, 0]);
      const observations = tensor("float64", [4, 2], new Float64Array(8));
      expect(await message(ShapeError, {}, { ...spirals(), y0, observations }))
        .to.contain("must have shape [4, 1, 2]")
        .and.contain("have [4, 2]");
    });

    it("initial states that are not finite", async () => {
      const data = spirals();
      const y0 = tensor("float64", [5, 2], [0, 0, 0, Number.NaN, 0, 0, 0, 0, 0, 0]);
      expect(await message(ShapeError, {}, { ...data, y0 })).to.contain("component 3");
    });

    it("infinite observations", async () => {
      const data = spirals();
      const observations = tensor("float64", [4, 5, 2], new Float64Array(40).fill(1));
      observations.data[11] = Number.POSITIVE_INFINITY;
      expect(await message(TrainingDataError, {}, { ...data, observations }))
        .to.contain("Observation 11")
        .and.contain("t = 0.5");
    });

    it("times out of order, naming them", async () => {
      expect(await message(TimeError, {}, { ...spirals(), times: [0.2, 1, 0.5, 1.5] }))
        .to.contain("0.5 follows 1")
        .and.contain("increase");
      expect(await message(TimeError, {}, { ...spirals(), times: [0.2, 0.5, Number.NaN, 1.5] })).to.contain(
        "NaN",
      );
    });

    it("times that the field cannot tell apart in float32, naming their distance", async () => {
      const { observations, y0 } = spirals();
      const far = { t0: 1e8, times: times.map((time) => 1e8 + time), y0, observations };
      const inSingle = neuralOde({ field, method: reversible(midpoint), stepSize: 0.1, dtype: "float32" });
      const error = await failure(train(inSingle, far, { runtime, steps: 1 }), TimeError);
      expect(error.message).to.include("8 apart").and.include("0.1").and.include("float64");
      expect((await train(ode, far, { runtime, steps: 1 })).losses.length).to.equal(1);
    });

    it("a step size that is not positive", () => {
      for (const stepSize of [0, -0.1, Number.NaN]) {
        expect(() => neuralOde({ field, stepSize }))
          .to.throw(TimeError)
          .with.property("message")
          .that.contains(String(stepSize))
          .and.contains("positive");
      }
    });

    it("an absurd number of steps, naming step size and number", async () => {
      const error = await failure(
        train({ ...ode, stepSize: 1e-12 }, spirals(), { runtime, steps: 1 }),
        TimeError,
      );
      expect(error.message).to.match(/1e-12 means \d{12} steps from 0 to 0\.2.*Enlarge/);
    });

    for (const batchSize of [0, 6, 2.5]) {
      it(`batches of ${batchSize} out of 5`, async () => {
        expect(await message(RevortError, { batchSize })).to.contain(
          `1 to 5 trajectories, but ${batchSize} were`,
        );
      });
    }

    it("training initial states on mini-batches", async () => {
      expect(await message(RevortError, { batchSize: 2, trainY0: true })).to.contain(
        "leave out the batch size",
      );
    });

    for (const [name, options] of Object.entries({
      "half an update": { steps: 1.5 },
      "a negative number of updates": { steps: -1 },
      "a norm to clip to that is not positive": { clip: 0 },
      "no patience at all": { patience: 0 },
    })) {
      it(name, async () => {
        expect(await message(RevortError, options))
          .to.match(/must be/)
          .and.contain(String(Object.values(options)[0]));
      });
    }

    it("a field with nothing to train", async () => {
      const { message } = await failure(
        train(
          { ...ode, field: { ...field, name: "still", parameters: {}, apply: (_b, _p, _t, y) => y } },
          spirals(),
          {
            runtime,
            steps: 1,
          },
        ),
        RevortError,
      );
      expect(message).to.contain('"still" has no parameters');
    });

    it("to go on from a run of another optimiser, of other parameters, or of other data", async () => {
      const { checkpoint } = await run({ steps: 2, batchSize: 2 });
      expect(await message(RevortError, { resume: checkpoint, optimiser: sgd() })).to.contain("than sgd");
      const { checkpoint: other } = await train({ ...ode, field: mlp({ dim: 2, hidden: [5] }) }, spirals(), {
        runtime,
        steps: 1,
      });
      expect(await message(ParameterError, { resume: other })).to.contain('"layers.0.weight"');
      const data = spirals();
      const fewer = {
        ...data,
        y0: tensor("float64", [1, 2], [1, 0]),
        observations: tensor("float64", [4, 1, 2], new Float64Array(8)),
      };
      expect(await message(RevortError, { resume: checkpoint }, fewer)).to.contain("on 5 trajectories");
    });
  });

  describe("that leaves the finite numbers", () => {
    const start = (y0: number, observations: readonly number[], at: readonly number[]): Trajectories => ({
      t0: 0,
      times: at,
      y0: tensor("float64", [1, 1], [y0]),
      observations: tensor("float64", [at.length, 1, 1], observations),
    });
    /** The first step of Euler's method on y' = a y² that overflows, in plain numbers. */
    const overflowing = (a: number, h: number, y0: number, round = (x: number) => x): number => {
      let y = round(y0);
      for (let step = 1; step < 1000; step++) {
        const slope = round(round(a) * round(y * y));
        y = round(y + round(slope * round(h)));
        if (!Number.isFinite(y)) return step;
      }
      throw new Error("does not overflow");
    };

    for (const dtype of ["float64", "float32"] as const) {
      it(`names the update, the step and the time at which the solve does, in ${dtype}`, async () => {
        const step = overflowing(1, 0.1, 1, dtype === "float32" ? Math.fround : undefined);
        expect(step).to.be.within(10, 25);
        const diverging = neuralOde({ field: squaring, method: euler, stepSize: 0.1, dtype });
        const error = await failure(
          train(diverging, start(1, [1, 1], [1, 4]), { runtime, steps: 5 }),
          DivergenceError,
        );
        expect(error.step).to.equal(step);
        expect(error.time).to.be.closeTo(step * 0.1, 1e-12);
        expect(error.message)
          .to.contain("update 1")
          .and.contain(`step ${step}`)
          .and.contain(`t = ${error.time}`)
          .and.match(/Reduce the step size \(now 0\.(1|09999999)/);
      });
    }

    it("names the update even when many went well before", async () => {
      // the first update makes a so large that the next solve overflows
      const diverging = neuralOde({ field: squaring, method: euler, stepSize: 0.1 });
      const error = await failure(
        train(diverging, start(0.1, [3], [2]), {
          runtime,
          steps: 5,
          optimiser: adamw({ learningRate: 1000, weightDecay: 0 }),
        }),
        DivergenceError,
      );
      expect(error.message).to.contain("At update 2:");
      // AdamW's first update is by the learning rate
      expect(error.step).to.equal(overflowing(1001, 0.1, 0.1));
    });

    it("says so where only the loss does, with a remedy", async () => {
      const error = await failure(
        train(neuralOde({ field: squaring, method: euler, stepSize: 0.1 }), start(0.1, [1e200], [1]), {
          runtime,
          steps: 5,
        }),
        TrainingError,
      );
      expect(error.message)
        .to.contain("update 1")
        .and.contain("The loss is not finite (Infinity) although the solution is")
        .and.contain("units");
    });

    it("says so where only the gradient does, naming parameter, operator and time, with a remedy", async () => {
      // d√a/da is infinite at a = 0, where the solution stays at y0
      const rooted: VectorField = {
        ...squaring,
        name: "rooted",
        parameters: { a: { shape: [], initial: () => [0] } },
        apply: (b, theta, _t, y) => mul(b, y, sqrt(b, theta.a!)),
      };
      const error = await failure(
        train(neuralOde({ field: rooted, method: euler, stepSize: 0.1 }), start(1, [2], [1]), {
          runtime,
          steps: 5,
        }),
        TrainingError,
      );
      expect(error.message)
        .to.contain('At update 1: The gradient of "a" is not finite although the loss is')
        .and.contain("arises in Sqrt at t = 0, for its slope is infinite at 0");
    });
  });
});
