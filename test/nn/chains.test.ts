import { expect } from "chai";
import { withoutRegions } from "../../src/autodiff/region.js";
import { pullback } from "../../src/autodiff/vjp.js";
import type { AdjointSpec } from "../../src/chains/adjoints.js";
import { Random } from "../../src/core/random.js";
import { numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import type { Values } from "../../src/fields/field.js";
import { Builder } from "../../src/graph/builder.js";
import type { Value } from "../../src/graph/graph.js";
import type { Training } from "../../src/nn/layer.js";
import {
  activation,
  batchNorm,
  dropout,
  endOfSequence,
  gruCell,
  type Layer,
  LayerError,
  linear,
  lstmCell,
  overSequence,
  reversibleBlocks,
  sequential,
} from "../../src/nn.js";
import { add, mul } from "../../src/ops/arithmetic.js";
import { reduceSum } from "../../src/ops/broadcast.js";
import { told } from "../../src/ops/told.js";
import { tanh } from "../../src/ops/trigonometry.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { runGraph } from "../support/evaluate.js";

const random = Random.seeded(9);
const draw = (...shape: number[]) =>
  tensor(
    "float64",
    shape,
    Array.from({ length: shape.reduce((p, d) => p * d, 1) }, () => random.normal()),
  );
const drawn = (parameters: Layer["parameters"]): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(parameters).map(([name, { shape, initial }]) => [
      name,
      tensor("float64", shape, initial(random)),
    ]),
  );

/** Σ y² and its gradients in everything given. */
async function gradients(
  given: Readonly<Record<string, Tensor>>,
  outputsOf: (b: Builder, values: Values) => readonly Value[],
): Promise<Record<string, Tensor>> {
  const b = new Builder();
  const values = Object.fromEntries(
    Object.entries(given).map(([name, { dtype, shape }]) => [name, b.input(name, dtype, shape)]),
  );
  const loss = outputsOf(b, values)
    .map((y) => reduceSum(b, mul(b, y, y)))
    .reduce((sum, each) => add(b, sum, each));
  const pulled = pullback(b, [loss], [b.scalar("float64", 1)], Object.values(values));
  const outputs = Object.keys(values).map((name, k) => [`d/${name}`, pulled[k]!] as const);
  return runGraph(jit(), withoutRegions(b.graph({ loss, ...Object.fromEntries(outputs) })), given);
}

const expectSame = (
  found: Readonly<Record<string, Tensor>>,
  expected: Readonly<Record<string, Tensor>>,
  tolerance: number,
  what: string,
) => {
  expect(Object.keys(found)).to.have.members(Object.keys(expected));
  for (const [name, right] of Object.entries(expected)) {
    for (const [i, value] of numbers(right).entries()) {
      expect(numbers(found[name]!)[i], `${what}: ${name}[${i}]`).to.be.closeTo(value, tolerance);
    }
  }
};

