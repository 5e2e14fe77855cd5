import { expect } from "chai";
import { Random } from "../../src/core/random.js";
import { SizeError } from "../../src/core/size.js";
import { tensor } from "../../src/core/tensor.js";
import { initialParameters } from "../../src/fields/field.js";
import { mlp } from "../../src/fields/mlp.js";
import { gradientOf } from "../../src/gradients/evaluate.js";
import { Builder } from "../../src/graph/builder.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { solve } from "../../src/integrate/solve.js";
import { mse } from "../../src/learning/losses.js";
import { optimisers } from "../../src/learning/optimisers.js";
import { explicit } from "../../src/methods/explicit.js";
import { reversible } from "../../src/methods/reversible.js";
import { euler, tsit5 } from "../../src/methods/tableaux.js";
import { add, mul } from "../../src/ops/arithmetic.js";
import { reduceSum } from "../../src/ops/broadcast.js";
import { gridThrough, gridWith, TimeError } from "../../src/programs/grid.js";
import { checkMemory } from "../../src/runtime/memory.js";
import { CompileError, type Runtime } from "../../src/runtime/runtime.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { train } from "../../src/train/train.js";
import { failure } from "../support/failure.js";
import { squaring } from "../support/fields.js";

const one = tensor("float64", [1], [1]);
const a = { a: tensor("float64", [], [0.5]) };

/** A runtime with little memory that fails the test if anything is compiled on it. */
const small = (): Runtime => ({
  ...jit(),
  name: "small",
  memory: 1e8,
  compile: () => Promise.reject(new Error("something was compiled")),
});

describe("the memory of a run is estimated before it starts", () => {
  it("of a solve of very many steps, which is refused with the numbers", async () => {
    const ode = neuralOde({ field: squaring, method: explicit(euler), stepSize: 5e-7 });
    const error = await failure(
      solve(ode, { runtime: small(), parameters: a, y0: one, t0: 0, t1: 1 }),
      SizeError,
    );
    // 2 000 000 steps: the time, and the start, end and length of each step twice, of 8 bytes
    expect(error.message).to.match(/112 MB.*2000000 steps.*small has 100 MB.*larger steps/);
  });

  it("of a solve that saves very many states, by steps that are chosen too", async () => {
    const y0 = tensor("float64", [1000, 1], new Float64Array(1000).fill(1));
    const saveAt = Array.from({ length: 10_000 }, (_, i) => (i + 1) / 10_000);
    for (const stepSize of [1e-4, Number.POSITIVE_INFINITY]) {
      const ode = neuralOde({ field: squaring, method: explicit(stepSize < 1 ? euler : tsit5), stepSize });
      const error = await failure(
        solve(ode, { runtime: small(), parameters: a, y0, t0: 0, saveAt }),
        SizeError,
      );
      expect(error.message).to.match(/160 MB for 10000 saved states.*save fewer/);
    }
  });

  it("of a gradient that stores its steps, which names those that store fewer", async () => {
    const ode = neuralOde({ field: squaring, method: explicit(euler), stepSize: 1e-4 });
    const y0 = tensor("float64", [2000, 1], new Float64Array(2000).fill(1));
    const fit = {
      grid: gridThrough(0, [1], 1e-4),
      y0,
      target: tensor("float64", [1, 2000, 1], y0.data),
      weight: null,
    };
    const options = { runtime: small(), loss: mse(), gradient: "direct" as const, fit, parameters: a };
    const error = await failure(gradientOf(ode, options), SizeError);
    // 10 001 states of 2000 numbers of 8 bytes, and y once more
    expect(error.message).to.match(/"direct".*320 MB for 10001 stored states.*--gradient checkpoint/);
  });

  it("of training, before the first update", async () => {
    const ode = neuralOde({ field: squaring, method: explicit(euler), stepSize: 1e-4 });
    const y0 = tensor("float64", [2000, 1], new Float64Array(2000).fill(1));
    const data = { t0: 0, times: [1], y0, observations: tensor("float64", [1, 2000, 1], y0.data) };
    const options = {
      runtime: small(),
      optimiser: optimisers.adamw({}),
      gradient: "direct" as const,
      steps: 1,
    };
    const error = await failure(train(ode, data, { ...options, parameters: a }), SizeError);
    expect(error.message).to.match(/stored states/);
  });

  it("and says nothing where it fits", () => {
    checkMemory("It", { name: "x", memory: 2e8 }, [{ what: "y", bytes: 1.9e8 }], "Do less.");
    expect(() =>
      checkMemory("It", { name: "x", memory: 2e8 }, [{ what: "y", bytes: 3e8 }], "Do less."),
    ).to.throw(SizeError, "It takes about 300 MB of memory (300 MB for y), but x has 200 MB. Do less.");
  });

  it("of parameters, before one of them is drawn", () => {
    const field = mlp({ dim: 2, hidden: [1e6, 1e6] });
    expect(() => initialParameters(field, Random.seeded(0), "float64")).to.throw(
      SizeError,
      /"layers\.1\.weight".*1000000, 1000000.*8 TB/,
    );
  });

  it("of a compiled graph, which is refused before it is written where a WebAssembly memory is too small", async () => {
    const b = new Builder();
    const x = b.input("x", "float64", [1, 250e6]);
    const y = b.input("y", "float64", [1, 250e6]);
    const z = b.input("z", "float64", [1, 250e6]);
    const graph = b.graph({ sum: reduceSum(b, mul(b, add(b, x, y), z)) });
    const error = await failure(jit().compile(graph), CompileError);
    expect(error.message).to.match(/6 GB.*WebAssembly memory has 4\.29 GB.*ort-cpu/);
  });
});

