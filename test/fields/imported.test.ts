import { readFileSync } from "node:fs";
import { expect } from "chai";
import { pullback } from "../../src/autodiff/vjp.js";
import { RevortError } from "../../src/core/errors.js";
import { Random } from "../../src/core/random.js";
import { type FloatDType, fromNested, numbers, scalar, type Tensor, tensor } from "../../src/core/tensor.js";
import type { VectorField } from "../../src/fields/field.js";
import { initialParameters } from "../../src/fields/field.js";
import { type ImportOptions, importedField, NotAFieldError } from "../../src/fields/imported.js";
import { Builder } from "../../src/graph/builder.js";
import { decode } from "../../src/graph/decode.js";
import type { Shape } from "../../src/graph/graph.js";
import type { Model } from "../../src/graph/model.js";
import type { DeviceTensor, Runtime } from "../../src/runtime/runtime.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { file, type GraphInit, node, stored, value } from "../import/onnx-file.js";

/** What PyTorch computed for one exported module; models/pytorch/export_fields.py wrote it. */
interface Case {
  readonly name: string;
  readonly file: string;
  readonly opset: number;
  readonly dtype: FloatDType;
  readonly dynamicBatch: boolean;
  readonly tolerance: number;
  readonly inputs: readonly string[];
  readonly timeInput: string | null;
  readonly stateInput: string;
  readonly stateShape: readonly number[];
  readonly t: number;
  readonly y: unknown;
  readonly output: unknown;
  readonly cotangent: unknown;
  readonly gradY: unknown;
  readonly parameters: Readonly<Record<string, { readonly shape: readonly number[] }>>;
  readonly buffers: Readonly<Record<string, unknown>>;
  readonly initializers: Readonly<
    Record<string, { readonly name: string; readonly transposed: boolean } | null>
  >;
  readonly gradParameters: Readonly<Record<string, readonly number[]>>;
}

const folder = new URL("../fixtures/pytorch/", import.meta.url);
const cases = JSON.parse(readFileSync(new URL("cases.json", folder), "utf8")) as Case[];

function load({ file }: Case): Model {
  return decode(readFileSync(new URL(file, folder)), {
    source: file,
    readExternal: ({ location, offset, length }) =>
      readFileSync(new URL(location, new URL(file, folder))).subarray(offset, offset + length),
  });
}

/** f and its vector-Jacobian product at a point: the output, and cotangents by name ("y", or of a parameter). */
async function evaluate(
  runtime: Runtime,
  field: VectorField,
  at: { t: number; y: Tensor; cotangent: Tensor },
  state: Shape,
): Promise<{ output: Tensor; gradients: Record<string, Tensor | null> }> {
  const dtype = at.y.dtype as FloatDType;
  const values = initialParameters(field, Random.seeded(0), dtype);
  const b = new Builder();
  const t = b.input("t", dtype, []);
  const y = b.input("y", dtype, state);
  const cotangent = b.input("cotangent", dtype, state);
  const parameters = Object.fromEntries(
    Object.entries(values).map(([name, { shape }]) => [name, b.input(`p:${name}`, dtype, shape)]),
  );
  const output = field.apply(b, parameters, t, y);
  const names = ["y", ...Object.keys(parameters)];
  const grads = pullback(b, [output], [cotangent], [y, ...Object.values(parameters)]);
  const outputs = Object.fromEntries(
    grads.flatMap((grad, i) => (grad === null ? [] : [[`d:${names[i]}`, grad] as const])),
  );
  const executable = await runtime.compile(b.graph({ output, ...outputs }));
  const feeds: Record<string, DeviceTensor> = {
    t: runtime.upload(scalar(dtype, at.t)),
    y: runtime.upload(at.y),
    cotangent: runtime.upload(at.cotangent),
  };
  for (const name in values) feeds[`p:${name}`] = runtime.upload(values[name]!);
  const results = await executable.run(feeds);
  const gradients: Record<string, Tensor | null> = {};
  for (const name of names) {
    const result = results[`d:${name}`];
    gradients[name] = result === undefined ? null : await runtime.download(result);
  }
  const host = await runtime.download(results.output!);
  await executable.release();
  return { output: host, gradients };
}

