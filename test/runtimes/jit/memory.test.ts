import { expect } from "chai";
import fc from "fast-check";
import { Random } from "../../../src/core/random.js";
import { type FloatDType, numbers, sizeOf, tensor } from "../../../src/core/tensor.js";
import { Builder } from "../../../src/graph/builder.js";
import type { Graph, Value } from "../../../src/graph/graph.js";
import { add, mul, sub } from "../../../src/ops/arithmetic.js";
import { reduceSum } from "../../../src/ops/broadcast.js";
import { ifElse, loop, scan } from "../../../src/ops/control.js";
import { abs, exp } from "../../../src/ops/elementwise.js";
import { maximum } from "../../../src/ops/extrema.js";
import { gemm, matmul } from "../../../src/ops/linalg.js";
import { greater, where } from "../../../src/ops/logic.js";
import { Trilu } from "../../../src/ops/pattern.js";
import { reduceMax, reduceMean } from "../../../src/ops/reduce.js";
import { cast, reshape, transpose } from "../../../src/ops/reshape.js";
import { concat, gather, split } from "../../../src/ops/slicing.js";
import { softmax } from "../../../src/ops/softmax.js";
import { tanh } from "../../../src/ops/trigonometry.js";
import type { Runtime } from "../../../src/runtime/runtime.js";
import { RunError } from "../../../src/runtime/runtime.js";
import { jit } from "../../../src/runtimes/jit/jit.js";
import { programOf } from "../../../src/runtimes/jit/program.js";
import { ortNode } from "../../../src/runtimes/ort-node.js";
import { failure } from "../../support/failure.js";

/** Shapes on both sides of the line between locals and memory, of sizes that fill vectors and that do not. */
const shapes = fc.array(fc.constantFrom(1, 2, 3, 5, 8, 13), { minLength: 1, maxLength: 3 });

function drawn(shape: readonly number[], seed: number, dtype: FloatDType = "float64") {
  const random = Random.seeded(seed);
  return tensor(
    dtype,
    shape,
    Array.from({ length: sizeOf(shape) }, () => random.normal()),
  );
}

async function outputsOf(runtime: Runtime, graph: Graph, seed: number): Promise<number[][]> {
  const executable = await runtime.compile(graph);
  const feeds = graph.inputs.map(({ name, dtype, shape }, i) => [
    name!,
    runtime.upload(drawn(shape as number[], seed + i, dtype as FloatDType)),
  ]);
  const results = await executable.run(Object.fromEntries(feeds));
  return Promise.all(graph.outputs.map(async ({ name }) => numbers(await runtime.download(results[name]!))));
}

/** How many functions a module has, below 128: the count at the beginning of section 3. */
function functionsIn(module: Uint8Array): number {
  let at = 8;
  const number = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = module[at++]!;
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  for (;;) {
    const [id, size] = [module[at++]!, number()];
    if (id === 3) return number();
    at += size;
  }
}

