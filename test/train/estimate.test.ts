import { readFileSync } from "node:fs";
import { expect } from "chai";
import { pid } from "../../src/control/control.js";
import { numbers, tensor } from "../../src/core/tensor.js";
import { symbolicField } from "../../src/fields/symbolic/symbolic-field.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { solve } from "../../src/integrate/solve.js";
import { studentQuantile } from "../../src/learning/student.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { withSensitivities } from "../../src/systems/sensitivities.js";
import { type EstimateRequest, estimate } from "../../src/train/estimate.js";

const scipy = JSON.parse(readFileSync(new URL("./scipy-estimates.json", import.meta.url), "utf8"));
const scalar = (value: number) => tensor("float64", [], [value]);

describe("Student's t", () => {
  it("has SciPy's quantiles", () => {
    for (const [p, degrees, x] of scipy.quantiles) {
      // what is left of p near 1 has fewer digits
      expect(studentQuantile(p, degrees), `${p}, ${degrees}`).to.be.closeTo(x, 1e-9 * x);
    }
  });
});

describe("forward sensitivities", () => {
  it("are the derivatives of the exact solution, for every trajectory of a batch", async () => {
    // x = b/a + (x₀ − b/a) exp(−a t)
    const field = symbolicField("dx = b - a*x; dy = -c*y");
    const { field: all, columns, start } = withSensitivities(field, ["a", "b", "c"], { ofStart: true });
    expect(columns).to.equal(5);
    const [a, b, c, t] = [1.5, 6, 0.5, 0.8];
    const starts = [
      [10, 1],
      [3, -2],
    ] as const;
    const { ys } = await solve(neuralOde({ field: all, method: "dopri8" }), {
      runtime: jit(),
      parameters: { a: scalar(a), b: scalar(b), c: scalar(c) },
      y0: tensor("float64", [2, 12], starts.flatMap(start)),
      t0: 0,
      saveAt: [t],
      control: pid({ rtol: 1e-11, atol: 1e-11 }),
    });
    const [decay, other] = [Math.exp(-a * t), Math.exp(-c * t)];
    const expected = starts.flatMap(([x0, y0]) => [
      ...[b / a + (x0 - b / a) * decay, y0 * other],
      ...[(-b / a ** 2) * (1 - decay) - t * (x0 - b / a) * decay, 0],
      ...[(1 - decay) / a, 0],
      ...[0, -t * y0 * other],
      ...[decay, 0],
      ...[0, other],
    ]);
    numbers(ys).forEach((value, i) => {
      expect(value, String(i)).to.be.closeTo(expected[i]!, 1e-9);
    });
  });

  it("are exact for the steps that a solver takes: equal to differences of its solutions", async () => {
    const field = symbolicField("dx = a*x - b*x*y; dy = -c*y + b*x*y*sin(t)");
    const at = { a: 0.7, b: 0.05, c: 0.9 };
    const names = Object.keys(at) as (keyof typeof at)[];
    const { field: all, start } = withSensitivities(field, names, { ofStart: false });
    const request = { runtime: jit(), t0: 0, saveAt: [3] };
    const parameters = (of: typeof at) => Object.fromEntries(names.map((name) => [name, scalar(of[name])]));
    // with steps so large that the derivative of the exact solution is another
    const scheme = { method: "midpoint", stepSize: 0.5 };
    const { ys } = await solve(neuralOde({ field: all, ...scheme }), {
      ...request,
      parameters: parameters(at),
      y0: tensor("float64", [1, 8], start([20, 5])),
    });
    const plain = async (of: typeof at) =>
      numbers(
        (
          await solve(neuralOde({ field, ...scheme }), {
            ...request,
            parameters: parameters(of),
            y0: tensor("float64", [1, 2], [20, 5]),
          })
        ).ys,
      );
    for (const [j, name] of names.entries()) {
      const h = 1e-6;
      const [up, down] = [
        await plain({ ...at, [name]: at[name] + h }),
        await plain({ ...at, [name]: at[name] - h }),
      ];
      for (const i of [0, 1]) {
        const difference = (up[i]! - down[i]!) / (2 * h);
        // h² and rounding over h
        expect(numbers(ys)[2 * (1 + j) + i], name).to.be.closeTo(
          difference,
          1e-6 * (1 + Math.abs(difference)),
        );
      }
    }
  });
});

