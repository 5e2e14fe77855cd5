import { expect } from "chai";
import { withoutRegions } from "../../src/autodiff/region.js";
import { pullback } from "../../src/autodiff/vjp.js";
import { OptionError } from "../../src/core/options.js";
import { Random } from "../../src/core/random.js";
import { tensor } from "../../src/core/tensor.js";
import { initialParameters, type VectorField } from "../../src/fields/field.js";
import { mlp } from "../../src/fields/mlp.js";
import { Builder } from "../../src/graph/builder.js";
import { type Graph, nodesOf, subgraphsOf } from "../../src/graph/graph.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { ParameterError } from "../../src/integrate/solve-inputs.js";
import { normalisingFlow } from "../../src/models/flow.js";
import { add, mul } from "../../src/ops/arithmetic.js";
import { matmul } from "../../src/ops/linalg.js";
import { reduceMean } from "../../src/ops/reduce.js";
import { DensityError, withDensity } from "../../src/systems/divergence.js";
import { valuesOf as values } from "../support/evaluate.js";

/** dy/dt = y A + c */
const affine: VectorField = {
  name: "affine",
  state: ["batch", 2],
  parameters: {},
  apply: (b, _theta, _t, y) =>
    add(
      b,
      matmul(b, y, b.constant(tensor("float64", [2, 2], [0.3, -1, 1, -0.5]))),
      b.constant(tensor("float64", [1, 2], [0.2, -0.4])),
    ),
};

const points = (b: Builder, rows: readonly number[][]) =>
  b.constant(tensor("float64", [rows.length, rows[0]!.length], rows.flat()));

