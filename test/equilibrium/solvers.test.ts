import { expect } from "chai";
import { OptionError } from "../../src/core/options.js";
import { Random } from "../../src/core/random.js";
import { castTensor, numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import { anderson } from "../../src/equilibrium/anderson.js";
import { broyden } from "../../src/equilibrium/broyden.js";
import { type Cell, FixedPointError } from "../../src/equilibrium/cell.js";
import { fixedPoint } from "../../src/equilibrium/fixed-point.js";
import { reversibleIteration } from "../../src/equilibrium/reversible.js";
import { relaxedIteration, simpleIteration } from "../../src/equilibrium/solver.js";
import { publishedStopRule, stopRule } from "../../src/equilibrium/stop.js";
import { Builder } from "../../src/graph/builder.js";
import { nodesOf } from "../../src/graph/graph.js";
import { solveFixedPoint } from "../../src/library/fixed-points.js";
import { relu } from "../../src/ops/activation.js";
import { mul, sub } from "../../src/ops/arithmetic.js";
import { reduceSum } from "../../src/ops/broadcast.js";
import { exp } from "../../src/ops/elementwise.js";
import { cast } from "../../src/ops/reshape.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { affineCell, apart, found, rowsOf, scalingCell } from "./cells.js";

const solvers = {
  simple: simpleIteration(),
  relaxed: relaxedIteration({ relaxation: 0.7 }),
  reversible: reversibleIteration({ relaxation: 0.7 }),
  anderson: anderson(),
  broyden: broyden(),
};
const random = Random.seeded(2);
const draw = (shape: readonly number[], scale = 1): Tensor =>
  tensor(
    "float64",
    shape,
    Array.from({ length: shape.reduce((p, d) => p * d, 1) }, () => scale * random.normal()),
  );
const dim = 6;
const tanhInputs = { W: draw([dim, dim], 0.8 / Math.sqrt(dim)), x: draw([4, dim]), z0: draw([4, dim]) };
const scaling = (a: readonly number[], c: readonly number[], z0 = a.map(() => 0)) => ({
  ...{ a: rowsOf(a.map((x) => [x])), c: rowsOf(c.map((x) => [x])), z0: rowsOf(z0.map((x) => [x])) },
});

describe("fixed-point solvers", () => {
  it("count the steps that a calculation by hand counts: z ← z/2 + 1, of which z₈ = 2 (1 − 2⁻⁸)", async () => {
    const stop = { atol: 2 ** -8, maxSteps: 50 };
    // zₖ = 2 − 2¹⁻ᵏ, so that f(zₖ) − zₖ = 2⁻ᵏ: exactly, in binary
    const { z, steps, residual, converged } = await found(scalingCell, scaling([0.5], [1]), {
      ...{ solver: simpleIteration(), stop },
    });
    expect(z).to.deep.equal([2 - 2 ** -7]);
    expect([steps, residual, converged]).to.deep.equal([[8], [2 ** -8], [1]]);
  });

  it("take the reversible steps of the paper: against its formulas in plain numbers", async () => {
    const [β, a, c] = [0.8, -0.6, 0.4];
    const f = (z: number) => a * z + c;
    let [y, z] = [0.3, 0.3];
    let count = 0;
    while (Math.abs(z - f(z)) / (1e-5 + Math.abs(f(z))) > 1e-6) {
      y = (1 - β) * y + β * f(z);
      z = (1 - β) * z + β * f(y);
      count += 1;
    }
    const own = await found(scalingCell, scaling([a], [c], [0.3]), {
      ...{ solver: reversibleIteration({ relaxation: β }), stop: publishedStopRule(1e-6, 100) },
    });
    expect(own.steps).to.deep.equal([count]);
    // the same operations in the same order
    expect(apart(own.z, [z])).to.be.below(1e-16);
  });

  for (const [name, solver] of Object.entries(solvers)) {
    it(`find z = tanh(W z + x) to 1e−12: ${name}`, async () => {
      const { z, converged } = await found(affineCell(), tanhInputs, {
        ...{ solver, stop: { rtol: 1e-13, maxSteps: 300 }, gradient: "implicit" },
      });
      expect(converged).to.deep.equal([1, 1, 1, 1]);
      const [W, x] = [numbers(tanhInputs.W), numbers(tanhInputs.x)];
      for (const [at, value] of z.entries()) {
        const [sample, i] = [Math.floor(at / dim), at % dim];
        const sum = z
          .slice(sample * dim, (sample + 1) * dim)
          .reduce((part, other, j) => part + W[i * dim + j]! * other, x[at]!);
        expect(value).to.be.closeTo(Math.tanh(sum), 1e-12);
      }
    });

    it(`leave a sample alone that has converged, whatever its neighbours do: ${name}`, async () => {
      // the last iterate, which the best could hide
      const options = {
        ...{ solver, stop: { rtol: 1e-8, maxSteps: 300 } },
        ...{ gradient: "implicit" as const, keep: "last" as const },
      };
      const all = await found(affineCell(), tanhInputs, options);
      const rows = (value: Tensor, which: readonly number[]) =>
        rowsOf(which.map((i) => numbers(value).slice(i * dim, (i + 1) * dim)));
      for (const which of [[0], [1, 1, 0], [3, 2]]) {
        const { W, x, z0 } = tanhInputs;
        const own = await found(affineCell(), { W, x: rows(x, which), z0: rows(z0, which) }, options);
        const expected = which.flatMap((i) => all.z.slice(i * dim, (i + 1) * dim));
        // the same operations on each row; products of another number of rows may be summed in another order
        expect(apart(own.z, expected)).to.be.below(1e-14);
        expect(own.steps).to.deep.equal(which.map((i) => all.steps[i]));
      }
    });

    it(`take no step from where they need none: ${name}`, async () => {
      const { z, steps } = await found(scalingCell, scaling([0.5, 0.5], [1, 1], [2, 0]), {
        ...{ solver, stop: { rtol: 1e-9, maxSteps: 200 }, gradient: "implicit" },
      });
      expect(z[0]).to.equal(2);
      expect(steps[0]).to.equal(0);
      expect(steps[1]).to.be.above(0);
    });
  }

  it("end on linear f after as many steps as theory says: Anderson d + 1, Broyden 2 d", async () => {
    const linear = affineCell((_, x) => x);
    const stop = { rtol: 1e-9, maxSteps: 50 };
    const mixing = await found(linear, tanhInputs, { solver: anderson({ memory: dim }), stop });
    for (const steps of mixing.steps) expect(steps).to.be.at.most(dim + 1);
    const secant = await found(linear, tanhInputs, { solver: broyden(), stop });
    for (const steps of secant.steps) expect(steps).to.be.at.most(2 * dim);
  });

  it("converge with a small memory where the simple iteration does not, in float64 and float32", async () => {
    const large = 48;
    const inputs = {
      W: draw([large, large], 1.3 / Math.sqrt(large)),
      x: draw([3, large], 0.3),
      z0: draw([3, large]),
    };
    const stop = { rtol: 1e-8, maxSteps: 300 };
    const simple = await found(affineCell(), inputs, { solver: simpleIteration(), stop });
    expect(simple.converged).to.include(0);
    for (const solver of [broyden({ memory: 12 }), anderson({ memory: 12 })]) {
      const { converged, steps } = await found(affineCell(), inputs, { solver, stop });
      expect(converged, solver.name).to.deep.equal([1, 1, 1]);
      // the memory was full, and began anew or forgot
      expect(Math.min(...steps)).to.be.above(24);
      const single = Object.fromEntries(
        Object.entries(inputs).map(([name, value]) => [name, castTensor(value, "float32")]),
      );
      const rough = await found(affineCell(), single, { solver, stop: { rtol: 1e-5, maxSteps: 300 } });
      // in float32, the least squares of Anderson's method lose so many digits here that rounding decides who converges
      if (solver.name === "broyden") expect(rough.converged).to.deep.equal([1, 1, 1]);
      else expect(rough.converged.filter((one) => one === 1).length, solver.name).to.be.at.least(2);
    }
  });

  it("converge at the rate that is known: |1 − β| + β L for the relaxed iteration, no slower for the pair", async () => {
    const [β, L] = [0.8, 0.6];
    const rates = async (solver: typeof solvers.simple) => {
      const { trace } = await solveFixedPoint(jit, scalingCell, {
        ...{ z0: [[0]], given: { a: [[L]], c: [[1]] }, solver, stop: { atol: 1e-6, maxSteps: 100 } },
      });
      // near the end, where the slowest part is all that is left; rounding is 1e-9 of the residual there
      return trace[0]!.at(-1)! / trace[0]!.at(-2)!;
    };
    expect(await rates(relaxedIteration({ relaxation: β }))).to.be.closeTo(1 - β + β * L, 1e-7);
    // that of [[1 − β, β L], [β L (1 − β), 1 − β + β² L²]], with trace T and determinant D
    const [T, D] = [2 * (1 - β) + (β * L) ** 2, (1 - β) ** 2];
    const largest = (T + Math.sqrt(T ** 2 - 4 * D)) / 2;
    expect(largest).to.be.below(1 - β + β * L);
    expect(await rates(reversibleIteration({ relaxation: β }))).to.be.closeTo(largest, 1e-7);
  });

  it("never fail on a singular problem: a constant f, one that repeats itself, and the identity", async () => {
    const stop = { rtol: 1e-9, maxSteps: 20 };
    for (const solver of [anderson(), broyden()]) {
      for (const [a, c, z] of [
        [0, 3, 3],
        // every difference is along the same line
        [0.5, 1, 2],
        [1, 0, 0.7],
      ] as const) {
        const own = await found(scalingCell, scaling([a], [c], [0.7]), { solver, stop });
        expect(own.converged).to.deep.equal([1]);
        expect(own.z[0]).to.be.closeTo(z, 1e-8);
      }
      // z ← z + 1 has no fixed point: no numbers but finite ones, and no claim of convergence
      const none = await found(scalingCell, scaling([1], [1]), { solver, stop });
      expect(none.converged).to.deep.equal([0]);
      expect(none.z[0]).to.satisfy(Number.isFinite);
    }
  });

  it("find 0 by a relative tolerance alone, from there and from elsewhere", async () => {
    // f(z) = relu(z/2 − 5) is 0 below 10
    const dead: Cell = {
      name: "dead",
      apply: (b, { c }, z) => relu(b, sub(b, mul(b, z, 0.5), c!)),
    };
    const given = { c: rowsOf([[5]]), z0: rowsOf([[0], [1], [30]]) };
    for (const [name, solver] of Object.entries(solvers)) {
      const own = await found(dead, given, { solver, stop: { rtol: 1e-6, maxSteps: 90 } });
      expect(own.residual[0], name).to.equal(0);
      // some come but nearer, by 0.3 a step: ‖f(z)‖ then counts as 1e−30
      for (const z of own.z) expect(Math.abs(z), name).to.be.below(1e-36);
      expect(own.steps[0], name).to.equal(0);
      expect(own.converged, name).to.deep.equal([1, 1, 1]);
    }
  });

  it("run as one Loop with its condition inside, the same on jit and ONNX Runtime", async () => {
    const b = new Builder();
    const { W, x, z0 } = Object.fromEntries(
      Object.entries(tanhInputs).map(([name, { shape }]) => [name, b.input(name, "float64", shape)]),
    );
    const { z } = fixedPoint(b, affineCell(), { given: { W: W!, x: x! }, z0: z0!, solver: broyden() });
    const loops = nodesOf(b.graph({ z })).filter(({ op }) => op.type === "revort.Region");
    expect(loops).to.have.length(1);
    for (const solver of Object.values(solvers)) {
      const options = { solver, stop: { rtol: 1e-9, maxSteps: 200 }, gradient: "implicit" as const };
      const [one, other] = [
        await found(affineCell(), tanhInputs, options),
        await found(affineCell(), tanhInputs, options, await ortNode()),
      ];
      // sums in another order
      expect(apart(one.z, other.z)).to.be.below(1e-12);
      expect(one.steps).to.deep.equal(other.steps);
    }
  });
});

describe("an iteration that does not converge", () => {
  it("keeps the iterate of the least residual, and says that it is none", async () => {
    // z ← −1.5 z + 1 goes away from 0.4; each step is 1.5 times as long
    const options = { stop: { rtol: 1e-6, maxSteps: 9 }, solver: simpleIteration() };
    const best = await found(scalingCell, scaling([-1.5], [1]), options);
    expect([best.z, best.steps, best.converged]).to.deep.equal([[0], [0], [0]]);
    const last = await found(scalingCell, scaling([-1.5], [1]), { ...options, keep: "last" });
    expect(last.steps).to.deep.equal([9]);
    expect(last.z[0]).to.be.closeTo(0.4 * (1 + 1.5 ** 9), 1e-12);
  });

  it("stops where numbers end, with what was last finite", async () => {
    const exploding = {
      name: "exploding",
      apply: (b: Builder, _: object, z: Parameters<typeof exp>[1]) => exp(b, exp(b, z)),
    };
    const own = await solveFixedPoint(jit, exploding, {
      ...{ z0: [[1]], solver: simpleIteration(), stop: { maxSteps: 50 } },
    });
    expect(own.converged).to.deep.equal([false]);
    expect(numbers(own.z)[0]).to.satisfy(Number.isFinite);
    expect(own.trace[0]!.length).to.be.below(10);
  });

  it("in one sample changes nothing of the gradients of the others, on jit and ONNX Runtime", async () => {
    for (const runtime of [jit(), await ortNode()]) {
      for (const gradient of ["reversible", "direct"] as const) {
        const own = await found(
          scalingCell,
          scaling([0.5, 0.5, 0.5], [1, Number.NaN, 2]),
          { solver: solvers.reversible, stop: { rtol: 0, atol: 0, maxSteps: 5 }, gradient },
          runtime,
        );
        const alone = await found(scalingCell, scaling([0.5, 0.5], [1, 2]), {
          ...{ solver: solvers.reversible, stop: { rtol: 0, atol: 0, maxSteps: 5 }, gradient: "direct" },
        });
        const { a, c } = own.gradients;
        expect(
          apart([a![0]!, a![2]!, c![0]!, c![2]!], [...alone.gradients.a!, ...alone.gradients.c!]),
        ).to.be.below(1e-12);
        expect(own.residual[1]).to.satisfy(Number.isNaN);
        expect(own.converged[1]).to.equal(0);
      }
    }
  });

  it("is a warning on the host that names the sample, or an error with strict", async () => {
    const options = {
      ...{ z0: [[0], [0]], given: { a: [[0.5], [0.99]], c: [[1], [1]] }, solver: simpleIteration() },
      stop: { rtol: 1e-4, maxSteps: 30 },
    };
    const { warnings, converged, trace } = await solveFixedPoint(jit, scalingCell, options);
    expect(converged).to.deep.equal([true, false]);
    expect(trace.map(({ length }) => length)).to.deep.equal([30, 30]);
    expect(warnings).to.have.length(1);
    expect(warnings[0]!.message).to.match(
      /^1 of 2 samples of "scaling" did not come to a fixed point within 30 steps: .* for sample 1, and 0\.0001 was asked for/,
    );
    let error: unknown = null;
    await solveFixedPoint(jit, scalingCell, { ...options, strict: true }).catch((thrown) => {
      error = thrown;
    });
    expect(error).to.be.instanceOf(FixedPointError).with.property("name", "ConvergenceError");
  });
});

describe("a stop rule", () => {
  it("is that of the talk unless it says otherwise, and that of the paper by name", () => {
    expect(stopRule()).to.include({ rtol: 1e-3, atol: 1e-8, per: "sample" });
    expect(stopRule({ atol: 1e-6 })).to.include({ rtol: 0, atol: 1e-6 });
    expect(publishedStopRule(1e-6, 4)).to.include({ rtol: 1e-6, maxSteps: 4, per: "batch" });
    expect(publishedStopRule(1e-6, 4).atol).to.be.closeTo(1e-11, 1e-25);
  });

  it("takes the norm of the whole batch where it is asked to: all samples take as many steps", async () => {
    const stop = { rtol: 1e-6, maxSteps: 100, per: "batch" as const };
    const own = await found(scalingCell, scaling([0.1, 0.9], [1, 1]), { solver: simpleIteration(), stop });
    expect(own.steps).to.have.length(1);
    const alone = await found(scalingCell, scaling([0.1, 0.9], [1, 1]), {
      ...{ solver: simpleIteration(), stop: { ...stop, per: "sample" } },
    });
    expect(own.steps[0]).to.be.within(...([...alone.steps].sort((p, q) => p - q) as [number, number]));
  });

  it("refuses what makes no sense, as solvers do", () => {
    expect(() => stopRule({ rtol: -1 })).to.throw(OptionError, /rtol of a stop rule is 0 or more, but -1/);
    expect(() => stopRule({ maxSteps: 0 })).to.throw(OptionError, /maxSteps/);
    expect(() => stopRule({ tolerance: 1 } as object)).to.throw(OptionError, /say rtol or atol/);
    expect(() => reversibleIteration({ relaxation: 1 })).to.throw(OptionError, /forgets y₀/);
    expect(() => relaxedIteration({ relaxation: 2 })).to.throw(OptionError, /between 0 and 2, but 2/);
    expect(() => anderson({ memory: 0 })).to.throw(OptionError, /whole number of steps/);
    expect(() => anderson({ ridge: 0 })).to.throw(OptionError, /ridge/);
    expect(() => broyden({ memory: 1.5 })).to.throw(OptionError, /1\.5/);
  });

  it("belongs to a state that is a batch of floats, and to a cell that keeps its type", () => {
    const b = new Builder();
    const scalar = b.input("z", "float64", []);
    expect(() => fixedPoint(b, scalingCell, { given: {}, z0: scalar })).to.throw(
      FixedPointError,
      /\[batch, …\]/,
    );
    const z0 = b.input("z0", "float64", [2, 3]);
    const shrinking = {
      name: "shrinking",
      apply: (s: Builder, _: object, z: typeof z0) => reduceSum(s, z, [1]),
    };
    expect(() => fixedPoint(b, shrinking, { given: {}, z0 })).to.throw(
      FixedPointError,
      /"shrinking" maps float64\[2, 3\]/,
    );
    const rounding = {
      name: "rounding",
      apply: (s: Builder, _: object, z: typeof z0) => cast(s, z, "float32"),
    };
    expect(() => fixedPoint(b, rounding, { given: {}, z0 })).to.throw(FixedPointError, /float32/);
  });
});