describe("an estimate", () => {
  const data = {
    t0: 0,
    times: scipy.times as number[],
    y0: tensor("float64", [1, 1], [scipy.values[0]]),
    observations: tensor("float64", [scipy.times.length, 1, 1], scipy.values),
  };
  const field = symbolicField("dx = r*x*(1 - x/K)");
  const ode = neuralOde({ field, method: "rk4", stepSize: 0.05 });
  const request = (extra: Partial<EstimateRequest> = {}): EstimateRequest => ({
    runtime: jit(),
    parameters: { r: scalar(1.3), K: scalar(30) },
    y0: data.y0,
    names: ["r", "K"],
    ofStart: true,
    refine: true,
    ...extra,
  });

  it("has SciPy's parameters, standard errors and noise, whatever the residuals are divided by", async () => {
    for (const scale of [[1], [17]]) {
      const { named, noise, remaining, problem, y0 } = (await estimate(ode, data, request({ scale })))!;
      const t = studentQuantile(0.975, scipy.times.length - 3);
      for (const [j, name] of ["r", "K"].entries()) {
        const error = Math.sqrt(scipy.covariance[j][j]);
        // where both minimisers end, and the error of RK4
        expect(named[name]!.value).to.be.closeTo(scipy.found[j], 1e-4 * error + 1e-7);
        expect(named[name]!.standardError).to.be.closeTo(error, 1e-4 * error);
        expect(named[name]!.interval![0]).to.be.closeTo(scipy.found[j] - t * error, 1e-3 * error);
        expect(named[name]!.interval![1]).to.be.closeTo(scipy.found[j] + t * error, 1e-3 * error);
      }
      expect(numbers(y0)[0]).to.be.closeTo(scipy.found[2], 1e-4);
      expect(noise[0]).to.be.closeTo(scipy.noise, 1e-4);
      expect(remaining).to.be.lessThan(1e-3);
      expect(problem).to.equal(null);
    }
  });

  it("is the same with steps that are chosen", async () => {
    const adaptive = neuralOde({ field, method: "dopri5" });
    const found = (await estimate(adaptive, data, request({ control: pid({ rtol: 1e-9, atol: 1e-9 }) })))!;
    expect(found.named.r!.standardError).to.be.closeTo(Math.sqrt(scipy.covariance[0][0]), 1e-5);
  });

  it("says how far from the minimum it is where it is not to go there", async () => {
    const found = (await estimate(ode, data, request({ refine: false })))!;
    expect(found.named.r!.value).to.equal(1.3);
    expect(found.after).to.equal(found.before);
    expect(found.remaining).to.be.greaterThan(1);
  });

  it("cuts intervals off at bounds, and has none for what ends on one", async () => {
    const found = (await estimate(ode, data, request({ bounds: { r: { low: 0, high: 0.7 } } })))!;
    expect(found.named.r).to.deep.equal({ value: 0.7, standardError: null, interval: null });
    expect(found.named.K!.interval).not.to.equal(null);
    expect(found.problem).to.include("r ended on a bound");
    const low = scipy.found[1] - 0.1 * Math.sqrt(scipy.covariance[1][1]);
    const cut = (await estimate(ode, data, request({ bounds: { K: { low, high: 1000 } } })))!;
    expect(cut.named.K!.interval![0]).to.equal(low);
  });

  it("says where the data do not determine the parameters, or are too few", async () => {
    const twice = symbolicField("dx = r*s*x*(1 - x/K)");
    const parameters = { r: scalar(0.9), s: scalar(1), K: scalar(50) };
    const found = (await estimate(
      neuralOde({ field: twice, method: "rk4", stepSize: 0.05 }),
      data,
      request({ parameters, names: ["r", "s", "K"] }),
    ))!;
    expect(found.problem).to.include("do not determine");
    expect(found.named.r!.interval).to.equal(null);
    const few = {
      ...data,
      times: data.times.slice(0, 3),
      observations: tensor("float64", [3, 1, 1], scipy.values.slice(0, 3)),
    };
    expect((await estimate(ode, few, request()))!.problem).to.include("3 observations for 3 parameters");
  });

  it("is none where the equation has no solution", async () => {
    const explosive = symbolicField("dx = r*x^2 + K");
    const found = await estimate(
      neuralOde({ field: explosive, method: "rk4", stepSize: 0.05 }),
      data,
      request(),
    );
    expect(found).to.equal(null);
  });
});
