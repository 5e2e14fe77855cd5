import { expect } from "chai";
import { exactness, fitsPattern } from "../../src/core/name-pattern.js";

describe("patterns of names", () => {
  it("take * for any characters, separators among them, and ? for one", () => {
    for (const [name, pattern] of [
      ["const_1", "const_1"],
      ["const_1", "*"],
      ["const_1", "const_?"],
      ["net.0.weight", "net.*.weight"],
      ["a/b/ReadVariableOp:0", "*/ReadVariableOp*"],
      ["abcbc", "a*bc"],
      ["", "*"],
      ["", ""],
    ]) {
      expect(fitsPattern(name!, pattern!), `${name} by ${pattern}`).to.equal(true);
    }
    for (const [name, pattern] of [
      ["const_1", "const_"],
      ["const_12", "const_?"],
      ["const_1", "onst_1"],
      ["abcbd", "a*bc"],
      ["a", ""],
      ["", "?"],
    ]) {
      expect(fitsPattern(name!, pattern!), `${name} by ${pattern}`).to.equal(false);
    }
  });

  it("take all other characters as themselves", () => {
    expect(fitsPattern("a.b", "a.b")).to.equal(true);
    expect(fitsPattern("axb", "a.b")).to.equal(false);
    expect(fitsPattern("w[0]", "w[0]")).to.equal(true);
    expect(fitsPattern("x+", "x+")).to.equal(true);
  });

  it("are matched in no more than the product of the lengths, whatever they are", () => {
    const started = performance.now();
    expect(fitsPattern(`${"a".repeat(5000)}b`, `${"*a".repeat(2000)}c`)).to.equal(false);
    // 10⁷ comparisons take some 50 ms; one that tried all ways would not end
    expect(performance.now() - started).to.be.lessThan(5000);
  });

  it("say as much of a name as they have characters of their own", () => {
    expect([exactness("*"), exactness("net.*"), exactness("net.0?")]).to.deep.equal([0, 4, 5]);
  });
});
