import { readFileSync } from "node:fs";
import { expect } from "chai";
import { withoutRegions } from "../../src/autodiff/region.js";
import { pullback } from "../../src/autodiff/vjp.js";
import { Random } from "../../src/core/random.js";
import { isFloat, numbers, scalar, type Tensor, tensor } from "../../src/core/tensor.js";
import type { Values } from "../../src/fields/field.js";
import { initialParameters } from "../../src/fields/field.js";
import { Builder } from "../../src/graph/builder.js";
import type { Value } from "../../src/graph/graph.js";
import {
  activation,
  batchNorm,
  concatSquash,
  conv1d,
  conv2d,
  convTranspose1d,
  convTranspose2d,
  dropout,
  embedding,
  groupNorm,
  gruCell,
  type Layer,
  LayerError,
  layerNorm,
  linear,
  lipSwish,
  lstmCell,
  mlp,
  multiHeadAttention,
  overSequence,
  type Parametrised,
  parametersOf,
  residual,
  reversibleBlocks,
  rmsNorm,
  sequential,
  silu,
  type Training,
} from "../../src/nn.js";
import { add } from "../../src/ops/arithmetic.js";
import { zerosLike } from "../../src/ops/generate.js";
import { slice } from "../../src/ops/slice.js";
import { concat } from "../../src/ops/slicing.js";
import { tanh } from "../../src/ops/trigonometry.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { runGraph } from "../support/evaluate.js";

