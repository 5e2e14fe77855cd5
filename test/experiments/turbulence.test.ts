import { expect } from "chai";
import { withoutRegions } from "../../src/autodiff/region.js";
import { pullback } from "../../src/autodiff/vjp.js";
import type { AdjointSpec } from "../../src/chains/adjoints.js";
import { Random } from "../../src/core/random.js";
import { numbers, tensor } from "../../src/core/tensor.js";
import { plainSolve } from "../../src/experiments/plain-solve.js";
import {
  coarseDrift,
  plainSabra,
  resolvedFlow,
  shells,
  sizeOfShell,
  timeUnit,
} from "../../src/experiments/sabra.js";
import { turbulenceModels } from "../../src/experiments/turbulence-model.js";
import { statisticsOf } from "../../src/experiments/turbulence-statistics.js";
import { initialParameters } from "../../src/fields/field.js";
import { Builder } from "../../src/graph/builder.js";
import type { Value } from "../../src/graph/graph.js";
import { methodNamed } from "../../src/methods/named.js";
import { sdeMethodNamed } from "../../src/methods/sde-named.js";
import { predict } from "../../src/models/measuring.js";
import { add, mul } from "../../src/ops/arithmetic.js";
import { reduceSum } from "../../src/ops/broadcast.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { distance, tensorsDistance } from "../support/distance.js";
import { evaluate, runGraph } from "../support/evaluate.js";

const { resolved } = shells;
const wavy = (count: number) => Array.from({ length: count }, (_, i) => Math.sin(1 + i * i));

describe("Sabra's shells", () => {
  it("are the sum of couplings that keep energy, viscosity and force", () => {
    const u = wavy(2 * resolved);
    const slope = plainSabra(resolved)(0, u);
    const dot = (x: readonly number[], y: readonly number[]) =>
      x.reduce((sum, value, i) => sum + value * y[i]!, 0);
    // d/dt ½ Σ |u|² = −Σ ν k² |u|² + Re f u₀*
    const lost = u.reduce((sum, x, i) => sum + 1e-4 * 4 ** (i % resolved) * x * x, 0);
    const given = 0.35 * (u[0]! + u[resolved]!);
    // sums of some dozens of products of up to 2⁵
    expect(dot(u, slope)).to.be.closeTo(given - lost, 1e-12);
  });

  it("have the coarse slope of the plain formula, in units of their sizes and the coarse time", async () => {
    const v = wavy(2 * resolved);
    const size = (i: number) => sizeOfShell(i % resolved);
    const expected = plainSabra(resolved)(
      0,
      v.map((x, i) => x * size(i)),
    ).map((x, i) => (x * timeUnit) / size(i));
    const { slope } = await evaluate(jit(), { v: tensor("float64", [1, 2 * resolved], v) }, (b, given) => ({
      slope: coarseDrift(b, given.v!),
    }));
    expect(distance(numbers(slope), expected)).to.be.below(1e-14);
  });

  it("lose energy by steps small enough: half of them gives the same for a while", () => {
    const start = wavy(2 * shells.all).map((x, i) =>
      i % shells.all < 6 ? 0.3 * x * sizeOfShell(i % shells.all) : 0,
    );
    const end = (stepSize: number) =>
      plainSolve(plainSabra(shells.all), start, { interval: 0.5, count: 1, stepSize }).at(-1)!;
    // RK4: 16 times less for half of the steps
    expect(distance(end(1e-3), end(5e-4))).to.be.below(1e-5);
  }).timeout(20_000);

  it("are told by their resolved part, in units of about 1", () => {
    const flow = resolvedFlow({ phase: 1, interval: 1, count: 3 });
    expect(flow.map((state) => state.length)).to.deep.equal([12, 12, 12]);
    for (const state of flow) expect(Math.hypot(...state)).to.be.within(0.3, 6);
  }).timeout(20_000);
});

