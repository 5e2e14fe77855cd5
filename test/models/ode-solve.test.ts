import { expect } from "chai";
import { withoutRegions } from "../../src/autodiff/region.js";
import { pullback } from "../../src/autodiff/vjp.js";
import { OptionError } from "../../src/core/options.js";
import { Random } from "../../src/core/random.js";
import { DTypeError, numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import { initialParameters, type VectorField } from "../../src/fields/field.js";
import { mlp } from "../../src/fields/mlp.js";
import { gradientOf } from "../../src/gradients/evaluate.js";
import type { GradientSpec } from "../../src/gradients/method.js";
import { Builder } from "../../src/graph/builder.js";
import type { Value } from "../../src/graph/graph.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { ParameterError } from "../../src/integrate/solve.js";
import { mse } from "../../src/learning/losses.js";
import { reversible } from "../../src/methods/reversible.js";
import { midpoint, rk4 } from "../../src/methods/tableaux.js";
import { odeSolve } from "../../src/models/ode-solve.js";
import { add, mul } from "../../src/ops/arithmetic.js";
import { reduceSum } from "../../src/ops/broadcast.js";
import { loop } from "../../src/ops/control.js";
import { zerosLike } from "../../src/ops/generate.js";
import { gather } from "../../src/ops/slicing.js";
import { told } from "../../src/ops/told.js";
import { sin } from "../../src/ops/trigonometry.js";
import { gridThrough, TimeError } from "../../src/programs/grid.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { runGraph } from "../support/evaluate.js";

const field = mlp({ dim: 2, hidden: [5] });
const coupled = neuralOde({ field, method: reversible(midpoint, { coupling: 0.99 }), stepSize: 0.1 });
const base = neuralOde({ field, method: rk4, stepSize: 0.1 });
const times = [0.25, 0.5, 1];
const random = Random.seeded(4);
const parameters = initialParameters(field, random, "float64");
const draw = (...shape: number[]) =>
  tensor(
    "float64",
    shape,
    Array.from({ length: shape.reduce((p, d) => p * d, 1) }, () => random.normal()),
  );
const [y0, target] = [draw(3, 2), draw(3, 3, 2)];

/** Declares tensors as inputs. */
function inputs(b: Builder, tensors: Readonly<Record<string, Tensor>>): Record<string, Value> {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { dtype, shape }]) => [name, b.input(name, dtype, shape)]),
  );
}

const expectSame = (actual: Tensor, expected: Tensor, tolerance: number, what: string) => {
  const [values, right] = [numbers(actual), numbers(expected)];
  expect(values.length).to.equal(right.length);
  for (const [i, value] of right.entries()) expect(values[i], what).to.be.closeTo(value, tolerance);
};