interface Stored {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

/** What PyTorch computes of one of its modules. */
interface Case {
  readonly inputs: readonly Stored[];
  readonly parameters: Readonly<Record<string, Stored>>;
  readonly buffers: Readonly<Record<string, Stored>>;
  readonly buffersAfter: Readonly<Record<string, Stored>>;
  readonly output: Stored;
  readonly weights: Stored;
  readonly gradients: Readonly<Record<string, Stored>>;
  readonly inputGradients: readonly (Stored | null)[];
}

type Apply = (b: Builder, theta: Values, inputs: readonly Value[], training: Training) => Value;

const plain = (layer: Layer): [Parametrised, Apply] => [layer, (b, theta, [x]) => layer.apply(b, theta, x!)];
const trained = (layer: Layer): [Parametrised, Apply] => [
  layer,
  (b, theta, [x], training) => layer.apply(b, theta, x!, training),
];
const [gru, lstm, attention, squash] = [
  gruCell(3, 5),
  lstmCell(3, 5),
  multiHeadAttention(6, 3),
  concatSquash(3, 4),
];

const layers: Readonly<Record<string, [Parametrised, Apply]>> = {
  "linear(3, 5)": plain(linear(3, 5)),
  "linear(3, 5) on three axes": plain(linear(3, 5)),
  "linear(3, 5, no bias)": plain(linear(3, 5, { bias: false })),
  "mlp([3, 8, 8, 2], tanh)": plain(mlp([3, 8, 8, 2])),
  "embedding(7, 3)": plain(embedding(7, 3)),
  "layerNorm(6)": plain(layerNorm(6)),
  "rmsNorm(6), epsilon 1e-6": plain(rmsNorm(6, { epsilon: 1e-6 })),
  "rmsNorm(6) of small numbers": plain(rmsNorm(6)),
  "groupNorm(2, 4)": plain(groupNorm(2, 4)),
  "batchNorm(4), trained": trained(batchNorm(4)),
  "batchNorm(3) on images, trained": trained(batchNorm(3)),
  "batchNorm(4), afterwards": plain(batchNorm(4)),
  "gruCell(3, 5)": [gru, (b, theta, [x, h]) => gru.apply(b, theta, x!, [h!])[0]],
  "lstmCell(3, 5)": [lstm, (b, theta, [x, h, c]) => concat(b, lstm.apply(b, theta, x!, [h!, c!]), 1)],
  "gruCell(3, 5) along sequences": [
    gru,
    (b, theta, [xs, h]) => overSequence(b, gru, theta, xs!, [h!]).outputs,
  ],
  "lstmCell(3, 5) along sequences": [
    lstm,
    (b, theta, [xs, h, c]) => overSequence(b, lstm, theta, xs!, [h!, c!]).outputs,
  ],
  "multiHeadAttention(6, 2)": plain(multiHeadAttention(6, 2)),
  "multiHeadAttention(6, 2, causal)": plain(multiHeadAttention(6, 2, { causal: true })),
  "multiHeadAttention(6, 3) of one sequence to another": [
    attention,
    (b, theta, [q, k, v]) => attention.attend(b, theta, q!, k!, v!),
  ],
  "reversibleBlocks(3) of perceptrons": plain(
    reversibleBlocks(
      3,
      sequential(linear(3, 4), activation(tanh), linear(4, 3)),
      sequential(linear(3, 4), activation(tanh), linear(4, 3)),
    ),
  ),
  "concatSquash(3, 4)": [squash, (b, theta, [x, t]) => squash.apply(b, theta, x!, t!)],
  silu: plain(activation(silu)),
  "conv1d(4, 6, 3, 2 groups)": plain(conv1d(4, 6, 3, { padding: 1, groups: 2 })),
  "conv2d(2, 3, 3)": plain(conv2d(2, 3, 3, { stride: 2, padding: 1 })),
  "conv1d(2, 3, 5), around the ends": plain(conv1d(2, 3, 5, { padding: 2, paddingMode: "circular" })),
  "conv2d(2, 3, 3), mirrored": plain(conv2d(2, 3, 3, { padding: 1, stride: 2, paddingMode: "reflect" })),
  "conv2d(2, 3, 3), with its ends repeated": plain(conv2d(2, 3, 3, { padding: 1, paddingMode: "replicate" })),
  "convTranspose1d(4, 3, 4)": plain(convTranspose1d(4, 3, 4, { stride: 2, padding: 1 })),
  "convTranspose2d(3, 2, 3)": plain(convTranspose2d(3, 2, 3, { stride: 2, padding: 1, outputPadding: 1 })),
};

const { torch, cases } = JSON.parse(
  readFileSync(new URL("pytorch-layers.json", import.meta.url), "utf8"),
) as { torch: string; cases: Readonly<Record<string, Case>> };

const float64 = ({ shape, data }: Stored): Tensor => tensor("float64", shape, data);

/** ONNX keeps the ε of its normalisations as float32, off by 2.5e-13, which is over variances of 0.1 and more here. */
const tolerance = 1e-11;

function expectClose(actual: Tensor, expected: Stored, what: string): void {
  expect(actual.shape, what).to.deep.equal(expected.shape);
  const values = numbers(actual);
  for (const [i, value] of expected.data.entries()) {
    expect(values[i], `${what}[${i}]`).to.be.closeTo(value, tolerance * Math.max(1, Math.abs(value)));
  }
}

describe(`layers, held against PyTorch ${torch}`, () => {
  const runtimes: Record<string, Runtime> = {};
  before(async () => {
    Object.assign(runtimes, { jit: jit(), "ort-cpu": await ortNode() });
  });

  it("are all there", () => {
    expect(Object.keys(layers)).to.have.members(Object.keys(cases));
  });

  for (const [name, [layer, apply]] of Object.entries(layers)) {
    it(`have PyTorch's names, shapes, outputs and gradients: ${name}`, async () => {
      const known = cases[name]!;
      const shapesOf = (record: Readonly<Record<string, { readonly shape: readonly number[] }>>) =>
        Object.fromEntries(Object.entries(record).map(([key, { shape }]) => [key, shape]));
      expect(shapesOf(layer.parameters)).to.deep.equal(shapesOf(known.parameters));
      expect(shapesOf(layer.buffers ?? {})).to.deep.equal(shapesOf(known.buffers));

      const b = new Builder();
      const feeds: Record<string, Tensor> = {};
      const input = (key: string, value: Tensor) => {
        feeds[key] = value;
        return b.input(key, value.dtype, value.shape);
      };
      const theta = Object.fromEntries(
        Object.entries({ ...known.parameters, ...known.buffers }).map(([key, value]) => [
          key,
          input(key, float64(value)),
        ]),
      );
      const isIndices = known.inputGradients.every((gradient) => gradient === null);
      const inputs = known.inputs.map((value, i) =>
        input(`input${i}`, isIndices ? tensor("int64", value.shape, value.data) : float64(value)),
      );
      const kept: Record<string, Value> = {};
      const output = apply(b, theta, inputs, {
        uniform: () => expect.fail("no randomness is asked for"),
        normal: () => expect.fail(),
        keep: (key, value) => {
          kept[`after/${key}`] = value;
        },
      });
      const names = Object.keys(known.parameters);
      const wrt = [...names.map((key) => theta[key]!), ...inputs.filter(({ dtype }) => isFloat(dtype))];
      const pulled = pullback(b, [output], [b.constant(float64(known.weights))], wrt);
      const graph = withoutRegions(
        b.graph({
          output,
          ...kept,
          ...Object.fromEntries(pulled.map((g, i) => [`gradient${i}`, g ?? zerosLike(b, wrt[i]!)])),
        }),
      );
      for (const [runtimeName, runtime] of Object.entries(runtimes)) {
        const found = await runGraph(runtime, graph, feeds);
        expectClose(found.output!, known.output, `${runtimeName}: output`);
        const expected = [
          ...names.map((key) => known.gradients[key]!),
          ...known.inputGradients.filter((g) => g !== null),
        ];
        for (const [i, gradient] of expected.entries())
          expectClose(found[`gradient${i}`]!, gradient, `${runtimeName}: gradient ${i}`);
        for (const key of Object.keys(kept))
          expectClose(found[key]!, known.buffersAfter[key.slice("after/".length)]!, `${runtimeName}: ${key}`);
      }
    });
  }
});

describe("layers", () => {
  it("draw their parameters from PyTorch's distributions", () => {
    const random = Random.seeded(3);
    const momentsOf = (layer: Parametrised, name: string) => {
      const values = Array.from(layer.parameters[name]!.initial(random));
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
      return { mean, variance, largest: Math.max(...values.map(Math.abs)) };
    };
    // U(−a, a) has variance a² / 3; of n numbers it is known to some 2 / √n
    const uniform = (layer: Parametrised, name: string, bound: number) => {
      const { mean, variance, largest } = momentsOf(layer, name);
      expect(largest).to.be.within(0.98 * bound, bound);
      expect(Math.abs(mean)).to.be.below(0.05 * bound);
      expect(variance).to.be.closeTo(bound ** 2 / 3, 0.03 * bound ** 2);
    };
    uniform(linear(64, 64), "weight", 1 / 8);
    uniform(gruCell(16, 64), "weight_ih", 1 / 8);
    uniform(lstmCell(16, 64), "weight_hh", 1 / 8);
    uniform(multiHeadAttention(64, 4), "in_proj_weight", Math.sqrt(6 / (64 + 192)));
    const table = momentsOf(embedding(64, 64), "weight");
    expect(Math.abs(table.mean)).to.be.below(0.05);
    expect(table.variance).to.be.closeTo(1, 0.08);
  });

  it("gate a few rows as they gate many, whose gate goes into the weights", async () => {
    const layer = concatSquash(6, 3);
    const random = Random.seeded(1);
    const rows = tensor(
      "float64",
      [8, 6],
      Array.from({ length: 48 }, () => random.normal()),
    );
    const b = new Builder();
    const theta = Object.fromEntries(
      Object.entries(initialParameters({ name: "", ...layer }, random, "float64")).map(([name, value]) => [
        name,
        b.constant(value),
      ]),
    );
    const [x, t] = [b.input("x", "float64", [8, 6]), b.input("t", "float64", [])];
    const many = layer.apply(b, theta, x, t);
    // a gate for each row is not taken into the weights, and neither is one of fewer rows than these are wide
    const each = layer.apply(
      b,
      theta,
      x,
      add(b, t, b.constant(tensor("float64", [8, 1], new Array(8).fill(0)))),
    );
    const few = layer.apply(b, theta, slice(b, x, 0, 0, 1), t);
    const found = await runGraph(jit(), b.graph({ many, each, few }), { x: rows, t: scalar("float64", 0.7) });
    expectClose(found.many!, { shape: [8, 3], data: numbers(found.each!) }, "a gate for each row");
    expectClose(found.few!, { shape: [1, 3], data: numbers(found.many!).slice(0, 3) }, "few rows");
  });

  it("are gated by one number, or by one of each row, and by nothing else", () => {
    const layer = concatSquash(6, 3);
    const b = new Builder();
    const theta = Object.fromEntries(
      Object.entries(layer.parameters).map(([name, { shape }]) => [name, b.input(name, "float64", shape)]),
    );
    const x = b.input("x", "float64", [3, 6]);
    // as many as there are outputs
    for (const shape of [[3], [3, 3]]) {
      const t = b.input(`t${shape.length}`, "float64", shape);
      expect(() => layer.apply(b, theta, x, t)).to.throw(LayerError, "takes t as a scalar or [batch, 1]");
    }
    const one = b.input("one", "float64", [1]);
    expect(layer.apply(b, theta, x, one).shape).to.deep.equal([3, 3]);
  });

  it("number the parameters of a sequence, and leave those of a residual as they are", () => {
    const layer = sequential(linear(2, 3), activation(tanh), residual(sequential(linear(3, 3))));
    expect(Object.keys(layer.parameters)).to.deep.equal([
      ...["0.weight", "0.bias"],
      ...["2.0.weight", "2.0.bias"],
    ]);
    expect(Object.keys(parametersOf({ head: layer }).parameters)).to.include("head.2.0.bias");
  });

  it("hand on what a part of a sequence keeps in training, under its name", () => {
    const b = new Builder();
    const layer = sequential(linear(2, 3), batchNorm(3));
    const theta = Object.fromEntries(
      Object.entries({ ...layer.parameters, ...layer.buffers }).map(([name, { shape }]) => [
        name,
        b.input(name, "float64", shape),
      ]),
    );
    const kept: string[] = [];
    const training = {
      uniform: () => expect.fail(),
      normal: () => expect.fail(),
      keep: (name: string) => void kept.push(name),
    };
    layer.apply(b, theta, b.input("x", "float64", [4, 2]), training);
    expect(kept).to.deep.equal(["1.running_mean", "1.running_var"]);
  });

  it("drop numbers in training alone, and scale what is left", async () => {
    const b = new Builder();
    const x = b.input("x", "float64", [4]);
    const [draws] = [b.constant(tensor("float64", [4], [0.1, 0.69, 0.71, 0.9]))];
    const layer = dropout(0.3);
    expect(layer.apply(b, {}, x)).to.equal(x);
    const y = layer.apply(b, {}, x, { uniform: () => draws, normal: () => expect.fail(), keep: () => {} });
    const { y: found } = await runGraph(jit(), b.graph({ y }), { x: tensor("float64", [4], [1, 2, 3, 4]) });
    expect(numbers(found!)).to.deep.equal([1 / 0.7, 2 / 0.7, 0, 0]);
  });

  it("bend by 0.909 of SiLU: LipSwish has a slope of at most 1", async () => {
    const b = new Builder();
    const x = b.input("x", "float64", [401]);
    const y = lipSwish(b, x);
    const one = b.constant(tensor("float64", [401], new Array(401).fill(1)));
    const [slope] = pullback(b, [y], [one], [x]);
    const at = tensor(
      "float64",
      [401],
      Array.from({ length: 401 }, (_, i) => (i - 200) / 20),
    );
    const found = numbers((await runGraph(jit(), b.graph({ slope: slope! }), { x: at })).slope!);
    // the largest slope of x σ(x) is 1.0998
    expect(Math.max(...found)).to.be.within(0.999, 1);
  });

  it("refuse what they cannot take, naming the layer and what was given", () => {
    const b = new Builder();
    const x = b.input("x", "float64", [2, 3]);
    for (const [make, message] of [
      [() => linear(0, 3), /widths of linear must be positive whole numbers, but 0, 3/],
      [
        () => linear(2, 3).apply(b, {}, x),
        /linear\(2, 3\) takes \[\.\.\., 2\], but was given float64\[2, 3\]/,
      ],
      [() => mlp([3]), /mlp takes the widths of its layers/],
      [() => groupNorm(2, 3), /cannot divide 3 channels into 2 groups/],
      [() => multiHeadAttention(5, 2), /cannot divide a width of 5 among 2 heads/],
      [() => multiHeadAttention(4, 2).apply(b, {}, x), /takes \[batch, length, width\]/],
      [() => dropout(1), /probability of dropout must lie in \[0, 1\), but 1/],
      [() => batchNorm(2).apply(b, {}, x), /batchNorm\(2\) takes \[batch, 2, …\]/],
    ] as const) {
      expect(make).to.throw(LayerError, message);
    }
  });
});
