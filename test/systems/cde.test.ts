import { expect } from "chai";
import { pullback } from "../../src/autodiff/vjp.js";
import { OptionError } from "../../src/core/options.js";
import { Random } from "../../src/core/random.js";
import { castTensor, type FloatDType, numbers, type Tensor, tensor } from "../../src/core/tensor.js";
import { initialParameters } from "../../src/fields/field.js";
import { mlp } from "../../src/fields/mlp.js";
import { Builder } from "../../src/graph/builder.js";
import { encode } from "../../src/graph/encode.js";
import type { Value } from "../../src/graph/graph.js";
import { ParameterError } from "../../src/integrate/solve-inputs.js";
import { cdeSolve } from "../../src/models/cde-solve.js";
import { add, mul } from "../../src/ops/arithmetic.js";
import { reduceMean } from "../../src/ops/reduce.js";
import { concat, gather } from "../../src/ops/slicing.js";
import type { ControlledField } from "../../src/systems/cde.js";
import { controlPath, pathDerivative, pathValue } from "../../src/systems/control-path.js";
import { type Interpolation, PathError } from "../../src/systems/interpolation.js";
import { pathCoefficients } from "../../src/systems/path-in-graph.js";
import { valuesOf as values } from "../support/evaluate.js";

const times = [0, 0.3, 1, 1.4, 2];
/** [1, 5 times, 2 channels]: time, and a series */
const series = (x: readonly number[]) =>
  tensor(
    "float64",
    [1, x.length, 2],
    times.flatMap((t, k) => [t, x[k]!]),
  );
const kinds: readonly Interpolation[] = ["hermite", "natural", "linear", "rectilinear"];