describe("graphs of the compiled runtime", () => {
  let reference: Runtime;
  before(async () => {
    reference = await ortNode();
  });

  /** Holds a graph against ONNX Runtime. Sums go in another order, and cancel: what counts is the largest number. */
  async function agree(
    build: (b: Builder) => Record<string, Value>,
    dtype: FloatDType,
    seed = 1,
  ): Promise<void> {
    const b = new Builder();
    const graph = b.graph(build(b));
    const expected = await outputsOf(reference, graph, seed);
    const actual = await outputsOf(jit(), graph, seed);
    const tolerance = dtype === "float64" ? 1e-13 : 1e-5;
    expected.forEach((values, i) => {
      const largest = Math.max(1, ...values.map(Math.abs));
      expect(actual[i]!.length).to.equal(values.length);
      values.forEach((value, k) => {
        expect(actual[i]![k], `${graph.outputs[i]!.name}[${k}]`).to.be.closeTo(value, tolerance * largest);
      });
    });
  }

  const property = (check: (shape: number[], dtype: FloatDType, seed: number) => Promise<void>) =>
    fc.assert(
      fc.asyncProperty(
        shapes,
        fc.constantFrom("float64", "float32"),
        fc.integer({ min: 0, max: 1000 }),
        check,
      ),
      { numRuns: 40, seed: 7 },
    );

  it("fuse elementwise operators of one shape, with broadcasting", () =>
    property((shape, dtype, seed) =>
      agree(
        (b) => {
          const x = b.input("x", dtype, shape);
          const row = b.input("row", dtype, shape.slice(-1));
          const column = b.input("column", dtype, [...shape.slice(0, -1), 1]);
          const y = tanh(b, add(b, mul(b, x, row), column));
          const z = where(b, greater(b, y, 0), sub(b, x, y), mul(b, row, 2));
          return { y, z, w: cast(b, greater(b, abs(b, z), 1), dtype), e: exp(b, sub(b, y, 1)) };
        },
        dtype,
        seed,
      ),
    ));

  it("reduce along every axis what they compute on the way", () =>
    property((shape, dtype, seed) =>
      agree(
        (b) => {
          const x = b.input("x", dtype, shape);
          const squares = mul(b, x, x);
          const each = shape.flatMap((_, axis) => [
            [`sum${axis}`, reduceSum(b, squares, [axis])],
            [`kept${axis}`, reduceMax(b, sub(b, x, 1), [axis], true)],
            [`mean${axis}`, reduceMean(b, x, [axis])],
            [`softmax${axis}`, softmax(b, mul(b, x, 3), axis)],
          ]);
          return { all: reduceSum(b, add(b, squares, x)), ...Object.fromEntries(each) };
        },
        dtype,
        seed,
      ),
    ));

  it("move elements without losing one", () =>
    property((shape, dtype, seed) =>
      agree(
        (b) => {
          const x = mul(b, b.input("x", dtype, shape), 2);
          const backwards = shape.map((_, axis) => shape.length - 1 - axis);
          const turned = transpose(b, x, backwards);
          const flat = reshape(b, turned, [-1]);
          const joined = concat(b, [x, b.input("more", dtype, shape), x], 0);
          const [first, rest] = split(b, joined, 0, [1, 3 * shape[0]! - 1]) as [Value, Value];
          return {
            turned: add(b, turned, 1),
            flat,
            first,
            rest: add(b, rest, first),
            picked: gather(b, joined, b.ints([2, 0, -1])),
            last: gather(b, x, -1, shape.length - 1),
          };
        },
        dtype,
        seed,
      ),
    ));

  it("multiply matrices of any size, transposed or not", () =>
    fc.assert(
      fc.asyncProperty(
        fc.tuple(...[1, 1, 1].map(() => fc.constantFrom(1, 2, 3, 4, 7, 16, 33))),
        fc.tuple(fc.constantFrom(0, 1), fc.constantFrom(0, 1)),
        fc.constantFrom<FloatDType>("float64", "float32"),
        async ([m, k, n], [transA, transB], dtype) => {
          await agree((b) => {
            const x = b.input("x", dtype, transA ? [k!, m!] : [m!, k!]);
            const y = b.input("y", dtype, transB ? [n!, k!] : [k!, n!]);
            const bias = b.input("bias", dtype, [n!]);
            const stack = b.input("stack", dtype, [2, m!, k!]);
            const plain = transB ? transpose(b, y, [1, 0]) : y;
            return {
              gemm: gemm(b, x, y, bias, { transA, transB }),
              inner: gemm(b, tanh(b, x), mul(b, y, 2), null, { transA, transB, alpha: 0.5 }),
              batched: matmul(b, stack, plain),
              pairs: matmul(b, stack, transpose(b, stack, [0, 2, 1])),
            };
          }, dtype);
        },
      ),
      { numRuns: 40, seed: 3 },
    ));

  it("add products up, whatever else needs the terms", () =>
    fc.assert(
      fc.asyncProperty(
        fc.tuple(...[1, 1, 1].map(() => fc.constantFrom(1, 2, 5, 9, 16))),
        fc.constantFrom<FloatDType>("float64", "float32"),
        async ([m, k, n], dtype) => {
          await agree((b) => {
            const [x, y] = [b.input("x", dtype, [k!, m!]), b.input("y", dtype, [k!, n!])];
            const [z, r] = [b.input("z", dtype, [m!, n!]), b.input("r", dtype, [m!, n!])];
            const { carried } = loop(
              b,
              { trips: 3, carried: [x, z, z, z, z, z] },
              (inner, _, [p, once, twice, swapped, other, late]) => {
                const product = (s: number) =>
                  gemm(inner, mul(inner, p!, s), sub(inner, y, s), null, { transA: 1 });
                const next = tanh(inner, add(inner, p!, 0.1));
                const kept = product(5);
                const terms = add(inner, add(inner, product(1), product(2)), product(3));
                // a product before what it is added to, which needs another one
                const early = product(7);
                const rest = mul(inner, product(8), r);
                return {
                  carried: [
                    next,
                    add(inner, once!, terms),
                    // twice is needed again, and so is one of the terms
                    add(inner, add(inner, twice!, kept), mul(inner, mul(inner, twice!, 0.5), kept)),
                    add(inner, other!, product(6)),
                    swapped!,
                    sub(inner, add(inner, early, rest), reshape(inner, late!, [m!, n!])),
                  ],
                };
              },
            );
            const own = mul(b, r, 2);
            const names = ["state", "once", "twice", "swapped", "other", "late"];
            return {
              ...Object.fromEntries(names.map((name, i) => [name, carried[i]!])),
              input: add(b, r, gemm(b, x, y, null, { transA: 1 })),
              own,
              sum: add(b, gemm(b, x, y, null, { transA: 1 }), own),
            };
          }, dtype);
        },
      ),
      { numRuns: 40, seed: 5 },
    ));

  it("add products to what a loop carries where it is, without a matrix for each", () => {
    const b = new Builder();
    const [x, y, z] = [
      [16, 64],
      [16, 64],
      [64, 64],
    ].map((shape, i) => b.input(`${i}`, "float64", shape));
    const { carried } = loop(b, { trips: 3, carried: [z!, x!] }, (inner, _, [sum, p]) => {
      const product = (s: number) => gemm(inner, mul(inner, p!, s), y!, null, { transA: 1 });
      return { carried: [add(inner, sum!, add(inner, product(1), product(2))), tanh(inner, p!)] };
    });
    const graph = b.graph({ sum: carried[0]! });
    const shapes = graph.inputs.map((input) => input.shape as number[]);
    const { bytes } = programOf(graph, { shapes, closed: new Set(), trips: new Map() }, new Map(), false);
    const [matrix, rows] = [64 * 64 * 8, 16 * 64 * 8];
    // the input and the slot; and of the rows, the inputs, the slot, and what is computed of it
    expect(bytes).to.be.below(2 * matrix + 7 * rows);
  });

  it("take a function of an array in one go, whatever else is made of it element by element", () => {
    const b = new Builder();
    const y = tanh(b, b.input("x", "float32", [8, 16]));
    const graph = b.graph({ slope: sub(b, 1, mul(b, y, y)), total: reduceSum(b, tanh(b, y), [0]) });
    const sizes = { shapes: [[8, 16]], closed: new Set<string>(), trips: new Map() };
    const { module } = programOf(graph, sizes, new Map(), false);
    // the graph and the array; one that is called for each vector would be a third
    expect(functionsIn(module)).to.equal(2);
  });

  it("go on in functions of their own where one is long, of which an engine makes slow code", async () => {
    const rounds = 150;
    /** passes over memory that see numbers in locals, rows of a scan, and what a loop carries */
    const build = (b: Builder) => {
      const [x, rows] = [b.input("x", "float64", [8, 16]), b.input("rows", "float64", [3, 16])];
      const { carried } = loop(b, { trips: 3, carried: [x] }, (inner, i, [z]) => {
        const row = gather(inner, rows, i);
        let y = z!;
        for (let k = 0; k < rounds; k++) {
          const total = reduceSum(inner, mul(inner, y, 1 / (128 + k)));
          const means = reduceSum(inner, mul(inner, y, 1 / 16), [1], true);
          y = tanh(inner, add(inner, mul(inner, sub(inner, y, means), total), add(inner, row, k / rounds)));
        }
        return { carried: [y] };
      });
      return { y: carried[0]! };
    };
    await agree(build, "float64");
    const b = new Builder();
    const sizes = {
      shapes: [
        [8, 16],
        [3, 16],
      ],
      closed: new Set<string>(),
      trips: new Map(),
    };
    const { module } = programOf(b.graph(build(b)), sizes, new Map(), false);
    // most of three passes for each round
    expect(functionsIn(module)).to.be.above(2 * rounds);
  });

  it("carry values through loops, swapped, shifted and untouched", () =>
    property((shape, dtype, seed) =>
      agree(
        (b) => {
          const [x, y] = [b.input("x", dtype, shape), b.input("y", dtype, shape)];
          const { carried, scans } = loop(
            b,
            { trips: 5, carried: [x, y, x, y], length: 5 },
            (inner, i, [p, q, r]) => ({
              carried: [q!, add(inner, mul(inner, p!, 0.5), y), r!, p!],
              scans: [p!, mul(inner, q!, cast(inner, i, dtype))],
            }),
          );
          return {
            p: carried[0]!,
            q: carried[1]!,
            r: carried[2]!,
            s: carried[3]!,
            all: scans[0]!,
            other: scans[1]!,
          };
        },
        dtype,
        seed,
      ),
    ));

  it("walk along tensors, forwards and backwards", () =>
    property((shape, dtype, seed) =>
      agree(
        (b) => {
          const rows = b.input("rows", dtype, [4, ...shape]);
          const x = b.input("x", dtype, shape);
          const walk = (reverse: boolean) =>
            scan(b, { carried: [x], inputs: [rows], reverse }, (inner, [sum], [row]) => {
              const next = add(inner, mul(inner, sum!, 0.5), row!);
              return { carried: [next], scans: [maximum(inner, next, 0)] };
            });
          const [there, back] = [walk(false), walk(true)];
          return { a: there.carried[0]!, b: there.scans[0]!, c: back.carried[0]!, d: back.scans[0]! };
        },
        dtype,
        seed,
      ),
    ));

  it("take one branch or the other, and read what lies around it", () =>
    property((shape, dtype, seed) =>
      agree(
        (b) => {
          const [x, s] = [b.input("x", dtype, shape), b.input("s", dtype, [])];
          const y = mul(b, x, 3);
          const [chosen] = ifElse(
            b,
            greater(b, s, 0),
            (inner) => [add(inner, y, x)],
            (inner) => [tanh(inner, y)],
          ) as [Value];
          const [again] = ifElse(
            b,
            greater(b, s, 0.5),
            () => [y],
            (inner) => [sub(inner, y, chosen)],
          ) as [Value];
          return { chosen, again, sum: add(b, chosen, y) };
        },
        dtype,
        seed,
      ),
    ));

  it("end a run that reads outside a tensor, and go on after it", async () => {
    const b = new Builder();
    const x = b.input("x", "float64", [3]);
    const i = b.input("i", "int64", []);
    const runtime = jit();
    const executable = await runtime.compile(b.graph({ y: gather(b, x, i) }, "pick"));
    const pick = async (index: number) => {
      const { y } = await executable.run({
        x: runtime.upload(tensor("float64", [3], [1, 2, 3])),
        i: runtime.upload(tensor("int64", [], [index])),
      });
      return numbers(await runtime.download(y!));
    };
    expect(await pick(-1)).to.deep.equal([3]);
    const { message } = await failure(pick(3), RunError);
    expect(message).to.contain("pick").and.contain("index");
    expect(await pick(0)).to.deep.equal([1]);
  });

  it("take a triangle from a diagonal that is known when they run", async () => {
    const b = new Builder();
    const [x, k] = [b.input("x", "int32", [2, 3]), b.input("k", "int64", [])];
    const cut = (upper: number) => b.apply(Trilu, [x, k], { upper });
    const runtime = jit();
    const executable = await runtime.compile(b.graph({ upper: cut(1), lower: cut(0) }));
    const given = (diagonal: number) => ({
      x: runtime.upload(tensor("int32", [2, 3], [1, 2, 3, 4, 5, 6])),
      k: runtime.upload(tensor("int64", [], [diagonal])),
    });
    for (const [diagonal, upper, lower] of [
      [0, [1, 2, 3, 0, 5, 6], [1, 0, 0, 4, 5, 0]],
      [1, [0, 2, 3, 0, 0, 6], [1, 2, 0, 4, 5, 6]],
      [-1, [1, 2, 3, 4, 5, 6], [0, 0, 0, 4, 0, 0]],
    ] as const) {
      const results = await executable.run(given(diagonal));
      expect(numbers(await runtime.download(results.upper!))).to.deep.equal(upper);
      expect(numbers(await runtime.download(results.lower!))).to.deep.equal(lower);
    }
  });

  it("compile once for sizes that come again", async () => {
    const b = new Builder();
    const x = b.input("x", "float32", ["batch", 2]);
    const trips = b.input("trips", "int64", []);
    const { carried, scans } = loop(b, { trips, carried: [x] }, (inner, _i, [y]) => {
      const next = add(inner, y!, 1);
      return { carried: [next], scans: [next] };
    });
    const runtime = jit();
    const executable = await runtime.compile(b.graph({ y: carried[0]!, all: scans[0]! }));
    const compiled = WebAssembly.instantiate;
    let count = 0;
    WebAssembly.instantiate = ((...given: Parameters<typeof compiled>) => {
      count++;
      return compiled(...given);
    }) as typeof compiled;
    try {
      for (let i = 0; i < 5; i++) {
        await executable.run({
          x: runtime.upload(drawn([3, 2], 1, "float32")),
          trips: runtime.upload(tensor("int64", [], [4])),
        });
      }
    } finally {
      WebAssembly.instantiate = compiled;
    }
    // for the shapes; how often the loop runs is open
    expect(count).to.equal(1);
  });
});
