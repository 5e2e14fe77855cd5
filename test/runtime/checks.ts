import { expect } from "chai";
import { Random } from "../../src/core/random.js";
import {
  type DType,
  dtypes,
  emptyData,
  type FloatDType,
  numbers,
  scalar,
  type Tensor,
  tensor,
} from "../../src/core/tensor.js";
import { type Activation, activations } from "../../src/fields/activations.js";
import { initialParameters, type Tensors } from "../../src/fields/field.js";
import { mlp } from "../../src/fields/mlp.js";
import { type Gradients, gradientOf } from "../../src/gradients/evaluate.js";
import { Builder } from "../../src/graph/builder.js";
import type { Graph, Op } from "../../src/graph/graph.js";
import { floats, takes } from "../../src/graph/signature.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import type { LanguageKind } from "../../src/language/configuration.js";
import { languageModel } from "../../src/language/language-model.js";
import { mse } from "../../src/learning/losses.js";
import { adamw, sgd } from "../../src/learning/optimisers.js";
import { reversible } from "../../src/methods/reversible.js";
import { rk4 } from "../../src/methods/tableaux.js";
import { fit as trained } from "../../src/models/fit.js";
import { predict } from "../../src/models/measuring.js";
import { add, div, mul, sub } from "../../src/ops/arithmetic.js";
import { loop } from "../../src/ops/control.js";
import { matmul } from "../../src/ops/linalg.js";
import { equal, less } from "../../src/ops/logic.js";
import { cast } from "../../src/ops/reshape.js";
import { concat, gather } from "../../src/ops/slicing.js";
import { tanh } from "../../src/ops/trigonometry.js";
import type { ExactGraphGradient } from "../../src/programs/adjoints.js";
import { gridThrough } from "../../src/programs/grid.js";
import { inputType } from "../../src/programs/program.js";
import { updateProgram } from "../../src/programs/update.js";
import {
  CompileError,
  type Executable,
  InputError,
  RunError,
  type Runtime,
} from "../../src/runtime/runtime.js";
import { distance, tensorsDistance } from "../support/distance.js";
import { failure } from "../support/failure.js";

/** What a runtime must do. What has no exact answer is compared with another runtime. */
export type Check = (runtime: Runtime, reference: () => Promise<Runtime>) => Promise<void>;

/** Values at the edges of each dtype. */
const edges: Readonly<Record<DType, readonly (number | bigint | boolean)[]>> = {
  float32: [0, -0, 1.5, -3.4028234663852886e38, 1.401298464324817e-45, Number.POSITIVE_INFINITY, Number.NaN],
  float64: [0, -0, 1 + 2 ** -52, Number.MAX_VALUE, Number.MIN_VALUE, Number.NEGATIVE_INFINITY, Number.NaN],
  int8: [-128, 0, 127],
  int16: [-32768, 0, 32767],
  int32: [-(2 ** 31), 0, 2 ** 31 - 1],
  int64: [-(2n ** 63n), 0n, 2n ** 53n + 1n, 2n ** 63n - 1n],
  uint8: [0, 255],
  uint16: [0, 65535],
  uint32: [0, 2 ** 32 - 1],
  uint64: [0n, 2n ** 64n - 1n],
  bool: [true, false, true],
};

function edgeTensor(dtype: DType): Tensor {
  return tensor(dtype, [1, edges[dtype].length], edges[dtype]);
}

/** Runs a graph once, from host to host. */
async function evaluate(runtime: Runtime, graph: Graph, inputs: Tensors): Promise<Record<string, Tensor>> {
  const executable = await runtime.compile(graph);
  try {
    return await runOn(runtime, executable, inputs);
  } finally {
    await executable.release();
  }
}

async function runOn(
  runtime: Runtime,
  executable: Executable,
  inputs: Tensors,
): Promise<Record<string, Tensor>> {
  const given = Object.fromEntries(
    Object.entries(inputs).map(([name, value]) => [name, runtime.upload(value)]),
  );
  const results: Record<string, Tensor> = {};
  for (const [name, value] of Object.entries(await executable.run(given))) {
    results[name] = await runtime.download(value);
  }
  return results;
}

