import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { pid } from "../../src/control/control.js";
import { Random } from "../../src/core/random.js";
import { type FloatDType, numbers, tensor } from "../../src/core/tensor.js";
import { mlp } from "../../src/fields/mlp.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { type Loss, mse, scaledLoss } from "../../src/learning/losses.js";
import { explicit } from "../../src/methods/explicit.js";
import { reversible } from "../../src/methods/reversible.js";
import { dopri5, midpoint } from "../../src/methods/tableaux.js";
import { add } from "../../src/ops/arithmetic.js";
import { RunError, type Runtime, RuntimeUnavailableError } from "../../src/runtime/runtime.js";
import type { ThreadRuntime } from "../../src/runtime/threads.js";
import { auto } from "../../src/runtimes/auto.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { threadRuntime } from "../../src/runtimes/thread.js";
import { threadsBy } from "../../src/runtimes/threads.js";
import { partsThatPay } from "../../src/train/parts-that-pay.js";
import { type TrainOptions, train } from "../../src/train/train.js";
import { failure } from "../support/failure.js";

/** A fit of so many trajectories, whose updates take some milliseconds. */
function problem(count: number, dtype: FloatDType = "float64", width = 32) {
  const random = Random.seeded(3);
  const draw = (shape: readonly number[]) =>
    tensor(
      dtype,
      shape,
      Array.from({ length: shape.reduce((p, d) => p * d, 1) }, () => random.normal()),
    );
  return {
    ode: neuralOde({
      ...{
        field: mlp({ dim: 2, hidden: [width, width] }),
        method: reversible(midpoint),
        stepSize: 0.05,
        dtype,
      },
    }),
    data: { t0: 0, times: [0.5, 1], y0: draw([count, 2]), observations: draw([2, count, 2]) },
  };
}

/** Threads there are, of each runtime, for all tests: to start one takes long. */
const standing: Record<string, Promise<ThreadRuntime>[]> = {};

/** Threads that are told apart, and when all of them have compiled what they are to run. */
function watched(most: number, { worth = 0, required = true } = {}) {
  const opened: string[] = [];
  let [compiling, compiled, closed] = [0, 0, 0];
  const threads = threadsBy({
    ...{ most, worth, required },
    async open(name): Promise<ThreadRuntime> {
      const at = opened.push(name) - 1;
      standing[name] ??= [];
      standing[name][at] ??= threadRuntime(name);
      const thread = await standing[name][at];
      return {
        ...thread,
        async compile(graph, options) {
          compiling++;
          const made = await thread.compile(graph, options);
          compiled++;
          return made;
        },
        async close() {
          closed++;
        },
      };
    },
  });
  /** Waits until they take part. */
  const join = async ({ step }: { step: number }) => {
    if (step !== 2 || most === 1) return;
    while (opened.length === 0 || compiling < opened.length || compiled < compiling) await sleep(5);
    await sleep(5);
  };
  return { threads, join, opened, closed: () => closed };
}

describe("Parts of a batch that pay", () => {
  it("are one where an update is short, few where operators cost most, and many where arrays do", () => {
    const parts = (fixed: number, scaling: number, batch = 512) => partsThatPay([{ fixed, scaling }], batch);
    expect(parts(1e-5, 1e-3)).to.equal(1);
    expect(parts(1e-5, 5e-3)).to.equal(4);
    expect(parts(1e-5, 1e-1)).to.equal(8);
    expect(parts(1e-5, 1e-1, 3)).to.equal(2);
    expect(parts(1e-5, 1e-1, 1)).to.equal(1);
    // all parts together: 2 · 6 + 60 of 66, where 4 · 6 + 60 would be 1.27 times as much
    expect(parts(6e-3, 60e-3)).to.equal(2);
    expect(parts(6e-2, 60e-3)).to.equal(1);
  });

  it("are weighed by the runtime that is faster for them", () => {
    const [dear, cheap] = [
      { fixed: 5e-3, scaling: 1e-2 },
      { fixed: 1e-5, scaling: 8e-3 },
    ];
    expect(partsThatPay([dear], 64)).to.equal(1);
    expect(partsThatPay([dear, cheap], 64)).to.equal(4);
  });
});

