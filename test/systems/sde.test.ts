import { expect } from "chai";
import { numbers, tensor } from "../../src/core/tensor.js";
import { DivergenceError } from "../../src/integrate/failures.js";
import { neuralSde } from "../../src/integrate/neural-sde.js";
import { solveSde } from "../../src/library/sde.js";
import { UnknownSolverError } from "../../src/methods/named.js";
import { CalculusError, type SdeMethod } from "../../src/methods/sde-method.js";
import { sdeMethodNamed } from "../../src/methods/sde-named.js";
import { mul, neg } from "../../src/ops/arithmetic.js";
import { zerosLike } from "../../src/ops/generate.js";
import { reshape } from "../../src/ops/reshape.js";
import { concat, split } from "../../src/ops/slicing.js";
import { TimeError } from "../../src/programs/grid.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { virtualBrownianTree } from "../../src/systems/brownian.js";
import { type Calculus, defineSde, type Sde, SdeError } from "../../src/systems/sde.js";

const [mu, sigma] = [0.4, 0.6];

/** dy = μ y dt + σ y dW, whose solutions are y0 e^((μ − ½σ²) t + σ W), or y0 e^(μ t + σ W) of Stratonovich */
const geometric = (calculus: Calculus, noise: "scalar" | "diagonal" = "scalar"): Sde =>
  defineSde({
    ...{ name: "geometric", dim: 1, calculus, noise },
    drift: (b, _theta, _t, y) => mul(b, y, mu),
    diffusion: (b, _theta, _t, y) => mul(b, y, sigma),
  });

/** dW itself */
const brownian = defineSde({
  ...{ name: "W", dim: 1, calculus: "ito", noise: "additive" },
  drift: (b, _theta, _t, y) => zerosLike(b, y),
  diffusion: (b) => b.constant(tensor("float64", [1, 1], [1])),
});

const tree = virtualBrownianTree({ t0: 0, t1: 1, tolerance: 2 ** -7 });
const paths = 400;

async function endsOf(sde: Sde, method: SdeMethod | string, stepSize: number, y0 = 1): Promise<number[]> {
  const equation = neuralSde({ sde, method, stepSize, brownian: tree });
  const { ys } = await solveSde(jit, equation, { y0: [y0], paths, saveAt: [1], seed: 11 });
  return numbers(ys);
}

const mean = (values: readonly number[]) => values.reduce((sum, x) => sum + x, 0) / values.length;

/** The slope of a line through logarithms. */
function slope(h: readonly number[], error: readonly number[]): number {
  const [x, y] = [h.map(Math.log), error.map(Math.log)];
  const [mx, my] = [mean(x), mean(y)];
  return mean(x.map((each, i) => (each - mx) * (y[i]! - my))) / mean(x.map((each) => (each - mx) ** 2));
}

