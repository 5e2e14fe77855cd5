import { expect } from "chai";
import { constantStep, pid } from "../../src/control/control.js";
import { Random } from "../../src/core/random.js";
import { numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import { initialParameters, type Tensors } from "../../src/fields/field.js";
import { mlp } from "../../src/fields/mlp.js";
import type { Fit } from "../../src/gradients/evaluate.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { DivergenceError } from "../../src/integrate/solve.js";
import { mse } from "../../src/learning/losses.js";
import { adam, adamw, rmsprop, sgd } from "../../src/learning/optimisers.js";
import { cosine } from "../../src/learning/schedules.js";
import { reversible } from "../../src/methods/reversible.js";
import { bosh3, euler, midpoint } from "../../src/methods/tableaux.js";
import { gridThrough } from "../../src/programs/grid.js";
import { memoryOf } from "../../src/programs/update.js";
import { uploadTree } from "../../src/runtime/compile-program.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { auto } from "../../src/runtimes/auto.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { type Checkpoint, emptyMemory } from "../../src/train/checkpoint.js";
import { type Trajectories, targetsOf } from "../../src/train/data.js";
import { graphUpdater } from "../../src/train/graph-updater.js";
import { Pace } from "../../src/train/pace.js";
import { partsUpdater } from "../../src/train/parts-updater.js";
import { TrainingError, type TrainOptions, type TrainResult, train } from "../../src/train/train.js";
import { updaterOptions } from "../../src/train/trajectory-updater.js";
import type { Standing, UpdaterOptions } from "../../src/train/updater.js";
import { failure } from "../support/failure.js";
import { squaring } from "../support/fields.js";

const times = [0.2, 0.5, 1];

/** Four trajectories of random data, every fifth value missing. */
function observed(): Trajectories {
  const random = Random.seeded(8);
  const draw = (count: number) => Array.from({ length: count }, () => random.normal());
  const missing = draw(24).map((value, i) => (i % 5 === 2 ? Number.NaN : value));
  return {
    t0: 0,
    times,
    y0: tensor("float64", [4, 2], draw(8)),
    observations: tensor("float64", [3, 4, 2], missing),
  };
}

const values = (tensors: Tensors) =>
  Object.fromEntries(Object.entries(tensors).map(([name, value]) => [name, numbers(value)]));

/** All that a run leaves behind but the time it took. */
function traceOf({ losses, parameters, y0, stopped, checkpoint }: TrainResult) {
  return { losses, stopped, parameters: values(parameters), y0: numbers(y0), ...stateOf(checkpoint) };
}

function stateOf({ trained, memory, sampler, step, losses, best }: Checkpoint) {
  return {
    ...{ sampler, step, all: losses, trained: values(trained), memory: values(memory) },
    best: { ...best, trained: values(best.trained) },
  };
}

const runtimes: Record<string, () => Promise<Runtime>> = {
  jit: async () => jit(),
  "ort-cpu": ortNode,
  auto: async () => auto(jit(), await ortNode()),
};

describe("several updates in one run", () => {
  const ode = neuralOde({ field: mlp({ dim: 2, hidden: [5] }), method: reversible(midpoint), stepSize: 0.1 });
  const run = (runtime: Runtime, options: Partial<TrainOptions> = {}, equation = ode) =>
    train(equation, observed(), {
      ...{ runtime, steps: 23, optimiser: adamw({ learningRate: 0.1 }), seed: 3 },
      ...options,
    });

  const cases: Record<string, Partial<TrainOptions>> = {
    "of AdamW, clipped, with a schedule": { clip: 0.05, schedule: cosine({ steps: 23, warmup: 4 }) },
    "of Adam, by stored steps": { optimiser: adam({ learningRate: 0.1 }), gradient: "direct" },
    "of RMSprop, by the continuous adjoint": { optimiser: rmsprop(), gradient: "continuous" },
    "of SGD with momentum": { optimiser: sgd({ momentum: 0.9, nesterov: true, weightDecay: 0.01 }) },
    "of plain SGD, over steps of another size": { optimiser: sgd(), control: constantStep(0.03) },
    "by checkpoints": { gradient: "checkpoint:2" },
    "by steps undone from stored states": { gradient: "reversible:4", batchSize: 3 },
    "on mini-batches": { batchSize: 3 },
    "of the initial states as well": { trainY0: true },
  };
  for (const [name, makeRuntime] of Object.entries(runtimes)) {
    describe(`on ${name}`, () => {
      let runtime: Runtime;
      before(async () => {
        runtime = await makeRuntime();
      });
      for (const [what, options] of Object.entries(cases)) {
        it(`give to the bit what one at a time gives, ${what}`, async () => {
          const one = await run(runtime, { ...options, updatesPerRun: 1 });
          expect(new Set(one.losses).size).to.equal(23);
          for (const updatesPerRun of [7, undefined]) {
            const many = await run(runtime, {
              ...options,
              ...(updatesPerRun === undefined ? {} : { updatesPerRun }),
            });
            expect(traceOf(many), `${updatesPerRun} per run`).to.deep.equal(traceOf(one));
          }
        });
      }
    });
  }

  it("are done one at a time where steps are chosen by their error", async () => {
    const adaptive = { ...ode, method: reversible(bosh3) };
    const options = { control: pid({ rtol: 1e-3, atol: 1e-3 }) };
    const [free, one] = [
      await run(jit(), options, adaptive),
      await run(jit(), { ...options, updatesPerRun: 1 }, adaptive),
    ];
    expect(traceOf(free)).to.deep.equal(traceOf(one));
  });

  it("are a gradient and an update by it, each compiled for itself, in one graph", async () => {
    const { target, weight } = targetsOf(observed(), "float64");
    const fit: Fit = { grid: gridThrough(0, times, 0.1), y0: observed().y0, target, weight };
    const trained = { parameters: initialParameters(ode.field, Random.seeded(3), "float64") };
    const optimiser = adamw({ learningRate: 0.1 });
    const memory = emptyMemory(memoryOf(optimiser, trained), "float64");
    for (const makeRuntime of Object.values(runtimes)) {
      const runtime = await makeRuntime();
      const options = updaterOptions(
        ode,
        {
          ...{ runtime, loss: mse(), optimiser, gradient: { kind: "reversible" }, clip: 1 },
          ...{ trainY0: false, helpers: [], fit, batchSize: 4, parts: 1, threads: null, updates: 5 },
        },
        fit,
      );
      const losses: number[][] = [];
      for (const compile of [graphUpdater, (given: UpdaterOptions) => partsUpdater({ ...given, parts: 1 })]) {
        const updater = await compile(options);
        const own: number[] = [];
        let standing: Standing = uploadTree(runtime, { trained, memory, buffers: {}, best: trained });
        for (let count = 1; count <= 10; count++) {
          const plan = [{ count, learningRate: 0.1, which: [0, 1, 2, 3] }];
          const updated = await updater.run(standing, Infinity, plan);
          own.push(...updated.losses, ...updated.gradientNorms);
          standing = updated.after;
        }
        losses.push(own);
        await updater.release();
      }
      expect(losses[0], runtime.name).to.deep.equal(losses[1]);
    }
  });

  it("take fewer runs of graphs", async () => {
    let runs = 0;
    const counting = (inner: Runtime): Runtime => ({
      ...inner,
      async compile(graph, options) {
        const executable = await inner.compile(graph, options);
        return {
          ...executable,
          run(inputs) {
            runs += 1;
            return executable.run(inputs);
          },
        };
      },
    });
    await run(counting(jit()), { steps: 400 });
    // 1, 4, 16, 64 and 256 updates, and the rest; a slow machine may need more, but not one for each update
    expect(runs).to.be.within(4, 100);
  });

  const looking = { steps: 20, batchSize: 3, optimiser: adamw({ learningRate: 1 }) };

  it("are reported one by one, each with its own loss, rate and checkpoint", async () => {
    const seen = async (updatesPerRun: number) => {
      const reports: unknown[] = [];
      await run(jit(), {
        ...looking,
        updatesPerRun,
        schedule: cosine({ steps: 20 }),
        async onUpdate({ step, loss, gradientNorm, learningRate, checkpoint }) {
          const looked = step % 3 === 0 ? stateOf(await checkpoint()) : null;
          reports.push({ step, loss, gradientNorm, learningRate, looked });
        },
      });
      return reports;
    };
    expect(await seen(8)).to.deep.equal(await seen(1));
  });

  it("stop between any two when told so in a report, and go on from there", async () => {
    const whole = await run(jit(), { ...looking, updatesPerRun: 1 });
    const controller = new AbortController();
    const stopped = await run(jit(), {
      ...looking,
      updatesPerRun: 20,
      signal: controller.signal,
      onUpdate({ step }) {
        if (step === 9) controller.abort();
      },
    });
    expect([stopped.stopped, stopped.losses.length, stopped.checkpoint.step]).to.deep.equal([
      "aborted",
      9,
      9,
    ]);
    const further = await run(jit(), { ...looking, seed: 77, resume: stopped.checkpoint });
    expect(traceOf(further)).to.deep.equal(traceOf(whole));
  });

  it("stop where patience ends, not where the run does", async () => {
    const options = { ...looking, steps: 200, patience: 4 };
    const [many, one] = [
      await run(jit(), { ...options, updatesPerRun: 64 }),
      await run(jit(), { ...options, updatesPerRun: 1 }),
    ];
    expect(one.stopped).to.equal("patience");
    expect(traceOf(many)).to.deep.equal(traceOf(one));
  });

  it("leave the event loop its turn between runs, so that a signal from outside is heard", async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 60);
    const { stopped, losses } = await run(jit(), { steps: 1e6, signal: controller.signal });
    expect(stopped).to.equal("aborted");
    expect(losses.length).to.be.below(1e6);
  });

  describe("of which one goes wrong", () => {
    const overflowing: Trajectories = {
      t0: 0,
      times: [2],
      y0: tensor("float64", [1, 1], [0.1]),
      observations: tensor("float64", [1, 1, 1], [3]),
    };
    /** The rate jumps at the eighth update, so that the solve of the ninth overflows. */
    const jumping = { name: "jump", factor: (k: number) => (k === 7 ? 1e6 : 1) };
    const diverge = async (updatesPerRun: number) => {
      let latest: (() => Promise<Checkpoint>) | undefined;
      const reported: number[] = [];
      const equation = neuralOde({ field: squaring, method: euler, stepSize: 0.1 });
      const error = await failure(
        train(equation, overflowing, {
          ...{ runtime: jit(), steps: 40, updatesPerRun, schedule: jumping },
          optimiser: adamw({ learningRate: 1e-3, weightDecay: 0 }),
          onUpdate({ step, checkpoint }) {
            reported.push(step);
            latest = checkpoint;
          },
        }),
        DivergenceError,
      );
      return { message: error.message, step: error.step, reported, kept: stateOf(await latest!()) };
    };

    it("say the same as one at a time, after reports of those before, which can still be had", async () => {
      const many = await diverge(16);
      // it is the rate that was too large, not the step
      expect(many.message).to.contain("At update 9:").and.contain("a smaller learning rate");
      expect(many.reported).to.deep.equal([1, 2, 3, 4, 5, 6, 7, 8]);
      expect(many.kept.step).to.equal(8);
      expect(many).to.deep.equal(await diverge(1));
    });

    it("say so of a loss that overflows although the solve does not, on the mini-batch that it was taken on", async () => {
      const huge = observed();
      // one value of the third trajectory is beyond what can be squared
      (huge.observations as Tensor<"float64">).data[5] = 1e200;
      const fail = async (updatesPerRun: number) =>
        (
          await failure(
            train(ode, huge, { runtime: jit(), steps: 30, batchSize: 1, seed: 1, updatesPerRun }),
            TrainingError,
          )
        ).message;
      const message = await fail(16);
      expect(message).to.match(/At update [1-4]: The loss is not finite \(Infinity\)/);
      expect(message).to.equal(await fail(1));
    });
  });

  it("are refused in numbers that are none", async () => {
    for (const updatesPerRun of [0, 1.5, Number.NaN]) {
      const { message } = await failure(run(jit(), { updatesPerRun }), Error);
      expect(message).to.contain("updates per run").and.contain(String(updatesPerRun));
    }
  });
});

describe("the pace of training", () => {
  it("grows at most fourfold from one update, to runs of some 75 ms", () => {
    const pace = new Pace(1024);
    const lengths: number[] = [];
    for (let i = 0; i < 6; i++) {
      lengths.push(pace.next);
      pace.ran(pace.next, pace.next * 1e-3, false);
    }
    expect(lengths).to.deep.equal([1, 4, 16, 64, 75, 75]);
  });

  it("stays at one where an update takes longer, within what a run can do, and goes back to one when looked at", () => {
    const slow = new Pace(1024);
    slow.ran(1, 0.5, false);
    expect(slow.next).to.equal(1);
    const narrow = new Pace(3);
    narrow.ran(1, 1e-6, false);
    expect(narrow.next).to.equal(3);
    narrow.ran(3, 1e-6, true);
    expect(narrow.next).to.equal(1);
  });
});