describe("a continuous normalising flow", () => {
  const x = [
    [0.5, -1],
    [2, 0.3],
    [0, 0],
  ];

  it("has the density of an affine one in closed form: x = e^(At) (y + …), det e^(At) = e^(t tr A)", async () => {
    const flow = normalisingFlow({ ode: neuralOde({ field: affine, method: "dopri8", stepSize: 0.05 }) });
    const { logDensity, base, again } = await values((b) => {
      const found = flow.logDensity(b, { theta: {}, x: points(b, x) });
      return {
        logDensity: found.logDensity,
        base: found.base,
        again: flow.sample(b, { theta: {}, base: found.base }),
      };
    });
    for (const [i] of x.entries()) {
      const [u, v] = [base![2 * i]!, base![2 * i + 1]!];
      // tr A = −0.2, over a time of 1
      const exact = -0.5 * (u * u + v * v) - Math.log(2 * Math.PI) + 0.2;
      expect(logDensity![i]).to.be.closeTo(exact, 1e-12);
    }
    // dopri8 with steps of 0.05 is right to rounding
    again!.forEach((value, i) => {
      expect(value).to.be.closeTo(x.flat()[i]!, 1e-12);
    });
  });

  it("finds a trace for each stage that a step takes in: for one of two in the midpoint rule, for four in RK4", () => {
    const sumsIn = (graph: Graph): number =>
      nodesOf(graph).reduce(
        (sum, { op, attributes }) =>
          subgraphsOf(attributes).reduce((all, inner) => all + sumsIn(inner), sum) +
          (op.type === "ReduceSum" ? 1 : 0),
        0,
      );
    const field = mlp({ dim: 2, hidden: [4] });
    const sums = (method: string) => {
      const b = new Builder();
      const theta = Object.fromEntries(
        Object.entries(field.parameters).map(([name, { shape }]) => [name, b.input(name, "float64", shape)]),
      );
      const flow = normalisingFlow({ ode: neuralOde({ field, method, stepSize: 0.5 }) });
      const found = flow.logDensity(b, { theta, x: b.input("x", "float64", [3, 2]), gradient: "direct" });
      return sumsIn(withoutRegions(b.graph({ logDensity: found.logDensity })));
    };
    // a sum for each trace in the loop over steps, and one for the density of the base
    expect(sums("midpoint")).to.equal(2);
    expect(sums("rk4")).to.equal(5);
  });

  it("has a density whose integral is 1", async () => {
    const field = mlp({ dim: 2, hidden: [8] });
    const theta = initialParameters(field, Random.seeded(4), "float64");
    const flow = normalisingFlow({ ode: neuralOde({ field, method: "rk4", stepSize: 0.1 }) });
    const [n, half] = [80, 7];
    const cell = (2 * half) / n;
    const at = (i: number) => -half + (i + 0.5) * cell;
    const grid = Array.from({ length: n * n }, (_, k) => [at(Math.floor(k / n)), at(k % n)]);
    const { logDensity } = await values((b) => ({
      logDensity: flow.logDensity(b, {
        theta: Object.fromEntries(Object.entries(theta).map(([name, value]) => [name, b.constant(value)])),
        x: points(b, grid),
      }).logDensity,
    }));
    const total = logDensity!.reduce((sum, value) => sum + Math.exp(value), 0) * cell * cell;
    // the midpoint rule is exact to rounding for what decays as a normal density; rk4's error remains
    expect(total).to.be.closeTo(1, 1e-5);
  });

  describe("along the way", () => {
    const field = mlp({ dim: 3, hidden: [6] });
    const tensors = initialParameters(field, Random.seeded(1), "float64");
    const y = [
      [0.3, -0.2, 1],
      [1.5, 0.4, -0.7],
    ];
    const along = (trace: "exact" | "hutchinson", probe?: readonly number[][]) =>
      values(
        (b) => {
          const theta = Object.fromEntries(
            Object.entries(tensors).map(([name, value]) => [name, b.constant(value)]),
          );
          const augmented = withDensity(field, { trace, regularisers: ["jacobian", "kinetic"] });
          const state = b.input("state", "float64", [2, 6]);
          const given = probe === undefined ? theta : { ...theta, probe: points(b, probe) };
          const slope = (rows: readonly number[][]) =>
            field.apply(b, theta, b.scalar("float64", 0.4), points(b, rows));
          const h = 1e-6;
          const moved = (k: number, by: number) => y.map((row) => row.map((v, i) => (i === k ? v + by : v)));
          return {
            found: augmented.apply(b, given, b.scalar("float64", 0.4), state),
            ...Object.fromEntries(
              [0, 1, 2].flatMap((k) => [
                [`up${k}`, slope(moved(k, h))],
                [`down${k}`, slope(moved(k, -h))],
              ]),
            ),
          };
        },
        {
          state: tensor(
            "float64",
            [2, 6],
            y.flatMap((row) => [...row, 0, 0, 0]),
          ),
        },
      );
    const jacobianOf = (all: Record<string, number[]>, row: number) =>
      [0, 1, 2].map((j) =>
        [0, 1, 2].map((i) => (all[`up${i}`]![3 * row + j]! - all[`down${i}`]![3 * row + j]!) / 2e-6),
      );

    it("is the trace, ‖f‖² and ‖∂f/∂y‖² of finite differences", async () => {
      const all = await along("exact");
      for (const row of [0, 1]) {
        const jacobian = jacobianOf(all, row);
        const [u, v, w, trace, kinetic, norm] = all.found!.slice(6 * row, 6 * row + 6) as number[];
        expect(trace).to.be.closeTo(jacobian[0]![0]! + jacobian[1]![1]! + jacobian[2]![2]!, 1e-8);
        expect(kinetic).to.be.closeTo(u! * u! + v! * v! + w! * w!, 1e-14);
        expect(norm).to.be.closeTo(
          jacobian.flat().reduce((sum, each) => sum + each * each, 0),
          1e-8,
        );
      }
    });

    it("is estimated by εᵀ (∂f/∂y) ε", async () => {
      const probe = [
        [1, -1, 1],
        [-1, -1, 1],
      ];
      const all = await along("hutchinson", probe);
      for (const row of [0, 1]) {
        const jacobian = jacobianOf(all, row);
        const e = probe[row]!;
        const expected = jacobian.flatMap((line, j) => line.map((value, i) => e[j]! * value * e[i]!));
        expect(all.found![6 * row + 3]).to.be.closeTo(
          expected.reduce((sum, each) => sum + each),
          1e-8,
        );
      }
    });
  });

  it("has gradients by reversal that are those of stored steps, and of finite differences", async () => {
    const field = mlp({ dim: 2, hidden: [4] });
    const tensors = initialParameters(field, Random.seeded(2), "float64");
    const flow = normalisingFlow({
      ode: neuralOde({ field, stepSize: 0.1 }),
      trace: "hutchinson",
      regularisers: ["kinetic"],
    });
    const name = "layers.0.weight";
    const lossOf = (b: Builder, gradient: "reversible" | "direct", move = 0) => {
      const weight = tensors[name]!;
      const data = Float64Array.from(weight.data as Float64Array);
      data[1] = data[1]! + move;
      const theta = Object.fromEntries(
        Object.entries({ ...tensors, [name]: { ...weight, data } }).map(([key, value]) => [
          key,
          b.constant(value as typeof weight),
        ]),
      );
      const probe = points(b, [
        [1, -1],
        [-1, -1],
        [1, 1],
      ]);
      const { logDensity, kinetic } = flow.logDensity(b, { theta, x: points(b, x), gradient, probe });
      return { theta, loss: add(b, reduceMean(b, logDensity), reduceMean(b, kinetic!)) };
    };
    const gradients = async (gradient: "reversible" | "direct") =>
      values((b) => {
        const { theta, loss } = lossOf(b, gradient);
        const pulled = pullback(b, [loss], [b.scalar("float64", 1)], Object.values(theta));
        return Object.fromEntries(Object.keys(theta).map((key, i) => [key, pulled[i]!]));
      });
    const [own, stored] = [await gradients("reversible"), await gradients("direct")];
    for (const key of Object.keys(stored)) {
      stored[key]!.forEach((value, i) => {
        expect(own[key]![i], key).to.be.closeTo(value, 1e-10);
      });
    }
    const h = 1e-5;
    const { up, down } = await values((b) => ({
      up: lossOf(b, "direct", h).loss,
      down: lossOf(b, "direct", -h).loss,
    }));
    // differences of order h² and of rounding / h
    expect(stored[name]![1]).to.be.closeTo((up![0]! - down![0]!) / (2 * h), 1e-8);
  });

  it("has integrals of squares over |dt|, whether t1 comes before 0 or after", async () => {
    // dy/dt = a y, y(t1) = x: ∫ ‖a y‖² |dt| = ½ a ‖x‖² |1 − e^(−2 a t1)|, and ‖∂f/∂y‖² = 2 a² all along
    const a = 0.7;
    const field: VectorField = { ...affine, name: "growth", apply: (b, _theta, _t, y) => mul(b, y, a) };
    const ode = neuralOde({ field, method: "dopri8", stepSize: 0.05 });
    for (const t1 of [0.8, -0.8]) {
      const flow = normalisingFlow({ ode, t1, regularisers: ["kinetic", "jacobian"] });
      const { kinetic, jacobian, logDensity } = await values((b) => {
        const found = flow.logDensity(b, { theta: {}, x: points(b, [[1, 2]]) });
        return { logDensity: found.logDensity, kinetic: found.kinetic!, jacobian: found.jacobian! };
      });
      // of an eighth order, and steps of 0.05
      expect(kinetic![0]).to.be.closeTo(0.5 * a * 5 * Math.abs(1 - Math.exp(-2 * a * t1)), 1e-12);
      expect(jacobian![0]).to.be.closeTo(2 * a * a * 0.8, 1e-12);
      const squares = 5 * Math.exp(-2 * a * t1);
      expect(logDensity![0]).to.be.closeTo(-squares / 2 - Math.log(2 * Math.PI) - 2 * a * t1, 1e-12);
    }
  });

  it("says what it takes", () => {
    const ode = neuralOde({ field: mlp({ dim: 2, hidden: [4] }), stepSize: 0.1 });
    const b = new Builder();
    const theta = {};
    expect(() => normalisingFlow({ ode }).logDensity(b, { theta, x: points(b, [[1, 2, 3]]) })).to.throw(
      DensityError,
      "[batch, 2]",
    );
    expect(() =>
      normalisingFlow({ ode, trace: "hutchinson" }).logDensity(b, { theta, x: points(b, [[1, 2]]) }),
    ).to.throw(DensityError, "give probe");
    expect(() => normalisingFlow({ ode }).logDensity(b, { theta, x: points(b, [[1, 2]]) })).to.throw(
      ParameterError,
      "layers.0.weight",
    );
    const t = b.scalar("float64", 0);
    expect(() => withDensity(affine).apply(b, theta, t, points(b, [[1, 2, 0]]))).to.throw(
      DensityError,
      "constant",
    );
    const asked = (options: object) => () => normalisingFlow({ ode, ...options });
    expect(asked({ traces: "exact" })).to.throw(OptionError, 'did you mean "trace"');
    expect(asked({ trace: "approximate" })).to.throw(OptionError, "exact, hutchinson");
    expect(asked({ trace: "hutchinson", probe: "normal" })).to.throw(OptionError, "rademacher, gaussian");
    expect(asked({ regularisers: ["kinetics"] })).to.throw(OptionError, "kinetic, jacobian");
    expect(asked({ t1: 0 })).to.throw(OptionError, "another time");
    expect(asked({ base: "normal" })).to.throw(OptionError, "standardNormal, or another");
    const found = (request: object) => () =>
      normalisingFlow({ ode }).logDensity(b, { theta, ...request } as never);
    expect(found({ y: points(b, [[1, 2]]) })).to.throw(OptionError, "the points are x");
    expect(found({})).to.throw(DensityError, "x is undefined");
    expect(() => normalisingFlow({ ode }).sample(b, { theta, x: points(b, [[1, 2]]) } as never)).to.throw(
      OptionError,
      "base distribution are base",
    );
    expect(asked({ ode: affine })).to.throw(OptionError, "neuralOde");
    const field: VectorField = { ...affine, state: ["batch", 2, 2] };
    expect(() => normalisingFlow({ ode: neuralOde({ field, stepSize: 0.1 }) })).to.throw(
      DensityError,
      "Flatten",
    );
  });
});