describe("a recurrent network along sequences", () => {
  const gru = gruCell(3, 4);
  const lstm = lstmCell(3, 4);
  const [xs, h, c] = [draw(2, 9, 3), draw(2, 4), draw(2, 4)];
  const cases: Readonly<
    Record<string, [Record<string, Tensor>, (b: Builder, v: Values, adjoint: AdjointSpec) => Value[]]>
  > = {
    "outputs of a GRU": [
      { ...drawn(gru.parameters), xs, h },
      (b, v, adjoint) => [overSequence(b, gru, v, v.xs!, [v.h!], { adjoint }).outputs],
    ],
    "outputs and end of an LSTM": [
      { ...drawn(lstm.parameters), xs, h, c },
      (b, v, adjoint) => {
        const { outputs, end } = overSequence(b, lstm, v, v.xs!, [v.h!, v.c!], { adjoint });
        return [outputs, end[1]];
      },
    ],
    "end of an LSTM": [
      { ...drawn(lstm.parameters), xs, h, c },
      (b, v, adjoint) => [...endOfSequence(b, lstm, v, v.xs!, [v.h!, v.c!], { adjoint })],
    ],
  };
  for (const [name, [given, outputsOf]] of Object.entries(cases)) {
    it(`has the same gradients by checkpoints as by stored states, those of PyTorch: ${name}`, async () => {
      // the gradients by stored states are held against PyTorch's among the other layers
      const direct = await gradients(given, (b, v) => outputsOf(b, v, "direct"));
      for (const adjoint of ["checkpoint", "checkpoint:1", "checkpoint:2"] as const) {
        const found = await gradients(given, (b, v) => outputsOf(b, v, adjoint));
        // the same numbers, added up in the same order
        expectSame(found, direct, 1e-12, adjoint);
      }
    });
  }

  it("ends with the last of its outputs", async () => {
    const given = { ...drawn(gru.parameters), xs, h };
    const b = new Builder();
    const v = Object.fromEntries(
      Object.entries(given).map(([name, { shape }]) => [name, b.input(name, "float64", shape)]),
    );
    const { outputs, end } = overSequence(b, gru, v, v.xs!, [v.h!]);
    const [alone] = endOfSequence(b, gru, v, v.xs!, [v.h!], { adjoint: "checkpoint:2" });
    const found = await runGraph(jit(), withoutRegions(b.graph({ outputs, end: end[0], alone })), given);
    const last = (row: number) => numbers(found.outputs!).slice((row * 9 + 8) * 4, (row + 1) * 36);
    expect(numbers(found.end!)).to.deep.equal([...last(0), ...last(1)]);
    expect(numbers(found.alone!)).to.deep.equal(numbers(found.end!));
  });

  it("refuses what is no batch of sequences, and reversal, as its steps cannot be undone", () => {
    const b = new Builder();
    const theta = Object.fromEntries(
      Object.entries(gru.parameters).map(([name, { shape }]) => [name, b.input(name, "float64", shape)]),
    );
    const start = [b.input("h", "float64", [2, 4])] as const;
    const flat = b.input("flat", "float64", [2, 3]);
    expect(() => overSequence(b, gru, theta, flat, start)).to.throw(LayerError, "[batch, times, inputs]");
    const sequences = b.input("xs", "float64", [2, 9, 3]);
    expect(() => endOfSequence(b, gru, theta, sequences, start, { adjoint: "reversible" })).to.throw(
      'The steps of the chain "recurrent cell" cannot be undone',
    );
  });
});

