import { expect } from "chai";
import { castTensor, type DType, integerRange, numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import { GraphError } from "../../src/graph/graph.js";
import { onnxTypeNumber } from "../../src/graph/types.js";
import { opset } from "../../src/ops/opset.js";
import { RunError, type Runtime } from "../../src/runtime/runtime.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { computed, differences, disagreements, folded, type Known, type Refusal } from "./agreement.js";
import { ints } from "./cases.js";
import { type Probe, probes } from "./special-values.js";

const isNaNAmong = ({ sources }: { sources: readonly number[] }) => sources.some(Number.isNaN);
const areZeros = ({ ours, theirs }: { ours: number | bigint; theirs: number | bigint }) =>
  ours === 0 && theirs === 0;

/** What ONNX Runtime 1.30 is known to compute otherwise on its CPU provider, and why that is not what we compute. */
const known: readonly Known[] = [
  {
    operators: /^(Where|Sign|LeakyRelu|PRelu|Celu|Selu|Erf|Asin|Atan|Asinh|Atanh)$/,
    holds: areZeros,
    why: "Where adds 0 to what it selects, Sign gives 0 for −0, and exponential units take −0 for positive",
  },
  {
    operators: /^(Max|Min|Clip|Reduce(Sum|Mean|Max|Min)|CumSum|LayerNormalization)$/,
    holds: areZeros,
    why: "the standard does not say which zero is larger, nor where a sum begins; here −0 < 0, and it begins with 0",
  },
  {
    operators: /^Reduce(Max|Min)$/,
    dtypes: ["float32", "float64"],
    holds: isNaNAmong,
    why: "a NaN that is not the first element is overlooked; here, as in NumPy, the result is NaN",
  },
  {
    operators: /^Clip$/,
    holds: isNaNAmong,
    why: "a bound that is NaN does not bind; here, as in NumPy, the result is NaN",
  },
  {
    operators: /^Reduce(Max|Min)$/,
    dtypes: ["int64"],
    holds: ({ sources }) => sources.some((x) => Math.abs(x) >= 2 ** 31),
    why: "an integer of 64 bits is compared by its low 32",
  },
  {
    operators: /^(Reduce(Sum|Mean|Prod|L1|SumSquare))$/,
    dtypes: ["int32", "int64"],
    holds({ ours, sources }) {
      const sum = sources.reduce((total, x) => total + x * x, 0);
      const product = sources.reduce((total, x) => total * x, 1);
      return typeof ours === "bigint" || sum >= 2 ** 31 || Math.abs(product) >= 2 ** 31;
    },
    why: "integers are reduced in float64 and saturate; here they wrap around",
  },
  {
    operators: /^Pow$/,
    dtypes: ["int32", "int64"],
    holds: () => true,
    why: "powers of integers are those of float64, and what is too large the smallest integer; here they are exact modulo 2ⁿ",
  },
  {
    operators: /^Mod$/,
    dtypes: ["int64", "uint64"],
    holds: ({ probe, sources }) => probe.attributes.fmod === 1 && sources.some((x) => Math.abs(x) >= 2 ** 53),
    why: "with fmod, the remainder of integers is that of float64",
  },
  {
    operators: /^Cast$/,
    dtypes: ["float32", "float64"],
    holds({ sources: [x], to }) {
      const [low, high] = integerRange(to);
      return Number.isNaN(x) || x! >= Number(high) || x! <= Number(low);
    },
    why: "the standard leaves open what becomes of floats out of range: on x64 the smallest integer or low bits of it, here the nearest",
  },
  {
    operators: /^(Sin|Tan)$/,
    dtypes: ["float64"],
    holds: ({ ours, theirs }) => Math.abs(Number(ours) - Number(theirs)) < 2 ** -52,
    why: "arguments are reduced to 2⁻⁵² of 1, not of the result",
  },
  {
    operators: /^(Sigmoid|Mish)$/,
    holds: ({ ours, theirs }) => Math.abs(Number(ours) - Number(theirs)) < 2 ** -28,
    why: "the exponential is cut off below, and a float64 has the digits of a float32 there",
  },
  {
    operators: /^Softmax$/,
    dtypes: ["float32"],
    holds: ({ ours, theirs }) => theirs === 0 && Math.abs(Number(ours)) < 2 ** -126,
    onSome: true,
    why: "without AVX-512, what would be subnormal is 0",
  },
  {
    operators: /^(Elu|Selu|Celu)$/,
    dtypes: ["float32"],
    holds: ({ sources: [x] }) => Math.abs(x!) < 2 ** -24,
    why: "exp(x) − 1 cancels near 0",
  },
  {
    operators: /^Tanh$/,
    dtypes: ["float32"],
    holds: ({ sources: [x] }) => Math.abs(x!) < 1e-37,
    why: "a polynomial that underflows",
  },
  {
    operators: /^LayerNormalization$/,
    holds: ({ sources, from }) => sources.some((x) => Math.abs(x) > (from === "float32" ? 1e38 : 1e307)),
    why: "what overflows on the way to the mean depends on the order",
  },
  {
    operators: /^LayerNormalization$/,
    holds: ({ ours, theirs }) => Math.abs(Number(ours) - Number(theirs)) < 1e-14,
    why: "differences of subnormal numbers are taken for 0, and the order of the sums is another",
  },
];

/** Why ONNX Runtime has no result to compare with. */
const refusals: readonly Refusal[] = [
  {
    says: / u?int(8|16|32|64)\b.*: .*Could not find an implementation/,
    why: "has no kernel for integers of this type",
  },
];

describe("integers, casts and special values", () => {
  const all = probes();

  it("are probed for every operator that computes with elements", () => {
    expect(new Set(all.map(({ op }) => op.type)).size).to.be.at.least(77);
  });

  for (const [name, make] of [
    ["jit", () => jit()],
    ["jit without fused multiply-add", () => jit({ fused: false })],
  ] as const) {
    it(`come out as folded on ${name}`, async () => {
      const wrong: string[] = [];
      for (const probe of all) {
        const expected = folded(probe);
        const actual = await computed(make(), probe);
        wrong.push(...differences(probe, actual, expected, () => false));
      }
      expect(wrong, wrong.join("\n")).to.have.length(0);
    });
  }

  it("come out as folded on ONNX Runtime, but for what is known of it", async () => {
    const { wrong, unmet } = await disagreements(await ortNode(), all, known, refusals);
    expect(wrong, wrong.join("\n")).to.have.length(0);
    expect(unmet, "what is said of ONNX Runtime and was not seen").to.deep.equal([]);
  });
});

describe("what is decided of numbers", () => {
  const runs: Readonly<Record<string, () => Promise<Runtime>>> = {
    jit: async () => jit(),
    "ort-cpu": ortNode,
  };
  const applied = (type: string, operands: readonly Tensor[], attributes = {}): Probe => ({
    ...{ label: type, op: opset.get(type)!, operands, attributes, constants: [], sources: () => [] },
  });
  it("powers of integers are exact modulo 2⁶⁴, and those of negative exponents are of 1 / x, cut off", async () => {
    const [x, y] = [
      [3n, 7n, -5n, 10n, -1n, 2n, 1n],
      [41n, 1000n, 63n, 19n, -3n, -1n, -9n],
    ];
    const probe = applied("Pow", [tensor("int64", [7], x!), tensor("int64", [7], y!)]);
    const exact = x!.map((base, i) =>
      y![i]! < 0n ? [-1n, 0n, 1n][i - 4]! : BigInt.asIntN(64, base ** y![i]!),
    );
    expect([...(folded(probe).data as BigInt64Array)]).to.deep.equal(exact);
    expect([...((await computed(jit(), probe)).data as BigInt64Array)]).to.deep.equal(exact);
  });

  for (const [name, make] of Object.entries(runs)) {
    it(`the smallest integer over −1 wraps around on ${name}, and its remainder is 0`, async () => {
      const runtime = await make();
      for (const [dtype, smallest] of [
        ["int32", -(2n ** 31n)],
        ["int64", -(2n ** 63n)],
      ] as const) {
        const operands = [tensor(dtype, [2], [smallest, 7n]), tensor(dtype, [2], [-1n, -2n])];
        const quotients = await computed(runtime, applied("Div", operands));
        expect(Array.from(quotients.data as ArrayLike<bigint>, BigInt)).to.deep.equal([smallest, -3n]);
        const remainders = await computed(runtime, applied("Mod", operands));
        expect(Array.from(remainders.data as ArrayLike<bigint>, BigInt)).to.deep.equal([0n, -1n]);
      }
    });

    it(`a division of integers by 0 is an error on ${name}, not a number`, async () => {
      const runtime = await make();
      for (const type of ["Div", "Mod"]) {
        const probe = applied(type, [ints([7]), ints([0])]);
        const failure = await computed(runtime, probe).catch((cause: unknown) => cause);
        expect(failure).to.be.instanceOf(RunError);
        expect((failure as Error).message).to.match(/by zero/);
        expect(() => folded(probe), type).to.throw(GraphError, "divided by zero");
      }
    });
  }

  it("floats saturate as they become integers, and NaN becomes 0", async () => {
    const values = [Number.NaN, Infinity, -Infinity, 2 ** 31, -(2 ** 31) - 1, 2.9, -2.9];
    const cast = (to: DType) => applied("Cast", [tensor("float64", [7], values)], { to: onnxTypeNumber[to] });
    const right: Readonly<Partial<Record<DType, readonly (number | bigint)[]>>> = {
      int32: [0, 2147483647, -2147483648, 2147483647, -2147483648, 2, -2],
      uint8: [0, 255, 0, 255, 0, 2, 0],
      int64: [0n, 9223372036854775807n, -9223372036854775808n, 2147483648n, -2147483649n, 2n, -2n],
    };
    for (const [to, expected] of Object.entries(right) as [DType, readonly (number | bigint)[]][]) {
      expect([...(folded(cast(to)).data as Int32Array)], to).to.deep.equal(expected);
      expect([...((await computed(jit(), cast(to))).data as Int32Array)], to).to.deep.equal(expected);
    }
  });

  it("an integer of 64 bits becomes the nearest float32, in one rounding", () => {
    // 2⁶⁰ + 2³⁶ lies half way between two float32; the 1 decides for the upper one, which a float64 does not have
    const given = tensor("int64", [2], [(1n << 60n) + (1n << 36n) + 1n, -(1n << 60n) - (1n << 36n)]);
    expect([...castTensor(given, "float32").data]).to.deep.equal([2 ** 60 + 2 ** 37, -(2 ** 60)]);
  });

  it("acosh of numbers below 1 is NaN, however large", async () => {
    for (const dtype of ["float32", "float64"] as const) {
      const probe = applied("Acosh", [tensor(dtype, [4], [-1e10, -1e20, 0.5, -1])]);
      for (const make of Object.values(runs)) {
        expect(numbers(await computed(await make(), probe))).to.deep.equal(new Array(4).fill(Number.NaN));
      }
    }
  });

  it("NaN is the largest of all that TopK takes, and of equal elements the first comes first", async () => {
    const x = [1, Number.NaN, 3, -Infinity, 3, Number.NaN, 0];
    for (const dtype of ["float32", "float64"] as const) {
      for (const [largest, right] of [
        [1, [1, 5, 2, 4, 0, 6, 3]],
        [0, [3, 6, 0, 2, 4, 1, 5]],
      ] as const) {
        for (const k of [3, 7]) {
          const b = new Builder();
          const operands = [tensor(dtype, [7], x), ints([k])];
          const given = operands.map((operand) => b.constant(operand));
          const [, inFold] = b.emit(opset.get("TopK")!, given, { largest });
          const compiled = new Builder();
          const [, indices] = compiled.emit(
            opset.get("TopK")!,
            [compiled.input("x", dtype, [7]), compiled.constant(operands[1]!)],
            { largest },
          );
          const runtime = jit();
          const executable = await runtime.compile(compiled.graph({ indices: indices! }));
          const results = await executable.run({ x: runtime.upload(operands[0]!) });
          for (const found of [inFold!.constant!, await runtime.download(results.indices!)])
            expect(numbers(found)).to.deep.equal(right.slice(0, k));
        }
      }
    }
  });

  it("the logarithm of a sum of exponentials is infinite where an element or all are", async () => {
    const x = [Infinity, 1, -Infinity, -Infinity, -Infinity, -1000];
    for (const dtype of ["float32", "float64"] as const) {
      const probe = {
        ...applied("ReduceLogSumExp", [tensor(dtype, [3, 2], x), ints([1])], { keepdims: 0 }),
        constants: [1],
      };
      for (const make of Object.values(runs)) {
        expect(numbers(await computed(await make(), probe))).to.deep.equal([Infinity, -Infinity, -1000]);
      }
    }
  });
});
