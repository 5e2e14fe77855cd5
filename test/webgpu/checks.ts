import { expect } from "chai";
import { pid } from "../../src/control/control.js";
import { numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import { mlp } from "../../src/fields/mlp.js";
import { gradientOf } from "../../src/gradients/evaluate.js";
import { parallelDifferentiator } from "../../src/gradients/parallel.js";
import { Builder } from "../../src/graph/builder.js";
import type { Graph } from "../../src/graph/graph.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { DivergenceError, solve, upload } from "../../src/integrate/solve.js";
import { mse } from "../../src/learning/losses.js";
import { adamw } from "../../src/learning/optimisers.js";
import { reversible } from "../../src/methods/reversible.js";
import { midpoint, rk4, tsit5 } from "../../src/methods/tableaux.js";
import { add } from "../../src/ops/arithmetic.js";
import { loop } from "../../src/ops/control.js";
import { einsum } from "../../src/ops/einsum.js";
import { layerNormalization } from "../../src/ops/normalise.js";
import { opset } from "../../src/ops/opset.js";
import { cast } from "../../src/ops/reshape.js";
import { CompileError, type DeviceTensors, RunError, type Runtime } from "../../src/runtime/runtime.js";
import type { GpuTensor } from "../../src/runtimes/gpu-memory.js";
import type { WebGpuOptions } from "../../src/runtimes/ort-webgpu.js";
import { train } from "../../src/train/train.js";
import { distance, tensorDistance, tensorsDistance } from "../support/distance.js";
import { failure } from "../support/failure.js";
import { squaring } from "../support/fields.js";
import { randomTask } from "../support/gradients.js";

/** How a place with WebGPU opens the runtime, and another one there. */
export interface Place {
  open(options?: WebGpuOptions): Promise<Runtime>;
  reference(): Promise<Runtime>;
}

/** Checks by what they check. */
export type OwnChecks = Readonly<Record<string, (place: Place) => Promise<void>>>;

const dtype = "float32";
const field = mlp({ dim: 2, hidden: [8] });
const saves = [0.25, 0.5, 0.75, 1];
const task = randomTask({ field, stepSize: 0.25, saves, batch: 4, missing: 0.2, dtype });
const ode = neuralOde({ field, method: reversible(midpoint), stepSize: 0.25, dtype });

// some 100 operations in float32, 6e-8 each, and elementary functions that WebGPU lets a GPU round coarsely
const tolerance = 1e-4;

/** Runs a graph once. */
export async function run(runtime: Runtime, graph: Graph, inputs: Readonly<Record<string, Tensor>>) {
  const executable = await runtime.compile(graph);
  const results = await download(runtime, await executable.run(upload(runtime, inputs)));
  await executable.release();
  return results;
}

async function download(runtime: Runtime, values: DeviceTensors): Promise<Record<string, Tensor>> {
  const results: Record<string, Tensor> = {};
  for (const name in values) results[name] = await runtime.download(values[name]!);
  return results;
}

/** One operator on numbers, on two runtimes. */
async function both({ open, reference }: Place, type: string, xs: readonly number[], attributes = {}) {
  const b = new Builder();
  const graph = b.graph({ y: b.apply(opset.get(type)!, [b.input("x", dtype, [xs.length])], attributes) });
  const results = [];
  for (const runtime of [await open(), await reference()]) {
    results.push(numbers((await run(runtime, graph, { x: tensor(dtype, [xs.length], xs) })).y!));
  }
  return results as [number[], number[]];
}

/** What this runtime does in its own way, beside what every runtime must do. */
export const webGpuChecks: OwnChecks = {
  async "solves as another runtime does"({ open, reference }) {
    const { parameters, fit } = task;
    const results = [];
    for (const runtime of [await open(), await reference()]) {
      const solving = neuralOde({ field, method: rk4, stepSize: 0.1, dtype });
      results.push(await solve(solving, { runtime, parameters, y0: fit.y0, t0: 0, saveAt: saves }));
    }
    expect(tensorDistance(results[0]!.ys, results[1]!.ys)).to.be.below(tolerance);
  },

  async "chooses steps as another runtime does"({ open, reference }) {
    const { parameters, fit } = task;
    const results = [];
    for (const runtime of [await open(), await reference()]) {
      const solving = neuralOde({ field, method: tsit5, dtype });
      const control = pid({ rtol: 1e-4, atol: 1e-4 });
      results.push(await solve(solving, { runtime, parameters, y0: fit.y0, t0: 0, saveAt: saves, control }));
    }
    expect(results[0]!.stats.steps).to.equal(results[1]!.stats.steps);
    expect(tensorDistance(results[0]!.ys, results[1]!.ys)).to.be.below(tolerance);
  },

  async "says where a solve diverges, as another runtime does"({ open, reference }) {
    const messages = [];
    for (const runtime of [await open(), await reference()]) {
      // y' = y² from 1 is infinite at t = 1
      const solving = neuralOde({ field: squaring, method: rk4, stepSize: 0.1, dtype });
      const parameters = { a: tensor(dtype, [], [1]) };
      const request = { runtime, parameters, y0: tensor(dtype, [1, 1], [1]), t0: 0, t1: 3 };
      messages.push((await failure(solve(solving, request), DivergenceError)).message);
    }
    expect(messages[0]).to.equal(messages[1]).and.contain("t = 1.2");
  },

  async "finds one gradient with loops unrolled and with loops"({ open, reference }) {
    const gradient = (runtime: Runtime) =>
      gradientOf(ode, { runtime, loss: mse(), gradient: "reversible", ...task });
    const [straight, looped, expected] = [
      await gradient(await open({ unroll: 4 })),
      await gradient(await open({ unroll: 0 })),
      await gradient(await reference()),
    ];
    // the same operations, of which sums over steps may be taken in another order
    expect(tensorsDistance(straight.parameters, looped.parameters)).to.be.below(1e-5);
    expect(tensorsDistance(straight.parameters, expected.parameters)).to.be.below(tolerance);
    expect(tensorDistance(straight.y0, expected.y0)).to.be.below(tolerance);
  },

  async "trains as another runtime does"({ open, reference }) {
    const results = [];
    for (const runtime of [await open(), await reference()]) {
      const { y0, target } = task.fit;
      const data = { t0: 0, times: saves, y0, observations: target };
      const options = { loss: mse(), optimiser: adamw({ learningRate: 0.01 }), steps: 6, updatesPerRun: 1 };
      results.push(await train(ode, data, { runtime, parameters: task.parameters, ...options }));
    }
    const [own, expected] = results as [(typeof results)[0], (typeof results)[0]];
    expect(distance(own.losses, expected.losses)).to.be.below(tolerance);
    expect(own.losses.at(-1)).to.be.below(own.losses[0]!);
    expect(tensorsDistance(own.parameters, expected.parameters)).to.be.below(tolerance);
  },

  async "adds up gradients of parts of the batch"({ open, reference }) {
    const runtime = await open();
    const options = { runtime, loss: mse(), gradient: "direct", fit: task.fit } as const;
    const split = await parallelDifferentiator(ode, { ...options, helpers: [await open()] });
    const { loss } = await split.run({ parameters: upload(runtime, task.parameters) }, split.fixed(task.fit));
    const found = { loss: await runtime.download(loss) };
    await split.release();
    const whole = await gradientOf(ode, {
      ...options,
      runtime: await reference(),
      parameters: task.parameters,
    });
    expect(numbers(found.loss)[0]).to.be.closeTo(whole.loss, tolerance * whole.loss);
  },

  async "leaves on the GPU what it computes there, and what comes a second time"({ open }) {
    const runtime = await open();
    const b = new Builder();
    const x = b.input("x", dtype, ["n"]);
    const n = b.input("n", "int64", [1]);
    const executable = await runtime.compile(b.graph({ y: add(b, x, 1), m: add(b, n, b.ints([1])) }));
    const given = upload(runtime, { x: tensor(dtype, [2], [1, 2]), n: tensor("int64", [1], [2n ** 40n]) });
    const places = (values: DeviceTensors) =>
      Object.fromEntries(
        Object.entries(values).map(([name, value]) => [name, (value as GpuTensor).ort.location]),
      );
    expect(places(await executable.run(given))).to.deep.equal({ y: "gpu-buffer", m: "cpu" });
    expect(places(given)).to.deep.equal({ x: "cpu", n: "cpu" });
    const again = await executable.run(given);
    expect(places(given)).to.deep.equal({ x: "gpu-buffer", n: "cpu" });
    const results = await download(runtime, again);
    expect([...results.y!.data]).to.deep.equal([2, 3]);
    expect([...results.m!.data]).to.deep.equal([2n ** 40n + 1n]);
    expect([...(await runtime.download(given.x!)).data]).to.deep.equal([1, 2]);
    // downloading moves nothing away
    expect(places(again)).to.deep.equal({ y: "gpu-buffer", m: "cpu" });
    await executable.release();
  },

  async "moves a tensor to the GPU once, also for runs at once"({ open }) {
    const runtime = await open();
    const b = new Builder();
    const executable = await runtime.compile(b.graph({ y: add(b, b.input("x", dtype, [3, 1]), 1) }));
    const given = upload(runtime, { x: tensor(dtype, [3, 1], [1, 2, 3]) });
    const runs = await Promise.all(Array.from({ length: 6 }, () => executable.run(given)));
    for (const { y } of runs) expect([...(await runtime.download(y!)).data]).to.deep.equal([2, 3, 4]);
    expect((given.x as GpuTensor).ort.location).to.equal("gpu-buffer");
    expect([...(given.x as GpuTensor).ort.dims]).to.deep.equal([3, 1]);
    await executable.release();
  },

  async "does what was asked for before a tensor was disposed of, and nothing with it afterwards"({ open }) {
    const runtime = await open();
    const b = new Builder();
    const executable = await runtime.compile(b.graph({ y: add(b, b.input("x", dtype, [2]), 1) }));
    const first = await executable.run(upload(runtime, { x: tensor(dtype, [2], [1, 2]) }));
    const second = executable.run({ x: first.y! });
    await Promise.resolve();
    runtime.dispose(first.y!);
    runtime.dispose(first.y!);
    expect([...(await runtime.download((await second).y!)).data]).to.deep.equal([3, 4]);
    const { message } = await failure(executable.run({ x: first.y! }), RunError);
    expect(message).to.contain("disposed");
    await executable.release();
  },

  async "frees what a graph has left also when the graph is released"({ open }) {
    const runtime = await open();
    const b = new Builder();
    const graph = b.graph({ y: add(b, b.input("x", dtype, [2]), 1) });
    const left = [];
    for (let i = 0; i < 5; i++) {
      const executable = await runtime.compile(graph);
      left.push((await executable.run(upload(runtime, { x: tensor(dtype, [2], [i, 2 * i]) }))).y!);
      await executable.release();
    }
    for (const [i, value] of left.entries()) {
      expect([...(await runtime.download(value)).data]).to.deep.equal([i + 1, 2 * i + 1]);
      runtime.dispose(value);
    }
    const again = await run(runtime, graph, { x: tensor(dtype, [2], [1, 2]) });
    expect([...again.y!.data]).to.deep.equal([2, 3]);
  },

  async "ends a released graph once, however much of it is freed at a time"({ open }) {
    const runtime = await open();
    const b = new Builder();
    const x = b.input("x", dtype, [2]);
    const graph = b.graph({ y: add(b, x, 1), z: add(b, x, 2) });
    for (let turns = 0; turns < 8; turns++) {
      const executable = await runtime.compile(graph);
      const { y, z } = await executable.run(upload(runtime, { x: tensor(dtype, [2], [1, 2]) }));
      await executable.release();
      runtime.dispose(y!);
      runtime.dispose(z!);
      for (let i = 0; i < turns; i++) await null;
      // onnxruntime-web gives new sessions the numbers of those that ended: a second end would be that of this one
      const next = await runtime.compile(graph);
      await next.run(upload(runtime, { x: tensor(dtype, [2], [1, 2]) }));
      const again = await next.run(upload(runtime, { x: tensor(dtype, [2], [3, 4]) }));
      expect([...(await runtime.download(again.z!)).data]).to.deep.equal([5, 6]);
      await next.release();
    }
  },

  async "frees what nobody holds any more"({ open }) {
    const collect = (globalThis as { gc?: () => void }).gc;
    if (collect === undefined) throw new Error("Start the engine with --expose-gc.");
    const runtime = await open();
    const b = new Builder();
    const executable = await runtime.compile(b.graph({ y: add(b, b.input("x", dtype, [2]), 1) }));
    const given = upload(runtime, { x: tensor(dtype, [2], [1, 2]) });
    const kept = (await executable.run(given)).y as GpuTensor;
    const prototype = Object.getPrototypeOf(kept.ort) as { dispose(): void };
    const { dispose } = prototype;
    let freed = 0;
    prototype.dispose = function () {
      freed++;
      dispose.call(this);
    };
    try {
      for (let i = 0; i < 20; i++) await executable.run(given);
      for (let i = 0; i < 50 && freed < 10; i++) {
        collect();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    } finally {
      prototype.dispose = dispose;
    }
    // an engine may hold the last ones a little longer
    expect(freed).to.be.at.least(10);
    expect([...(await runtime.download(kept)).data]).to.deep.equal([2, 3]);
    await executable.release();
  },

  async "refuses float64, naming where it is and what to do"({ open }) {
    const runtime = await open();
    const message = async (graph: Graph) => (await failure(runtime.compile(graph), CompileError)).message;
    const b = new Builder();
    const given = await message(b.graph({ y: add(b, b.input("x", "float64", [2]), 1) }, "double"));
    expect(given).to.contain('"double"').and.contain('input "x"').and.contain("float64[2]");
    expect(given).to.contain("float32").and.contain("jit");
    const c = new Builder();
    const { carried } = loop(c, { trips: 3, carried: [c.input("x", dtype, [])] }, (inner, _i, [x]) => ({
      carried: [cast(inner, add(inner, cast(inner, x!, "float64"), 1), dtype)],
    }));
    expect(await message(c.graph({ y: carried[0]! }, "inner"))).to.contain("result of Cast");
  },

  async "computes einsums and norms of operands that broadcast"(place) {
    const b = new Builder();
    const x = b.input("x", dtype, [2, 2, 3]);
    const scale = b.input("scale", dtype, [3]);
    const graph = b.graph({
      product: einsum(b, "...ij,...jk->...ik", x, b.input("w", dtype, [1, 3, 2])),
      norm: layerNormalization(b, x, scale, null, { axis: 1 }),
    });
    const values = (count: number) => Array.from({ length: count }, (_, i) => Math.sin(i + 1));
    const inputs = {
      x: tensor(dtype, [2, 2, 3], values(12)),
      w: tensor(dtype, [1, 3, 2], values(6)),
      scale: tensor(dtype, [3], values(3)),
    };
    const own = await run(await place.open(), graph, inputs);
    expect(tensorsDistance(own, await run(await place.reference(), graph, inputs))).to.be.below(1e-5);
  },

  async "computes functions without overflow where |x| = 1000"(place) {
    const types = [
      "Tanh",
      "Sigmoid",
      "Softplus",
      "Gelu",
      "Mish",
      "Elu",
      "Erf",
      "Asinh",
      "LogSoftmax",
      "Softmax",
    ];
    for (const type of [...types, "ReduceLogSumExp", "Sign", "Selu", "Celu", "Softsign"]) {
      const [own, expected] = await both(place, type, [-1000, 1000]);
      own.forEach((y, i) => {
        // a GPU may round each of a few functions by some 1e-6 of the result
        expect(y, type).to.be.closeTo(expected[i]!, 1e-5 * (1 + Math.abs(expected[i]!)));
      });
    }
  },
};
