import { expect } from "chai";
import { withoutRegions } from "../../src/autodiff/region.js";
import { pullback } from "../../src/autodiff/vjp.js";
import { Random } from "../../src/core/random.js";
import { numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import { fixedPoint } from "../../src/equilibrium/fixed-point.js";
import { jacobianPenalty, jacobianSpectralRadius } from "../../src/equilibrium/jacobian.js";
import { Builder } from "../../src/graph/builder.js";
import { mul } from "../../src/ops/arithmetic.js";
import { reduceSum } from "../../src/ops/broadcast.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { evaluate, runGraph } from "../support/evaluate.js";
import { affineCell } from "./cells.js";

const random = Random.seeded(11);
const draw = (shape: readonly number[], scale = 1): Tensor =>
  tensor(
    "float64",
    shape,
    Array.from({ length: shape.reduce((p, d) => p * d, 1) }, () => scale * random.normal()),
  );
const linear = affineCell((_, x) => x);

describe("the spectral radius of ∂f/∂z", () => {
  const radiusOf = async (W: readonly number[], dim: number, steps: number) => {
    const inputs = {
      W: tensor("float64", [dim, dim], W),
      x: draw([2, dim]),
      z: draw([2, dim]),
      start: draw([2, dim]),
    };
    const { radius } = await evaluate(jit(), inputs, (b, { W, x, z, start }) => ({
      radius: jacobianSpectralRadius(b, linear, { given: { W: W!, x: x! }, z: z!, start: start!, steps }),
    }));
    return numbers(radius);
  };

  it("is the largest eigenvalue where that is real: of a triangular matrix, with its diagonal", async () => {
    // the next eigenvalue is 0.5 / 0.9 of it, to the power of 30: 2e-8
    for (const radius of await radiusOf([0.5, 1, 2, 0, -0.9, 1, 0, 0, 0.3], 3, 60))
      expect(radius).to.be.closeTo(0.9, 1e-7);
  });

  it("is the modulus of a complex pair, of which power iteration has no limit: a rotation times 0.7", async () => {
    const [c, s] = [0.7 * Math.cos(1), 0.7 * Math.sin(1)];
    // a rotation changes no lengths: exact but for rounding
    for (const radius of await radiusOf([c, -s, s, c], 2, 40)) expect(radius).to.be.closeTo(0.7, 1e-12);
    // where the plane is skewed, the mean over n steps is off by 1/n
    for (const radius of await radiusOf([c, -4 * s, s / 4, c], 2, 400))
      expect(radius).to.be.closeTo(0.7, 2e-2);
  });

  it("is 0 where f does not depend on z", async () => {
    for (const radius of await radiusOf([0, 0, 0, 0], 2, 20)) expect(radius).to.be.below(1e-300);
  });
});

describe("the Jacobian penalty", () => {
  it("is the mean of (Jᵀ ε)², whose expectation is ‖J‖² / d", async () => {
    const [dim, samples] = [3, 4000];
    const W = draw([dim, dim]);
    const inputs = { W, x: draw([samples, dim]), z: draw([samples, dim]), noise: draw([samples, dim]) };
    const { penalty } = await evaluate(jit(), inputs, (b, { W, x, z, noise }) => ({
      penalty: jacobianPenalty(b, linear, { given: { W: W!, x: x! }, z: z!, noise: noise! }),
    }));
    const frobenius = numbers(W).reduce((sum, w) => sum + w * w, 0);
    // of 4000 samples the mean is within some 2 %; three times that
    expect(numbers(penalty)[0]).to.be.closeTo(frobenius / dim, 0.06 * frobenius);
    const [w, ε] = [numbers(W), numbers(inputs.noise)];
    let squares = 0;
    for (let n = 0; n < samples; n++) {
      for (let j = 0; j < dim; j++) {
        let pulled = 0;
        for (let i = 0; i < dim; i++) pulled += w[i * dim + j]! * ε[n * dim + i]!;
        squares += pulled ** 2;
      }
    }
    expect(numbers(penalty)[0]).to.be.closeTo(squares / (samples * dim), 1e-9);
  });

  it("has gradients through θ and through the fixed point, those of central differences", async () => {
    const dim = 4;
    const [noise, direction] = [draw([2, dim]), draw([dim, dim])];
    const given = { W: draw([dim, dim], 0.3), x: draw([2, dim]) };
    const at = async (by: number) => {
      const W = tensor(
        "float64",
        [dim, dim],
        numbers(given.W).map((w, i) => w + by * numbers(direction)[i]!),
      );
      const b = new Builder();
      const [w, x] = [b.input("W", "float64", [dim, dim]), b.input("x", "float64", [2, dim])];
      const cell = affineCell();
      const z0 = b.constant(tensor("float64", [2, dim], new Float64Array(2 * dim)));
      const { z } = fixedPoint(b, cell, { given: { W: w, x }, z0, stop: { rtol: 1e-14, maxSteps: 60 } });
      const penalty = jacobianPenalty(b, cell, { given: { W: w, x }, z, noise: b.constant(noise) });
      const [dW] = pullback(b, [penalty], [b.scalar("float64", 1)], [w]);
      const slope = reduceSum(b, mul(b, dW!, b.constant(direction)));
      const results = await runGraph(jit(), withoutRegions(b.graph({ penalty, slope })), { W, x: given.x });
      return [results.penalty!, results.slope!].map((value) => numbers(value)[0]!) as [number, number];
    };
    const h = 2 ** -13;
    const [[, slope], [after], [before]] = [await at(0), await at(h), await at(-h)];
    // h² of a third derivative of order one
    expect(slope).to.be.closeTo((after - before) / (2 * h), 1e-6);
  });
});
