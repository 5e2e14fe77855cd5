import { expect } from "chai";
import fc from "fast-check";
import { SizeError } from "../../src/core/size.js";
import { ShapeError } from "../../src/core/tensor.js";
import { DataError, formatTimeSeries, parseTimeSeries, type TimeSeries } from "../../src/storage/csv.js";
import { checkTableSize } from "../../src/storage/csv-format.js";

const source = "series.csv";
const parse = (text: string): TimeSeries => parseTimeSeries(text, { source });

function failure(text: string): DataError {
  try {
    parse(text);
  } catch (error) {
    expect(error).to.be.instanceOf(DataError);
    return error as DataError;
  }
  throw new Error(`${JSON.stringify(text)} was accepted`);
}

describe("parseTimeSeries", () => {
  it("reads the time and every column, row by row", () => {
    const series = parse("t,x,y\n0,1,2\n0.5,3,4\n2,-5e-3,+.5\n");
    expect(series).to.deep.equal({
      timeName: "t",
      names: ["x", "y"],
      times: Float64Array.of(0, 0.5, 2),
      values: Float64Array.of(1, 2, 3, 4, -5e-3, 0.5),
      observed: new Uint8Array(6).fill(1),
      rows: 3,
      columns: 2,
    });
  });

  it("takes empty, NA, NaN and null, in any case, as not observed", () => {
    const series = parse("t,a,b,c,d\n0,,NA,NaN,null\n1,1,2,3,4\n2, ,na,nan,NULL\n");
    expect([...series.observed]).to.deep.equal([0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0]);
    expect([...series.values]).to.deep.equal([NaN, NaN, NaN, NaN, 1, 2, 3, 4, NaN, NaN, NaN, NaN]);
  });

  for (const [name, separator] of Object.entries({ comma: ",", semicolon: ";", tab: "\t" })) {
    it(`finds that the separator is a ${name}, and keeps empty cells apart`, () => {
      const text = "t|a|b|c\n0||1|\n1|2||3\n".replaceAll("|", separator);
      const series = parse(text);
      expect(series.names).to.deep.equal(["a", "b", "c"]);
      expect([...series.values]).to.deep.equal([NaN, 1, NaN, 2, NaN, 3]);
    });
  }

  it("accepts a byte-order mark, CR LF, quotes, comments, empty lines and spaces around cells", () => {
    const text =
      '\ufeff# made by hand, 5" wide; really\r\n\r\n t , "x, in m" ,y\r\n  # more\r\n 0 ," 1 ", 2\r\n   \r\n1,3,4';
    const series = parse(text);
    expect(series.names).to.deep.equal(["x, in m", "y"]);
    expect([...series.values]).to.deep.equal([1, 2, 3, 4]);
  });

  it("calls an unnamed first column, such as an index, time", () => {
    expect(parse(",x\n0,1\n").timeName).to.equal("time");
  });

  it("takes time in proportion to the file, be it empty lines for the most part", () => {
    // a line at a time this is a tenth of a second; the square of their number took minutes
    const blank = "\n \n".repeat(200_000);
    const started = performance.now();
    const { rows } = parseTimeSeries(`${blank}t;x${blank}0;1${blank}1;2${blank}`, { source: "series.csv" });
    expect(rows).to.equal(2);
    expect(performance.now() - started).to.be.lessThan(10_000);
  });

  describe("says what is wrong, where, and what to do:", () => {
    const cases: [string, string, RegExp][] = [
      ["an empty file", "", /^series\.csv: it has no rows; give a header/],
      ["only comments", "# t,x\n\n", /^series\.csv: it has no rows/],
      ["only a header", "# c\nt,x\n", /^series\.csv, line 2: there is a header but no data; add/],
      [
        "no data columns",
        "t\n0\n1\n",
        /^series\.csv, line 1: there is only one column; .*separated by commas/,
      ],
      ["no header", "0,1\n1,2\n", /^series\.csv, line 1: the header is missing, .* number 0; put the names/],
      [
        "a cell that is no number",
        "t,x\n0,1\n1,ok\n",
        /^series\.csv, line 3, column "x": "ok" is not a number; correct/,
      ],
      ["a decimal comma", "t;x\n0;1,5\n", /line 2, column "x": "1,5" has a decimal comma; write/],
      [
        "a missing time",
        "t,x\n0,1\n,2\n",
        /line 3, column "t": the time is missing; give it or remove the row/,
      ],
      ["a time that is NaN", "t,x\nNaN,1\n", /line 2, column "t": the time is "NaN", which is not a finite/],
      ["an infinite time", "t,x\n-inf,1\n", /line 2, column "t": the time is "-inf", which is not a finite/],
      ["a time that is text", "t,x\n12:30,1\n", /line 2, column "t": "12:30" is not a number/],
      [
        "the same time twice",
        "t,x\n0,1\n\n0,2\n",
        /line 4, column "t": the time 0 does not come after 0 on line 2; sort/,
      ],
      [
        "times out of order",
        "t,x\r\n2,1\r\n1.5,2\r\n",
        /line 3, column "t": the time 1\.5 does not come after 2 on line 2/,
      ],
      ["Infinity", "t,x\n0,Infinity\n", /line 2, column "x": "Infinity" is not finite; correct it, or leave/],
      ["a number beyond float64", "t,x\n0,1e999\n", /line 2, column "x": 1e999 is beyond what float64/],
      ["a row cut short", "t,x,y\n0,1\n", /line 2: it has 2 cells, but the header has 3; correct/],
      ["a row too long", "t,x\n0,1,2\n", /line 2: it has 3 cells, but the header has 2/],
      [
        "a column without a value",
        "t,x,y\n0,1,NA\n1,2,\n",
        /^series\.csv, column "y": it has no value in any row; fill/,
      ],
      ["two columns of one name", "t,x,x\n0,1,2\n", /line 1, column "x": two columns have this name; rename/],
      ["a data column named as the time", "t,x,t\n0,1,2\n", /line 1, column "t": two columns/],
      ["a column without a name", "t,x,\n0,1,\n", /line 1, column "3": it has no name; name it, or remove/],
      [
        "a quote that is not closed",
        't,x\n0,"1\n1,2\n',
        /line \d: it is not valid CSV: .*; check the quotes/,
      ],
      ["a hexadecimal number", "t,x\n0,0x10\n", /"0x10" is not a number/],
    ];
    for (const [what, text, message] of cases) {
      it(what, () =>
        expect(failure(text).message)
          .to.match(message)
          .and.to.match(/[^.]\.$/),
      );
    }

    it("and gives the place to programs as well", () => {
      expect(failure("t,x\n0,1\n1,ok\n").place).to.deep.equal({ source, line: 3, column: "x" });
    });
  });

  it("fails only with a DataError, whatever the text", () => {
    const piece = fc.constantFrom(
      "t",
      "x",
      "0",
      "1",
      "2",
      ",",
      ",",
      "\n",
      "\n",
      '"',
      "#",
      ";",
      "\t",
      " ",
      "\r",
      "\ufeff",
      "NA",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        try {
          const { times, values, rows, columns } = parse(pieces.join(""));
          expect([times.length, values.length]).to.deep.equal([rows, rows * columns]);
        } catch (error) {
          expect(error).to.be.instanceOf(DataError);
        }
      }),
      { seed: 6, numRuns: 2000 },
    );
  });
});

