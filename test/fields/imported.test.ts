import { readFileSync } from "node:fs";
import { expect } from "chai";
import { pullback } from "../../src/autodiff/vjp.js";
import { Random } from "../../src/core/random.js";
import { type FloatDType, fromNested, numbers, scalar, type Tensor, tensor } from "../../src/core/tensor.js";
import type { VectorField } from "../../src/fields/field.js";
import { initialParameters } from "../../src/fields/field.js";
import { importedField } from "../../src/fields/imported.js";
import { Builder } from "../../src/graph/builder.js";
import { decode } from "../../src/graph/decode.js";
import type { Shape } from "../../src/graph/graph.js";
import type { Model } from "../../src/graph/model.js";
import type { DeviceTensor, Runtime } from "../../src/runtime/runtime.js";
import { ortNode } from "../../src/runtimes/ort-node.js";

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
    // PyTorch's own numbers are float32 there, with rounding errors that add up along the layers
    const float32 = Math.max(2e-5, one.tolerance * 2);
    it(`${one.name}: agrees with PyTorch in float32`, () =>
      hold(runtime, one, "float32", float32, one.stateShape));

    const float64 = one.dtype === "float64" ? Math.max(1e-11, one.tolerance) : 1e-5;
    it(`${one.name}: agrees with PyTorch in float64`, () =>
      hold(runtime, one, "float64", float64, one.stateShape));

    if (one.dynamicBatch) {
      it(`${one.name}: takes any batch`, () =>
        hold(runtime, one, one.dtype, one.dtype === "float64" ? float64 : float32, [
          "batch",
          ...one.stateShape.slice(1),
        ]));
    }
  }
});
