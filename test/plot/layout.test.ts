import { expect } from "chai";
import fc from "fast-check";
import type { Measure } from "../../src/plot/font.js";
import { layOut } from "../../src/plot/layout.js";

/** About the widest that the font gets. */
const measure: Measure = (text, { size }) => text.length * size * 0.6;

describe("layOut", () => {
  it("never lets labels on the x axis touch", () => {
    const anyDomain = fc
      .tuple(fc.double({ min: 1e-9, max: 1e9, noNaN: true }), fc.double({ min: 1e-3, max: 12, noNaN: true }))
      .map(([low, decades]): [number, number] => [low, low * 10 ** decades]);
    fc.assert(
      fc.property(anyDomain, fc.constantFrom("linear", "log"), ([low, high], scale) => {
        const axis = { title: "x", scale, domain: [low, high] } as const;
        const { x, width } = layOut({ x: axis, y: { title: "y" }, layers: [] }, 2, measure);
        const along = (v: number): number =>
          width * (scale === "log" ? Math.log(v / low) / Math.log(high / low) : (v - low) / (high - low));
        for (const [i, tick] of x.ticks.entries()) {
          if (i === 0) continue;
          const before = x.ticks[i - 1]!;
          const room = along(tick.value) - along(before.value);
          const style = { size: 12, weight: 400 } as const;
          expect(room).to.be.above((measure(tick.label, style) + measure(before.label, style)) / 2);
        }
      }),
      { seed: 9, numRuns: 500 },
    );
  });

  it("ends the x axis where curves end, and leaves room around points and curves that turn back", () => {
    const ends = (layer: object): readonly [number, number] =>
      layOut({ x: { title: "x" }, y: { title: "y" }, layers: [layer as never] }, 1, measure).x.domain;
    expect(ends({ kind: "line", x: [0, 1], y: [0, 0] })).to.deep.equal([0, 1]);
    expect(ends({ kind: "points", x: [0, 1], y: [0, 0] })).to.deep.equal([-0.03, 1.03]);
    expect(ends({ kind: "line", x: [0, 1, 0.5], y: [0, 0, 0] })).to.deep.equal([-0.03, 1.03]);
  });
});
