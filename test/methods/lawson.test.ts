import { expect } from "chai";
import { numbers, tensor } from "../../src/core/tensor.js";
import type { VectorField } from "../../src/fields/field.js";
import { gradientOf } from "../../src/gradients/evaluate.js";
import { chooseCoupling } from "../../src/integrate/coupling.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { solve } from "../../src/integrate/solve.js";
import { mse } from "../../src/learning/losses.js";
import { alf } from "../../src/methods/alf.js";
import { effectivelySymmetric } from "../../src/methods/effectively-symmetric.js";
import { explicit } from "../../src/methods/explicit.js";
import { lawson } from "../../src/methods/lawson.js";
import { LinearPartError } from "../../src/methods/linear-part.js";
import { isReversible, type Method } from "../../src/methods/method.js";
import { methodNamed, SolverOptionError, UnknownSolverError } from "../../src/methods/named.js";
import { reversible } from "../../src/methods/reversible.js";
import { reversibleHeun } from "../../src/methods/reversible-heun.js";
import { isStableAt, StabilityError } from "../../src/methods/stability.js";
import { ees27, midpoint, rk4 } from "../../src/methods/tableaux.js";
import { add, mul, neg } from "../../src/ops/arithmetic.js";
import { matmul } from "../../src/ops/linalg.js";
import { cos, sin } from "../../src/ops/trigonometry.js";
import { gridThrough } from "../../src/programs/grid.js";
import { undoEvaluations } from "../../src/programs/undo-evaluations.js";
import type { Runtime } from "../../src/runtime/runtime.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { distance, tensorsDistance } from "../support/distance.js";
import { failure } from "../support/failure.js";
import {
  countEvaluations,
  decayed,
  expectGradients,
  lostByUndoing,
  measuredOrder,
  separable,
  turning,
} from "./problems.js";

/** A rotation by one radian. */
const rotation = [
  [Math.cos(1), -Math.sin(1)],
  [Math.sin(1), Math.cos(1)],
];