describe("the closure of a coarse flow", () => {
  const [window, interval, dtype] = [2, 0.2, "float64"] as const;
  const models = (gradient: AdjointSpec, solver = "reversible-heun", stepSize = 0.1) =>
    turbulenceModels({
      ...{ interval, window, stepSize, dtype, gradient },
      ...{ method: sdeMethodNamed(solver), odeMethod: methodNamed("ees27") },
    });

  /** Gradients of the sum of what the model gives, all of it weighted. */
  async function gradients(gradient: AdjointSpec) {
    const { model } = models(gradient);
    const theta = initialParameters(model, Random.seeded(3), dtype);
    const b = new Builder();
    const values = Object.fromEntries(
      Object.entries(theta).map(([name, { shape }]) => [name, b.input(name, dtype, shape)]),
    );
    const xs = b.input("xs", dtype, [2, window + 1, 2 * resolved]);
    const outputs = model.apply(b, values, { xs, seed: b.constant(tensor("int64", [2], [5n, 6n])) }, null);
    const sum = Object.values(outputs as Record<string, Value>)
      .map((value) => reduceSum(b, mul(b, value, value)))
      .reduce((total, value) => add(b, total, value));
    const names = Object.keys(theta);
    const pulled = pullback(b, [sum], [b.scalar(dtype, 1)], Object.values(values));
    const found = Object.fromEntries(pulled.flatMap((value, i) => (value ? [[names[i]!, value]] : [])));
    const given = {
      ...theta,
      xs: tensor(dtype, xs.shape as number[], wavy(2 * (window + 1) * 2 * resolved)),
    };
    return runGraph(jit(), withoutRegions(b.graph(found)), given);
  }

  it("has the gradients of stored steps where those of reversible Heun are undone", async () => {
    const [undone, stored] = [await gradients("reversible"), await gradients("direct")];
    expect(Object.keys(undone).length).to.be.above(20);
    // four steps, undone to rounding
    expect(tensorsDistance(undone, stored)).to.be.below(1e-10);
  }).timeout(60_000);

  it("is the same equation for solvers of Itô and of Stratonovich, since its noise does not read the state", async () => {
    const stochastic = async (solver: string, stepSize: number) => {
      const { model } = models("direct", solver, stepSize);
      const { stochastic: paths } = await predict(
        model,
        {
          xs: tensor(dtype, [2, window + 1, 2 * resolved], wavy(2 * (window + 1) * 2 * resolved)),
          seed: tensor("int64", [2], [5n, 6n]),
        },
        { runtime: jit(), dtype, parameters: initialParameters(model, Random.seeded(3), dtype) },
      );
      return numbers(paths);
    };
    const apart = async (stepSize: number) =>
      distance(await stochastic("euler-maruyama", stepSize), await stochastic("heun", stepSize));
    const [coarse, fine] = [await apart(0.02), await apart(0.005)];
    expect(coarse).to.be.above(0);
    // both of strong order 1, on noise that is drawn anew for each number of steps
    expect(coarse / fine).to.be.within(2.5, 6.5);
  }).timeout(60_000);
});

describe("statistics of paths", () => {
  it("are means over paths and times, without paths that do not stay finite", () => {
    const state = (x: number) => new Array<number>(2 * resolved).fill(x);
    const truth = [
      [state(1), state(1)],
      [state(1), state(1)],
    ];
    const other = [
      [state(2), state(Number.NaN)],
      [state(2), state(2)],
    ];
    const { models } = statisticsOf({ truth, other }, 1);
    expect(models.truth!.spectrum.map((e, n) => e / sizeOfShell(n) ** 2)).to.satisfy((all: number[]) =>
      all.every((e) => Math.abs(e - 2) < 1e-12),
    );
    expect(models.other!.finite).to.equal(1);
    expect(models.other!.spectrumOff).to.be.closeTo(2, 1e-12);
    expect(models.other!.flatness[0]).to.be.closeTo(1, 1e-12);
    expect(models.other!.error[0]).to.be.closeTo(1, 1e-12);
    expect(models.other!.error[1]).to.be.NaN;
  });
});