/** |a − b| ≤ tolerance (1 + |b|), element by element. */
function expectClose(
  actual: readonly number[],
  expected: readonly number[],
  tolerance: number,
  what: string,
) {
  expect(actual.length, what).to.equal(expected.length);
  const worst = Math.max(
    0,
    ...actual.map((value, i) => Math.abs(value - expected[i]!) / (1 + Math.abs(expected[i]!))),
  );
  if (!(worst <= tolerance)) expect.fail(`${what} is off by ${worst}, tolerance ${tolerance}`);
}

function transposed({ dtype, shape, data }: Tensor): number[] {
  const [rows, columns] = shape as [number, number];
  const flat = numbers({ dtype, shape, data } as Tensor);
  return Array.from({ length: flat.length }, (_, i) => flat[(i % rows) * columns + Math.floor(i / rows)]!);
}

/** Output and gradients against PyTorch's. */
async function hold(runtime: Runtime, one: Case, dtype: FloatDType, tolerance: number, state: Shape) {
  const model = load(one);
  const field = importedField(model, { float: dtype });
  const y = fromNested(dtype, one.y);
  const cotangent = fromNested(dtype, one.cotangent);
  const { output, gradients } = await evaluate(runtime, field, { t: one.t, y, cotangent }, state);
  expectClose(numbers(output), numbers(fromNested("float64", one.output)), tolerance, "dy/dt");
  expectClose(
    gradients.y === null ? numbers(y).map(() => 0) : numbers(gradients.y!),
    numbers(fromNested("float64", one.gradY)),
    tolerance,
    "the cotangent of y",
  );
  // one initializer may stand for several parameters of the module: their gradients add up
  const expected = new Map<string, number[]>();
  for (const [name, stored] of Object.entries(one.initializers)) {
    // the file may hold values computed from a parameter beside it, through which its gradient flows as well
    if (stored === null || [...model.origins.values()].some((o) => o.foldedFrom?.includes(name))) continue;
    expect(field.parameters, `parameters of ${one.name}`).to.have.property(stored.name);
    const shape = one.parameters[name]!.shape;
    const gradient = tensor("float64", shape, one.gradParameters[name]!);
    const own = stored.transposed ? transposed(gradient) : numbers(gradient);
    expected.set(stored.name, expected.get(stored.name)?.map((value, i) => value + own[i]!) ?? own);
  }
  for (const [name, values] of expected) {
    const gradient = gradients[name] ?? null;
    expectClose(
      gradient === null ? values.map(() => 0) : numbers(gradient),
      values,
      tolerance,
      `the cotangent of ${name}`,
    );
  }
}

describe("importedField, on what PyTorch's exporters write", () => {
  let runtime: Runtime;
  before(async () => {
    runtime = await ortNode();
  });

  for (const one of cases) {
    // rounding in float32, PyTorch's or ours, was 3.2e-7 at worst
    const float32 = 2e-6;
    it(`${one.name}: agrees with PyTorch in float32`, () =>
      hold(runtime, one, "float32", float32, one.stateShape));

    // where PyTorch computed in float64, the file's own numbers decide: some were rounded to float32 on export
    const rounded = one.tolerance > 1e-12 ? one.tolerance : 1e-11;
    const float64 = one.dtype === "float64" ? rounded : 1e-6;
    it(`${one.name}: agrees with PyTorch in float64`, () =>
      hold(runtime, one, "float64", float64, one.stateShape));

    // fused attention flattens batch and heads into one axis, and no symbolic dimension stands for their product
    if (one.dynamicBatch && !one.name.startsWith("attention-fused")) {
      it(`${one.name}: takes any batch`, () =>
        hold(runtime, one, one.dtype, one.dtype === "float64" ? float64 : float32, [
          "batch",
          ...one.stateShape.slice(1),
        ]));
    }
  }
});