describe("formatTimeSeries", () => {
  const anyName = fc
    .string({ minLength: 1, unit: "grapheme" })
    .filter((name) => !/[\r\n]/.test(name) && !/^\s*[+-]?\.?\d/.test(name));
  const anyNumber = fc.double({ noDefaultInfinity: true, noNaN: true });

  it("writes what parseTimeSeries reads back to the last bit", () => {
    const anySeries = fc
      .tuple(
        fc.uniqueArray(anyName, { minLength: 2, maxLength: 4 }),
        fc.uniqueArray(anyNumber, { minLength: 1, maxLength: 5, comparator: (a, b) => a === b }),
      )
      .chain(([[timeName, ...names], times]) =>
        fc
          .array(fc.option(anyNumber, { nil: Number.NaN }), {
            minLength: (times.length - 1) * names.length,
            maxLength: (times.length - 1) * names.length,
          })
          .map((values) => ({
            timeName: timeName!,
            names,
            times: Float64Array.from(times).sort(),
            // A last row of numbers, for a column without any would be refused.
            values: Float64Array.from([...values, ...names.map(() => -0)]),
          })),
      );
    fc.assert(
      fc.property(anySeries, (series) => {
        const { timeName, names, times, values } = parse(formatTimeSeries(series));
        expect({ timeName, names, times: [...times], values: [...values] }).to.deep.equal({
          ...series,
          times: [...series.times],
          values: [...series.values],
        });
      }),
      { seed: 7 },
    );
  });

  it("uses the fewest digits, an empty cell for NaN, and quotes only where it must", () => {
    const text = formatTimeSeries({
      timeName: "t",
      names: ["x, in m", "y"],
      times: [0, 0.1],
      values: [1e21, Number.NaN, 1 / 3, -0],
    });
    expect(text).to.equal('t,"x, in m",y\n0,1e+21,\n0.1,0.3333333333333333,-0\n');
  });

  it("refuses values that do not fill the table", () => {
    expect(() => formatTimeSeries({ timeName: "t", names: ["x"], times: [0], values: [] })).to.throw(
      ShapeError,
      /needs 1 values, but 0/,
    );
  });

  it("knows beforehand which tables no text holds", () => {
    expect(() => checkTableSize(1e7, 2)).to.throw(SizeError, /30000000 numbers.*fewer times/);
    checkTableSize(1e6, 2);
  });
});
