import { expect } from "chai";
import { thin } from "../../src/plot/thin.js";

const length = 100_000;
const limit = 2_000;
const steps = Float64Array.from({ length }, (_, i) => i);
const wave = Float64Array.from({ length }, (_, i) => Math.sin(i / 700) + 0.2 * Math.sin(i * 1.7));

describe("thin", () => {
  it("keeps every point of a series up to the limit", () => {
    expect(thin({ x: [0, 1, 2], y: [5, Number.NaN, 6] }, 3)).to.deep.equal([0, 1, 2]);
    expect(thin({ x: [], y: [] }, 3)).to.deep.equal([]);
  });

  it("keeps no more than the limit, in order, from the first point to the last", () => {
    const kept = thin({ x: steps, y: wave }, limit);
    expect(kept.length).to.be.at.most(limit);
    expect(kept).to.deep.equal([...new Set(kept)].sort((a, b) => a - b));
    expect([kept[0], kept.at(-1)]).to.deep.equal([0, length - 1]);
  });

  it("keeps a single spike, and the greatest and least of every stretch", () => {
    const spiked = wave.with(54_321, 9);
    const kept = thin({ x: steps, y: spiked }, limit);
    expect(kept).to.include(54_321);
    const stretch = length / Math.floor(limit / 7);
    for (let start = 0; start < length; start += 10 * stretch) {
      // Ten buckets, whose borders need not be those of the stretch; so its inner eight must agree.
      const from = start + stretch;
      const to = Math.min(length, start + 9 * stretch);
      const most = wave.slice(from, to).reduce((a, b) => Math.max(a, b));
      const drawn = kept.filter((i) => i >= start && i < start + 10 * stretch).map((i) => spiked[i]!);
      expect(Math.max(...drawn)).to.be.at.least(most);
    }
  });

  it("keeps a gap, however short", () => {
    const kept = thin({ x: steps, y: wave.with(70_007, Number.NaN) }, limit);
    expect(kept).to.include(70_007);
  });

  it("keeps the outline of a curve that turns back in x", () => {
    const x = Float64Array.from({ length }, (_, i) => Math.cos(i / 500));
    const kept = thin({ x, y: wave }, limit);
    expect(Math.min(...kept.map((i) => x[i]!))).to.equal(x.reduce((a, b) => Math.min(a, b)));
  });
});
