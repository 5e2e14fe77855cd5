import { expect } from "chai";
import fc from "fast-check";
import { numbers } from "../../src/core/tensor.js";
import {
  gridTensors,
  gridThrough,
  gridWith,
  savesEveryStep,
  stepsOf,
  TimeError,
} from "../../src/programs/grid.js";

const seeded = { seed: 13 };

describe("a time grid", () => {
  const gaps = fc.array(fc.double({ min: 1e-3, max: 10, noNaN: true }), { minLength: 1, maxLength: 6 });

  it("hits every save exactly, in the fewest equal steps no longer than asked for, either way in time", () => {
    fc.assert(
      fc.property(
        fc.double({ min: -5, max: 5, noNaN: true }),
        gaps,
        fc.double({ min: 0.01, max: 3, noNaN: true }),
        fc.constantFrom(1, -1),
        (t0, lengths, stepSize, direction) => {
          let t = t0;
          const saves = lengths.map((length) => {
            t += direction * length;
            return t;
          });
          const { times, offsets } = gridThrough(t0, saves, stepSize);
          expect([times[0], offsets[0]]).to.deep.equal([t0, 0]);
          expect(offsets.length).to.equal(saves.length + 1);
          for (const [i, save] of saves.entries()) {
            const [from, to] = [offsets[i]!, offsets[i + 1]!];
            expect(times[to]).to.equal(save);
            const stretch = Math.abs(save - times[from]!);
            // a millionth of a step more, so that a whole number of steps is not one more by rounding
            expect(stretch / (to - from)).to.be.at.most(stepSize * (1 + 1e-6));
            if (to - from > 1) expect(stretch / (to - from - 1)).to.be.above(stepSize);
            for (let k = from; k < to; k++) {
              const h = (times[k + 1]! - times[k]!) * direction;
              expect(h).to.be.closeTo(stretch / (to - from), 1e-13);
            }
          }
          expect(stepsOf({ times, offsets })).to.equal(offsets.at(-1));
        },
      ),
      seeded,
    );
  });

  it("takes as many steps as there are, where the step size divides the time only up to rounding", () => {
    expect(stepsOf(gridThrough(0, [1], 0.1))).to.equal(10);
    expect(stepsOf(gridThrough(0, [0.3], 0.1))).to.equal(3);
    const saves = Array.from({ length: 1000 }, (_, i) => ((i + 1) * 5) / 1000);
    expect(savesEveryStep(gridThrough(0, saves, 0.005))).to.equal(true);
  });

  it("may save at t0, which takes no step", () => {
    expect(gridThrough(2, [2, 3], 1)).to.deep.equal({ times: [2, 3], offsets: [0, 0, 1] });
    expect(gridThrough(2, [2], 1)).to.deep.equal({ times: [2], offsets: [0, 0] });
  });

  it("may save at one time twice, which takes no step in between", () => {
    expect(gridThrough(0, [0, 0, 1, 1, 1, 2], 1)).to.deep.equal({
      times: [0, 1, 2],
      offsets: [0, 0, 0, 1, 1, 1, 2],
    });
    expect(gridWith(0, [0, 1, 1, 2], [0.5])).to.deep.equal({
      times: [0, 0.5, 1, 2],
      offsets: [0, 0, 2, 2, 3],
    });
    expect(savesEveryStep(gridThrough(0, [1, 1], 1))).to.equal(false);
  });

  it("knows whether each step ends at a save", () => {
    expect(savesEveryStep(gridThrough(0, [1, 2, 3], 1))).to.equal(true);
    expect(savesEveryStep(gridThrough(0, [1, 2, 3], 0.5))).to.equal(false);
    expect(savesEveryStep(gridThrough(0, [0, 1], 1))).to.equal(false);
  });

  it("becomes the times and sizes of steps, which add up to the whole", () => {
    const grid = gridThrough(1, [0.75, -1], 0.5);
    const { t0, t1, h, offsets } = gridTensors(grid, "float64");
    expect(numbers(t0!)).to.deep.equal([1, 0.75, 0.3125, -0.125, -0.5625]);
    expect(numbers(t1!)).to.deep.equal([0.75, 0.3125, -0.125, -0.5625, -1]);
    expect(numbers(h!)).to.deep.equal([-0.25, -0.4375, -0.4375, -0.4375, -0.4375]);
    expect([...offsets!.data]).to.deep.equal([0n, 1n, 5n]);
    expect(gridTensors(grid, "float32").h!.dtype).to.equal("float32");
  });

  const wrong: [string, number, number[], number, string][] = [
    ["a step size of zero", 0, [1], 0, "must be a positive number, but 0"],
    ["a negative step size", 0, [1], -1, "must be a positive number, but -1"],
    ["a step size that is no number", 0, [1], Number.NaN, "but NaN"],
    [
      "an initial time that is no number",
      Number.NaN,
      [1],
      1,
      "initial time must be a finite number, but NaN",
    ],
    ["no time to save at", 0, [], 1, "at least one time to save at"],
    ["times that turn back", 0, [1, 0.5, 2], 1, "increase from the initial time 0, but 0.5 follows 1"],
    ["times before the initial one", 1, [0, 2], 1, "increase from the initial time 1, but 0 follows 1"],
    [
      "times that rise where they should fall",
      5,
      [4, 4.5, 3],
      1,
      "decrease from the initial time 5, but 4.5 follows 4",
    ],
    ["an infinite time", 0, [1, Number.POSITIVE_INFINITY], 1, "Infinity follows 1"],
    ["more than 100 000 000 steps", 0, [1], 1e-9, "Enlarge the step size"],
  ];
  for (const [what, t0, saves, stepSize, message] of wrong) {
    it(`refuses ${what}`, () => {
      expect(() => gridThrough(t0, saves, stepSize)).to.throw(TimeError, message);
    });
  }
});
