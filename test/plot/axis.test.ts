import { expect } from "chai";
import fc from "fast-check";
import { type Axis, axisTitle, domainOf, minorTicksOf, ticksOf } from "../../src/plot/axis.js";
import { ChartError } from "../../src/plot/chart-error.js";

const linear: Axis = { title: "time", unit: "s" };
const log: Axis = { title: "loss", scale: "log" };
const labels = (axis: Axis, domain: [number, number], count: number): string[] =>
  ticksOf(axis, domain, count).map(({ label }) => label);

describe("axisTitle", () => {
  it("puts the unit in brackets", () => {
    expect(axisTitle(linear)).to.equal("time (s)");
    expect(axisTitle(log)).to.equal("loss");
  });
});

describe("minorTicksOf", () => {
  it("marks the multiples of each power of ten on a log axis, closer and closer to the next", () => {
    expect(minorTicksOf(log, [0.15, 25])).to.deep.equal([
      ...[0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
      ...[1, 2, 3, 4, 5, 6, 7, 8, 9],
      ...[10, 20],
    ]);
    expect(minorTicksOf(linear, [0.15, 25])).to.deep.equal([]);
  });

  it("marks the powers alone where there are many", () => {
    expect(minorTicksOf(log, [1e-6, 1e2])).to.have.length(9);
  });
});

describe("domainOf", () => {
  it("spans the finite values, with a margin of the whole on either side", () => {
    expect(domainOf(linear, [0, Number.NaN, 10, Infinity], 0.1)).to.deep.equal([-1, 11]);
    expect(domainOf(linear, [0, 10], 0)).to.deep.equal([0, 10]);
  });

  it("leaves out on a log axis what is not positive, and takes the margin in decades", () => {
    const [low, high] = domainOf(log, [-5, 0, 1e-4, 1], 0.25);
    // Powers are not exact in float64.
    expect(low).to.be.closeTo(1e-5, 1e-18);
    expect(high).to.be.closeTo(10, 1e-12);
  });

  it("has room around a single value, and something to show for none", () => {
    expect(domainOf(linear, [5, 5], 0.05)).to.deep.equal([4.75, 5.25]);
    expect(domainOf(linear, [0], 0)).to.deep.equal([-0.5, 0.5]);
    expect(domainOf(linear, [], 0)).to.deep.equal([0, 1]);
    expect(domainOf(log, [-1], 0)).to.deep.equal([1, 10]);
  });

  it("refuses ends that make no axis", () => {
    const ends: [Axis, number, number][] = [
      [linear, 1, 1],
      [linear, 2, 1],
      [linear, Number.NaN, 1],
      [linear, 0, Infinity],
      [linear, 0, 1e-310],
      [log, 0, 1],
    ];
    for (const [axis, low, high] of ends) {
      expect(() => domainOf({ ...axis, domain: [low, high] }, [], 0)).to.throw(ChartError, /smaller first/);
    }
  });

  it("is finite, increasing and around all values, whatever they are", () => {
    fc.assert(
      fc.property(fc.array(fc.double()), fc.boolean(), (values, isLog) => {
        const axis = isLog ? log : linear;
        const [low, high] = domainOf(axis, values, 0.05);
        expect(low).to.be.below(high);
        expect(Number.isFinite(low) && Number.isFinite(high) && (!isLog || low > 0)).to.equal(true);
        const ticks = ticksOf(axis, [low, high], 6);
        expect(ticks.length).to.be.at.most(13);
        for (const { value, label } of ticks) {
          expect(value).to.be.within(low * (low < 0 ? 1 + 1e-9 : 1 - 1e-9), high + Math.abs(high) * 1e-9);
          expect(label).to.match(/^−?[\d.\u2009]+(×10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+|[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]*)$/);
        }
      }),
      { seed: 8, numRuns: 500 },
    );
  });
});

describe("ticksOf", () => {
  it("labels round values, with a proper minus and thin spaces between thousands", () => {
    expect(labels(linear, [-1, 1], 4)).to.deep.equal(["−1.0", "−0.5", "0.0", "0.5", "1.0"]);
    expect(labels(linear, [0, 20_000], 2)).to.deep.equal(["0", "10\u2009000", "20\u2009000"]);
  });

  it("gives very large and very small labels one power of ten", () => {
    expect(labels(linear, [0, 2e6], 2)).to.deep.equal(["0", "1×10⁶", "2×10⁶"]);
    expect(labels(linear, [-1e-4, 5e-5], 3)).to.deep.equal(["−1×10⁻⁴", "−0.5×10⁻⁴", "0", "0.5×10⁻⁴"]);
    expect(labels(linear, [0, 2e-299], 2)).to.deep.equal(["0", "1×10⁻²⁹⁹", "2×10⁻²⁹⁹"]);
  });

  it("labels powers of ten on a log axis, only every so many where there are many", () => {
    expect(labels(log, [1e-3, 1], 6)).to.deep.equal(["0.001", "0.01", "0.1", "1"]);
    expect(labels(log, [1e-5, 1e-2], 6)).to.deep.equal(["10⁻⁵", "10⁻⁴", "10⁻³", "10⁻²"]);
    expect(labels(log, [1e-12, 1], 5)).to.deep.equal(["10⁻¹²", "10⁻⁹", "10⁻⁶", "10⁻³", "10⁰"]);
  });

  it("has 2 and 5 between the powers of ten where there are few, and round values within one decade", () => {
    expect(labels(log, [0.1, 10], 6)).to.deep.equal(["0.1", "0.2", "0.5", "1", "2", "5", "10"]);
    expect(labels(log, [2.1, 3.9], 4)).to.deep.equal(["2.5", "3.0", "3.5"]);
  });
});