/** Equal to the bit, but for the many NaNs. */
function expectSame(actual: Tensor | undefined, expected: Tensor): void {
  expect(actual?.dtype).to.equal(expected.dtype);
  expect([...actual!.shape]).to.deep.equal([...expected.shape]);
  expect(actual!.data.constructor).to.equal(expected.data.constructor);
  expect([...actual!.data]).to.deep.equal([...expected.data]);
}

/** y = x + 1, on float32 rows of two. */
function increment(): Graph {
  const b = new Builder();
  const x = b.input("x", "float32", ["batch", 2]);
  return b.graph({ y: add(b, x, 1) }, "increment");
}

const pair = (...values: number[]): Tensor => tensor("float32", [values.length / 2, 2], values);

/** Fibonacci numbers: two carried values, one scan, and a captured increment. */
function fibonacci(dtype: DType): Graph {
  const b = new Builder();
  const trips = b.input("trips", "int64", []);
  const bonus = b.input("bonus", dtype, [1]);
  const [one, zero] = [tensor(dtype, [1], [1]), tensor(dtype, [1], [0])];
  const { carried, scans } = loop(
    b,
    { trips, carried: [b.constant(zero), b.constant(one)] },
    (inner, _i, [x, y]) => ({ carried: [y!, add(inner, add(inner, x!, y!), bonus)], scans: [x!] }),
  );
  return b.graph({ last: carried[0]!, all: scans[0]! }, "fibonacci");
}

const fibonacciNumbers = [0, 1, 1, 2, 3, 5, 8, 13, 21, 34];

/** The gradient of a small, irregularly sampled fit with gaps. */
function smallGradient(
  runtime: Runtime,
  gradient: ExactGraphGradient,
  dtype: FloatDType,
  { activation = "tanh", everyStep = false }: { activation?: Activation; everyStep?: boolean } = {},
): Promise<Gradients> {
  const field = mlp({ dim: 3, hidden: [5], activation });
  const random = Random.seeded(7);
  const parameters = initialParameters(field, random, dtype);
  const saves = everyStep ? [0.1, 0.2, 0.3, 0.4] : [0, 0.05, 0.31, 1];
  const draws = (length: number) => Array.from({ length }, () => random.normal());
  return gradientOf(neuralOde({ field, method: reversible(rk4), stepSize: 0.1, dtype }), {
    runtime,
    loss: mse(),
    gradient,
    parameters,
    fit: {
      grid: gridThrough(0, saves, 0.1),
      y0: tensor(dtype, [2, 3], draws(6)),
      target: tensor(dtype, [saves.length, 2, 3], draws(saves.length * 6)),
      weight: everyStep
        ? null
        : tensor(
            dtype,
            [saves.length, 2, 3],
            Array.from({ length: saves.length * 6 }, (_, i) => (i % 5 === 0 ? 0 : 1)),
          ),
    },
  });
}

function expectSameGradient(actual: Gradients, expected: Gradients, tolerance: number): void {
  expect(distance([actual.loss], [expected.loss])).to.be.below(tolerance);
  const own = { ...actual.parameters, y0: actual.y0 };
  expect(tensorsDistance(own, { ...expected.parameters, y0: expected.y0 })).to.be.below(tolerance);
}

// a gradient of 14 steps is some 1000 roundings; each runtime may sum and round tanh its own way
const gradientTolerance = { float64: 1e-12, float32: 1e-4 } as const;

const activationTypes = (Object.keys(activations) as Activation[]).flatMap(
  (name) => [`${name} in float64`, `${name} in float32`] as const,
);

/** Checks that there are one of for each of some names. */
function forEach<Name extends string, Title extends string>(
  names: readonly Name[],
  title: (name: Name) => Title,
  check: (runtime: Runtime, name: Name, reference: () => Promise<Runtime>) => Promise<void>,
): Record<Title, Check> {
  return Object.fromEntries(
    names.map((name) => [
      title(name),
      (...[runtime, reference]: Parameters<Check>) => check(runtime, name, reference),
    ]),
  ) as Record<Title, Check>;
}

