import { expect } from "chai";
import { numbers } from "../../src/core/tensor.js";
import { checkLearnable, scaleOf, seriesData, stratified } from "../../src/experiments/path-classifier.js";
import { DataError } from "../../src/storage/data-error.js";

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

  it("are refused where there is nothing to learn, naming the file", () => {
    const one = (label: string, ...values: number[][]) => ({ label, values });
    const check = (message: string, ...given: ReturnType<typeof one>[]) =>
      expect(() => checkLearnable(given, "x.ts")).to.throw(DataError, message);
    check("x.ts: its series have one time each", one("a", [1]), one("b", [2]));
    check("all its series are of the class a", one("a", [1], [2]), one("a", [2], [3]));
    check("channel 2 of 2 has no value", one("a", [1, nothing], [2, nothing]), one("b", [1, nothing]));
    expect(() => checkLearnable([one("a", [1], [2]), one("b", [nothing], [3])], "x.ts")).not.to.throw();
  });

  it("are split in shares of each class, and refused where a share is none", () => {
    const of = (count: number) =>
      seriesData(
        Array.from({ length: 2 * count }, (_, i) => ({ label: "ab"[i % 2]!, values: [[i], [i]] })),
        "float64",
        { pad: "last" },
      );
    const given = { seed: 0, source: "x.ts" };
    const parts = stratified(of(20), [0.85, 0.15], given);
    expect(parts.map(({ label }) => numbers(label!).filter((c) => c === 1).length)).to.deep.equal([17, 3]);
    const all = parts.flatMap(({ x }) => numbers(x!).filter((_, i) => i % 4 === 1));
    expect([...all].sort((a, b) => a - b)).to.deep.equal(Array.from({ length: 40 }, (_, i) => i));
    expect(() => stratified(of(3), [0.85, 0.15], given)).to.throw(DataError, "4 or more of a class");
    expect(stratified(of(4), [0.85, 0.15], given)[1]!.label!.shape).to.deep.equal([2]);
  });
});