describe("a control path", () => {
  const x = [1, -0.5, 2, 0.25, 3];

  const along = async (path: { knots: readonly number[]; coefficients: Tensor }, at: readonly number[]) => {
    const found = await values(
      (b) => {
        const t = b.input("t", "float64", [at.length]);
        const coefficients = b.constant(path.coefficients);
        return Object.fromEntries(
          at.flatMap((_, k) => [
            [`value${k}`, pathValue(b, path.knots, coefficients, gather(b, t, k))],
            [`slope${k}`, pathDerivative(b, path.knots, coefficients, gather(b, t, k))],
          ]),
        );
      },
      { t: tensor("float64", [at.length], at) },
    );
    return at.map((_, k) => ({ value: found[`value${k}`]!, slope: found[`slope${k}`]! }));
  };

  for (const interpolation of kinds) {
    it(`goes through the values, and has the derivative of differences: ${interpolation}`, async () => {
      const path = controlPath(times, series(x), { interpolation });
      const knots = interpolation === "rectilinear" ? [0, 2, 4, 6, 8] : times;
      (await along(path, knots)).forEach(({ value }, k) => {
        expect(value[0]).to.be.closeTo(times[k]!, 1e-12);
        expect(value[1]).to.be.closeTo(x[k]!, 1e-12);
      });
      const at = 1.2;
      const [low, high, own] = await along(path, [at - 1e-6, at + 1e-6, at]);
      // polynomials of degree 3, by central differences
      expect(own!.slope[1]).to.be.closeTo((high!.value[1]! - low!.value[1]!) / 2e-6, 1e-7);
    });

    it(`is the same from a graph as from the host: ${interpolation}`, async () => {
      const path = controlPath(times, series(x), { interpolation });
      const { coefficients } = await values(
        (b) => {
          const found = pathCoefficients(b, times, b.input("x", "float64", [1, 5, 2]), interpolation);
          expect(found.knots).to.deep.equal(path.knots);
          return { coefficients: found.coefficients };
        },
        { x: series(x) },
      );
      numbers(path.coefficients).forEach((value, i) => {
        expect(coefficients![i]).to.be.closeTo(value, 1e-12);
      });
    });
  }

  it("has the values and slopes of torchcde 0.2.5", async () => {
    // by torchcde.CubicSpline and LinearInterpolation of hermite_cubic_coefficients_with_backward_differences,
    // natural_cubic_coeffs and linear_interpolation_coeffs, for these times and values
    const at = [0.1, 0.3, 0.7, 1, 1.2, 1.9];
    const theirs = {
      hermite: {
        values: [0.5, -0.5, 0.2988338192419824, 1.9999999999999996, 1.5223214285714284, 2.41724537037037],
        slopes: [-5, -5, 6.1953352769679295, 3.571428571428571, -6.361607142857146, 6.822916666666667],
      },
      natural: {
        values: [0.3223068783068782, -0.5, 1.0673469387755101, 2, 1.1823452380952382, 2.2011226851851857],
        slopes: [
          ...[-6.332698412698412, -1.0019047619047585, 5.7627210884353754],
          ...[-1.275238095238092, -5.6381547619047625, 7.794176587301591],
        ],
      },
      linear: {
        values: [0.5, -0.5, 0.9285714285714286, 2, 1.125, 2.5416666666666665],
        slopes: [-5, -5, 3.5714285714285716, 3.5714285714285716, -4.375, 4.583333333333333],
      },
    };
    for (const [interpolation, { values, slopes }] of Object.entries(theirs)) {
      const path = controlPath(times, series(x), { interpolation: interpolation as Interpolation });
      (await along(path, at)).forEach(({ value, slope }, k) => {
        // both round some ten operations on numbers of this size
        expect(value[1], interpolation).to.be.closeTo(values[k]!, 1e-13);
        expect(slope[1], interpolation).to.be.closeTo(slopes[k]!, 1e-12);
      });
    }
  });

  for (const interpolation of ["hermite", "linear"] as const) {
    it(`is made in a graph without a matrix to all times, which files would have to hold: ${interpolation}`, () => {
      const b = new Builder();
      const many = Array.from({ length: 200 }, (_, k) => k ** 1.1);
      const { coefficients } = pathCoefficients(b, many, b.input("x", "float64", [2, 200, 3]), interpolation);
      // some numbers of 8 bytes for each interval, where a matrix has 4 · 200 of them, 1.3 MB in all
      expect(encode(b.graph({ coefficients }, "path")).length).to.be.below(20_000);
    });
  }

  it("fills in what is missing: by the last value where it must be causal, else by the path itself", async () => {
    const holes = [Number.NaN, 1, Number.NaN, 3, Number.NaN];
    const at = async (interpolation: Interpolation, knots: readonly number[]) =>
      (await along(controlPath(times, series(holes), { interpolation }), knots)).map(
        ({ value }) => value[1]!,
      );
    const between = 1 + (2 * 0.7) / 1.1;
    for (const kind of ["hermite", "natural", "linear"] as const) {
      (await at(kind, times)).forEach((value, k) => {
        // a spline is not on the line: test/systems/path-in-graph.test.ts has its values
        if (kind === "natural" && k === 2) return;
        expect(value, `${kind} ${k}`).to.be.closeTo([1, 1, between, 3, 3][k]!, 1e-12);
      });
    }
    const late = series([2, Number.NaN, Number.NaN, 3, Number.NaN]);
    const values = await along(controlPath(times, late, { interpolation: "rectilinear" }), [0, 2, 4, 6, 8]);
    expect(values.map(({ value }) => value[1])).to.deep.equal([2, 2, 2, 3, 3]);
    expect(() => controlPath(times, series(holes), { interpolation: "rectilinear" })).to.throw(
      PathError,
      "Channel 1 of sample 0 has no value at the first time",
    );
    expect(() => controlPath(times, series(Array(5).fill(Number.NaN)))).to.throw(
      PathError,
      "Channel 1 of sample 0",
    );
  });

  it("says what it takes", () => {
    expect(() => controlPath([0, 1, 1, 2, 3], series(x))).to.throw(PathError, "1 comes after 1");
    expect(() => controlPath([0], tensor("float64", [1, 1, 1], [0]))).to.throw(
      PathError,
      "two times or more",
    );
    expect(() => controlPath([0, 1], series(x))).to.throw(PathError, "[batch, 2 times, channels]");
    const cubic = "cubic" as Interpolation;
    expect(() => controlPath(times, series(x), { interpolation: cubic })).to.throw(PathError, "natural");
    const misspelt = { interpolaton: "natural" } as object;
    expect(() => controlPath(times, series(x), misspelt)).to.throw(OptionError, 'mean "interpolation"');
    expect(() => controlPath(times, series([0, 1, Number.POSITIVE_INFINITY, 2, 3]))).to.throw(
      PathError,
      "Channel 1 of sample 0 is Infinity",
    );
    const b = new Builder();
    const values = b.input("values", "float64", [2, 5, 1]);
    expect(() => pathCoefficients(b, times, values, cubic)).to.throw(PathError, "natural");
    expect(() => pathCoefficients(b, [0, 1], values)).to.throw(PathError, "[batch, 2 times, channels]");
    expect(() => pathCoefficients(b, times, b.input("rows", "float64", [5, 1]))).to.throw(
      PathError,
      "[5, 1]",
    );
  });
});

