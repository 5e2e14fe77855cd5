import { expect } from "chai";
import fc from "fast-check";
import { SizeError } from "../../src/core/size.js";
import {
  type Dim,
  dimAt,
  dimGiven,
  productOf,
  quotientOf,
  summandsOf,
  sumOf,
  symbolNamed,
} from "../../src/graph/dimension.js";

const sizes = { batch: 7, n: 3 };
const at = (dim: Dim) => dimAt(dim, (symbol) => sizes[symbol as keyof typeof sizes]);
const dim: fc.Arbitrary<Dim> = fc
  .record({ constant: fc.nat(9), batch: fc.nat(9), n: fc.nat(9), both: fc.nat(3) })
  .map(({ constant, batch, n, both }) =>
    sumOf([constant, productOf([batch, "batch"]), productOf([n, "n"]), productOf([both, "n", "batch"])]),
  );

describe("dimensions", () => {
  it("add and multiply as the numbers do that they stand for", () => {
    fc.assert(
      fc.property(fc.array(dim, { maxLength: 3 }), (dims) => {
        expect(at(sumOf(dims))).to.equal(dims.reduce<number>((sum, d) => sum + at(d), 0));
        expect(at(productOf(dims))).to.equal(dims.reduce<number>((product, d) => product * at(d), 1));
      }),
      { seed: 1 },
    );
  });

  it("have one spelling, whatever led to them", () => {
    expect(productOf(["batch", 6])).to.equal("6*batch");
    expect(sumOf(["n", 1, "batch", "n"])).to.equal("batch+2*n+1");
    expect(sumOf(["batch", productOf(["batch", -1])])).to.equal(0);
    expect(productOf([0, "batch"])).to.equal(0);
    fc.assert(
      fc.property(dim, dim, dim, (a, b, c) => {
        expect(sumOf([a, sumOf([b, c])])).to.equal(sumOf([sumOf([c, a]), b]));
        expect(productOf([a, b])).to.equal(productOf([b, a]));
        expect(dimGiven(a)).to.equal(a);
      }),
      { seed: 2 },
    );
  });

  it("divide where the result is whole for every batch, and only there", () => {
    expect(quotientOf([6, "batch", 16], [6, 8])).to.equal("2*batch");
    expect(quotientOf(["12*batch", 16], [2, 6, 16])).to.equal("batch");
    expect(quotientOf([sumOf(["batch", 1]), 4], [sumOf(["batch", 1]), 2])).to.equal(2);
    expect(quotientOf(["batch"], [2])).to.equal(null);
    expect(quotientOf([sumOf(["2*batch", 1])], [2])).to.equal(null);
    expect(quotientOf([4], ["batch"])).to.equal(null);
    expect(quotientOf([0], [0])).to.equal(null);
    fc.assert(
      fc.property(dim, fc.integer({ min: 1, max: 9 }), (a, k) => {
        expect(quotientOf([productOf([a, "batch", k])], ["batch", k])).to.equal(a);
      }),
      { seed: 3 },
    );
  });

  it("come apart into what they are the sum of", () => {
    expect(summandsOf(sumOf(["in0", "loop1", "in0", 2]))).to.deep.equal(["in0", "in0", "loop1", 2]);
  });

  it("take names of files as names, not as arithmetic", () => {
    for (const name of ["s0*2", "batch + 1", "3", "a-b", ""]) {
      const symbol = symbolNamed(name);
      expect(dimGiven(symbol)).to.equal(symbol);
      expect(quotientOf([productOf([symbol, 6])], [6])).to.equal(symbol);
    }
    expect(dimGiven("b*a")).to.equal("b%2aa");
  });

  it("do not grow without end", () => {
    let grown: Dim = "batch";
    expect(() => {
      for (let i = 0; i < 100; i++) grown = productOf([grown, grown]);
    }).to.throw(SizeError, /concrete input shapes/);
  });
});
