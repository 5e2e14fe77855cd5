import { expect } from "chai";
import { Random } from "../../src/core/random.js";
import { numbers, tensor } from "../../src/core/tensor.js";
import { plainGrayScott } from "../../src/experiments/gray-scott.js";
import { dissipative, exactHeat, plainHeat } from "../../src/experiments/heat.js";
import { plainSolve } from "../../src/experiments/plain-solve.js";
import { meanChange, relativeErrors, snapshotData } from "../../src/experiments/snapshots.js";
import { initialParameters, type VectorField } from "../../src/fields/field.js";
import { grayScott } from "../../src/fields/partial-differential.js";
import { gradientOf } from "../../src/gradients/evaluate.js";
import { DivergenceError } from "../../src/integrate/failures.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { solve } from "../../src/integrate/solve.js";
import { mse } from "../../src/learning/losses.js";
import { methodNamed } from "../../src/methods/named.js";
import { gridThrough } from "../../src/programs/grid.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { scratch } from "../cli/command.js";
import { distance } from "../support/distance.js";
import { evaluate } from "../support/evaluate.js";
import { failure } from "../support/failure.js";
import { missingModules } from "../support/python.js";
import { runsInPython, trainsEquation } from "./trained-equation.js";

describe("the heat equation that damps, y_t = (1 − y) y_xx", () => {
  const points = 26;
  const by = (coupling: number, stepSize = 5e-4) =>
    neuralOde({ field: dissipative(points), method: methodNamed("tsit5", { coupling }), stepSize });
  const start = tensor("float64", [1, points], exactHeat(points, 0));
  const at = (ode: ReturnType<typeof by>) =>
    solve(ode, { runtime: jit(), y0: start, t0: 0, saveAt: [0.1], checkStability: true });

  it("has an exact solution from x², which λ = 0.5 finds and λ = 0.999 does not reach", async () => {
    const { ys, warnings } = await at(by(0.5));
    expect(distance(numbers(ys), exactHeat(points, 0.1))).to.be.below(1e-12);
    expect(warnings).to.deep.equal([]);
    // 625 · 5e−4 = 0.3 is beyond −ln 0.999: rounding alone grows
    const { message } = await failure(at(by(0.999)), DivergenceError);
    expect(message).to.include("another coupling λ (now 0.999)");
  });

  it("has the gradient of stored steps by undoing them from states that are stored every 20", async () => {
    const ode = by(0.5);
    const fit = {
      grid: gridThrough(0, [0.05], 5e-4),
      ...{ y0: start, target: tensor("float64", [1, 1, points], exactHeat(points, 0.3)), weight: null },
    };
    const of = (gradient: "reversible:20" | "direct") =>
      gradientOf(ode, { runtime: jit(), loss: mse(), gradient, fit, parameters: {} });
    const [undone, stored] = [await of("reversible:20"), await of("direct")];
    // 2^20 times a rounding of 1e−16 between stored states
    expect(distance(numbers(undone.y0), numbers(stored.y0))).to.be.below(1e-9);
    expect(undone.cost.storedStates).to.equal(5);
  });
});

describe("equations in plain numbers", () => {
  const slopes = async (field: VectorField, y: readonly number[]) => {
    const theta = initialParameters(field, Random.seeded(0), "float64");
    const given = {
      t: tensor("float64", [], [0]),
      y: tensor("float64", [1, ...(field.state.slice(1) as number[])], y),
    };
    const { slope } = await evaluate(jit(), given, (b, v) => ({
      slope: field.apply(
        b,
        Object.fromEntries(Object.entries(theta).map(([name, value]) => [name, b.constant(value)])),
        v.t!,
        v.y!,
      ),
    }));
    return numbers(slope);
  };

  it("are those of the fields", async () => {
    const y = Array.from({ length: 2 * 16 }, (_, i) => 0.5 + 0.4 * Math.sin(i * i));
    const field = grayScott({ rows: 4, columns: 4, spacing: 0.01, boundary: "periodic" });
    expect(distance(plainGrayScott(4, 0.01)(0, y), await slopes(field, y))).to.be.below(1e-13);
    const line = y.slice(0, 9);
    expect(distance(plainHeat(9)(0, line), await slopes(dissipative(9), line))).to.be.below(1e-13);
  });

  it("are solved to order 4", () => {
    const off = (stepSize: number) =>
      Math.abs(
        plainSolve((t, [y]) => [y! * Math.cos(t)], [1], { interval: 1, count: 2, stepSize })[2]![0]! -
          Math.exp(Math.sin(2)),
      );
    expect(Math.log2(off(0.1) / off(0.05))).to.be.closeTo(4, 0.2);
  });
});

describe("snapshots", () => {
  it("make samples of one state and those that follow it, whose change is known", () => {
    const field = { state: ["batch", 2] } as unknown as VectorField;
    const data = snapshotData(
      [
        [
          [0, 1],
          [2, 3],
          [4, 5],
          [6, 7],
        ],
      ],
      { field, window: 2, dtype: "float64" },
    );
    expect(numbers(data.y0!)).to.deep.equal([0, 1, 2, 3]);
    expect(data.following!.shape).to.deep.equal([2, 2, 2]);
    expect(numbers(data.following!)).to.deep.equal([2, 3, 4, 5, 4, 5, 6, 7]);
    expect(meanChange(data)).to.equal((4 + 16) / 2);
    expect(relativeErrors([[[3, 5]]], [[[3, 4]]])).to.deep.equal([1 / 5]);
  });
});

describe("revort train, for partial differential equations", () => {
  const folder = scratch();

  for (const [name, chart, state] of [
    ["burgers", "solutions", [1, 32]],
    ["gray-scott", "patterns", [2, 24, 24]],
  ] as const) {
    it(`learns ${name} from snapshots, holds it against the equation, and writes fields that run by themselves`, () =>
      trainsEquation(name, chart, folder(name))).timeout(60_000);

    it(`writes models of ${name} that Python's onnxruntime runs`, function () {
      const missing = missingModules("onnxruntime", "numpy");
      if (missing !== null) {
        console.log(`      skipped: ${missing}`);
        this.skip();
      }
      runsInPython(folder(name), "float32", state);
    });
  }
});
