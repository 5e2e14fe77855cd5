import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { type DType, emptyData, type Tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import { decode } from "../../src/graph/decode.js";
import type { Value } from "../../src/graph/graph.js";
import { instantiate } from "../../src/import/instantiate.js";
import { operators } from "../../src/ops/opset.js";
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
  /** why it cannot be run, if it cannot; nothing else is there then */
  readonly reason?: string;
  readonly model: string;
  readonly inputs: readonly Packed[];
  readonly outputs: readonly Packed[];
}

const interpreter = process.env.REVORT_PYTHON ?? "python3";

/** Cases that are not held to, by the beginning of their name, each with the reason. */
const skips: Readonly<Record<string, string>> = {
  test_not_2d: "of opset 1, where 7 is the first that is understood",
  test_not_3d: "of opset 1, where 7 is the first that is understood",
  test_not_4d: "of opset 1, where 7 is the first that is understood",
  test_scan_sum: "of opset 8, where Scan had another form",
  test_loop11:
    "a Slice with a length that changes from iteration to iteration, which no static shape can say",
  test_batchnorm_example_training_mode: "training mode, where the states of a batch depend on each other",
  test_batchnorm_epsilon_training_mode: "training mode, where the states of a batch depend on each other",
};
/** What ONNX Runtime's kernels do not cover. */
const ortSkips: Readonly<Record<string, string>> = {
  test_clip_default_int8: "no kernel of Where for int8",
  test_max_int16: "no kernel of Max for int16",
  test_max_uint16: "no kernel of Max for uint16",
  test_min_int16: "no kernel of Min for int16",
  test_min_uint16: "no kernel of Min for uint16",
  test_reduce_max_empty_set_bool: "its ReduceMax of no bools fails",
};

function skipOf({ name, opset, reason }: Case, runtime: string): string | null {
  if (reason !== undefined) return reason;
  if (name.startsWith("test_mod_") && opset >= 28) return "Mod changed its meaning in opset 28";
  const all = runtime === "ort-cpu" ? { ...skips, ...ortSkips } : skips;
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

/** The graph of a case, with those inputs that an operator needs to know beforehand as constants. */
function graphOf({ model, inputs }: Case) {
  const decoded = decode(Buffer.from(model, "base64"));
  let failure: unknown = null;
  // what is not a float may be a shape, axes or indices; a scalar may be a bound
  const integer = ({ dtype }: Packed) => !dtype.startsWith("float");
  const choices: ((packed: Packed, i: number) => boolean)[] = [
    () => false,
    (packed, i) => i > 0 && integer(packed),
    integer,
    ({ shape }) => shape.reduce((size, dim) => size * dim, 1) === 1,
  ];
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

describe("ONNX's own cases of operators", function () {
  this.timeout(120_000);
  let cases: Case[] = [];

  before(function () {
    const script = fileURLToPath(new URL("backend-cases.py", import.meta.url));
    const { status, stdout, stderr } = spawnSync(
      interpreter,
      [script, operators.map(({ type }) => type).join()],
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
    const [, ...lines] = stdout.trim().split("\n");
    cases = lines.map((line) => JSON.parse(line) as Case);
  });

  for (const [name, make] of [
    ["jit", async () => jit()],
    ["ort-cpu", ortNode],
  ] as const) {
    it(`come out right on ${name}`, async () => {
      const runtime = await make();
      const wrong: string[] = [];
      const skipped = new Map<string, number>();
      let right = 0;
      for (const test of cases) {
        const reason = skipOf(test, name);
        if (reason !== null) {
          skipped.set(reason, (skipped.get(reason) ?? 0) + 1);
          continue;
        }
        const problem = await run(runtime, test).catch((cause: Error) => `${cause.name}: ${cause.message}`);
        if (problem === null) right++;
        else wrong.push(`${test.name}: ${problem}`);
      }
      console.log(`      ${right} of ${cases.length}`);
      for (const [reason, count] of skipped) console.log(`      ${count} skipped: ${reason}`);
      expect(wrong, wrong.join("\n")).to.have.length(0);
    });
  }
});
