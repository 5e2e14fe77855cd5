import { expect } from "chai";
import { numbers } from "../../src/core/tensor.js";
import { scaleOf, seriesData } from "../../src/experiments/path-classifier.js";

const nothing = Number.NaN;

describe("series that are classified", () => {
  // two channels: 4 and 8, a mean of 6 and a deviation of 2; 1 and 3, of 2 and 1
  const series = [
    {
      label: "a",
      values: [
        [nothing, 1],
        [4, nothing],
        [8, 3],
      ],
    },
    { label: "b", values: [[nothing, nothing]] },
  ];

  it("have the mean of a channel before it is observed, and go on with what was observed last", () => {
    const scale = scaleOf(series);
    expect(scale).to.deep.equal([
      [6, 2],
      [2, 1],
    ]);
    const { data, length, channels } = seriesData(series, "float64", { pad: "last", scale });
    expect([length, channels]).to.deep.equal([3, 3]);
    const [first, second] = [
      [0, 0, -1, 0.5, -1, -1, 1, 1, 1],
      [0, 0, 0, 0.5, 0, 0, 1, 0, 0],
    ];
    expect(numbers(data.x!)).to.deep.equal([...first!, ...second!]);
    expect(data.label!.data).to.deep.equal(BigInt64Array.from([0n, 1n]));
  });

  it("end in zeros where that is asked for", () => {
    const { data } = seriesData(series, "float64", { pad: "zero" });
    expect(numbers(data.x!).slice(9)).to.deep.equal([0, 0, 0, 0.5, 0, 0, 1, 0, 0]);
  });

  it("of which nothing is observed in a channel leave it at its mean, and have no NaN", () => {
    const empty = [{ label: "a", values: [[nothing], [nothing]] }];
    const scale = scaleOf(empty);
    expect(scale).to.deep.equal([[0, 1]]);
    expect(numbers(seriesData(empty, "float64", { pad: "last", scale }).data.x!)).to.deep.equal([0, 0, 1, 0]);
  });
});