describe("Threads that training starts by itself", () => {
  const runtimes: Record<string, Runtime> = {};
  before(async () => {
    const ort = await ortNode();
    Object.assign(runtimes, { jit: jit(), "ort-cpu": ort, auto: auto(jit(), ort) });
  });
  after(async () => {
    for (const thread of Object.values(standing).flat()) await (await thread).close();
  });
  const base = { steps: 5, check: false } as const;

  for (const [name, dtype, width, count] of [
    ["jit", "float64", 32, 130],
    ["ort-cpu", "float32", 96, 260],
    ["auto", "float32", 96, 260],
  ] as const) {
    it(`change no bit on ${name}, whether there are one, two or three, or helpers with as many parts`, async () => {
      const { ode, data } = problem(count, dtype, width);
      const runtime = runtimes[name]!;
      const options: TrainOptions = { ...base, runtime };
      const found = [];
      for (const most of [1, 2, 3]) {
        const { threads, join, opened, closed } = watched(most);
        const result = await train(ode, data, { ...options, threads, onUpdate: join });
        await threads.close();
        const { parts } = result.ran;
        expect(parts).to.be.above(1);
        expect(result.ran.threads).to.equal(Math.min(most, parts));
        // auto leaves it to an estimate which one
        if (name !== "auto") expect(result.ran.runtime).to.equal(name);
        expect(opened).to.deep.equal(new Array(result.ran.threads - 1).fill(result.ran.runtime));
        expect(closed()).to.equal(opened.length);
        found.push(result);
      }
      const [alone, ...helped] = found;
      for (const one of helped) {
        expect(one.losses).to.deep.equal(alone!.losses);
        for (const [key, value] of Object.entries(one.parameters))
          expect(numbers(value)).to.deep.equal(numbers(alone!.parameters[key]!));
      }
      const whole = await train(ode, data, options);
      // sums of 130 or 260 terms in another order, in five updates
      for (const [k, loss] of whole.losses.entries())
        expect(Math.abs(alone!.losses[k]! / loss - 1)).to.be.below(dtype === "float64" ? 1e-12 : 1e-4);
    });
  }

  it("go on with a run to the same bits: one that had parts, and one of before there were any", async () => {
    const { ode, data } = problem(128);
    const options = { ...base, runtime: jit(), batchSize: 64 };
    for (const most of [0, 2]) {
      const threads = () => (most === 0 ? {} : { threads: watched(most).threads });
      const whole = await train(ode, data, { ...options, ...threads() });
      const { checkpoint } = await train(ode, data, { ...options, ...threads(), steps: 2 });
      expect(checkpoint.parts).to.equal(most === 0 ? undefined : whole.ran.parts);
      for (const resumed of [1, 3]) {
        const { threads: others, join } = watched(resumed);
        const rest = await train(ode, data, {
          ...options,
          threads: others,
          resume: checkpoint,
          onUpdate: join,
        });
        await others.close();
        expect(rest.losses).to.deep.equal(whole.losses);
      }
    }
  });

  it("are not started for one trajectory, short updates, few updates, or steps chosen by their error", async () => {
    const { threads, opened } = watched(2, { worth: 1000 });
    const options = { ...base, runtime: jit(), threads };
    const ran = async ({ ode, data }: ReturnType<typeof problem>, more: Partial<TrainOptions> = {}) =>
      (await train(ode, data, { ...options, ...more })).ran;
    const alone = { runtime: "jit", threads: 1, parts: 1 };
    expect(await ran(problem(1))).to.deep.equal(alone);
    expect(await ran(problem(8))).to.deep.equal(alone);
    // their parts are those that more updates would have
    expect((await ran(problem(128))).threads).to.equal(1);
    const { ode, data } = problem(128);
    const chosen = { ...ode, method: explicit(dopri5) };
    const control = pid({ rtol: 1e-3, atol: 1e-3 });
    expect(await ran({ ode: chosen, data }, { control, steps: 1 })).to.deep.equal(alone);
    expect(opened).to.deep.equal([]);
  });

  it("are given all their parts of an update at once, and do not wait for the thread that hands them out", async () => {
    const { ode, data } = problem(128);
    let [asked, most] = [0, 0];
    const { threads, join } = watched(2);
    const counting = {
      ...threads,
      start: async (...of: Parameters<typeof threads.start>) =>
        (await threads.start(...of)).map((thread) => ({
          ...thread,
          async compile(...given: Parameters<typeof thread.compile>) {
            const made = await thread.compile(...given);
            return {
              ...made,
              async run(...inputs: Parameters<typeof made.run>) {
                most = Math.max(most, ++asked);
                return made.run(...inputs).finally(() => asked--);
              },
            };
          },
        })),
    };
    const { ran } = await train(ode, data, { ...base, runtime: jit(), threads: counting, onUpdate: join });
    await threads.close();
    expect(ran.threads).to.equal(2);
    expect(ran.parts).to.be.above(2);
    expect(most).to.equal(Math.floor(ran.parts / 2));
  });

  it("leave a batch whole whose loss is not known to be a mean", async () => {
    const { ode, data } = problem(128);
    const own: Loss = { name: "own", apply: (b, ...of) => add(b, mse().apply(b, ...of), 1) };
    const ran = async (loss: Loss) =>
      (await train(ode, data, { ...base, steps: 1, runtime: jit(), threads: watched(1).threads, loss })).ran;
    expect((await ran(own)).parts).to.equal(1);
    expect((await ran(scaledLoss(own, [1, 2]))).parts).to.equal(1);
    expect((await ran(scaledLoss(mse(), [1, 2]))).parts).to.be.above(1);
  });

  it("fail with the work that a thread cannot do, and are said where they could not be started", async () => {
    const { ode, data } = problem(128);
    const broken = (required: boolean, open: () => Promise<ThreadRuntime>) => {
      const threads = threadsBy({ most: 2, worth: 0, required, open });
      return train(ode, data, { ...base, runtime: jit(), threads, onUpdate: () => sleep(5) }).finally(() =>
        threads.close(),
      );
    };
    const refused = async () => {
      throw new RuntimeUnavailableError("no more threads");
    };
    expect((await failure(broken(true, refused), RuntimeUnavailableError)).message).to.equal(
      "no more threads",
    );
    const { ran, losses } = await broken(false, refused);
    expect(ran).to.include({ threads: 1, failure: "no more threads" });
    expect(losses).to.have.length(5);

    const { threads, join } = watched(2);
    const dying = train(ode, data, {
      ...{ ...base, runtime: jit(), threads },
      async onUpdate(update) {
        await join(update);
        if (update.step === 3) await (await standing.jit![0]!).close();
      },
    });
    expect((await failure(dying, RunError)).message).to.match(/thread of jit/);
    delete standing.jit;
  });
});
