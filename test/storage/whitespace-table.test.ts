import { expect } from "chai";
import { DataError } from "../../src/storage/data-error.js";
import { parseWhitespaceTable } from "../../src/storage/whitespace-table.js";

const source = "pendulum.txt";

describe("parseWhitespaceTable", () => {
  it("reads the layout of Schmidt & Lipson: names behind %, CR LF, leading spaces, three-digit exponents", () => {
    const text = "% x1 v1\r\n  0.0e+000  3.3000000000000002e-002 -1.43e+002\r\n\t1 0.067 2\r\n\r\n";
    expect(parseWhitespaceTable(text, { source })).to.deep.equal({
      names: ["x1", "v1"],
      rows: [
        [0, 0.033, -143],
        [1, 0.067, 2],
      ],
    });
  });

  it("has no names where the file has none, and skips further comments", () => {
    expect(parseWhitespaceTable("1 2\n% note\n3 4", { source })).to.deep.equal({
      rows: [
        [1, 2],
        [3, 4],
      ],
    });
    expect(parseWhitespaceTable("%\n1 2\n", { source })).to.deep.equal({ rows: [[1, 2]] });
  });

  it("says what is wrong, where, and what to do", () => {
    const cases: [string, RegExp][] = [
      ["", /^pendulum\.txt: it has no rows of numbers; check that it is the right file\.$/],
      ["% a b\n", /no rows of numbers/],
      ["1 2\n3\n", /^pendulum\.txt, line 2: it has 1 cells, but the first row has 2; correct the row\.$/],
      ["% a b\n1 x\n", /^pendulum\.txt, line 2, column "2": "x" is not a number/],
      ["1 NaN\n", /line 1, column "2": NaN is not a number; give one or remove the row\.$/],
      ["1 inf\n", /is not finite/],
    ];
    for (const [text, message] of cases) {
      expect(() => parseWhitespaceTable(text, { source })).to.throw(DataError, message);
    }
  });
});
