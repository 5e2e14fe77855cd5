import { expect } from "chai";
import { duration, progressText } from "../../src/cli/progress-text.js";

describe("duration", () => {
  it("names the two largest units, and rounds to the smaller", () => {
    const cases: [number, string][] = [
      [0, "0 s"],
      [0.04, "0 s"],
      [3.14, "3.1 s"],
      [59.4, "59 s"],
      [59.6, "1 min 0 s"],
      [200, "3 min 20 s"],
      [3_599.7, "1 h 0 min"],
      [7_500, "2 h 5 min"],
      [86_399, "1 d 0 h"],
      [273_600, "3 d 4 h"],
    ];
    for (const [seconds, text] of cases) expect(duration(seconds)).to.equal(text);
  });
});

describe("progressText", () => {
  it("shows values in few digits, and texts as they are", () => {
    const fields = { loss: 1.23456e-7, rate: 1234.5678, best: 12, bad: Number.NaN, stage: "warm up" };
    expect(progressText({ label: "x", done: 1, total: 3, pace: {}, fields })).to.equal(
      "x  33 %  1/3  loss 1.235e-7  rate 1235  best 12  bad NaN  stage warm up",
    );
  });
});
