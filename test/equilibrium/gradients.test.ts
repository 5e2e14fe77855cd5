import { expect } from "chai";
import { withoutRegions } from "../../src/autodiff/region.js";
import { pullback } from "../../src/autodiff/vjp.js";
import { ChainError } from "../../src/chains/chain.js";
import { GradientMethodError } from "../../src/chains/syntax.js";
import { Random } from "../../src/core/random.js";
import { castTensor, numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import { anderson } from "../../src/equilibrium/anderson.js";
import { broyden } from "../../src/equilibrium/broyden.js";
import { type Cell, FixedPointError } from "../../src/equilibrium/cell.js";
import { fixedPoint } from "../../src/equilibrium/fixed-point.js";
import { implicitGradient, phantomGradient } from "../../src/equilibrium/gradient.js";
import { undoableSteps, undoingWarning } from "../../src/equilibrium/reconstruction.js";
import { reversibleIteration } from "../../src/equilibrium/reversible.js";
import { relaxedIteration, simpleIteration } from "../../src/equilibrium/solver.js";
import { Builder } from "../../src/graph/builder.js";
import { leakyRelu, relu } from "../../src/ops/activation.js";
import { add, mul } from "../../src/ops/arithmetic.js";
import { reduceSum } from "../../src/ops/broadcast.js";
import { matmul } from "../../src/ops/linalg.js";
import { tanh } from "../../src/ops/trigonometry.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { runGraph } from "../support/evaluate.js";
import { affineCell, apart, found, foundEach, type Results } from "./cells.js";

const random = Random.seeded(7);
const draw = (shape: readonly number[], scale = 1): Tensor =>
  tensor(
    "float64",
    shape,
    Array.from({ length: shape.reduce((p, d) => p * d, 1) }, () => scale * random.normal()),
  );
const [batch, dim] = [3, 5];
const inputs = {
  W: draw([dim, dim], 0.6 / Math.sqrt(dim)),
  x: draw([batch, dim]),
  z0: draw([batch, dim]),
};
const cell = affineCell();
const reversible = reversibleIteration({ relaxation: 0.6 });

/** Gradients of Σ z² along random directions, and what central differences make of them, by name. */
async function slopes(
  options: NonNullable<Parameters<typeof found>[2]>,
  names: readonly (keyof typeof inputs)[],
): Promise<{ name: string; slope: number; difference: number }[]> {
  const h = 2 ** -13;
  const directions = names.map((name) => numbers(draw(inputs[name].shape)));
  const moved = names.flatMap((name, i) =>
    [1, -1, 2, -2].map((k) => ({
      ...inputs,
      [name]: tensor(
        "float64",
        inputs[name].shape,
        numbers(inputs[name]).map((value, j) => value + k * h * directions[i]![j]!),
      ),
    })),
  );
  const [at, ...around] = await foundEach(cell, [inputs, ...moved], options);
  const losses = around.map(({ z }) => z.reduce((sum, value) => sum + value ** 2, 0));
  return names.map((name, i) => {
    const [a, b, c, d] = losses.slice(4 * i) as [number, number, number, number];
    const slope = at!.gradients[name]!.reduce((sum, g, j) => sum + g * directions[i]![j]!, 0);
    return { name, slope, difference: (8 * (a - b) - (c - d)) / (12 * h) };
  });
}

/** The matrix scaled to a spectral norm, by power iteration. */
function ofNorm({ shape, data }: Tensor, norm: number): Tensor {
  const [rows, W] = [shape[0]!, numbers({ dtype: "float64", shape, data } as Tensor)];
  const times = (v: readonly number[], turned: boolean) =>
    v.map((_, i) => v.reduce((sum, x, j) => sum + x * W[turned ? j * rows + i : i * rows + j]!, 0));
  let v = Array.from({ length: rows }, () => 1);
  let size = 1;
  for (let k = 0; k < 200; k++) {
    const next = times(times(v, false), true);
    size = Math.hypot(...next);
    v = next.map((x) => x / size);
  }
  return tensor(
    "float64",
    shape,
    W.map((x) => (norm * x) / Math.sqrt(size)),
  );
}

const flat = ({ gradients: { W, x } }: Results) => [...W!, ...x!];

describe("the gradient of a fixed point", () => {
  for (const [what, options] of Object.entries({
    "implicit, of Anderson's point": { solver: anderson(), gradient: "implicit" },
    "implicit, of Broyden's": { solver: broyden(), gradient: implicitGradient({ solver: broyden() }) },
    "implicit, of the pair's": {
      solver: reversible,
      gradient: implicitGradient({ solver: simpleIteration() }),
    },
    reversible: { solver: reversible, gradient: "reversible" },
    "reversible from stored states": { solver: reversible, gradient: "reversible:4" },
    "through stored steps": { solver: relaxedIteration({ relaxation: 0.8 }), gradient: "direct" },
    "through stored steps of Anderson's method": { solver: anderson({ memory: 3 }), gradient: "direct" },
    "by checkpoints": { solver: reversible, gradient: "checkpoint:3" },
  } as const)) {
    it(`is that of central differences: ${what}`, async () => {
      const stop = { rtol: 1e-13, maxSteps: 40 };
      // differences of fourth order: 1e-14 from h⁴, and rounding of 1e-12
      for (const { name, slope, difference } of await slopes({ ...options, stop }, ["W", "x"]))
        expect(slope, name).to.be.closeTo(difference, 1e-9);
    });
  }

  it("reaches the warm start through as many steps as were taken, and ends there if the point is held", async () => {
    const options = { solver: reversible, stop: { rtol: 0, atol: 0, maxSteps: 3 } };
    for (const gradient of ["reversible", "direct", "checkpoint:2"] as const) {
      const { slope, difference } = (await slopes({ ...options, gradient }, ["z0"]))[0]!;
      expect(Math.abs(slope)).to.be.above(1e-2);
      expect(slope, gradient).to.be.closeTo(difference, 1e-9);
    }
    for (const gradient of ["implicit", "phantom"] as const)
      expect((await found(cell, inputs, { ...options, gradient })).gradients).to.have.keys("W", "x");
  });

  it("by undoing steps is that through stored ones, to rounding: N = 1 … 12, on jit and ONNX Runtime", async () => {
    for (const runtime of [jit(), await ortNode()]) {
      for (const maxSteps of [1, 4, 12]) {
        const run = (gradient: "reversible" | "direct" | "checkpoint") =>
          found(
            cell,
            inputs,
            { solver: reversible, stop: { rtol: 0, atol: 0, maxSteps }, gradient },
            runtime,
          );
        const [undone, direct, checkpoint] = [
          await run("reversible"),
          await run("direct"),
          await run("checkpoint"),
        ];
        for (const name of ["W", "x", "z0"]) {
          // gradients are of order one; 1/|1 − β|¹² = 6e4 times rounding, of which the cotangents are small by then
          expect(apart(undone.gradients[name]!, direct.gradients[name]!), name).to.be.below(1e-12);
          expect(apart(checkpoint.gradients[name]!, direct.gradients[name]!), name).to.be.below(1e-13);
        }
        expect(undone.error).to.be.below(1e-9);
      }
    }
  });

  it("takes the start as it is, where f may have a kink: relu at 0, without a bias", async () => {
    // f(z) = tanh(relu(z + c) W + x) from z0 = 0, with c = 0: on one side ∂f/∂c is 0, on the other it is not
    const kinked: Cell = {
      name: "kinked",
      apply: (b, { W, x, c }, z) => tanh(b, add(b, matmul(b, relu(b, add(b, z, c!)), W!), x!)),
    };
    const zeros = (shape: readonly number[]) =>
      tensor("float64", shape, new Float64Array(shape.reduce((p, d) => p * d, 1)));
    const given = { ...inputs, c: zeros([dim]), z0: zeros([batch, dim]) };
    const run = (gradient: "reversible" | "direct") =>
      found(kinked, given, { solver: reversible, stop: { rtol: 0, atol: 0, maxSteps: 5 }, gradient });
    const [undone, direct] = [await run("reversible"), await run("direct")];
    for (const name of ["W", "x", "c", "z0"])
      expect(apart(undone.gradients[name]!, direct.gradients[name]!), name).to.be.below(1e-13);
  });

  it("undoes as many steps of each sample as it took", async () => {
    const stop = { rtol: 1e-2, maxSteps: 20 };
    // samples that are saturated converge at once
    const x = tensor(
      "float64",
      [batch, dim],
      numbers(inputs.x).map((value, i) => value * [0.1, 1, 8][Math.floor(i / dim)]!),
    );
    const run = (gradient: "reversible" | "direct") =>
      found(cell, { ...inputs, x }, { solver: reversible, stop, gradient });
    const [undone, direct] = [await run("reversible"), await run("direct")];
    expect(new Set(undone.steps).size).to.be.above(1);
    expect(Math.max(...undone.steps)).to.be.below(20);
    for (const name of ["W", "x", "z0"])
      expect(apart(undone.gradients[name]!, direct.gradients[name]!), name).to.be.below(1e-11);
  });

  it("by the implicit theorem comes to the limit as its tolerances tighten, and no further", async () => {
    const run = (rtol: number, adjoint: number) =>
      found(cell, inputs, {
        solver: anderson(),
        stop: { rtol, maxSteps: 100 },
        gradient: implicitGradient({ stop: { rtol: adjoint, maxSteps: 100 } }),
      });
    const limit = flat(
      await found(cell, inputs, {
        ...{ solver: simpleIteration(), stop: { rtol: 1e-15, maxSteps: 300 }, gradient: "direct" },
      }),
    );
    for (const tolerance of [1e-3, 1e-5, 1e-7, 1e-9]) {
      // the error of g, or of z, magnified by (I − J)⁻¹, some 3 here, and by derivatives of order one
      expect(apart(flat(await run(1e-13, tolerance)), limit)).to.be.below(30 * tolerance);
      expect(apart(flat(await run(tolerance, 1e-13)), limit)).to.be.below(30 * tolerance);
    }
    expect(apart(flat(await run(1e-13, 1e-13)), limit)).to.be.below(1e-12);
  });

  it("by phantom steps comes to the implicit one with their number", async () => {
    const run = async (gradient: ReturnType<typeof phantomGradient> | "implicit") =>
      flat(await found(cell, inputs, { stop: { rtol: 1e-13, maxSteps: 100 }, gradient }));
    const implicit = await run("implicit");
    const errors = [];
    for (const steps of [1, 5, 20, 60])
      errors.push(apart(await run(phantomGradient({ steps, relaxation: 0.9 })), implicit));
    for (const [i, error] of errors.slice(1).entries()) expect(error).to.be.below(errors[i]! / 2);
    expect(errors.at(-1)).to.be.below(1e-7);
  });

  it("can be differentiated again: the slope of ∂(Σ z²)/∂x is that of differences", async () => {
    const direction = draw([batch, dim]);
    const second = async (by: number) => {
      const given = {
        ...inputs,
        x: tensor(
          "float64",
          [batch, dim],
          numbers(inputs.x).map((x, i) => x + by * numbers(direction)[i]!),
        ),
      };
      const b = new Builder();
      const v = Object.fromEntries(
        Object.entries(given).map(([name, { shape }]) => [name, b.input(name, "float64", shape)]),
      );
      const { z } = fixedPoint(b, cell, {
        ...{ given: { W: v.W!, x: v.x! }, z0: v.z0!, stop: { rtol: 1e-14, maxSteps: 60 } },
      });
      const one = b.scalar("float64", 1);
      const [dx] = pullback(b, [reduceSum(b, mul(b, z, z))], [one], [v.x!]);
      const slope = reduceSum(b, mul(b, dx!, b.constant(direction)));
      const [ddx] = pullback(b, [slope], [one], [v.x!]);
      const curvature = reduceSum(b, mul(b, ddx!, b.constant(direction)));
      const results = await runGraph(jit(), withoutRegions(b.graph({ slope, curvature })), given);
      return [results.slope!, results.curvature!].map((value) => numbers(value)[0]!) as [number, number];
    };
    const h = 2 ** -12;
    const [[, curvature], [after], [before]] = [await second(0), await second(h), await second(-h)];
    // h² of a third derivative of order one is 6e-8
    expect(curvature).to.be.closeTo((after - before) / (2 * h), 1e-5);
  });

  it("counts a value once that the cell has under two names", async () => {
    const twice = {
      name: "twice",
      apply: (b: Builder, { W, x, again }: Readonly<Record<string, Parameters<typeof mul>[1]>>, z: never) =>
        cell.apply(b, { W: W as never, x: mul(b, x as never, again!) }, z),
    };
    const b = new Builder();
    const v = Object.fromEntries(
      Object.entries(inputs).map(([name, { shape }]) => [name, b.input(name, "float64", shape)]),
    );
    const slopes = ["implicit", "direct"].map((gradient) => {
      const { z } = fixedPoint(b, twice as never, {
        given: { W: v.W!, x: v.x!, again: v.x! },
        ...{ z0: v.z0!, solver: simpleIteration(), stop: { rtol: 1e-14, maxSteps: 200 } },
        gradient: gradient as "direct",
      });
      return pullback(b, [reduceSum(b, mul(b, z, z))], [b.scalar("float64", 1)], [v.x!])[0]!;
    });
    const graph = withoutRegions(b.graph({ implicit: slopes[0]!, direct: slopes[1]! }));
    const results = await runGraph(jit(), graph, inputs);
    const once = await found(
      affineCell(),
      {
        ...inputs,
        x: tensor(
          "float64",
          [batch, dim],
          numbers(inputs.x).map((x) => x * x),
        ),
      },
      { stop: { rtol: 1e-14, maxSteps: 100 } },
    );
    // d/dx f(x²) = 2 x f′
    const expected = once.gradients.x!.map((g, i) => 2 * numbers(inputs.x)[i]! * g);
    for (const slope of [results.implicit!, results.direct!])
      expect(apart(numbers(slope), expected)).to.be.below(1e-12);
  });

  it("is refused where it cannot be: steps that cannot be undone, the best of differentiated ones, no such name", async () => {
    const refused = (options: object) => found(cell, inputs, options);
    const error = async (options: object) =>
      refused(options).then(
        () => null,
        (thrown: Error) => thrown,
      );
    expect(await error({ solver: anderson(), gradient: "reversible" })).to.be.instanceOf(ChainError);
    expect(await error({ gradient: "direct", keep: "best" })).to.be.instanceOf(FixedPointError);
    expect(await error({ gradient: "adjoint" })).to.be.instanceOf(GradientMethodError);
  });
});

describe("the precision of the state", () => {
  const single = Object.fromEntries(
    Object.entries(inputs).map(([name, value]) => [name, castTensor(value, "float32")]),
  );
  const run = (given: typeof single | typeof inputs, state: "float32" | "float64", steps = 8) =>
    found(cell, given, {
      ...{ solver: reversibleIteration({ relaxation: 0.8 }), gradient: "reversible", state },
      stop: { rtol: 0, atol: 0, maxSteps: steps },
    });

  it("in float64 over weights in float32 gives states back to rounding of float64, as the authors have it", async () => {
    const [mixed, plain] = [await run(single, "float64"), await run(single, "float32")];
    expect(mixed.error).to.be.below(1e-8);
    // at least ε 5⁸ = 0.05 is to be expected
    expect(plain.error).to.be.within(1e-4, 10);
    // z comes out as what it went in, and is the one that float64 has but for the rounding of f
    const exact = await run(inputs, "float64");
    expect(apart(mixed.z, exact.z)).to.be.below(1e-6);
    // gradients of order one: what float32 leaves of f and its derivatives
    for (const name of ["W", "x"])
      expect(apart(mixed.gradients[name]!, exact.gradients[name]!), name).to.be.below(2e-5);
  });

  it("makes what undoing lost of a gradient NaN, and nothing else, though states are lost in both", async () => {
    const given = Object.fromEntries(
      Object.entries({ ...inputs, W: ofNorm(inputs.W, 0.7) }).map(([name, value]) => [
        name,
        castTensor(value, "float32"),
      ]),
    );
    const undone = async (cellOf: Cell, gradient: "reversible" | "reversible:20" | "reversible:5") => {
      const run = (by: typeof gradient | "direct") =>
        found(cellOf, given, {
          ...{ solver: reversibleIteration({ relaxation: 0.8 }), gradient: by },
          stop: { rtol: 0, atol: 0, maxSteps: 40 },
        });
      const [one, other] = [await run(gradient), await run("direct")];
      return { error: one.error!, apart: apart(flat(one), flat(other)), gradients: flat(one) };
    };
    // tanh is saturated at states that are far off, where cotangents are but damped: e c stays what it was
    const saturated = await undone(cell, "reversible");
    // nothing is left of them; how far off they end depends on how a processor rounds
    expect(saturated.error).to.be.above(1);
    expect(saturated.apart).to.be.below(1e-2);
    for (const gradient of ["reversible", "reversible:20"] as const) {
      const steep = await undone(
        affineCell((b, x) => leakyRelu(b, x, 0.3)),
        gradient,
      );
      expect(steep.gradients.every(Number.isNaN), gradient).to.equal(true);
    }
    const closer = await undone(
      affineCell((b, x) => leakyRelu(b, x, 0.3)),
      "reversible:5",
    );
    expect(closer.apart).to.be.below(1e-4);
  });

  it("judges each sample by its own steps: one that took none is no reason to give the others up", async () => {
    // the first sample starts at its fixed point, tanh(W z0 + x) = z0, so its cotangents are whole where states of others are lost
    const [W, z] = [numbers(inputs.W), 0.5];
    const x = numbers(inputs.x).map((value, i) =>
      i < dim ? Math.atanh(z) - z * W.slice(i * dim, (i + 1) * dim).reduce((sum, w) => sum + w) : value,
    );
    const z0 = x.map((_, i) => (i < dim ? z : 0));
    const given = {
      W: castTensor(inputs.W, "float32"),
      ...{ x: tensor("float32", [batch, dim], x), z0: tensor("float32", [batch, dim], z0) },
    };
    const run = (gradient: "reversible" | "direct") =>
      found(cell, given, {
        ...{ solver: reversibleIteration({ relaxation: 0.8 }), gradient },
        stop: { rtol: 0, atol: 1e-6, maxSteps: 20 },
      });
    const [undone, direct] = [await run("reversible"), await run("direct")];
    expect(undone.steps[0]).to.equal(0);
    expect(undone.error).to.be.above(1);
    // gradients are of order one, and their error is below what is refused
    expect(apart(flat(undone), flat(direct))).to.be.below(1e-2);
  });

  it("says how many steps can be relied on, and warns of more", () => {
    // the largest n with ε 5ⁿ ≤ 1e−6 in float64, 1e−3 in float32; and with 2ⁿ
    expect(undoableSteps({ relaxation: 0.8 }, "float64")).to.equal(13);
    expect(undoableSteps({ relaxation: 0.8 }, "float32")).to.equal(5);
    expect(undoableSteps({ relaxation: 0.5 }, "float64")).to.equal(32);
    expect(undoableSteps({ relaxation: 0.5 }, "float32")).to.equal(13);
    expect(undoingWarning(reversibleIteration({ relaxation: 0.8 }), "float64", 13)).to.equal(null);
    expect(undoingWarning(reversibleIteration({ relaxation: 0.8 }), "float32", 6))
      .to.include("1 / |1 − β| = 5 a step")
      .and.include("no more than 5 can be relied on")
      .and.include('state: "float64"');
  });
});