/** Whether tensors go in and come out as they are. */
const tensors = {
  async "says what it is"(runtime) {
    expect(runtime.name).to.match(/^[a-z][a-z0-9-]*$/);
    expect(runtime.version).to.match(/\d/);
  },

  ...forEach(
    dtypes,
    (dtype) => `brings ${dtype} back from the device as it was` as const,
    async (runtime, dtype) => {
      const value = edgeTensor(dtype);
      const device = runtime.upload(value);
      expect([device.dtype, [...device.shape]]).to.deep.equal([dtype, [...value.shape]]);
      expectSame(await runtime.download(device), value);
      expectSame(await runtime.download(device), value);
    },
  ),

  ...forEach(
    dtypes,
    (dtype) => `hands ${dtype} inputs and constants through a graph` as const,
    async (runtime, dtype) => {
      const value = edgeTensor(dtype);
      const b = new Builder();
      const x = b.input("x", dtype, value.shape);
      const graph = b.graph({ same: x, again: x, constant: b.constant(value) }, "pass");
      const results = await evaluate(runtime, graph, { x: value });
      expect(Object.keys(results)).to.have.members(["same", "again", "constant"]);
      for (const result of Object.values(results)) expectSame(result, value);
    },
  ),

  async "knows scalars from vectors of one element"(runtime) {
    const b = new Builder();
    const x = b.input("x", "float32", []);
    const y = b.input("y", "float32", [1]);
    const graph = b.graph({ scalar: add(b, x, 1), vector: add(b, y, 1) }, "scalars");
    const results = await evaluate(runtime, graph, {
      x: scalar("float32", 2),
      y: tensor("float32", [1], [2]),
    });
    expectSame(results.scalar, scalar("float32", 3));
    expectSame(results.vector, tensor("float32", [1], [3]));
  },

  async "takes and returns empty tensors"(runtime) {
    const empty = tensor("float32", [0, 2], []);
    expectSame(await runtime.download(runtime.upload(empty)), empty);
    expectSame((await evaluate(runtime, increment(), { x: empty })).y, empty);
  },

  async "takes any size of a symbolic batch, one after the other"(runtime) {
    const executable = await runtime.compile(increment());
    for (const batch of [1, 3, 2, 1, 5]) {
      const x = tensor("float32", [batch, 2], new Float32Array(2 * batch).fill(batch));
      const expected = tensor("float32", [batch, 2], new Float32Array(2 * batch).fill(batch + 1));
      expectSame((await runOn(runtime, executable, { x })).y, expected);
    }
    await executable.release();
  },

  async "says which inputs and outputs a graph has"(runtime) {
    const executable = await runtime.compile(increment());
    expect(executable.inputs).to.deep.equal({ x: { dtype: "float32", shape: ["batch", 2] } });
    expect(executable.outputs).to.deep.equal({ y: { dtype: "float32", shape: ["batch", 2] } });
    await executable.release();
  },

  async "leaves inputs as they were"(runtime) {
    const b = new Builder();
    const x = b.input("x", "float32", [2, 2]);
    const { carried } = loop(b, { trips: 3, carried: [x] }, (inner, _i, [y]) => ({
      carried: [mul(inner, tanh(inner, y!), 2)],
    }));
    const executable = await runtime.compile(b.graph({ same: x, y: carried[0]! }, "loop"));
    const host = tensor("float32", [2, 2], [1, 2, 3, 4]);
    const device = runtime.upload(host);
    await executable.run({ x: device });
    await executable.run({ x: device });
    expectSame(await runtime.download(device), tensor("float32", [2, 2], [1, 2, 3, 4]));
    expect([...host.data]).to.deep.equal([1, 2, 3, 4]);
    await executable.release();
  },

  async "returns outputs that later runs leave alone"(runtime) {
    const executable = await runtime.compile(increment());
    const first = (await executable.run({ x: runtime.upload(pair(1, 2)) })).y!;
    const second = (await executable.run({ x: runtime.upload(pair(10, 20)) })).y!;
    expectSame(await runtime.download(first), pair(2, 3));
    expectSame(await runtime.download(second), pair(11, 21));
    await executable.release();
    expectSame(await runtime.download(first), pair(2, 3));
  },

  async "takes the outputs of one run as inputs of the next"(runtime) {
    const executable = await runtime.compile(increment());
    let value = runtime.upload(pair(0, 0.5));
    for (let i = 0; i < 10; i++) value = (await executable.run({ x: value })).y!;
    expectSame(await runtime.download(value), pair(10, 10.5));
    await executable.release();
  },

  async "takes one tensor as two inputs"(runtime) {
    const b = new Builder();
    const [x, y] = [b.input("x", "float32", [2]), b.input("y", "float32", [2])];
    const executable = await runtime.compile(b.graph({ product: mul(b, x, y) }, "product"));
    const value = runtime.upload(tensor("float32", [2], [3, -4]));
    const { product } = await executable.run({ y: value, x: value });
    expectSame(await runtime.download(product!), tensor("float32", [2], [9, 16]));
    await executable.release();
  },

  async "frees a tensor without harm to others"(runtime) {
    const executable = await runtime.compile(increment());
    const x = runtime.upload(pair(1, 2));
    const { y } = await executable.run({ x });
    runtime.dispose(x);
    expectSame(await runtime.download(y!), pair(2, 3));
    await executable.release();
  },
} satisfies Record<string, Check>;

