import { readFileSync } from "node:fs";
import { expect } from "chai";
import { OptionError } from "../../src/core/options.js";
import { Random } from "../../src/core/random.js";
import { numbers, tensor } from "../../src/core/tensor.js";
import { coleHopf } from "../../src/experiments/cole-hopf.js";
import { initialParameters, type VectorField } from "../../src/fields/field.js";
import { type Boundary, boundaries } from "../../src/fields/grid.js";
import { burgers, grayScott, heat } from "../../src/fields/partial-differential.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { solve } from "../../src/integrate/solve.js";
import type { Method } from "../../src/methods/method.js";
import { methodNamed } from "../../src/methods/named.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { distance } from "../support/distance.js";

async function end(
  field: VectorField,
  start: readonly number[],
  t1: number,
  stepSize: number,
  method: string | Method = "rk4",
) {
  const ode = neuralOde({ field, method, stepSize });
  const y0 = tensor("float64", [1, ...(field.state.slice(1) as number[])], start);
  const parameters = initialParameters(field, Random.seeded(0), "float64");
  return numbers((await solve(ode, { runtime: jit(), y0, t0: 0, saveAt: [t1], parameters })).ys);
}

describe("the heat equation by lines", () => {
  for (const boundary of boundaries) {
    it(`lets the waves that fit decay as they should: ${boundary}`, async () => {
      const [n, spacing] = [16, 0.1];
      const [angle, shift, wave] = {
        periodic: [(2 * Math.PI) / n, 0, Math.sin] as const,
        zero: [(2 * Math.PI) / (n + 1), 1, Math.sin] as const,
        reflecting: [(2 * Math.PI) / (n - 1), 0, Math.cos] as const,
      }[boundary];
      const y0 = Array.from({ length: n }, (_, i) => wave(angle * (i + shift)));
      const rate = 0.5 * ((2 * Math.sin(angle / 2)) / spacing) ** 2;
      const field = heat({ points: n, spacing, boundary, conductivity: 0.5 });
      const found = await end(field, y0, 0.2, 0.001);
      // RK4: T rate⁵ h⁴ / 120 with rates of 8 to 9 is up to 1e−10
      expect(
        distance(
          found,
          y0.map((y) => y * Math.exp(-rate * 0.2)),
        ),
      ).to.be.below(2e-10);
    });
  }
});

describe("Burgers' equation by lines", () => {
  const problem = { viscosity: 0.2, length: 2 * Math.PI };
  const waves = { cosines: [0.3, -0.2], sines: [1, 0.1] };

  it("tends to the solution of Cole and Hopf by the square of the distance of points", async () => {
    const errors: number[] = [];
    for (const points of [32, 64, 128]) {
      const spacing = problem.length / points;
      const [start, exact] = coleHopf(waves, problem, [0, 1], points) as [number[], number[]];
      const field = burgers({ points, spacing, boundary: "periodic", viscosity: problem.viscosity });
      errors.push(distance(await end(field, start, 1, 0.005), exact));
    }
    expect(Math.log2(errors[0]! / errors[1]!)).to.be.closeTo(2, 0.2);
    expect(Math.log2(errors[1]! / errors[2]!)).to.be.closeTo(2, 0.1);
  });

  it("has a solution by Cole and Hopf that begins with the waves that are given, and satisfies the equation", () => {
    const points = 16;
    const [start] = coleHopf(waves, problem, [0], points);
    const given = Array.from({ length: points }, (_, i) => {
      const x = (2 * Math.PI * i) / points;
      return 0.3 * Math.cos(x) - 0.2 * Math.cos(2 * x) + Math.sin(x) + 0.1 * Math.sin(2 * x);
    });
    expect(distance(start!, given)).to.be.below(1e-12);
    // u_t + u u_x = ν u_xx, by differences of 1e−3 on a fine grid, whose error is 1e−6 and (2π/256)²
    const [fine, h] = [256, 1e-3];
    const [before, at, after] = coleHopf(waves, problem, [0.5 - h, 0.5, 0.5 + h], fine) as [
      number[],
      number[],
      number[],
    ];
    const d = problem.length / fine;
    const residuals = at.map((u, i) => {
      const [left, right] = [at[(i + fine - 1) % fine]!, at[(i + 1) % fine]!];
      const change = (after[i]! - before[i]!) / (2 * h);
      return change + (u * (right - left)) / (2 * d) - (0.2 * (left - 2 * u + right)) / d ** 2;
    });
    expect(Math.max(...residuals.map(Math.abs))).to.be.below(3e-3);
  });

  it("keeps the total of u", async () => {
    const start = [0.3, 1, 0.2, -0.5, 0.1, 0];
    const found = await end(burgers({ points: 6, spacing: 1, boundary: "periodic" }), start, 2, 0.05);
    const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value);
    expect(total(found)).to.be.closeTo(total(start), 1e-14);
  });
});

describe("Gray and Scott's equation by lines", () => {
  const { start, ends } = JSON.parse(
    readFileSync(new URL("gray-scott-scipy.json", import.meta.url), "utf8"),
  ) as { start: number[]; ends: Record<Boundary, number[]> };

  for (const boundary of boundaries) {
    it(`is solved as SciPy solves it: ${boundary}`, async () => {
      const field = grayScott({ rows: 6, columns: 5, spacing: 0.02, boundary });
      for (const method of ["rk4", methodNamed("dopri5", { coupling: 0.9 })]) {
        // h⁴ times a few rates of 0.1 to 0.4 over 20; SciPy's tolerance is 1e−12
        expect(distance(await end(field, start, 20, 0.05, method), ends[boundary])).to.be.below(1e-8);
      }
    });
  }
});

describe("equations by lines", () => {
  it("refuse grids and boundaries that are none", () => {
    expect(() => heat({ points: 1, spacing: 1, boundary: "zero" })).to.throw(
      OptionError,
      "two points or more",
    );
    expect(() => heat({ points: 4, spacing: 0, boundary: "zero" })).to.throw(
      OptionError,
      "positive distance",
    );
    expect(() => burgers({ points: 4, spacing: 1, boundary: "open" as "zero" })).to.throw(
      OptionError,
      "periodic",
    );
    expect(() => grayScott({ rows: 4, columns: 4, spacing: 1, boundary: "zero", F: 1 } as never)).to.throw(
      OptionError,
      "F is feed",
    );
  });
});
