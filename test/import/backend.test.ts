import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { type DType, emptyData, type Tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import { decode } from "../../src/graph/decode.js";
import type { Value } from "../../src/graph/graph.js";
import { adapters } from "../../src/import/adapters.js";
import { foreign } from "../../src/import/foreign.js";
import { instantiate } from "../../src/import/instantiate.js";
import { opset } from "../../src/ops/opset.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";

// ONNX's own test cases for operators: models with inputs and what has to come out, from its Python package.

interface Packed {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: string;
}

interface Case {
  readonly name: string;
  readonly opset: number;
  readonly rtol: number;
  readonly atol: number;
  /** why its tensors cannot be held, if they cannot; nothing else is there then */
  readonly reason?: string;
  /** the operators that are not known, if there are such; nothing else is there then */
  readonly missing?: readonly string[];
  readonly model: string;
  readonly inputs: readonly Packed[];
  readonly outputs: readonly Packed[];
}

const interpreter = process.env.REVORT_PYTHON ?? "python3";

/** Kinds of operators without a record. A case that needs one of them is not run. */
const unknown: Readonly<Record<string, readonly string[]>> = {
  "convolution of quantised numbers, other pooling, and resampling": [
    ...["ConvInteger", "QLinearConv", "DeformConv", "CausalConvWithState", "Col2Im"],
    ...["LpPool", "MaxUnpool", "RoiAlign", "LRN"],
    ...["Upsample", "GridSample", "AffineGrid", "CenterCropPad"],
  ],
  "results whose size the data decide, and sorting": ["Unique", "NonMaxSuppression", "Compress"],
  "quantised numbers": [
    ...["QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearMatMul", "MatMulInteger"],
  ],
  "signals, images and texts": [
    ...["DFT", "STFT", "MelWeightMatrix", "BlackmanWindow", "HammingWindow", "HannWindow"],
    ...["ImageDecoder", "TfIdfVectorizer"],
  ],
  "random numbers": ["Bernoulli", "RandomUniformLike"],
  "optimisers and other operators of ONNX's previews": [
    ...["Adagrad", "Adam", "Momentum"].map((type) => `ai.onnx.preview.training.${type}`),
    "ai.onnx.preview.FlexAttention",
  ],
  "models of ai.onnx.ml that are not arithmetic": [
    ...["TreeEnsemble", "ArrayFeatureExtractor", "Binarizer"].map((type) => `ai.onnx.ml.${type}`),
  ],
  "sequences and optionals": ["OptionalHasElement", "OptionalGetElement"],
  "operators that came after opset 22, of language models for the most part": [
    ...["TensorScatter", "LinearAttention", "SwiGLU", "CumProd", "BitCast"],
  ],
  "operators that no model of a dynamical system was seen to have": ["ReverseSequence"],
};

const fractional =
  "they divide by the length times the scale, less 1; the standard's text, PyTorch and ONNX Runtime by the length of the result, less 1";

/** Cases that are not held to, by the beginning of their name, each with the reason. */
const skips: Readonly<Record<string, string>> = {
  test_not_2d: "of opset 1, where 7 is the first that is understood",
  test_not_3d: "of opset 1, where 7 is the first that is understood",
  test_not_4d: "of opset 1, where 7 is the first that is understood",
  test_scan_sum: "of opset 8, where Scan had another form",
  test_resize_downsample_scales_linear_align_corners: fractional,
  test_resize_downsample_scales_cubic_align_corners: fractional,
  test_loop11:
    "a Slice with a length that changes from iteration to iteration, which no static shape can say",
  test_batchnorm_example_training_mode: "training mode, where the states of a batch depend on each other",
  test_batchnorm_epsilon_training_mode: "training mode, where the states of a batch depend on each other",
};
/** What ONNX Runtime's kernels do not cover. */
const ortSkips: Readonly<Record<string, string>> = {
  test_bitshift_left_uint16: "no kernel of ONNX Runtime",
  test_bitshift_right_uint16: "no kernel of ONNX Runtime",
  test_clip_default_int8: "no kernel of ONNX Runtime",
  test_max_int16: "no kernel of ONNX Runtime",
  test_max_uint16: "no kernel of ONNX Runtime",
  test_min_int16: "no kernel of ONNX Runtime",
  test_min_uint16: "no kernel of ONNX Runtime",
  test_top_k_uint64: "no kernel of ONNX Runtime",
  test_reduce_max_empty_set_bool: "its ReduceMax of no bools fails",
};

/** What is refused by name, with an error that begins so, and why. */
const refused: readonly (readonly [RegExp, string])[] = [
  [
    /^ModelError: .*BitShift: the operand "X" must be of integers without a sign/,
    "BitShift of signed integers, of opset 28",
  ],
  [/^ModelError: .*Dropout is in training mode/, "operators without a record: random numbers"],
  [
    /^ModelError: .*MaxPool: the operand "X" must be float32 or float64/,
    "quantised numbers: MaxPool of 8 bits",
  ],
  [
    /^UnsupportedOperatorError: .*output 1 .* of the MaxPool node/,
    "the indices that MaxPool gives beside its maxima",
  ],
];

/** Why a case is not run; `null` if it is. */
function skipOf({ name, opset, reason, missing = [] }: Case, where: string): string | null {
  if (reason !== undefined) return `elements that are not held: ${reason}`;
  const [first] = missing;
  if (first !== undefined) {
    const kind = Object.keys(unknown).find((each) => unknown[each]!.includes(first));
    return kind === undefined ? null : `operators without a record: ${kind}`;
  }
  if (name.startsWith("test_mod_") && opset >= 28) return "Mod changed its meaning in opset 28";
  const all = where === "ort-cpu" ? { ...skips, ...ortSkips } : skips;
  const key = Object.keys(all).find((start) => name === start || name.startsWith(`${start}_`));
  return key === undefined ? null : all[key]!;
}

function unpacked({ dtype, shape, data }: Packed): Tensor {
  const bytes = Buffer.from(data, "base64");
  const array = emptyData(dtype, bytes.length / emptyData(dtype, 1).BYTES_PER_ELEMENT);
  new Uint8Array(array.buffer).set(bytes);
  return { dtype, shape, data: array } as Tensor;
}

/** What ONNX's runner asks for: |actual − expected| ≤ atol + rtol |expected|, NaN equal to NaN. */
function mismatch(actual: Tensor, expected: Tensor, { rtol, atol }: Case): string | null {
  const show = ({ dtype, shape }: Tensor) => `${dtype}[${shape.join(", ")}]`;
  if (show(actual) !== show(expected)) return `${show(actual)} came out, not ${show(expected)}`;
  for (let i = 0; i < expected.data.length; i++) {
    const [x, y] = [Number(actual.data[i]), Number(expected.data[i])];
    const fits =
      x === y || Number.isNaN(x) ? Object.is(x, y) || x === y : Math.abs(x - y) <= atol + rtol * Math.abs(y);
    if (!fits) return `element ${i} is ${x}, not ${y}`;
  }
  return null;
}

// what is not a float may be a shape, axes or indices; a scalar may be a bound
const isInteger = ({ dtype }: Packed) => !dtype.startsWith("float");
const leastConstants: readonly Choice[] = [
  () => false,
  (packed, i) => i > 0 && isInteger(packed),
  isInteger,
  ({ shape }) => shape.reduce((size, dim) => size * dim, 1) === 1,
  // scales, regions
  (_, i) => i > 0,
];

type Choice = (packed: Packed, i: number) => boolean;

/** The graph of a case, with those inputs that an operator needs to know beforehand as constants, or all of them. */
function graphOf({ model, inputs }: Case, choices = leastConstants) {
  const decoded = decode(Buffer.from(model, "base64"));
  let failure: unknown = null;
  for (const isConstant of choices) {
    const b = new Builder();
    const given = Object.fromEntries(
      inputs.map((packed, i): [string, Value] => {
        const value = isConstant(packed, i)
          ? b.constant(unpacked(packed))
          : b.input(packed.name, packed.dtype, packed.shape);
        return [packed.name, value];
      }),
    );
    try {
      const outputs = instantiate(b, decoded, given);
      return b.graph(
        Object.fromEntries(Object.entries(outputs).map(([name, value]) => [`out/${name}`, value])),
      );
    } catch (cause) {
      failure ??= cause;
    }
  }
  throw failure;
}

/** What is wrong with what a runtime computes; `null` if nothing is. */
async function run(runtime: Runtime, test: Case): Promise<string | null> {
  const graph = graphOf(test);
  const executable = await runtime.compile(graph);
  try {
    const given = Object.fromEntries(
      test.inputs
        .filter(({ name }) => name in executable.inputs)
        .map((packed) => [packed.name, runtime.upload(unpacked(packed))]),
    );
    const results = await executable.run(given);
    for (const packed of test.outputs) {
      if (packed.name === "") continue;
      const actual = await runtime.download(results[`out/${packed.name}`]!);
      const wrong = mismatch(actual, unpacked(packed), test);
      if (wrong !== null) return `${packed.name}: ${wrong}`;
    }
    return null;
  } finally {
    await executable.release();
  }
}

const unfolded = "not folded: loops";

/** The same where all is folded as the graph is built. */
async function fold(test: Case): Promise<string | null> {
  const { outputs } = graphOf(test, [() => true]);
  for (const packed of test.outputs) {
    if (packed.name === "") continue;
    const { constant } = outputs.find(({ name }) => name === `out/${packed.name}`)!.value;
    if (constant === null) return unfolded;
    const wrong = mismatch(constant, unpacked(packed), test);
    if (wrong !== null) return `${packed.name}: ${wrong}`;
  }
  return null;
}

describe("ONNX's own cases of operators", () => {
  let cases: Case[] = [];
  let version = "";

  before(function () {
    const script = fileURLToPath(new URL("backend-cases.py", import.meta.url));
    const { status, stdout, stderr } = spawnSync(
      interpreter,
      [script, [...new Set([...opset.keys(), ...adapters.keys(), ...foreign.keys()])].join()],
      {
        encoding: "utf8",
        maxBuffer: 1 << 30,
      },
    );
    if (status !== 0) {
      const last = (stderr ?? "").trim().split("\n").at(-1);
      console.log(
        `      skipped: ${interpreter} with the package onnx is not there (${last}); set REVORT_PYTHON`,
      );
      this.skip();
    }
    const [first, ...lines] = stdout.trim().split("\n");
    version = (JSON.parse(first!) as { onnx: string }).onnx;
    cases = lines.map((line) => JSON.parse(line) as Case);
  });

  it("are all counted", function () {
    console.log(`      ${cases.length} of onnx ${version}`);
    if (version !== "1.23.2") this.skip();
    expect(cases).to.have.length(1884);
  });

  for (const [where, make] of [
    ["host folding", async () => fold],
    ["jit", async () => (test: Case) => run(jit(), test)],
    [
      "ort-cpu",
      async () => {
        const runtime = await ortNode();
        return (test: Case) => run(runtime, test);
      },
    ],
  ] as const) {
    it(`come out right on ${where}, or are left out for a stated reason`, async () => {
      const evaluate = await make();
      const wrong: string[] = [];
      const skipped = new Map<string, number>();
      const skip = (reason: string) => skipped.set(reason, (skipped.get(reason) ?? 0) + 1);
      let right = 0;
      for (const test of cases) {
        const reason = skipOf(test, where);
        if (reason !== null) {
          skip(reason);
          continue;
        }
        const problem =
          test.missing === undefined
            ? await evaluate(test).catch((cause: Error) => `${cause.name}: ${cause.message}`)
            : `needs ${test.missing}, which no reason is stated for`;
        const refusal = refused.find(([says]) => problem !== null && says.test(problem));
        if (problem === null) right++;
        else if (problem === unfolded) skip(problem);
        else if (refusal !== undefined) skip(refusal[1]);
        else wrong.push(`${test.name}: ${problem}`);
      }
      console.log(`      ${right} of ${cases.length} passed`);
      for (const [reason, count] of [...skipped].sort(([, a], [, b]) => b - a)) {
        console.log(`      ${String(count).padStart(4)} ${reason}`);
      }
      expect(wrong, wrong.join("\n")).to.have.length(0);
    });
  }
});