/** Whether numbers are right. */
const arithmetic = {
  async "multiplies matrices"(runtime) {
    const b = new Builder();
    const x = b.input("x", "float32", [2, 3]);
    const y = b.input("y", "float32", [3, 2]);
    const results = await evaluate(runtime, b.graph({ z: matmul(b, x, y) }, "matmul"), {
      x: tensor("float32", [2, 3], [1, 2, 3, 4, 5, 6]),
      y: tensor("float32", [3, 2], [1, 2, 3, 4, 5, 6]),
    });
    expectSame(results.z, tensor("float32", [2, 2], [22, 28, 49, 64]));
  },

  async "rounds float32 as float32"(runtime) {
    const b = new Builder();
    const x = b.input("x", "float32", [1]);
    const results = await evaluate(
      runtime,
      b.graph({ sum: add(b, x, 2 ** 24), square: mul(b, x, x) }, "round"),
      { x: tensor("float32", [1], [1.1]) },
    );
    const rounded = Math.fround(1.1);
    expectSame(results.sum, tensor("float32", [1], [Math.fround(rounded + 2 ** 24)]));
    expectSame(results.square, tensor("float32", [1], [Math.fround(rounded * rounded)]));
  },

  async "keeps the precision of float64, in constants and in loops"(runtime) {
    const b = new Builder();
    const x = b.input("x", "float64", []);
    const { carried } = loop(b, { trips: 3, carried: [x] }, (inner, _i, [y]) => ({
      carried: [add(inner, y!, 2 ** -52)],
    }));
    const graph = b.graph({ sum: carried[0]!, third: mul(b, x, 1 / 3), large: mul(b, x, 1e300) }, "precise");
    const results = await evaluate(runtime, graph, { x: scalar("float64", 1) });
    expect(numbers(results.sum!)).to.deep.equal([1 + 3 * 2 ** -52]);
    expect(numbers(results.third!)).to.deep.equal([1 / 3]);
    expect(numbers(results.large!)).to.deep.equal([1e300]);
  },

  async "computes infinities and NaN where IEEE does"(runtime) {
    const b = new Builder();
    const x = b.input("x", "float32", [4]);
    const zero = b.input("zero", "float32", []);
    const graph = b.graph(
      { quotient: div(b, x, zero), overflow: mul(b, x, 3e38), self: equal(b, x, x), below: less(b, x, 1) },
      "ieee",
    );
    const results = await evaluate(runtime, graph, {
      x: tensor("float32", [4], [2, -2, 0, Number.NaN]),
      zero: scalar("float32", 0),
    });
    const { POSITIVE_INFINITY: up, NEGATIVE_INFINITY: down, NaN: none } = Number;
    expect(numbers(results.quotient!)).to.deep.equal([up, down, none, none]);
    expect(numbers(results.overflow!)).to.deep.equal([up, down, 0, none]);
    expectSame(results.self, tensor("bool", [4], [1, 1, 1, 0]));
    expectSame(results.below, tensor("bool", [4], [0, 1, 1, 0]));
  },

  async "repeats a loop, stacking scans and reading what lies around it"(runtime) {
    const results = await evaluate(runtime, fibonacci("float32"), {
      trips: scalar("int64", 10),
      bonus: tensor("float32", [1], [0]),
    });
    expectSame(results.all, tensor("float32", [10, 1], fibonacciNumbers));
    expectSame(results.last, tensor("float32", [1], [55]));
    const shifted = await evaluate(runtime, fibonacci("float32"), {
      trips: scalar("int64", 4),
      bonus: tensor("float32", [1], [1]),
    });
    expectSame(shifted.all, tensor("float32", [4, 1], [0, 1, 2, 4]));
  },

  async "counts in int64, in a loop as outside"(runtime) {
    const results = await evaluate(runtime, fibonacci("int64"), {
      trips: scalar("int64", 91),
      bonus: tensor("int64", [1], [0n]),
    });
    // the largest Fibonacci number but one that int64 holds; 2^53 is passed at the 78th
    expectSame(results.last, tensor("int64", [1], [4660046610375530309n]));
  },

  async "returns what a loop started with after zero trips, and empty scans"(runtime) {
    const results = await evaluate(runtime, fibonacci("float32"), {
      trips: scalar("int64", 0),
      bonus: tensor("float32", [1], [0]),
    });
    expectSame(results.last, tensor("float32", [1], [0]));
    expectSame(results.all, tensor("float32", [0, 1], []));
  },

  async "hands through a loop what it does not change"(runtime) {
    const b = new Builder();
    const x = b.input("x", "float32", [2]);
    const { carried } = loop(b, { trips: 5, carried: [x] }, (_inner, _i, [y]) => ({ carried: [y!] }));
    const value = tensor("float32", [2], emptyData("float32", 2).fill(4));
    expectSame((await evaluate(runtime, b.graph({ y: carried[0]! }, "still"), { x: value })).y, value);
  },

  async "ends a loop when its condition says so"(runtime) {
    const b = new Builder();
    const limit = b.input("limit", "float32", []);
    const { carried } = loop(
      b,
      { trips: 100, carried: [b.scalar("float32", 1), b.scalar("int64", 0)] },
      (inner, _i, [x, count]) => {
        const next = mul(inner, x!, 2);
        return {
          carried: [next, add(inner, count!, inner.scalar("int64", 1))],
          proceed: less(inner, next, limit),
        };
      },
    );
    const graph = b.graph({ x: carried[0]!, count: carried[1]! }, "until");
    const results = await evaluate(runtime, graph, { limit: scalar("float32", 100) });
    expectSame(results.x, scalar("float32", 128));
    expectSame(results.count, scalar("int64", 7n));
  },

  async "nests loops, the inner one reading both scopes around it"(runtime) {
    const b = new Builder();
    const table = b.input("table", "float32", [4]);
    const { carried, scans } = loop(
      b,
      { trips: 4, carried: [b.scalar("float32", 0)] },
      (outer, i, [total]) => {
        const scale = gather(outer, table, i);
        const { carried: sums } = loop(outer, { trips: i, carried: [total!] }, (inner, j, [sum]) => ({
          carried: [add(inner, sum!, mul(inner, scale, cast(inner, j, "float32")))],
        }));
        return { carried: [sums[0]!], scans: [sub(outer, sums[0]!, total!)] };
      },
    );
    const graph = b.graph({ total: carried[0]!, parts: scans[0]! }, "nested");
    const results = await evaluate(runtime, graph, { table: tensor("float32", [4], [1, 10, 100, 1000]) });
    // row i adds table[i] · (0 + 1 + … + (i − 1))
    expectSame(results.parts, tensor("float32", [4], [0, 0, 100, 3000]));
    expectSame(results.total, scalar("float32", 3100));
  },

  async "loops over a symbolic batch"(runtime) {
    const b = new Builder();
    const x = b.input("x", "float32", ["batch", 2]);
    const { carried, scans } = loop(b, { trips: 2, carried: [x], length: 2 }, (inner, _i, [y]) => {
      const next = concat(inner, [add(inner, y!, 1)], 0);
      return { carried: [next], scans: [next] };
    });
    const executable = await runtime.compile(b.graph({ y: carried[0]!, all: scans[0]! }, "rows"));
    for (const batch of [3, 1]) {
      const values = Array.from({ length: 2 * batch }, (_, i) => i);
      const { y, all } = await runOn(runtime, executable, { x: tensor("float32", [batch, 2], values) });
      expectSame(
        y,
        tensor(
          "float32",
          [batch, 2],
          values.map((v) => v + 2),
        ),
      );
      expectSame(
        all,
        tensor("float32", [2, batch, 2], [...values.map((v) => v + 1), ...values.map((v) => v + 2)]),
      );
    }
    await executable.release();
  },
} satisfies Record<string, Check>;

