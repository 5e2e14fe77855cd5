import { expect } from "chai";
import fc from "fast-check";
import { editDistance, nearName } from "../../src/core/near-name.js";

describe("nearName", () => {
  it("finds a name within two edits, the closest first", () => {
    expect(nearName("lorentz", ["lorenz", "lorentzian", "spiral"])).to.equal("lorenz");
    expect(nearName("sprial", ["spiral"])).to.equal("spiral");
    expect(nearName("ab", ["abcd", "abc"])).to.equal("abc");
  });

  it("finds nothing beyond two edits, or where nothing would be left of the name", () => {
    expect(nearName("lorentz", ["pendulum", "spiral"])).to.equal(undefined);
    expect(nearName("x", ["y", "zz"])).to.equal(undefined);
  });
});

describe("editDistance", () => {
  it("is symmetric, zero only between equals, and obeys the triangle inequality", () => {
    const word = fc.string({ maxLength: 6, unit: fc.constantFrom("a", "b", "c") });
    fc.assert(
      fc.property(word, word, word, (a, b, c) => {
        expect(editDistance(a, b)).to.equal(editDistance(b, a));
        expect(editDistance(a, b) === 0).to.equal(a === b);
        expect(editDistance(a, c)).to.be.at.most(editDistance(a, b) + editDistance(b, c));
      }),
      { seed: 5 },
    );
  });
});
