import { expect } from "chai";
import { Random } from "../../src/core/random.js";
import { numbers, ShapeError, type Tensor, tensor } from "../../src/core/tensor.js";
import { type Activation, activations } from "../../src/fields/activations.js";
import { chainOf, sumOf } from "../../src/fields/combine.js";
import { initialParameters, stateOf, type Tensors, type VectorField } from "../../src/fields/field.js";
import { affineWithTime, mlp } from "../../src/fields/mlp.js";
import { lotkaVolterra, sir, whiteDwarf } from "../../src/fields/physical.js";
import { rescaled } from "../../src/fields/rescaled.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { distance } from "../support/distance.js";
import { evaluate, rows } from "../support/evaluate.js";

/** erf by its Taylor series: enough terms for |x| < 3. */
function erf(x: number): number {
  let [term, sum] = [x, x];
  for (let n = 1; n < 80; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

/** The activations by their textbook formulas, in plain numbers. */
const formulas: Readonly<Record<Activation, (x: number) => number>> = {
  tanh: Math.tanh,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  relu: (x) => Math.max(0, x),
  // the slope is an attribute, and ONNX keeps attributes as float32
  "leaky-relu": (x) => (x < 0 ? Math.fround(0.01) * x : x),
  elu: (x) => (x < 0 ? Math.expm1(x) : x),
  softplus: (x) => Math.log1p(Math.exp(x)),
  gelu: (x) => (x * (1 + erf(x / Math.SQRT2))) / 2,
  silu: (x) => x / (1 + Math.exp(-x)),
  sin: Math.sin,
  identity: (x) => x,
};

/** A perceptron in plain numbers, one state at a time. */
function plainMlp(layers: number, sigma: (x: number) => number, theta: Tensors, input: readonly number[]) {
  let x = [...input];
  for (let i = 0; i < layers; i++) {
    const weight = theta[`layers.${i}.weight`]!;
    const [w, bias] = [numbers(weight), numbers(theta[`layers.${i}.bias`]!)];
    const columns = weight.shape[1]!;
    const z = bias.map((start, row) =>
      x.reduce((sum, v, column) => sum + w[row * columns + column]! * v, start),
    );
    x = i < layers - 1 ? z.map(sigma) : z;
  }
  return x;
}

describe("fields", () => {
  let runtime: Runtime;
  before(async () => {
    runtime = await ortNode();
  });

  /** dy/dt at a time, for each row of a state. */
  async function derivative(field: VectorField, theta: Tensors, t: number, y: Tensor): Promise<number[][]> {
    const named = Object.fromEntries(Object.entries(theta).map(([name, value]) => [`θ/${name}`, value]));
    const { dy } = await evaluate(runtime, { ...named, t: rows(t), y }, (b, values) => {
      const parameters = Object.fromEntries(Object.keys(theta).map((name) => [name, values[`θ/${name}`]!]));
      return { dy: field.apply(b, parameters, values.t!, values.y!) };
    });
    expect(dy.shape).to.deep.equal(y.shape);
    const flat = numbers(dy);
    const width = y.shape[1]!;
    return Array.from({ length: y.shape[0]! }, (_, i) => flat.slice(i * width, (i + 1) * width));
  }
  const scalars = (record: Readonly<Record<string, number>>): Tensors =>
    Object.fromEntries(Object.entries(record).map(([name, value]) => [name, rows(value)]));

  const states = [
    [0.3, -1.2],
    [1.5, 0.4],
    [-0.7, 2.1],
  ];
  const batch = rows(states.flat(), 2);
  // a handful of roundings of numbers of size one
  const tolerance = 1e-14;

  describe("a perceptron", () => {
    for (const activation of Object.keys(activations) as Activation[]) {
      it(`with ${activation} is its formula in plain numbers`, async () => {
        const field = mlp({ dim: 2, hidden: [5, 4], activation });
        const theta = initialParameters(field, Random.seeded(3), "float64");
        const found = await derivative(field, theta, 0.8, batch);
        for (const [i, state] of states.entries()) {
          const expected = plainMlp(3, formulas[activation], theta, [0.8, ...state]);
          // erf in float64 is of 1e-15, and small differences of larger numbers follow
          expect(distance(found[i]!, expected)).to.be.below(activation === "gelu" ? 1e-13 : tolerance);
        }
      });
    }

    it("sees time as its first input, or not at all", async () => {
      const blind = mlp({ dim: 2, hidden: [3], time: false });
      const theta = initialParameters(blind, Random.seeded(3), "float64");
      const [early, late] = [
        await derivative(blind, theta, 0, batch),
        await derivative(blind, theta, 9, batch),
      ];
      expect(early).to.deep.equal(late);
      expect(distance(early[1]!, plainMlp(2, Math.tanh, theta, states[1]!))).to.be.below(tolerance);
      expect(theta["layers.0.weight"]!.shape).to.deep.equal([3, 2]);
    });

    it("has the column of time in its bias, where one time is that of all rows", async () => {
      const random = Random.seeded(1);
      const drawn = (...shape: readonly [number, number] | readonly [number]) =>
        tensor(
          "float64",
          shape,
          Array.from({ length: shape[0] * (shape[1] ?? 1) }, () => random.uniform(-1, 1)),
        );
      const theta = { "layers.0.weight": drawn(3, 5), "layers.0.bias": drawn(3) };
      const y = drawn(2, 4);
      const { z } = await evaluate(
        runtime,
        { weight: theta["layers.0.weight"], bias: theta["layers.0.bias"], t: rows(0.3), y },
        (b, values) => ({ z: affineWithTime(b, values.t!, values.y!, values.weight!, values.bias!) }),
      );
      const expected = [0, 1].flatMap((row) =>
        plainMlp(1, (x) => x, theta, [0.3, ...numbers(y).slice(4 * row, 4 * row + 4)]),
      );
      expect(z.shape).to.eql([2, 3]);
      // sums of five products, in another order
      expect(distance(numbers(z), expected)).to.be.below(1e-15);
    });

    it("without hidden layers is affine", async () => {
      const field = mlp({ dim: 2, hidden: [], time: false });
      const theta = {
        "layers.0.weight": tensor("float64", [2, 2], [1, 2, 3, 4]),
        "layers.0.bias": tensor("float64", [2], [10, 20]),
      };
      expect(await derivative(field, theta, 0, rows([1, -1], 2))).to.deep.equal([[9, 19]]);
    });

    it("starts between ±1/√in, each number another, the same for the same seed", () => {
      const field = mlp({ dim: 8, hidden: [100] });
      const theta = initialParameters(field, Random.seeded(1), "float64");
      expect(Object.entries(theta).map(([name, { shape }]) => [name, shape])).to.deep.equal([
        ["layers.0.weight", [100, 9]],
        ["layers.0.bias", [100]],
        ["layers.1.weight", [8, 100]],
        ["layers.1.bias", [8]],
      ]);
      const bounds = [1 / 3, 1 / 3, 1 / 10, 1 / 10];
      for (const [i, value] of Object.values(theta).entries()) {
        const found = numbers(value);
        const largest = Math.max(...found.map(Math.abs));
        expect(largest).to.be.at.most(bounds[i]!);
        // 8 numbers all below half the bound would be one case in 256
        expect(largest).to.be.above(bounds[i]! / 2);
        expect(new Set(found).size).to.equal(found.length);
        // the mean of n uniform numbers on ±c has deviation c/√(3n): within four of them
        const mean = found.reduce((sum, x) => sum + x, 0) / found.length;
        expect(Math.abs(mean)).to.be.below((4 * bounds[i]!) / Math.sqrt(3 * found.length));
      }
      const again = initialParameters(field, Random.seeded(1), "float64");
      const other = initialParameters(field, Random.seeded(2), "float64");
      expect(numbers(again["layers.1.bias"]!)).to.deep.equal(numbers(theta["layers.1.bias"]!));
      expect(numbers(other["layers.1.bias"]!)).not.to.deep.equal(numbers(theta["layers.1.bias"]!));
    });

    it("refuses widths that are not positive whole numbers", () => {
      expect(() => mlp({ dim: 2, hidden: [0] })).to.throw(ShapeError, "positive whole numbers, but 0");
      expect(() => mlp({ dim: 2, hidden: [3, 1.5] })).to.throw(ShapeError, "3,1.5");
      expect(() => mlp({ dim: 0, hidden: [3] })).to.throw(ShapeError, "0 components");
    });
  });

  it("SIR: infections move boys from susceptible to infected, recoveries on to recovered", async () => {
    const theta = scalars({ b: 1.5, k: 0.4 });
    const [found] = await derivative(sir({ population: 100 }), theta, 0, rows([70, 20, 10], 3));
    // 1.5 · 70 · 20 / 100 = 21 infections, 0.4 · 20 = 8 recoveries
    expect(distance(found!, [-21, 13, 8])).to.be.below(tolerance);
    expect(initialParameters(sir({ population: 1, b: 3, k: 2 }), Random.seeded(0), "float64")).to.deep.equal(
      scalars({ b: 3, k: 2 }),
    );
  });

  it("Lotka and Volterra: prey grow and are eaten, predators eat and die", async () => {
    const theta = scalars({ alpha: 0.5, beta: 0.02, delta: 0.01, gamma: 0.8 });
    const [found] = await derivative(lotkaVolterra(), theta, 0, rows([30, 4], 2));
    expect(distance(found!, [0.5 * 30 - 0.02 * 120, 0.01 * 120 - 0.8 * 4])).to.be.below(tolerance);
  });

  it("the white dwarf: φ'' = −(φ² − C)^{3/2} − 2 φ' / (t + ½)", async () => {
    const [found] = await derivative(whiteDwarf(), {}, 1.5, rows([0.8, -0.3], 2));
    const expected = [-0.3, -((0.8 ** 2 - 0.001) ** 1.5) - (2 * -0.3) / 2];
    expect(distance(found!, expected)).to.be.below(tolerance);
    const [other] = await derivative(whiteDwarf({ c: 0.1 }), {}, 0, rows([1, 0], 2));
    expect(distance(other!, [0, -(0.9 ** 1.5)])).to.be.below(tolerance);
  });

  describe("put together", () => {
    const affine = (): VectorField => mlp({ dim: 2, hidden: [], time: false });
    const theta = (prefix: string, weight: readonly number[], bias: readonly number[]): Tensors => ({
      [`${prefix}.layers.0.weight`]: tensor("float64", [2, 2], weight),
      [`${prefix}.layers.0.bias`]: tensor("float64", [2], bias),
    });
    const parameters = { ...theta("first", [1, 2, 3, 4], [1, 1]), ...theta("second", [0, 1, 1, 0], [5, 7]) };

    it("a sum adds up what its parts say, with their parameters under their names", async () => {
      const field = sumOf({ first: affine(), second: affine() });
      expect(Object.keys(field.parameters)).to.deep.equal(Object.keys(parameters));
      // [1 + 2·10 + 1, 3 + 4·10 + 1] + [10 + 5, 1 + 7]
      expect(await derivative(field, parameters, 0, rows([1, 10], 2))).to.deep.equal([[22 + 15, 44 + 8]]);
    });

    it("a chain feeds each part with what the one before says, in their order", async () => {
      const field = chainOf({ first: affine(), second: affine() });
      expect(await derivative(field, parameters, 0, rows([1, 10], 2))).to.deep.equal([[44 + 5, 22 + 7]]);
      const reversed = chainOf({ second: affine(), first: affine() });
      expect(await derivative(reversed, parameters, 0, rows([1, 10], 2))).to.deep.equal([
        [15 + 2 * 8 + 1, 3 * 15 + 4 * 8 + 1],
      ]);
    });

    it("draws the parameters of its parts as they would be drawn alone, one after the other", () => {
      const field = sumOf({ first: affine(), second: affine() });
      const random = Random.seeded(4);
      const alone = [
        initialParameters(affine(), random, "float64"),
        initialParameters(affine(), random, "float64"),
      ];
      const together = initialParameters(field, Random.seeded(4), "float64");
      expect(Object.values(together)).to.deep.equal(alone.flatMap((part) => Object.values(part)));
    });

    it("refuses parts with states of different shapes, and no parts at all", () => {
      const wide = mlp({ dim: 3, hidden: [] });
      expect(() => sumOf({ narrow: affine(), wide })).to.throw(
        ShapeError,
        '"narrow" has [batch, 2] and "wide" has [batch, 3]',
      );
      expect(() => chainOf({})).to.throw(ShapeError, "at least one field");
    });
  });

  describe("rescaled", () => {
    it("is s g((t − t₀) / T, (y − m) / s) / T", async () => {
      const inner = mlp({ dim: 2, hidden: [4] });
      const theta = initialParameters(inner, Random.seeded(3), "float64");
      const field = rescaled(inner, { shift: [10, -5], scale: [2, 0.5], start: 1900, rate: 0.1 });
      const found = await derivative(field, theta, 1912, rows([11, -4.5], 2));
      const g = plainMlp(2, Math.tanh, theta, [1.2, 0.5, 1]);
      expect(distance(found[0]!, [2 * 0.1 * g[0]!, 0.5 * 0.1 * g[1]!])).to.be.below(1e-13);
      expect(field.parameters).to.equal(inner.parameters);
    });

    it("refuses scales that are not positive, or not one per component", () => {
      const inner = mlp({ dim: 2, hidden: [] });
      for (const [shift, scale] of [
        [
          [0, 0],
          [1, 0],
        ],
        [[0], [1, 1]],
        [
          [0, 0],
          [1, 1, 1],
        ],
      ] as const) {
        expect(() => rescaled(inner, { shift, scale })).to.throw(
          ShapeError,
          "needs 2 shifts and 2 positive scales",
        );
      }
    });
  });

  describe("a state", () => {
    const field = mlp({ dim: 2, hidden: [] });

    it("of one trajectory may lack the batch axis", () => {
      expect(stateOf(field, tensor("float64", [2], [1, 2])).shape).to.deep.equal([1, 2]);
      expect(stateOf(field, batch)).to.equal(batch);
    });

    it("that does not fill a trajectory is refused, saying how many numbers one has", () => {
      expect(() => stateOf(field, tensor("float64", [3], [1, 2, 3]))).to.throw(
        ShapeError,
        "[batch, 2], but the initial state has shape [3]. Give 2 numbers per trajectory.",
      );
    });
  });
});