/** Whether executables are what their interface says. */
const executables = {
  async "names the input that is missing, unknown or misfitting"(runtime) {
    const executable = await runtime.compile(increment());
    const x = runtime.upload(pair(1, 2));
    const message = async (given: Parameters<Executable["run"]>[0]) =>
      (await failure(executable.run(given), InputError)).message;
    expect(await message({}))
      .to.contain('"x"')
      .and.contain("missing");
    expect(await message({ x, z: x }))
      .to.contain('"z"')
      .and.contain('"x"');
    const misfits = [
      tensor("float64", [1, 2], [1, 2]),
      tensor("float32", [2], [1, 2]),
      tensor("float32", [1, 3], [1, 2, 3]),
    ];
    for (const misfit of misfits) {
      expect(await message({ x: runtime.upload(misfit) }))
        .to.contain("float32[batch, 2]")
        .and.contain(`${misfit.dtype}[${misfit.shape.join(", ")}]`);
    }
    expectSame(await runtime.download((await executable.run({ x })).y!), pair(2, 3));
    await executable.release();
  },

  async "refuses a graph with an operator that it does not have, naming it"(runtime) {
    const Unheard: Op = { type: "Unheard", inputs: [takes("x", floats)], infer: ([x]) => [x!] };
    const b = new Builder();
    const x = b.input("x", "float32", [2]);
    const graph = b.graph({ y: b.apply(Unheard, [x]) }, "odd-one");
    const { message } = await failure(runtime.compile(graph), CompileError);
    expect(message).to.contain(runtime.name).and.contain("Unheard");
  },

  async "keeps two executables apart"(runtime) {
    const b = new Builder();
    const x = b.input("x", "float32", ["batch", 2]);
    const [plus, twice] = [
      await runtime.compile(increment()),
      await runtime.compile(b.graph({ y: mul(b, x, 2) }, "twice")),
    ];
    let value = runtime.upload(pair(1, 2));
    for (let i = 0; i < 3; i++) {
      value = (await plus.run({ x: value })).y!;
      value = (await twice.run({ x: value })).y!;
    }
    expectSame(await runtime.download(value), pair(22, 30));
    await plus.release();
    expectSame((await runOn(runtime, twice, { x: pair(1, 2) })).y, pair(2, 4));
    await twice.release();
  },

  async "gives each of many runs at once its own result"(runtime) {
    const executable = await runtime.compile(fibonacci("float32"));
    const runs = fibonacciNumbers.map((_, i) =>
      runOn(runtime, executable, { trips: scalar("int64", i), bonus: tensor("float32", [1], [0]) }),
    );
    for (const [i, results] of (await Promise.all(runs)).entries()) {
      expectSame(results.last, tensor("float32", [1], [fibonacciNumbers[i]!]));
      expectSame(results.all, tensor("float32", [i, 1], fibonacciNumbers.slice(0, i)));
    }
    await executable.release();
  },

  async "compiles many graphs at once"(runtime) {
    const compiled = await Promise.all(Array.from({ length: 4 }, () => runtime.compile(increment())));
    const results = await Promise.all(
      compiled.map((executable, i) => runOn(runtime, executable, { x: pair(i, 0) })),
    );
    for (const [i, { y }] of results.entries()) expectSame(y, pair(i + 1, 1));
    await Promise.all(compiled.map((executable) => executable.release()));
  },

  async "refuses to run what has been released"(runtime) {
    const executable = await runtime.compile(increment());
    const x = runtime.upload(pair(1, 2));
    await executable.run({ x });
    await executable.release();
    await executable.release();
    const { message } = await failure(executable.run({ x }), RunError);
    expect(message).to.contain("increment").and.contain("released");
  },
} satisfies Record<string, Check>;

