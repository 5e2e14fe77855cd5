import { expect } from "chai";
import fc from "fast-check";
import { numbers } from "../../src/core/tensor.js";
import type { DataContext } from "../../src/experiments/experiment.js";
import { columnScale, ownData } from "../../src/experiments/own-data.js";
import { formatTimeSeries, parseTimeSeries, type TimeSeries } from "../../src/storage/csv.js";
import type { Trajectories } from "../../src/train/data.js";

const series = (text: string): TimeSeries => parseTimeSeries(text, { source: "test" });
const dataOf = (text: string): Trajectories =>
  // the data of a series depend on nothing but the series
  ownData("test", series(text)).data({} as DataContext) as Trajectories;

describe("own data", () => {
  it("starts in the first row, and learns from the others", () => {
    const { t0, times, y0, observations } = dataOf("t,x,y\n3,1,2\n4,5,6\n7,,8\n");
    expect({ t0, times: [...times] }).to.deep.equal({ t0: 3, times: [4, 7] });
    expect(y0).to.deep.include({ shape: [1, 2] });
    expect(numbers(y0)).to.deep.equal([1, 2]);
    expect(observations.shape).to.deep.equal([2, 1, 2]);
    expect(numbers(observations)).to.deep.equal([5, 6, Number.NaN, 8]);
  });

  it("starts a gap in the first row at the column's first observation, and learns from that row too", () => {
    const { trainY0 } = ownData("test", series("t,x,y\n0,,2\n1,,3\n2,7,4\n"));
    const { times, y0, observations } = dataOf("t,x,y\n0,,2\n1,,3\n2,7,4\n");
    expect(trainY0).to.equal(true);
    expect(numbers(y0)).to.deep.equal([7, 2]);
    expect([...times]).to.deep.equal([0, 1, 2]);
    expect(numbers(observations).slice(0, 2)).to.deep.equal([Number.NaN, 2]);
    expect(ownData("test", series("t,x\n0,1\n1,2\n")).trainY0).to.equal(false);
  });

  it("measures each column by its mean and standard deviation over what was observed", () => {
    const { shift, scale } = columnScale(series("t,x,y\n0,1,\n1,3,10\n2,5,30\n"));
    expect(shift[0]).to.be.closeTo(3, 1e-15);
    expect(scale[0]).to.be.closeTo(Math.sqrt(8 / 3), 1e-15);
    expect(shift[1]).to.be.closeTo(20, 1e-14);
    expect(scale[1]).to.be.closeTo(10, 1e-14);
  });

  it("measures columns of any size: the scale of a multiple is the multiple of the scale", () => {
    const column = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 2, maxLength: 20 });
    fc.assert(
      fc.property(column, fc.integer({ min: -900, max: 900 }), (values, exponent) => {
        const at = (factor: number) =>
          columnScale(
            series(
              formatTimeSeries({
                timeName: "t",
                names: ["x"],
                times: values.map((_, i) => i),
                values: values.map((v) => v * factor),
              }),
            ),
          );
        const most = Math.max(...values.map(Math.abs));
        fc.pre(most > 1e-3);
        const [one, other] = [at(1), at(2 ** exponent)];
        expect(other.scale[0]).to.be.greaterThan(0);
        // a power of two changes no digit
        expect(other.scale[0]! / 2 ** exponent).to.equal(one.scale[0]);
        expect(other.shift[0]! / 2 ** exponent).to.equal(one.shift[0]);
      }),
      { seed: 1 },
    );
  });

  it("takes a constant column's own size for its scale, in spite of rounding", () => {
    // the mean of three 0.1 is not 0.1 in float64
    expect(columnScale(series("t,x\n0,0.1\n1,0.1\n2,0.1\n")).scale[0]).to.equal(0.1);
    expect(columnScale(series("t,x\n0,-5e6\n1,-5e6\n")).scale[0]).to.equal(5e6);
    expect(columnScale(series("t,x\n0,0\n1,0\n")).scale[0]).to.equal(1);
    expect(columnScale(series("t,x\n0,\n1,3\n")).scale[0]).to.equal(3);
  });

  it("steps twice from row to row, but never by more than the series needs", () => {
    const stepSize = (text: string) => ownData("test", series(text)).protocol.stepSize;
    expect(stepSize("t,x\n0,1\n1,1\n2,1\n10,1\n")).to.equal(0.5);
    expect(stepSize("t,x\n0,1\n1e-9,1\n2e-9,1\n1,1\n")).to.equal(1e-4);
  });

  it("takes very many columns in one pass over the numbers, and names the first of them", function () {
    // a pass for each column took minutes
    this.timeout(5000);
    const columns = 50_000;
    const wide: TimeSeries = {
      ...series("t,x\n0,1\n1,3\n"),
      names: Array.from({ length: columns }, (_, i) => `c${i}`),
      columns,
      rows: 2,
      values: Float64Array.from({ length: 2 * columns }, (_, i) => (i < columns ? 1 : 3)),
    };
    const { about, lossScale } = ownData("wide", wide);
    expect(about).to.match(/^2 times of c0, .*c19 and 49980 more$/);
    expect(lossScale!.every((scale) => scale === 1)).to.equal(true);
  });
});
