import { expect } from "chai";
import { tensor } from "../../src/core/tensor.js";
import { confusionChart, confusionOf } from "../../src/experiments/confusion.js";
import type { Cells } from "../../src/plot/chart.js";

const ints = (...values: number[]) => tensor("int64", [values.length], values.map(BigInt));

describe("confusion matrices", () => {
  it("count which classes are taken for which: rows are true, columns found", () => {
    const logits = tensor("float64", [4, 3], [9, 0, 0, 0, 1, 2, 0, 5, 1, 3, 2, 1]);
    expect(confusionOf(ints(0, 1, 1, 2), logits)).to.deep.equal([
      [1, 0, 0],
      [0, 1, 1],
      [1, 0, 0],
    ]);
  });

  it("have no column for samples whose logits are NaN, which are said and are not right", () => {
    const logits = tensor("float64", [2, 2], [9, 0, Number.NaN, 0]);
    const matrix = confusionOf(ints(0, 0), logits);
    expect(matrix).to.deep.equal([
      [1, 0],
      [0, 0],
    ]);
    expect(confusionChart(["a", "b"], { test: matrix }, 2).subtitle).to.equal(
      "50.0 % of 2 right, 1 without a class: their logits are NaN",
    );
  });

  it("are drawn with the first class at the top, numbers in order, as shares of each class", () => {
    const matrix = [
      [3, 1, 0],
      [0, 2, 0],
      [0, 0, 0],
    ];
    const { panels, subtitle } = confusionChart(["2", "10", "1"], { test: matrix }, 6);
    expect(subtitle).to.equal("83.3 % of 6 right");
    const [{ x, y, layers }] = panels as [(typeof panels)[number]];
    expect(x.labels!.map(({ label }) => label)).to.deep.equal(["1", "2", "10"]);
    // upwards
    expect(y.labels!.map(({ label }) => label)).to.deep.equal(["10", "2", "1"]);
    const { values, labels } = layers[0] as Cells;
    expect(Array.from(values)).to.deep.equal([0, 0, 1, 0, 0.75, 0.25, Number.NaN, Number.NaN, Number.NaN]);
    expect(labels).to.deep.equal(["", "", "2", "", "3", "1", "", "", ""]);
  });
});