/** A language model of few numbers, as many iterations in each window, and what it says after two updates. */
async function smallLanguageModel(runtime: Runtime, kind: LanguageKind, state: FloatDType): Promise<Tensors> {
  const [windows, length, vocabulary] = [2, 4, 5];
  const { task, model } = languageModel(kind, {
    ...{ vocabulary, length, width: 4, heads: 2, hidden: [6], cell: "block", layers: 2, tied: false },
    ...{ finalNorm: "applied", dropout: 0 },
    equilibrium: { relaxation: 0.5, steps: 2, tolerance: 0, state },
  });
  const random = Random.seeded(7);
  const drawn = () =>
    tensor(
      "int64",
      [windows, length],
      Array.from({ length: windows * length }, () => BigInt(Math.floor(random.uniform(0, vocabulary)))),
    );
  const data = { tokens: drawn(), next: drawn() };
  const { losses, parameters } = await trained(task, data, {
    ...{
      runtime,
      steps: 2,
      batchSize: windows,
      dtype: "float32",
      seed: 1,
      optimiser: sgd({ learningRate: 0.5 }),
    },
  });
  const { logits } = await predict(model, { tokens: data.tokens }, { runtime, parameters, dtype: "float32" });
  return { losses: tensor("float64", [2], losses), logits: logits! };
}

