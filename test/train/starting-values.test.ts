import { expect } from "chai";
import { tensor } from "../../src/core/tensor.js";
import { symbolicField } from "../../src/fields/symbolic/symbolic-field.js";
import { startingValues } from "../../src/train/starting-values.js";

/** Decay towards b/a, and its slope as a second state of another size: x = b/a + (x₀ − b/a) exp(−a t). */
function decay(times: readonly number[], a: number, b: number, x0: number): number[] {
  return times.flatMap((t) => {
    const x = b / a + (x0 - b / a) * Math.exp(-a * t);
    return [x, 1000 * x];
  });
}

describe("starting values of equations", () => {
  const times = Array.from({ length: 41 }, (_, i) => i / 20);
  const values = decay(times, 1.5, 6, 10);

  it("are near the truth, whatever the guesses and the sizes of states", async () => {
    const field = symbolicField("dx = b - a*x; dy = c*b - a*y");
    const found = (await startingValues(field, [{ times, values }], ["a", "b", "c"]))!;
    // trapezia of step 1/20 are good to h² a² / 12
    expect(found.parameters.a).to.be.closeTo(1.5, 0.01);
    expect(found.parameters.b).to.be.closeTo(6, 0.03);
    expect(found.parameters.c).to.be.closeTo(1000, 5);
    expect(found.y0[0]![0]).to.be.closeTo(10, 0.02);
  });

  it("hold the parameters that were given, and keep others within their bounds", async () => {
    const field = symbolicField("dx = b - a*x; dy = 1000*b - a*y", {
      parameters: { a: 1.2, b: { guess: 3, low: 2, high: 4 } },
    });
    const found = (await startingValues(field, [{ times, values }], ["b"]))!;
    expect(found.parameters).to.deep.equal({ b: 4 });
  });

  it("need every state somewhere, and bridge gaps", async () => {
    const field = symbolicField("dx = b - a*x; dy = 1000*b - a*y");
    const gaps = values.map((value, i) => (i % 2 === 1 && i % 5 !== 0 ? Number.NaN : value));
    const found = (await startingValues(field, [{ times, values: gaps }], ["a", "b"]))!;
    // lines across gaps of 0.5 are good to a tenth
    expect(found.parameters.a).to.be.closeTo(1.5, 0.15);
    const lost = values.map((value, i) => (i % 2 === 1 ? Number.NaN : value));
    expect(await startingValues(field, [{ times, values: lost }], ["a", "b"])).to.equal(null);
  });

  it("are those of all trajectories together, each with an initial state of its own, and driven by what drives them", async () => {
    const field = symbolicField("dx = a*(u - x)", {
      inputs: { names: ["u"], at: (_, theta) => theta.drive! },
    });
    const driven = (on: readonly number[]) => ({
      drive: tensor(
        "float64",
        [on.length, 1],
        on.map((t) => Math.sin(t)),
      ),
    });
    // x = (a² sin t − a cos t) / (1 + a²) + c exp(−a t)
    const exact = (a: number, c: number) =>
      times.map((t) => (a * a * Math.sin(t) - a * Math.cos(t)) / (1 + a * a) + c * Math.exp(-a * t));
    const observed = [0, 3].map((c) => ({ times, values: exact(2, c), driven }));
    const found = (await startingValues(field, observed, ["a"]))!;
    expect(found.parameters.a).to.be.closeTo(2, 0.01);
    expect(found.y0.map((y0) => y0![0]!)).to.deep.equal(observed.map(({ values }) => values[0]!));
  });

  it("begin at a small positive number where noise made less than nothing of a quantity", async () => {
    // from below 0 this grows without bound in finite time
    const field = symbolicField("dx = a*x*(1 - x)");
    const logistic = times.map((t) => 1 / (1 + 99 * Math.exp(-5 * t)));
    const noisy = logistic.map((x, i) => (i === 0 ? -0.05 : x));
    const found = (await startingValues(field, [{ times, values: noisy }], ["a"]))!;
    expect(found.parameters.a).to.be.closeTo(5, 0.5);
    expect(found.y0[0]![0]).to.be.within(0, 0.05);
  });
});