describe("a controlled differential equation", () => {
  it("has the solution of a linear one: dz = z dX, z = z0 e^(X − X(0))", async () => {
    const field: ControlledField = {
      name: "linear",
      hidden: 1,
      channels: 1,
      parameters: {},
      apply: (_b, _theta, z) => z,
    };
    const x = [0, 1, -0.5, 0.25, 0.8];
    const path = controlPath(times, tensor("float64", [1, 5, 1], x), { interpolation: "natural" });
    const { z } = await values(
      (b) => ({
        z: cdeSolve(
          b,
          { field, method: "dopri8", stepSize: 0.05 },
          {
            ...{ theta: {}, z0: b.input("z0", "float64", [1, 1]), knots: path.knots, times },
            coefficients: b.constant(path.coefficients),
          },
        ),
      }),
      { z0: tensor("float64", [1, 1], [2]) },
    );
    // steps end at knots, between which everything is smooth
    z!.forEach((value, k) => {
      expect(value / (2 * Math.exp(x[k]! - x[0]!))).to.be.closeTo(1, 1e-9);
    });
  });

  // linear paths have corners at their knots, where steps begin and end
  for (const interpolation of ["linear", "rectilinear"] as const) {
    const x = [0, 0, 1, 1, 2.5, -0.5, 3, 0.25, 4, 0.8];
    const shown = tensor("float64", [1, 5, 2], x);
    const path = controlPath([0, 1, 2.5, 3, 4], shown, { interpolation });
    const end = path.knots.at(-1)!;
    const solved = async (
      field: ControlledField,
      { method, stepSize, dtype = "float64" }: { method: string; stepSize: number; dtype?: FloatDType },
    ) => {
      const { z } = await values((b) => {
        const coefficients = castTensor(path.coefficients, dtype);
        const z0 = b.constant(
          castTensor(tensor("float64", [1, field.hidden], [1, -0.5].slice(0, field.hidden)), dtype),
        );
        const along = {
          theta: {},
          z0,
          knots: path.knots,
          times: [end],
          coefficients: b.constant(coefficients),
        };
        return { z: cdeSolve(b, { field, method, stepSize, dtype }, along) };
      }, {});
      return z!;
    };

    for (const method of ["euler", "heun", "midpoint", "rk4", "tsit5", "ees25"]) {
      it(`moves by X(T) − X(0) where F is the identity: ${interpolation}, ${method}`, async () => {
        const identity: ControlledField = {
          ...{ name: "identity", hidden: 2, channels: 2, parameters: {} },
          apply: (b, _theta, z) =>
            add(
              b,
              mul(b, concat(b, [z, z], 1), 0),
              b.constant(castTensor(tensor("float64", [1, 4], [1, 0, 0, 1]), z.dtype as FloatDType)),
            ),
        };
        for (const stepSize of [0.5, 0.1]) {
          const [first, second] = await solved(identity, { method, stepSize });
          expect(first).to.be.closeTo(1 + 4, 1e-12);
          expect(second).to.be.closeTo(-0.5 + 0.8, 1e-12);
          const [single] = await solved(identity, { method, stepSize, dtype: "float32" });
          expect(single).to.be.closeTo(5, 1e-5);
        }
      });
    }

    if (interpolation === "linear")
      it("takes each step's own side where times are coarse in float32, too", async () => {
        // numbers near 10⁶ are 1/16 apart
        const start = 1e6;
        const late = controlPath([start, start + 1, start + 2], tensor("float64", [1, 3, 1], [0, 1, -2]), {
          interpolation,
          dtype: "float32",
        });
        const one: ControlledField = {
          ...{ name: "one", hidden: 1, channels: 1, parameters: {} },
          apply: (b, _theta, z) => add(b, mul(b, z, 0), 1),
        };
        const { z } = await values((b) => {
          const z0 = b.constant(tensor("float32", [1, 1], [0]));
          const along = { theta: {}, z0, knots: late.knots, times: [start + 1, start + 2] };
          const coefficients = b.constant(late.coefficients);
          return {
            z: cdeSolve(
              b,
              { field: one, method: "heun", stepSize: 0.25, dtype: "float32" },
              { ...along, coefficients },
            ),
          };
        }, {});
        expect(z).to.deep.equal([1, -2]);
      });

    it(`has the order of its method: ${interpolation}`, async () => {
      const growth: ControlledField = {
        ...{ name: "growth", hidden: 1, channels: 2, parameters: {} },
        // dz = z dX₁, z = z0 e^(X₁ − X₁(0))
        apply: (b, _theta, z) => concat(b, [mul(b, z, 0), z], 1),
      };
      for (const [method, order] of [
        ["heun", 2],
        ["rk4", 4],
      ] as const) {
        const [coarse, fine] = await Promise.all(
          [1 / 32, 1 / 64].map(
            async (stepSize) => (await solved(growth, { method, stepSize }))[0]! - Math.exp(0.8),
          ),
        );
        expect(Math.log2(coarse! / fine!), method).to.be.within(order - 0.3, order + 0.5);
      }
    });
  }

  const inner = mlp({ dim: 3, hidden: [5], time: false });
  const field: ControlledField = {
    ...{ name: "small", hidden: 3, channels: 1, parameters: inner.parameters },
    apply: (b, theta, z) => inner.apply(b, theta, b.scalar("float64", 0), z),
  };
  const theta = initialParameters(inner, Random.seeded(5), "float64");
  const observed = tensor("float64", [2, 5, 1], [0, 1, -0.5, 0.25, 0.8, 1, 1.5, 0, -1, 0.3]);
  const lossOf = (b: Builder, x: Value, gradient: "reversible" | "direct" | "checkpoint") => {
    const own = Object.fromEntries(Object.entries(theta).map(([name, value]) => [name, b.constant(value)]));
    const z0 = b.constant(tensor("float64", [2, 3], [0.1, -0.2, 0.3, 0.5, 0, -0.4]));
    const zs = cdeSolve(
      b,
      { field, stepSize: 0.05 },
      {
        ...{ theta: own, z0, ...pathCoefficients(b, times, x), times: [1, 2], gradient },
      },
    );
    return { own, z0, loss: reduceMean(b, mul(b, zs, zs)) };
  };

  it("has the same gradients by reversal, stored steps and checkpoints, and those of finite differences", async () => {
    const gradients = (gradient: "reversible" | "direct" | "checkpoint") =>
      values(
        (b) => {
          const x = b.input("x", "float64", [2, 5, 1]);
          const { own, z0, loss } = lossOf(b, x, gradient);
          const wrt = { x, z0, ...own };
          const pulled = pullback(b, [loss], [b.scalar("float64", 1)], Object.values(wrt));
          return Object.fromEntries(Object.keys(wrt).map((name, i) => [name, pulled[i]!]));
        },
        { x: observed },
      );
    const stored = await gradients("direct");
    for (const other of ["reversible", "checkpoint"] as const) {
      for (const [name, found] of Object.entries(await gradients(other))) {
        found.forEach((value, i) => {
          expect(value, `${other} ${name}`).to.be.closeTo(stored[name]![i]!, 1e-10);
        });
      }
    }
    const h = 1e-5;
    const at = async (k: number, by: number) => {
      const data = Float64Array.from(observed.data as Float64Array);
      data[k] = data[k]! + by;
      const moved = await values(
        (b) => ({ loss: lossOf(b, b.input("x", "float64", [2, 5, 1]), "direct").loss }),
        {
          x: { ...observed, data } as Tensor,
        },
      );
      return moved.loss![0]!;
    };
    for (const k of [1, 7]) {
      // differences of order h² and of rounding / h
      expect(stored.x![k]).to.be.closeTo(((await at(k, h)) - (await at(k, -h))) / (2 * h), 1e-8);
    }
  });

  it("refuses a path of another form, and times outside of it", () => {
    const b = new Builder();
    const path = controlPath(times, observed);
    const coefficients = b.constant(path.coefficients);
    const options = { theta: {}, z0: b.input("z0", "float64", [2, 3]), knots: path.knots, coefficients };
    const given = Object.fromEntries(Object.entries(theta).map(([name, value]) => [name, b.constant(value)]));
    const wide = { field: { ...field, channels: 2 }, stepSize: 0.1 };
    expect(() => cdeSolve(b, wide, { ...options, theta: given })).to.throw(PathError, "of 2 channels");
    expect(() => cdeSolve(b, { field, stepSize: 0.1 }, options)).to.throw(ParameterError, "layers.0.weight");
    const named = { ...field, parameters: { path: field.parameters["layers.0.bias"]! } };
    expect(() => cdeSolve(b, { field: named, stepSize: 0.1 }, options)).to.throw(
      PathError,
      "Name it otherwise",
    );
    expect(() => cdeSolve(b, { field, stepSize: 0.1 }, { ...options, times: [3] })).to.throw(
      PathError,
      "from 0 to 2",
    );
    const elsewhere = { ...options, saveAt: [1] };
    expect(() => cdeSolve(b, { field, stepSize: 0.1 }, elsewhere)).to.throw(OptionError, "are times");
    const solver = { field, stepSize: 0.1, solver: "rk4" };
    expect(() => cdeSolve(b, solver, options)).to.throw(OptionError, "the solver is the method");
  });
});