describe("a grid", () => {
  it("of more steps than any solve takes is refused, however many saves they lie between", () => {
    const saves = Array.from({ length: 60 }, (_, i) => i + 1);
    expect(() => gridThrough(0, saves, 1e-7)).to.throw(TimeError, /more than 100000000/);
  });

  it("through given times is put together in one pass, in either direction", () => {
    const random = Random.seeded(3);
    for (const direction of [1, -1]) {
      for (let round = 0; round < 50; round++) {
        const draw = (count: number) =>
          [...new Set(Array.from({ length: count }, () => Math.floor(random.uniform(1, 40))))]
            .sort((s, t) => s - t)
            .map((t) => direction * t);
        const saves = [...draw(8), direction * 40];
        const between = draw(10);
        const { times, offsets } = gridWith(0, saves, between);
        const all = [...new Set([0, ...between, ...saves])].sort((s, t) => (s - t) * direction);
        expect(times).to.deep.equal(all);
        expect(offsets).to.deep.equal([0, ...saves.map((save) => all.indexOf(save))]);
      }
    }
  });

  it("through 200 000 given times takes no time to speak of", function () {
    // one pass over the times takes some milliseconds; a search for each save took minutes
    this.timeout(5000);
    const times = Array.from({ length: 200_000 }, (_, i) => i + 1);
    expect(gridWith(0, times, times).times).to.have.length(200_001);
  });
});

describe("a large solve", () => {
  it("of 150 000 components is undone and compared, for a call takes no such number of arguments", async () => {
    const y0 = tensor("float64", [150_000, 1], new Float64Array(150_000).fill(1));
    const ode = neuralOde({ field: squaring, method: reversible(euler), stepSize: 0.25 });
    const { stats, ys } = await solve(ode, {
      ...{ runtime: jit(), parameters: a, y0, t0: 0, t1: 0.5 },
      checkReconstruction: true,
    });
    expect(ys.shape).to.deep.equal([1, 150_000, 1]);
    // some roundings of two steps each way
    expect(stats.reconstructionError).to.be.below(1e-14);
  });
});