describe("methods for stochastic differential equations", () => {
  const steps = [2 ** -3, 2 ** -4, 2 ** -5, 2 ** -6];
  const cases: readonly [
    name: string,
    method: SdeMethod,
    calculus: Calculus,
    strong: number,
    weak: number,
  ][] = [
    ["Euler and Maruyama", sdeMethodNamed("euler-maruyama"), "ito", 0.5, 1],
    ["Milstein", sdeMethodNamed("milstein"), "ito", 1, 1],
    ["Heun", sdeMethodNamed("heun"), "stratonovich", 1, 1],
    ["midpoint", sdeMethodNamed("midpoint"), "stratonovich", 1, 1],
    ["reversible Heun", sdeMethodNamed("reversible-heun"), "stratonovich", 1, 1],
    ["EES25", sdeMethodNamed("ees25"), "stratonovich", 1, 1],
    ["EES27", sdeMethodNamed("ees27"), "stratonovich", 1, 1],
    ["Heun after Lawson", sdeMethodNamed("lawson:heun:-0.4"), "stratonovich", 1, 1],
    ["Rex", sdeMethodNamed("lawson:heun:-0.4", { coupling: 0.99 }), "stratonovich", 1, 1],
    ["coupled Heun", sdeMethodNamed("heun", { coupling: 0.99 }), "stratonovich", 1, 1],
  ];
  let motion: number[];
  before(async () => {
    motion = await endsOf(brownian, "euler-maruyama", 1, 0);
  });

  for (const [name, method, calculus, strong, weak] of cases) {
    it(`${name} has strong order ${strong} and weak order ${weak} on geometric Brownian motion`, async () => {
      const growth = calculus === "ito" ? mu - sigma ** 2 / 2 : mu;
      const exact = motion.map((w) => Math.exp(growth + sigma * w));
      const [strongErrors, weakErrors]: [number[], number[]] = [[], []];
      for (const h of steps) {
        const ends = await endsOf(geometric(calculus), method, h);
        strongErrors.push(mean(ends.map((y, i) => Math.abs(y - exact[i]!))));
        // of the same paths, so that most of what is random is taken off
        weakErrors.push(Math.abs(mean(ends.map((y, i) => y - exact[i]!))));
      }
      // slopes of 400 paths over steps of an eighth to a 64th, where terms of higher order still count
      expect(slope(steps, strongErrors), "strong").to.be.closeTo(strong, 0.15);
      expect(slope(steps, weakErrors), "weak").to.be.above(weak - 0.4);
    });
  }

  it("with additive noise on a linear drift have the mean and the variance of the exact law", async () => {
    const [rate, noise, y0, h, t] = [1, 0.5, 2, 0.05, 1];
    const sde = defineSde({
      ...{ name: "Ornstein–Uhlenbeck", dim: 1, calculus: "ito", noise: "additive" },
      drift: (b, _theta, _t, y) => mul(b, y, -rate),
      diffusion: (b) => b.constant(tensor("float64", [1, 1], [noise])),
    });
    for (const method of ["euler-maruyama", "milstein", "heun", "reversible-heun"]) {
      const equation = neuralSde({ sde, method, stepSize: h });
      const n = 4000;
      const { ys } = await solveSde(jit, equation, { y0: [y0], paths: n, saveAt: [t], seed: 5 });
      const ends = numbers(ys);
      const exact = {
        mean: y0 * Math.exp(-rate * t),
        variance: (noise ** 2 / 2 / rate) * (1 - Math.exp(-2 * rate * t)),
      };
      const m = mean(ends);
      const variance = mean(ends.map((y) => (y - m) ** 2));
      // three standard deviations of 4000 paths, and the bias of steps of 0.05: h/2 of Euler and Maruyama's
      const bias = method.startsWith("heun") || method === "reversible-heun" ? h ** 2 : h;
      expect(m, method).to.be.closeTo(
        exact.mean,
        3 * Math.sqrt(exact.variance / n) + bias * 0.5 * exact.mean,
      );
      expect(variance, method).to.be.closeTo(exact.variance, exact.variance * (3 * Math.sqrt(2 / n) + bias));
    }
  });

  it("take diagonal and general noise alike where they are the same", async () => {
    const parts = { name: "rotating", dim: 2, calculus: "stratonovich" } as const;
    const diagonal = defineSde({
      ...{ ...parts, noise: "diagonal" },
      drift: (b, _theta, _t, y) => neg(b, y),
      diffusion: (b, _theta, _t, y) => mul(b, y, 0.5),
    });
    const general = defineSde({
      ...{ ...parts, noise: "general", motions: 2 },
      drift: (b, _theta, _t, y) => neg(b, y),
      diffusion(b, _theta, _t, y) {
        const [u, v] = split(b, mul(b, y, 0.5), 1, [1, 1]) as [typeof y, typeof y];
        const none = zerosLike(b, u);
        return reshape(b, concat(b, [u, none, none, v], 1), [0, 2, 2]);
      },
    });
    const [one, other] = await Promise.all(
      [diagonal, general].map((sde) =>
        solveSde(jit, neuralSde({ sde, stepSize: 0.1 }), {
          y0: [
            [1, 2],
            [0.5, -1],
          ],
          saveAt: [0, 0.5, 1],
          seed: 2,
        }),
      ),
    );
    expect(one!.ys.shape).to.deep.equal([3, 2, 2]);
    numbers(one!.ys).forEach((y, i) => {
      expect(y).to.be.closeTo(numbers(other!.ys)[i]!, 1e-14);
    });
  });

  it("save states at the start, twice at one time, and at each step, as one solve does", async () => {
    const of = async (saveAt: readonly number[], dtype: "float32" | "float64" = "float64") => {
      const equation = neuralSde({ sde: geometric("stratonovich"), stepSize: 0.1, dtype });
      return numbers((await solveSde(jit, equation, { y0: [2], paths: 2, saveAt })).ys);
    };
    const each = Array.from({ length: 11 }, (_, k) => k / 10);
    const every = await of(each);
    const some = await of([0, 0, 0.2, 0.2, 1]);
    expect(await of([0])).to.deep.equal([2, 2]);
    expect(some.slice(0, 4)).to.deep.equal([2, 2, 2, 2]);
    expect(some.slice(4, 6)).to.deep.equal(some.slice(6, 8));
    for (const [from, at] of [
      [4, 4],
      [8, 20],
    ] as const) {
      // times of steps that are cut from other stretches are rounded otherwise
      expect(some[from]).to.be.closeTo(every[at]!, 1e-14);
      expect(some[from + 1]).to.be.closeTo(every[at + 1]!, 1e-14);
    }
    // ten steps, rounded to 24 bits each
    expect((await of([1], "float32"))[0]).to.be.closeTo(every[20]!, 1e-5);
  });

  it("are refused where they would solve another equation", () => {
    const ito = geometric("ito");
    expect(() => neuralSde({ sde: ito, method: "heun", stepSize: 0.1 })).to.throw(
      CalculusError,
      "euler-maruyama",
    );
    expect(() => neuralSde({ sde: geometric("stratonovich"), method: "milstein", stepSize: 0.1 })).to.throw(
      CalculusError,
      "reversible-heun",
    );
    expect(() => sdeMethodNamed("euler")).to.throw(CalculusError, "order 1");
    expect(() => sdeMethodNamed("alf")).to.throw(CalculusError, "step before");
    expect(() => sdeMethodNamed("milstein", { coupling: 0.9 })).to.throw("Couple a method of Stratonovich");
    expect(() => sdeMethodNamed("milstien")).to.throw(UnknownSolverError, 'did you mean "milstein"');
    const general = defineSde({
      ...{ name: "general", dim: 1, motions: 1, calculus: "ito", noise: "general" },
      drift: (_b, _theta, _t, y) => y,
      diffusion: (b, _theta, _t, y) => reshape(b, y, [0, 1, 1]),
    });
    expect(() => neuralSde({ sde: general, method: "milstein", stepSize: 0.1 })).to.throw(
      CalculusError,
      "general noise",
    );
  });

  it("say what they take", async () => {
    const wrong = defineSde({
      ...{ name: "wrong", dim: 2, calculus: "ito", noise: "scalar" },
      drift: (_b, _theta, _t, y) => y,
      diffusion: (b, _theta, _t, y) => split(b, y, 1, [1, 1])[0]!,
    });
    const refusal = async (work: Promise<unknown>): Promise<Error> =>
      work.then(
        () => expect.fail("it was taken"),
        (error: Error) => error,
      );
    const equation = neuralSde({ sde: wrong, stepSize: 0.1 });
    const shape = await refusal(solveSde(jit, equation, { y0: [1, 2], saveAt: [1] }));
    expect(shape).to.be.instanceOf(SdeError).with.property("message").that.includes("diffusion");
    const good = neuralSde({ sde: geometric("ito"), stepSize: 0.1, brownian: tree });
    expect(await refusal(solveSde(jit, good, { y0: [1], saveAt: [0.5, 0.2] }))).to.be.instanceOf(TimeError);
    expect((await refusal(solveSde(jit, good, { y0: [1], saveAt: [2] }))).message).to.include(
      "as long as the solve",
    );
    expect((await refusal(solveSde(jit, good, { y0: [1, 2], saveAt: [1] }))).message).to.include(
      "one state [1]",
    );
    expect(() => defineSde({ ...wrong, noise: "white" as "scalar" })).to.throw("white");
    expect((await refusal(solveSde(jit, good, { y0: [Number.NaN], saveAt: [1] }))).message).to.include(
      "must be finite",
    );
  });

  it("say which path leaves the finite numbers, and when", async () => {
    // y' = y² from 1 is infinite at 1, and from −1 never
    const square = defineSde({
      ...{ name: "square", dim: 1, calculus: "ito", noise: "diagonal" },
      drift: (b, _theta, _t, y) => mul(b, y, y),
      diffusion: (b, _theta, _t, y) => mul(b, y, 0),
    });
    const equation = neuralSde({ sde: square, stepSize: 0.25 });
    const starts = { y0: [[-1], [1]], saveAt: [0.5, 5] };
    const error = await solveSde(jit, equation, starts).then(
      () => expect.fail("it was taken"),
      (failure: Error) => failure,
    );
    expect(error).to.be.instanceOf(DivergenceError);
    expect(error.message).to.include("after step 20, at t = 5").and.to.include("trajectory 1");
  });
});
