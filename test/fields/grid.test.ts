import { expect } from "chai";
import { numbers, ShapeError, tensor } from "../../src/core/tensor.js";
import { type Boundary, laplacian, slopeAlong } from "../../src/fields/grid.js";
import { Builder } from "../../src/graph/builder.js";
import { jit } from "../../src/runtimes/jit/jit.js";
import { distance } from "../support/distance.js";
import { evaluate } from "../support/evaluate.js";

const [n, d] = [12, 0.25];
const line = (f: (i: number) => number) => Array.from({ length: n }, (_, i) => f(i));

/** Δy and ∂y/∂x of [1, 12]. */
async function derivatives(y: readonly number[], boundary: Boundary) {
  const found = await evaluate(jit(), { y: tensor("float64", [1, n], y) }, (b, v) => ({
    second: laplacian(b, v.y!, { spacing: d, boundary }),
    first: slopeAlong(b, v.y!, { spacing: d, boundary }),
  }));
  return { second: numbers(found.second), first: numbers(found.first) };
}

// sums of three numbers over d² = 1/16
const tolerance = 1e-13;

describe("derivatives on a grid", () => {
  /** Waves that fit the grid and its ends, each with its angle from one point to the next. */
  const waves: readonly [Boundary, angle: number, (x: number) => number][] = [
    ["periodic", (2 * Math.PI * 2) / n, Math.cos],
    ["periodic", (2 * Math.PI * 3) / n, Math.sin],
    // 0 one point before the first and after the last
    ["zero", (Math.PI * 3) / (n + 1), Math.sin],
    // level at the first and last points
    ["reflecting", (Math.PI * 3) / (n - 1), Math.cos],
  ];
  for (const [boundary, angle, wave] of waves) {
    it(`are those of the waves that fit between its ends: ${boundary}, ${wave.name}`, async () => {
      const shift = boundary === "zero" ? 1 : 0;
      const y = line((i) => wave(angle * (i + shift)));
      const { second, first } = await derivatives(y, boundary);
      // (e^{iα} − 2 + e^{−iα}) / d²
      const factor = -((2 * Math.sin(angle / 2)) ** 2) / d ** 2;
      expect(
        distance(
          second,
          y.map((value) => factor * value),
        ),
      ).to.be.below(tolerance);
      const turned = line((i) =>
        wave === Math.cos ? -Math.sin(angle * (i + shift)) : Math.cos(angle * (i + shift)),
      );
      expect(
        distance(
          first,
          turned.map((value) => (value * Math.sin(angle)) / d),
        ),
      ).to.be.below(tolerance);
    });
  }

  it("go in both directions of a plane, of each channel by itself", async () => {
    const f = (c: number, i: number, j: number) =>
      (c + 1) * Math.cos((2 * Math.PI * i) / 4) * Math.sin((2 * Math.PI * j) / 6);
    const y = [0, 1].flatMap((c) => [0, 1, 2, 3].flatMap((i) => [0, 1, 2, 3, 4, 5].map((j) => f(c, i, j))));
    const options = { spacing: 0.5, boundary: "periodic" } as const;
    const { all, down, across } = await evaluate(
      jit(),
      { y: tensor("float64", [1, 2, 4, 6], y) },
      (b, v) => ({
        all: laplacian(b, v.y!, { ...options, dimensions: 2 }),
        down: slopeAlong(b, v.y!, { ...options, axis: -2 }),
        across: slopeAlong(b, v.y!, options),
      }),
    );
    const factor = -4 * (4 * Math.sin(Math.PI / 4) ** 2 + 4 * Math.sin(Math.PI / 6) ** 2);
    expect(
      distance(
        numbers(all),
        y.map((value) => factor * value),
      ),
    ).to.be.below(tolerance);
    // at i = 0, j = 0 of the first channel, by hand
    expect(numbers(down)[0]).to.be.closeTo(f(0, 1, 0) - f(0, 3, 0), 1e-15);
    expect(numbers(across)[0]).to.be.closeTo(f(0, 0, 1) - f(0, 0, 5), 1e-15);
  });

  it("refuse what has no grid", () => {
    const b = new Builder();
    const take = (shape: number[], dimensions: 1 | 2) => () =>
      laplacian(b, b.input(`y${shape}`, "float64", shape), { spacing: 1, boundary: "zero", dimensions });
    expect(take([5], 1)).to.throw(ShapeError, "[batch, …, points]");
    expect(take([2, 5], 2)).to.throw(ShapeError, "rows, columns");
    expect(take([2, 1], 1)).to.throw(ShapeError, "two points or more");
  });
});