describe("a solve inside a model", () => {
  const runtime = jit();

  for (const [gradient, ode] of [
    ...(["reversible", "reversible:3", "direct", "checkpoint:2", "auto"] as const).map(
      (g) => [g, coupled] as const,
    ),
    ...(["direct", "checkpoint:3", "continuous", "auto"] as const).map((g) => [g, base] as const),
  ]) {
    const name = ode === base ? "rk4" : "coupled midpoint";
    it(`has the loss and the gradients that gradientOf has: ${gradient}, ${name}`, async () => {
      const fit = { grid: gridThrough(0, times, 0.1), y0, target, weight: null };
      const spec = (
        gradient === "auto" ? (ode === base ? "direct" : "reversible") : gradient
      ) as GradientSpec;
      const known = await gradientOf(ode, { runtime, loss: mse(), gradient: spec, fit, parameters });
      const b = new Builder();
      const given = { ...parameters, y0 };
      const v = inputs(b, given);
      const { y0: start, ...theta } = v;
      const ys = odeSolve(b, ode, { theta, y0: start!, t0: 0, times, gradient });
      const loss = mse().apply(b, ys, b.constant(target), null);
      const wrt = Object.values(v);
      const pulled = pullback(b, [loss], [b.scalar("float64", 1)], wrt);
      const graph = withoutRegions(
        b.graph({ loss, ...Object.fromEntries(Object.keys(v).map((key, i) => [`d${key}`, pulled[i]!])) }),
      );
      const found = await runGraph(runtime, graph, given);
      // the same operations: to rounding, which the order of sums may change
      expect(numbers(found.loss!)[0]).to.be.closeTo(known.loss, 1e-14);
      expectSame(found.dy0!, known.y0, 1e-13, "y0");
      for (const key of Object.keys(parameters))
        expectSame(found[`d${key}`]!, known.parameters[key]!, 1e-13, key);
    });
  }

  it("differentiates what the field reads beside its parameters: y' = −a y with a for each sample", async () => {
    const decay: VectorField = {
      name: "decay",
      state: ["batch", 1],
      parameters: {},
      apply: (b, { a }, _t, y) => mul(b, mul(b, y, a!), -1),
    };
    const ode = neuralOde({ field: decay, method: rk4, stepSize: 0.02 });
    const given = { a: tensor("float64", [3, 1], [0.5, 1, 2]), y0: tensor("float64", [3, 1], [1, 2, 3]) };
    const b = new Builder();
    const { a, y0: start } = inputs(b, given);
    const ys = odeSolve(b, ode, { theta: { a: a! }, y0: start!, t0: 0, times: [1] });
    const [da, dy0] = pullback(b, [reduceSum(b, ys)], [b.scalar("float64", 1)], [a!, start!]);
    const found = await runGraph(runtime, withoutRegions(b.graph({ da: da!, dy0: dy0! })), given);
    // ∂/∂a y0 e^(−a) = −y0 e^(−a); rk4's error with steps of 1/50 is 1e-9
    const [rates, starts] = [numbers(given.a), numbers(given.y0)];
    expectSame(
      found.da!,
      tensor(
        "float64",
        [3, 1],
        rates.map((rate, i) => -starts[i]! * Math.exp(-rate)),
      ),
      1e-7,
      "a",
    );
    expectSame(
      found.dy0!,
      tensor(
        "float64",
        [3, 1],
        rates.map((rate) => Math.exp(-rate)),
      ),
      1e-7,
      "y0",
    );
  });

  it("may be nested in a loop, whose derivative goes through it by its own way back", async () => {
    const along = draw(3, 2);
    const given = { ...parameters, y0 };
    const losses = async (by: number) => {
      const b = new Builder();
      const v = inputs(b, given);
      const { y0: start, ...theta } = v;
      const { carried } = loop(b, { trips: 2, carried: [start!] }, (inner, _, [y]) => {
        const ys = odeSolve(inner, coupled, { theta, y0: sin(inner, y!), t0: 0, times: [0.5] });
        return { carried: [gather(inner, ys, 0)] };
      });
      const loss = reduceSum(b, mul(b, carried[0]!, carried[0]!));
      const [dy0] = pullback(b, [loss], [b.scalar("float64", 1)], [start!]);
      const graph = withoutRegions(
        b.graph({ loss, slope: reduceSum(b, mul(b, dy0 ?? zerosLike(b, start!), b.constant(along))) }),
      );
      const moved = tensor(
        "float64",
        [3, 2],
        numbers(y0).map((y, i) => y + by * numbers(along)[i]!),
      );
      const found = await runGraph(runtime, graph, { ...given, y0: moved });
      return [found.loss!, found.slope!].map((value) => numbers(value)[0]!) as [number, number];
    };
    // central differences: 1e-10 from the width, 1e-11 from rounding
    const h = 2 ** -16;
    const [[before], [, slope], [after]] = [await losses(-h), await losses(0), await losses(h)];
    expect(slope).to.be.closeTo((after - before) / (2 * h), 1e-7);
  });

  it("has second derivatives however it is differentiated, those of finite differences of the first", async () => {
    const names = ["y0", "layers.0.weight"] as const;
    const directions = { y0: draw(3, 2), "layers.0.weight": draw(...parameters["layers.0.weight"]!.shape) };
    const curvature = async (gradient: GradientSpec, ode: typeof base, by = 0) => {
      const given: Record<string, Tensor> = { ...parameters, y0 };
      for (const name of names) {
        const values = numbers(given[name]!).map((value, i) => value + by * numbers(directions[name])[i]!);
        given[name] = tensor("float64", given[name]!.shape, values);
      }
      const b = new Builder();
      const v = inputs(b, given);
      const { y0: start, ...theta } = v;
      const ys = odeSolve(b, ode, { theta, y0: start!, t0: 0, times, gradient });
      const loss = mse().apply(b, ys, b.constant(target), null);
      const along = (of: Value) =>
        pullback(
          b,
          [of],
          [b.scalar("float64", 1)],
          names.map((name) => v[name]!),
        )
          .map((g, k) => reduceSum(b, mul(b, g!, b.constant(directions[names[k]!]))))
          .reduce((sum, each) => add(b, sum, each));
      const slope = along(loss);
      const graph = withoutRegions(b.graph({ slope, curvature: along(slope) }));
      const found = await runGraph(runtime, graph, given);
      return [found.slope!, found.curvature!].map((value) => numbers(value)[0]!) as [number, number];
    };
    for (const [ode, kinds] of [
      [coupled, ["reversible", "reversible:3", "direct", "checkpoint:2"]],
      [base, ["direct", "checkpoint:3", "continuous"]],
    ] as const) {
      const h = 1e-4;
      const [[after], [before]] = [await curvature("direct", ode, h), await curvature("direct", ode, -h)];
      const difference = (after - before) / (2 * h);
      for (const kind of kinds) {
        const [, found] = await curvature(kind, ode);
        // h² of a derivative of third order; the continuous adjoint is off by its order in steps of 0.1
        const tolerance = kind === "continuous" ? 1e-4 : 1e-6;
        expect(found / difference, kind).to.be.closeTo(1, tolerance);
      }
    }
  });

  it("tells of its reconstruction and of the drift of a pair", async () => {
    const b = new Builder();
    const v = inputs(b, { ...parameters, y0 });
    const { y0: start, ...theta } = v;
    const ys = odeSolve(b, coupled, { theta, y0: start!, t0: 0, times, gradient: "reversible" });
    const [dy0] = pullback(b, [reduceSum(b, ys)], [b.scalar("float64", 1)], [start!]);
    const { reconstructionError: error, drift } = told(b);
    const graph = withoutRegions(b.graph({ dy0: dy0!, error: error!, drift: drift! }));
    const found = await runGraph(runtime, graph, { ...parameters, y0 });
    // ten steps at λ = 0.99 lose next to nothing
    expect(numbers(found.error!)[0]).to.be.below(1e-13);
    expect(numbers(found.drift!)[0]).to.be.within(1e-9, 1e-1);
  });

  it("chooses its gradient where the batch is open, as in a file, by what one sample takes", () => {
    // bytes of an open batch are no number, and with as many checkpoints the schedule had no end
    const b = new Builder();
    const y0 = b.input("y0", "float64", ["batch", 2]);
    const theta = Object.fromEntries(
      Object.entries(parameters).map(([name, value]) => [name, b.constant(value)]),
    );
    expect(odeSolve(b, base, { theta, y0, t0: 0, times }).shape).to.deep.equal([3, "batch", 2]);
  });

  it("is the state itself at the first time, with its gradient, if nothing else is wanted", async () => {
    for (const gradient of ["direct", "checkpoint:2", "continuous"] as const) {
      const b = new Builder();
      const { y0: start, ...theta } = inputs(b, { ...parameters, y0 });
      const ys = odeSolve(b, base, { theta, y0: start!, t0: 1, times: [1, 1], gradient });
      const [dy] = pullback(b, [reduceSum(b, mul(b, ys, ys))], [b.scalar("float64", 1)], [start!]);
      const found = await runGraph(runtime, withoutRegions(b.graph({ ys, dy: dy! })), { ...parameters, y0 });
      expect(found.ys!.shape).to.deep.equal([2, 3, 2]);
      expect(numbers(found.ys!)).to.deep.equal([...numbers(y0), ...numbers(y0)]);
      expect(numbers(found.dy!)).to.deep.equal(numbers(y0).map((y) => 4 * y));
    }
  });

  it("refuses a state or parameters of another type than its equation, and options that there are not", () => {
    const b = new Builder();
    const { y0: start, ...theta } = inputs(b, { ...parameters, y0 });
    const options = { theta, y0: start!, t0: 0, times };
    const single = b.input("single", "float32", [3, 2]);
    expect(() => odeSolve(b, base, { ...options, y0: single })).to.throw(
      DTypeError,
      /is solved in float64, but y0 is float32\[3, 2\]\. .* give neuralOde dtype: "float32"/,
    );
    const bias = b.input("bias", "float32", [5]);
    expect(() => odeSolve(b, base, { ...options, theta: { ...theta, "layers.0.bias": bias } })).to.throw(
      DTypeError,
      'theta "layers.0.bias" is float32[5]',
    );
    expect(() => odeSolve(b, base, { ...options, saveAt: [1] } as never)).to.throw(OptionError, "say times");
  });

  it("refuses to solve without a step size, or without a parameter of its field", () => {
    const b = new Builder();
    const v = inputs(b, { ...parameters, y0 });
    const { y0: start, ...theta } = v;
    expect(() => odeSolve(b, neuralOde({ field }), { theta, y0: start!, t0: 0, times })).to.throw(
      TimeError,
      /give neuralOde a stepSize/,
    );
    expect(() => odeSolve(b, base, { theta: {}, y0: start!, t0: 0, times })).to.throw(
      ParameterError,
      /"layers\.0\.weight" of the field .* is not among the values given \(none\)/,
    );
  });
});
