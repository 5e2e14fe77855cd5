import { expect } from "chai";
import { atEqualError, secondsAt, type WorkPoint } from "../../benchmarks/work-precision/equal-error.js";

/** A solver whose error falls with a power of the time: e = c t^−p. */
const powerLaw = (c: number, p: number, seconds: readonly number[]): WorkPoint[] =>
  seconds.map((t) => ({ seconds: t, error: c * t ** -p }));

describe("work at equal error", () => {
  it("lies on the line of a power law between its points", () => {
    const points = powerLaw(1e-6, 5, [1, 2, 4]);
    // e = c t^−p at t = 3, to rounding of a logarithm and a power
    expect(secondsAt(points, 1e-6 * 3 ** -5)).to.be.closeTo(3, 1e-12);
    expect(secondsAt(points, 1e-6)).to.be.closeTo(1, 1e-12);
  });

  it("is nothing outside of the errors that were reached", () => {
    const points = powerLaw(1e-6, 5, [1, 2]);
    expect(secondsAt(points, 2e-6)).to.equal(null);
    expect(secondsAt(points, 1e-9)).to.equal(null);
  });

  it("is the least time where a smaller tolerance made the error larger again", () => {
    const points = [
      { seconds: 1, error: 1e-3 },
      { seconds: 2, error: 1e-5 },
      { seconds: 4, error: 1e-3 },
    ];
    expect(secondsAt(points, 1e-4)).to.be.closeTo(Math.SQRT2, 1e-12);
  });

  it("finds the factor between solvers of one order, wherever their points are", () => {
    const slow = powerLaw(1e-6, 4, [6, 12, 24]);
    const fast = powerLaw(1e-6 / 3 ** 4, 4, [1.5, 3, 9]);
    const { smallest, median } = atEqualError([slow], [fast])!;
    expect(smallest).to.be.closeTo(3, 1e-9);
    expect(median).to.be.closeTo(3, 1e-9);
  });

  it("finds the smallest factor where orders differ, at the end where the lower order is better", () => {
    const [low, high] = [powerLaw(1e-4, 2, [1, 100]), powerLaw(1e-4, 4, [1, 10])];
    // t = (1e4 e)^−½ over t = (1e4 e)^−¼: 1 at e = 1e−4, 10 at e = 1e−8
    const { smallest, median, error } = atEqualError([low], [high])!;
    expect(smallest).to.be.closeTo(1, 1e-9);
    expect(error).to.be.closeTo(1e-4, 1e-12);
    // half way in log error; 401 errors are looked at, so within 1 part in 400 of the whole range
    expect(Math.log10(median)).to.be.closeTo(0.5, 0.01);
  });

  it("takes the fastest solver of each library at each error", () => {
    const theirs = [powerLaw(1e-2, 4, [1, 10]), powerLaw(1e-2, 2, [1, 100])];
    const own = [powerLaw(1e-2, 4, [2, 5]).map((point) => ({ ...point, seconds: point.seconds / 2 }))];
    expect(atEqualError(theirs, own)!.smallest).to.be.closeTo(2, 1e-9);
  });

  it("takes no account of errors that are no solution", () => {
    const theirs = [...powerLaw(1e-2, 4, [1, 10])];
    // a hundred times faster than they are, but for errors above a hundredth
    const own = [
      { seconds: 1e-4, error: 1 },
      ...powerLaw(1e-2, 4, [1, 10]).map((p) => ({ ...p, seconds: p.seconds / 100 })),
    ];
    expect(atEqualError([[{ seconds: 1e-4, error: 1 }, ...theirs]], [own])!.smallest).to.be.closeTo(
      100,
      1e-7,
    );
  });

  it("says that there is nothing to compare where no error is reached by both", () => {
    expect(atEqualError([powerLaw(1, 4, [1, 2])], [powerLaw(1, 4, [10, 20])])).to.equal(null);
  });
});
