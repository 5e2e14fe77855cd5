import { expect } from "chai";
import { Random } from "../../src/core/random.js";
import { drawDensity } from "../../src/experiments/flow-charts.js";
import { squashField } from "../../src/experiments/two-moons.js";
import { initialParameters, type VectorField } from "../../src/fields/field.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { methodNamed } from "../../src/methods/named.js";
import { normalisingFlow } from "../../src/models/flow.js";
import { mul } from "../../src/ops/arithmetic.js";
import type { Cells } from "../../src/plot/chart.js";
import { jit } from "../../src/runtimes/jit/jit.js";

describe("the chart of a flow's density", () => {
  it("has densities, whose integral is 1 at each time, in the units of the data", async () => {
    const field = squashField([2, 8, 2]);
    const ode = neuralOde({ field, method: methodNamed("midpoint", {}), stepSize: 0.05, dtype: "float32" });
    const parameters = initialParameters(field, Random.seeded(3), "float32");
    const data = [
      [0, 5],
      [12, 9],
    ];
    const scale = { mean: 5, deviation: 2 };
    const trained = { runtime: jit(), parameters, buffers: {}, dtype: "float32" } as const;
    const { panels } = await drawDensity(normalisingFlow({ ode }), data, scale, trained);
    expect(panels.map(({ title }) => title)).to.deep.equal([
      "t = 0",
      "t = 0.25",
      "t = 0.5",
      "t = 0.75",
      "t = 1",
      "data",
    ]);
    for (const { layers, title } of panels.slice(0, -1)) {
      const { x, y, values } = layers[0] as Cells;
      const area = (x[1]! - x[0]!) * (y[1]! - y[0]!);
      const integral = Array.from(values).reduce((sum, value) => sum + value * area, 0);
      // the window ends at three standard deviations, beyond which a normal distribution has 0.5 % of its points
      expect(integral, title).to.be.within(0.98, 1.005);
    }
  });

  it("leaves places blank from which the flow has no numbers, and shades the others all the same", async () => {
    // y' = 30 y³ backwards: far from 0 its steps leave the finite numbers
    const field: VectorField = {
      ...{ name: "cubic", state: ["batch", 2], parameters: {} },
      apply: (b, _theta, _t, y) => mul(b, mul(b, y, mul(b, y, y)), 30),
    };
    const ode = neuralOde({ field, method: methodNamed("rk4", {}), stepSize: 0.05 });
    const trained = { runtime: jit(), parameters: {}, buffers: {}, dtype: "float64" } as const;
    const points = [[0, 0]];
    const { panels } = await drawDensity(
      normalisingFlow({ ode }),
      points,
      { mean: 0, deviation: 1 },
      trained,
    );
    const layers = panels.slice(0, -1).map((panel) => panel.layers[0] as Cells);
    const all = layers.flatMap(({ values }) => Array.from(values));
    expect(all.some((value) => !Number.isFinite(value))).to.equal(true);
    const [low, high] = layers[0]!.range!;
    expect(low).to.equal(0);
    expect(high).to.equal(all.filter(Number.isFinite).reduce((most, value) => Math.max(most, value), 0));
  });
});