describe("reversible blocks", () => {
  const part = () => sequential(linear(3, 5), activation(tanh), linear(5, 3));
  const blocksBy = (adjoint: AdjointSpec) => reversibleBlocks(4, part(), part(), { adjoint });
  const given = { ...drawn(blocksBy("direct").parameters), x: draw(2, 6) };

  it("have the parameters of their layers, block by block", () => {
    const names = Object.keys(reversibleBlocks(2, linear(3, 3), activation(tanh)).parameters);
    expect(names).to.deep.equal(["0.f.weight", "0.f.bias", "1.f.weight", "1.f.bias"]);
  });

  it("compute y₁ = x₁ + F(x₂), y₂ = x₂ + G(y₁)", async () => {
    const layer = reversibleBlocks(
      2,
      activation(tanh),
      activation((b, x) => mul(b, x, 0.5)),
    );
    const b = new Builder();
    const y = layer.apply(b, {}, b.input("x", "float64", [1, 2]));
    const x = tensor("float64", [1, 2], [0.3, -0.7]);
    const { y: found } = await runGraph(jit(), withoutRegions(b.graph({ y })), { x });
    let [x1, x2] = [0.3, -0.7];
    for (let block = 0; block < 2; block++) {
      x1 += Math.tanh(x2);
      x2 += 0.5 * x1;
    }
    expect(numbers(found!)[0]).to.be.closeTo(x1, 1e-15);
    expect(numbers(found!)[1]).to.be.closeTo(x2, 1e-15);
  });

  it("have the same gradients however they are differentiated, those of finite differences", async () => {
    const apply = (adjoint: AdjointSpec) => (b: Builder, v: Values) => [blocksBy(adjoint).apply(b, v, v.x!)];
    const direct = await gradients(given, apply("direct"));
    for (const adjoint of ["reversible", "reversible:2", "checkpoint:2"] as const) {
      // activations come back to rounding, on numbers of order ten
      expectSame(await gradients(given, apply(adjoint)), direct, 1e-12, adjoint);
    }
    const along = Object.fromEntries(
      Object.entries(given).map(([name, { shape }]) => [name, draw(...shape)]),
    );
    const lossAt = async (by: number) => {
      const moved = Object.fromEntries(
        Object.entries(given).map(([name, value]) => {
          const values = numbers(value).map((x, i) => x + by * numbers(along[name]!)[i]!);
          return [name, tensor("float64", value.shape, values)];
        }),
      );
      return numbers((await gradients(moved, apply("direct"))).loss!)[0]!;
    };
    const h = 1e-3;
    const near = (await lossAt(h)) - (await lossAt(-h));
    const slope = (8 * near - ((await lossAt(2 * h)) - (await lossAt(-2 * h)))) / (12 * h);
    const exact = Object.entries(given)
      .flatMap(([name]) => numbers(direct[`d/${name}`]!).map((g, i) => g * numbers(along[name]!)[i]!))
      .reduce((sum, term) => sum + term, 0);
    // h⁴ of a fifth derivative, relative to slopes of some hundred
    expect(exact).to.be.closeTo(slope, 1e-8 * Math.abs(slope));
  });

  const training: Training = {
    uniform: () => expect.fail("no randomness is asked for"),
    normal: () => expect.fail(),
    keep: () => expect.fail(),
  };

  it("tell how far activations came back", async () => {
    const b = new Builder();
    const v = Object.fromEntries(
      Object.entries(given).map(([name, { shape }]) => [name, b.input(name, "float64", shape)]),
    );
    const y = blocksBy("reversible").apply(b, v, v.x!);
    const [dx] = pullback(b, [reduceSum(b, y)], [b.scalar("float64", 1)], [v.x!]);
    const graph = withoutRegions(b.graph({ dx: dx!, error: told(b).reconstructionError! }));
    // four blocks of a few roundings each
    expect(numbers((await runGraph(jit(), graph, given)).error!)[0]).to.be.within(0, 1e-14);
  });

  it("refuse layers that are another function when they are computed again", () => {
    const b = new Builder();
    const x = b.input("x", "float64", [2, 6]);
    expect(() => reversibleBlocks(2, batchNorm(3), part())).to.throw(LayerError, 'keeps the buffer "');
    const dropping = reversibleBlocks(2, dropout(0.5), activation(tanh));
    expect(() => dropping.apply(b, {}, x, training)).to.throw(LayerError, "draws random numbers");
    expect(dropping.apply(b, {}, x).shape).to.deep.equal([2, 6]);
  });

  it("refuse what has no halves, and layers that change the shape", () => {
    const b = new Builder();
    const blocks = reversibleBlocks(1, activation(tanh), activation(tanh));
    expect(() => blocks.apply(b, {}, b.input("x", "float64", [2, 5]))).to.throw(LayerError, "an even size");
    const theta = { "0.f.weight": b.input("w", "float64", [2, 3]), "0.f.bias": b.input("c", "float64", [2]) };
    const narrowing = reversibleBlocks(1, linear(3, 2), activation(tanh));
    expect(() => narrowing.apply(b, theta, b.input("y", "float64", [2, 6]))).to.throw(
      LayerError,
      "makes float64[2, 2] of float64[2, 3]",
    );
    expect(() => reversibleBlocks(0, linear(3, 3), linear(3, 3))).to.throw(LayerError, "no 0 blocks");
  });
});
