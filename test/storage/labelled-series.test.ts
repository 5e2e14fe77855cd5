import { expect } from "chai";
import { DataError } from "../../src/storage/data-error.js";
import { parseSeriesJson, parseUea } from "../../src/storage/labelled-series.js";

const source = "x.ts";

describe("labelled series", () => {
  it("are read from the UEA archive's files: channels by colons, the class last, ? for what is missing", () => {
    const text = "# a comment\n@problemName x\n@timeStamps false\n@data\n1,2,3:4,?,6:a\n7,8:9,10:b b\n\n";
    expect(parseUea(text, { source })).to.deep.equal([
      {
        label: "a",
        values: [
          [1, 4],
          [2, Number.NaN],
          [3, 6],
        ],
      },
      {
        label: "b b",
        values: [
          [7, 9],
          [8, 10],
        ],
      },
    ]);
  });

  for (const [what, text, message] of [
    ["no data", "@problemName x\n1,2:a\n", "no line @data"],
    ["nothing after it", "@data\n", "no series after @data"],
    ["a word among the numbers", "@data\n1,2:a\n1,x:a\n", "line 3"],
    ["an infinite number", "@data\n1,Infinity:a\n", "line 2"],
    ["no class", "@data\n1,2\n", "no class"],
    ["another number of channels", "@data\n1:2:a\n1:a\n", "series 2 has 1 channels"],
    ["no classes at all", "@classLabel false\n@data\n1,2:3,4\n", "no classes"],
    ["numbers to be predicted", "@targetLabel true\n@data\n1,2:3.5\n", "no classes"],
    ["time stamps", "@timeStamps true\n@data\n(0,1):a\n", "time stamps"],
  ] as const) {
    it(`are refused with ${what}`, () => {
      expect(() => parseUea(text, { source })).to.throw(DataError, message);
    });
  }

  it("are read from JSON, null for what is missing", () => {
    const text = '[{ "label": "a", "x": [[1, null], [2, 3]] }, { "label": 7, "x": [[4, 5]] }]';
    expect(parseSeriesJson(text, { source })).to.deep.equal([
      {
        label: "a",
        values: [
          [1, Number.NaN],
          [2, 3],
        ],
      },
      { label: "7", values: [[4, 5]] },
    ]);
  });

  for (const [what, text, message] of [
    ["no list", "{}", "give a list"],
    ["half a file", "[{", "not valid JSON"],
    ["no label", '[{ "x": [[1]] }]', "series 1 has no label"],
    ["no rows", '[{ "label": "a", "x": [] }]', "no x"],
    ["a row of words", '[{ "label": "a", "x": [["b"]] }]', "not a list of numbers"],
    ["rows of other lengths", '[{ "label": "a", "x": [[1]] }, { "label": "a", "x": [[1, 2]] }]', "series 2"],
  ] as const) {
    it(`are refused as JSON with ${what}`, () => {
      expect(() => parseSeriesJson(text, { source })).to.throw(DataError, message);
    });
  }
});