/** Whether whole programs are right. */
const programs = {
  ...forEach(
    [
      "a transformer",
      "a deep-equilibrium transformer",
      "a deep-equilibrium transformer with its state in float64",
    ] as const,
    (what) => `trains ${what} as another runtime does` as const,
    async (runtime, what, reference) => {
      const kind = what === "a transformer" ? "transformer" : "revdeq";
      const state = what.endsWith("float64") ? "float64" : "float32";
      const own = await smallLanguageModel(runtime, kind, state);
      const expected = await smallLanguageModel(await reference(), kind, state);
      // some hundred float32 operations on the way to each number, and back
      expect(tensorsDistance(own, expected)).to.be.below(1e-4);
    },
  ),

  ...forEach(
    ["float64", "float32"] as const,
    (dtype) => `finds whole gradients in ${dtype}, reversible and direct, as another runtime does` as const,
    async (runtime, dtype, reference) => {
      const other = await reference();
      for (const gradient of ["reversible", "direct"] as const) {
        for (const everyStep of [true, false]) {
          const [own, expected] = [
            await smallGradient(runtime, gradient, dtype, { everyStep }),
            await smallGradient(other, gradient, dtype, { everyStep }),
          ];
          expectSameGradient(own, expected, gradientTolerance[dtype]);
        }
      }
    },
  ),

  ...forEach(
    activationTypes,
    (type) => `differentiates a perceptron with ${type} as another runtime does` as const,
    async (runtime, type, reference) => {
      const [activation, dtype] = type.split(" in ") as [Activation, FloatDType];
      const [own, expected] = [
        await smallGradient(runtime, "reversible", dtype, { activation }),
        await smallGradient(await reference(), "reversible", dtype, { activation }),
      ];
      expectSameGradient(own, expected, gradientTolerance[dtype]);
    },
  ),

  async "updates parameters as another runtime does"(runtime, reference) {
    const { graph } = updateProgram(
      { optimiser: adamw(), dtype: "float32", clip: 0.5 },
      { parameters: { w: inputType("float32", [2, 3]), b: inputType("float32", []) } },
    );
    const random = Random.seeded(3);
    const draw = (shape: readonly number[]) =>
      tensor(
        "float32",
        shape,
        Array.from({ length: shape.reduce((p, d) => p * d, 1) }, () => random.uniform()),
      );
    const inputs: Tensors = Object.fromEntries(
      graph.inputs.map(({ name, shape }) => [
        name!,
        name === "count" ? scalar("float32", 3) : draw(shape as readonly number[]),
      ]),
    );
    const own = await evaluate(runtime, graph, inputs);
    const expected = await evaluate(await reference(), graph, inputs);
    // a dozen float32 operations per number
    expect(tensorsDistance(own, expected)).to.be.below(1e-5);
  },
} satisfies Record<string, Check>;

/** What every runtime must do, whatever runs underneath. */
export const checks = { ...tensors, ...arithmetic, ...executables, ...programs };

/** What a runtime must do that hands everything on to another, which passes all checks itself. */
export const transportChecks = { ...tensors, ...executables };