describe("Lawson's change of variables", () => {
  let runtime: Runtime;
  before(async () => {
    runtime = await ortNode();
  });

  const within = {
    "reversible midpoint": lawson(reversible(midpoint), { rates: -0.7 }),
    "reversible RK4, a rate for each component": lawson(reversible(rk4), { rates: [-0.7, 0.4] }),
    "ALF, in a basis": lawson(alf(), { rates: [-0.7, 0.4], basis: rotation }),
    "reversible Heun": lawson(reversibleHeun(), { rates: -0.7 }),
  };

  for (const [name, method] of Object.entries(within)) {
    it(`of ${name} is undone to rounding`, async () => {
      // two steps with states of size 1, and some roundings more in going to u and back
      expect(await lostByUndoing(runtime, method, turning)).to.be.below(3e-14);
    });

    it(`of ${name} has the same gradient by reconstruction, by stored steps and by differences`, () =>
      expectGradients(runtime, method, turning));

    it(`of ${name} takes no more evaluations than the method within`, () => {
      expect(countEvaluations(method)).to.deep.equal({
        step: method.evaluations,
        back: method.backEvaluations,
      });
    });
  }

  const orders: readonly Method[] = [
    lawson(explicit(rk4), { rates: [-0.7, 0.4], basis: rotation }),
    lawson(reversible(midpoint, { coupling: 0.5 }), { rates: -0.7 }),
    lawson(effectivelySymmetric(ees27), { rates: [1, -2] }),
  ];
  for (const method of orders) {
    it(`keeps the order of the method within: ${method.name} has ${method.order}, whatever is taken for A`, async () => {
      expect(await measuredOrder(runtime, method, separable)).to.be.closeTo(method.order, 0.15);
    });
  }

  it("solves y' = −y to rounding, coupled with λ = 0.999 too, where the coupled method alone gives 13.1", async () => {
    for (const method of [lawson(reversible(rk4), { rates: -1 }), lawson(reversibleHeun(), { rates: -1 })]) {
      // 200 products of a rounding each
      expect((await decayed(runtime, method)) / Math.exp(-20)).to.be.closeTo(1, 1e-12);
    }
  });

  it("solves y' = A y exactly in one step, for a symmetric A by its eigenvectors", async () => {
    const rates = [-40, 3];
    const a = rotation.map((row) =>
      rotation.map((other) => row.reduce((sum, q, k) => sum + q * rates[k]! * other[k]!, 0)),
    );
    const field: VectorField = {
      ...{ name: "A y", state: ["batch", 2], parameters: {} },
      apply: (b, _theta, _t, y) => matmul(b, y, b.constant(tensor("float64", [2, 2], a.flat()))),
    };
    const ode = neuralOde({
      field,
      method: lawson(reversible(midpoint), { rates, basis: rotation }),
      stepSize: 1,
    });
    const y0 = [0.3, -0.8];
    const { ys } = await solve(ode, { runtime, y0: tensor("float64", [1, 2], y0), t0: 0, saveAt: [1] });
    const along = [0, 1].map((k) => rotation.reduce((sum, row, i) => sum + row[k]! * y0[i]!, 0));
    const exact = rotation.map((row) =>
      row.reduce((sum, q, k) => sum + q * along[k]! * Math.exp(rates[k]!), 0),
    );
    // what is left of f − A y is rounding of 40 |y|, and e^3 times that
    expect(distance(numbers(ys), exact)).to.be.below(1e-12);
  });

  it("takes steps of a stiff field that explicit and coupled methods cannot", async () => {
    // y' = −200 (y − cos t) − sin t, y = cos t
    const field: VectorField = {
      ...{ name: "stiff", state: ["batch", 1], parameters: {} },
      apply: (b, _theta, t, y) => add(b, mul(b, add(b, y, neg(b, cos(b, t))), -200), neg(b, sin(b, t))),
    };
    const end = async (method: Method) => {
      const ode = neuralOde({ field, method, stepSize: 0.05 });
      const y0 = tensor("float64", [1, 1], [1]);
      return numbers((await solve(ode, { runtime, y0, t0: 0, saveAt: [2] })).ys)[0]!;
    };
    for (const method of [explicit(rk4), reversible(rk4)]) {
      expect(Math.abs((await end(lawson(method, { rates: -200 }))) - Math.cos(2))).to.be.below(0.7);
    }
    // (1 − 10 + 50 − 167 + 417)^40
    const failed = await end(explicit(rk4)).catch(() => Number.POSITIVE_INFINITY);
    expect(Math.abs(failed)).to.be.above(1e50);
  });

  it("stores states where a part of y decays to nothing beside the rest, whose gradient is then that of stored steps", async () => {
    // y' = a (y − 1), so that 2⁻⁵³ e^30 is what is left of y0 − 1: past 1e−6
    const field: VectorField = {
      ...{ name: "decay", state: ["batch", 1], parameters: { a: { shape: [], initial: () => [-3] } } },
      apply: (b, theta, _t, y) => mul(b, theta.a!, add(b, y, -1)),
    };
    const ode = neuralOde({ field, method: lawson(reversible(midpoint), { rates: -3 }), stepSize: 0.05 });
    const fit = {
      grid: gridThrough(0, [0.2, 10], 0.05),
      ...{ y0: tensor("float64", [1, 1], [2]), target: tensor("float64", [2, 1, 1], [0.3, 1]), weight: null },
    };
    const parameters = { a: tensor("float64", [], [-3]) };
    const of = (gradient: "reversible" | "direct") =>
      gradientOf(ode, { runtime, loss: mse(), gradient, fit, parameters });
    const [undone, stored] = [await of("reversible"), await of("direct")];
    expect(undone.notes.join()).to.include("states stored every");
    // the limit of what is let pass is 1e−6 of y
    expect(tensorsDistance(undone.parameters, stored.parameters)).to.be.below(1e-6);
  });

  it("refuses rates and bases that are none, and states of other sizes", async () => {
    const make = (linear: Parameters<typeof lawson>[1]) => () => lawson(explicit(rk4), linear);
    expect(make({ rates: Number.NaN })).to.throw(LinearPartError, "finite");
    expect(make({ rates: [] })).to.throw(LinearPartError, "finite");
    expect(make({ rates: [1, 2], basis: [[1, 0]] })).to.throw(LinearPartError, "square");
    expect(
      make({
        rates: [1, 2],
        basis: [
          [1, 1],
          [0, 1],
        ],
      }),
    ).to.throw(LinearPartError, "orthonormal");
    const three = neuralOde({
      field: turning.field,
      method: lawson(explicit(rk4), { rates: [1, 2, 3] }),
      stepSize: 1,
    });
    const y0 = tensor("float64", [1, 2], [1, 0]);
    const { message } = await failure(
      solve(three, {
        ...{ runtime, y0, t0: 0, saveAt: [1], parameters: { a: tensor("float64", [], [1]) } },
      }),
      LinearPartError,
    );
    expect(message).to.include("3 rates").and.include("[1, 2]");
    // costs are counted on states of the right size
    expect(undoEvaluations(lawson(reversible(rk4), { rates: [1, 2, 3] }), false)).to.equal(8);
  });

  it("has no stability of its own, and no coupling that could be chosen by the damping of the whole field", async () => {
    const method = lawson(reversible(rk4), { rates: -1 });
    expect(() => isStableAt(method, [0, 0])).to.throw(StabilityError, "lawson:rk4:-1");
    const ode = neuralOde({ field: turning.field, method, stepSize: 0.1 });
    const chosen = chooseCoupling(ode, runtime, {} as never, undefined as never);
    expect((await failure(chosen, Error)).message).to.include("Give a coupling");
  });

  it("has a name that is typed", () => {
    const method = methodNamed("lawson:rk4:-50,-1", { coupling: 0.99 });
    expect([method.name, method.coupling, isReversible(method)]).to.deep.equal([
      "lawson:rk4:-50,-1",
      0.99,
      true,
    ]);
    expect(methodNamed(method.name, { coupling: 0.99 }).linear).to.deep.equal({ rates: [-50, -1] });
    expect(isReversible(methodNamed("lawson:rk4:-2"))).to.equal(false);
    expect(isReversible(methodNamed("lawson:ees25:-2"))).to.equal(true);
    for (const wrong of ["lawson:rk4", "lawson:rk4:", "lawson:rk4:1,", "lawson:rk4:x", "lawson:rk4:1:2"]) {
      expect(() => methodNamed(wrong), wrong).to.throw(SolverOptionError, "lawson:rk4:-50");
    }
    expect(() => methodNamed("lawson:rk5:1")).to.throw(UnknownSolverError, "rk4");
  });
});