describe("importedField", () => {
  const two = {
    input: [value("t", "float32"), value("y", "float32", "n", 2)],
    output: [value("dy", "float32", "n", 2)],
  };
  const product = [node("Mul", ["y", "t"], ["dy"])];
  const model = (graph: GraphInit, version = 21) =>
    decode(file({ ...two, node: product, ...graph }, version), { source: "m.onnx" });
  /** f(2, y) for y = [[1, 2], [3, 4]] (or what is given), by ONNX Runtime. */
  async function at2(
    field: VectorField,
    y: unknown = [
      [1, 2],
      [3, 4],
    ],
  ): Promise<number[]> {
    const runtime = await ortNode();
    const state = fromNested("float32", y);
    const { output } = await evaluate(runtime, field, { t: 2, y: state, cotangent: state }, field.state);
    return numbers(output);
  }

  it("knows time and state by their names, shapes or what it is told", async () => {
    const named = async (
      a: string,
      b: string,
      shapes: (number | string)[][],
      options: ImportOptions = {},
    ) => {
      const found = importedField(
        model({
          input: [value(a, "float32", ...shapes[0]!), value(b, "float32", ...shapes[1]!)],
          // 10 a + b tells which is which
          initializer: [stored("ten", fromNested("float32", 10))],
          node: [node("Mul", [a, "ten"], ["h"]), node("Add", ["h", b], ["dy"])],
        }),
        options,
      );
      return at2(found, [[1, 2]]);
    };
    const timeFirst = [21, 22];
    const stateFirst = [12, 22];
    expect(await named("t", "y", [[], ["n", 2]])).to.deep.equal(timeFirst);
    expect(await named("y", "t", [["n", 2], []])).to.deep.equal(stateFirst);
    expect(await named("arg0", "arg1", [["n", 2], []])).to.deep.equal(stateFirst);
    expect(
      await named("arg0", "arg1", [
        ["n", 1],
        ["n", 2],
      ]),
    ).to.deep.equal(timeFirst);
    expect(await named("a", "b", [[1], [1, 2]])).to.deep.equal(timeFirst);
    expect(
      await named("a", "b", [
        [1, 1],
        ["n", 2],
      ]),
    ).to.deep.equal(timeFirst);
    const both = [
      ["n", 1],
      ["n", 1],
    ];
    const ambiguous = () =>
      importedField(
        model({
          input: both.map((dims, i) => value(`v${i}`, "float32", ...dims)),
          output: [value("dy", "float32", "n", 1)],
          node: [node("Add", ["v0", "v1"], ["dy"])],
        }),
      );
    expect(ambiguous).to.throw(NotAFieldError, /"v0" \[n, 1\] and "v1" \[n, 1\].*timeInput/);
  });

  it("takes time in each of its shapes", async () => {
    for (const shape of [[], [1], [1, 1], ["n", 1]]) {
      const field = importedField(model({ input: [value("t", "float32", ...shape), two.input[1]!] }));
      expect(await at2(field), `time of shape [${shape}]`).to.deep.equal([2, 4, 6, 8]);
    }
    const each = model({
      input: [value("t", "float32", "n"), two.input[1]!],
      initializer: [stored("axis", fromNested("int64", [1]))],
      node: [node("Unsqueeze", ["t", "axis"], ["u"]), node("Mul", ["y", "u"], ["dy"])],
    });
    expect(await at2(importedField(each))).to.deep.equal([2, 4, 6, 8]);
    const fixed = model({
      input: [value("t", "float32", 2, 1), value("y", "float32", 2, 2)],
      output: [value("dy", "float32", 2, 2)],
    });
    expect(importedField(fixed).state).to.deep.equal([2, 2]);
    expect(await at2(importedField(fixed))).to.deep.equal([2, 4, 6, 8]);
    const wide = model({ input: [value("t", "float32", 1, 2), two.input[1]!] });
    expect(() => importedField(wide)).to.throw(NotAFieldError, /its time "t" \[1, 2\]/);
  });

  it("has states with or without a batch, of any rank", () => {
    const state = (...dims: (number | string)[]) =>
      importedField(
        model({
          input: [value("t", "float32"), value("y", "float32", ...dims)],
          output: [value("dy", "float32", ...dims)],
        }),
      ).state;
    expect(state("n", 2)).to.deep.equal(["batch", 2]);
    expect(state(1, 2)).to.deep.equal([1, 2]);
    expect(state(3)).to.deep.equal([3]);
    expect(state()).to.deep.equal([]);
    expect(state("n", 3, 4, 5)).to.deep.equal(["batch", 3, 4, 5]);
    expect(() => state("n", "m")).to.throw(NotAFieldError, /"y" \[n, m\].*only the leading dimension/);
  });

  it("makes parameters of float initializers, but not of numbers that an exporter stored", () => {
    const names = [
      "w",
      "alpha",
      "onnx::MatMul_14",
      "onnx::Mul_3",
      "val_2",
      "/Constant_output_0",
      "bn.running_mean",
      "unused",
    ];
    const graph: GraphInit = {
      initializer: [
        stored("w", fromNested("float32", [1, 2])),
        stored("alpha", fromNested("float32", 1)),
        stored(
          "onnx::MatMul_14",
          fromNested("float32", [
            [1, 2],
            [3, 4],
          ]),
        ),
        ...names
          .slice(3)
          .map((name) => stored(name, fromNested("float32", name.startsWith("bn") ? [1, 2] : 2))),
        stored("axes", fromNested("int64", [0])),
      ],
      node: [
        node("MatMul", ["y", "onnx::MatMul_14"], ["h0"]),
        ...["w", "alpha", "onnx::Mul_3", "val_2", "/Constant_output_0", "bn.running_mean"].map((name, i) =>
          node("Mul", [`h${i}`, name], [`h${i + 1}`]),
        ),
        node("Identity", ["h6"], ["dy"]),
      ],
    };
    expect(Object.keys(importedField(model(graph)).parameters)).to.deep.equal([
      "w",
      "alpha",
      "onnx::MatMul_14",
    ]);
    const chosen = importedField(model(graph), { trainable: (name) => name === "val_2" || name === "axes" });
    expect(Object.keys(chosen.parameters)).to.deep.equal(["val_2"]);
    const { shape, initial } = importedField(model(graph)).parameters.w!;
    expect(shape).to.deep.equal([2]);
    expect([...(initial(Random.seeded(0)) as Float32Array)]).to.deep.equal([1, 2]);
  });

  it("tells parameters from buffers where the exporter noted which is which", () => {
    const of = (name: string) =>
      Object.keys(importedField(load(cases.find((c) => c.name === name)!)).parameters);
    expect(of("buffers-dynamo-18")).to.not.include.members(["mean", "std"]);
    expect(of("scalar-parameter-dynamo-18")).to.deep.equal(["neg"]);
    expect(of("pointwise-dynamo-18")).to.deep.equal(["p", "abs_2"]);
    expect(of("gelu-dynamo-18")).to.have.members([
      "net.0.weight",
      "net.0.bias",
      "net.2.weight",
      "net.2.bias",
    ]);
    expect(of("gelu-torchscript-14")).to.have.members([
      "net.0.weight",
      "net.0.bias",
      "net.2.weight",
      "net.2.bias",
    ]);
  });

  it("says what is wrong with a model that is no vector field", () => {
    const refuses = (graph: GraphInit, message: RegExp, options: ImportOptions = {}) =>
      expect(() => importedField(model(graph), options)).to.throw(RevortError, message);
    const wide = stored(
      "w",
      fromNested("float32", [
        [1, 2, 3],
        [4, 5, 6],
      ]),
    );
    refuses(
      { initializer: [wide], node: [node("MatMul", ["y", "w"], ["dy"])] },
      /dy\/dt must have the type of the state, float32\[batch, 2\], but the output "dy" is float32\[batch, 3\]/,
    );
    refuses(
      { input: [...two.input, value("u", "float32", 2)] },
      /takes 3 inputs \("t" \[\], "y" \[n, 2\], "u" \[2\]\)/,
    );
    refuses(
      { input: [], node: [node("Constant", [], ["dy"], { value: fromNested("float32", [1]) })] },
      /takes 0 inputs/,
    );
    refuses(
      { input: [value("t", "int64"), two.input[1]!], node: [node("Tanh", ["y"], ["dy"])] },
      /"t" \[\] is int64/,
    );
    const outputs = {
      output: [...two.output, value("h", "float32")],
      node: [...product, node("Neg", ["t"], ["h"])],
    };
    refuses(outputs, /one output, dy\/dt, but this model has 2.*`output`/);
    refuses({}, /no input "z"/, { timeInput: "z" });
    refuses({}, /no output "z"/, { output: "z" });
    refuses({}, /both time and state/, { timeInput: "t", stateInput: "t" });
    refuses({ node: [node("Fancy", ["y", "t"], ["dy"])] }, /Fancy.*does not know/);
    expect(importedField(model(outputs), { output: "dy" }).state).to.deep.equal(["batch", 2]);
  });
});
