import { expect } from "chai";
import { inverseOf } from "../../src/learning/linear-systems.js";
import { leastSquares, normalMatrix } from "../../src/train/least-squares.js";

/** NIST's Misra1a: y = b₁ (1 − exp(−b₂ x)), monomolecular absorption. */
const misra = {
  y: [10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02, 44.82, 50.76, 55.05, 61.01, 66.4, 75.47, 81.78],
  x: [77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8, 378.4, 434.8, 477.3, 536.8, 593.1, 689.1, 760.0],
  at([b1, b2]: readonly number[]) {
    const decay = this.x.map((x) => Math.exp(-b2! * x));
    return {
      residuals: this.y.map((y, i) => b1! * (1 - decay[i]!) - y),
      jacobian: [decay.map((d) => 1 - d), this.x.map((x, i) => b1! * x * decay[i]!)],
    };
  },
};

describe("least squares", () => {
  it("finds NIST's certified values of Misra1a from both of its starts, and their standard deviations", async () => {
    for (const start of [
      [500, 0.0001],
      [250, 0.0005],
    ]) {
      const found = (await leastSquares((x) => misra.at(x), start))!;
      expect(found.converged).to.equal(true);
      // certified to 11 digits; the fit ends where ‖r‖² changes by less than 1e−10 of it
      expect(found.x[0]).to.be.closeTo(238.94212918, 1e-4);
      expect(found.x[1]).to.be.closeTo(5.5015643181e-4, 1e-9);
      expect(found.cost).to.be.closeTo(0.12455138894, 1e-10);
      const variance = found.cost / (14 - 2);
      const [c1, c2] = inverseOf(normalMatrix(found))!.map((row, i) => Math.sqrt(variance * row[i]!));
      expect(c1).to.be.closeTo(2.7070075241, 1e-5);
      expect(c2).to.be.closeTo(7.2668688436e-6, 1e-11);
    }
  });

  it("stays within bounds, and ends on one where the minimum lies beyond it", async () => {
    const seen: number[] = [];
    const found = (await leastSquares(
      (x) => {
        seen.push(x[0]!);
        return misra.at(x);
      },
      [150, 0.0005],
      { low: [100, -Infinity], high: [200, Infinity] },
    ))!;
    expect(found.x[0]).to.equal(200);
    expect(seen.every((value) => value >= 100 && value <= 200)).to.equal(true);
    // with b₁ = 200 the best b₂ has no slope left
    const { residuals, jacobian } = misra.at(found.x);
    const slope = jacobian[1]!.reduce((sum, d, i) => sum + d * residuals[i]!, 0);
    expect(Math.abs(slope)).to.be.lessThan(1e-3 * Math.hypot(...jacobian[1]!) * Math.hypot(...residuals));
  });

  it("steps back from where there are no residuals, and says so where there are none at the start", async () => {
    const at = ([x]: readonly number[]) =>
      x! > 3 ? null : { residuals: [x! ** 2 - 4], jacobian: [[2 * x!]] };
    expect((await leastSquares(at, [0.1]))!.x[0]).to.be.closeTo(2, 1e-6);
    expect(await leastSquares(at, [4])).to.equal(null);
    expect(await leastSquares(() => ({ residuals: [Number.NaN], jacobian: [[1]] }), [0])).to.equal(null);
  });

  it("has no inverse of a matrix that is singular to rounding", () => {
    expect(
      inverseOf([
        [1, 1],
        [1, 1],
      ]),
    ).to.equal(null);
    expect(inverseOf([[0]])).to.equal(null);
    const inverse = inverseOf([
      [4, 2],
      [2, 3],
    ])!;
    // a few roundings
    inverse.flat().forEach((value, i) => {
      expect(value).to.be.closeTo([3 / 8, -1 / 4, -1 / 4, 1 / 2][i]!, 1e-15);
    });
  });
});
