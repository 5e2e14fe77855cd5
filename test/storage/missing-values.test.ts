import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { Random } from "../../src/core/random.js";
import { parseTimeSeries } from "../../src/storage/csv.js";
import { isOneOf, sentinelsIn } from "../../src/storage/missing-values.js";

const found = (...columns: readonly (readonly number[])[]) =>
  sentinelsIn(
    columns.map((_, j) => `c${j}`),
    (j) => columns[j]!,
  ).map(({ column, value, count, of }) => [column, value, count, of]);

const columnsOf = (rows: readonly (readonly number[])[]) =>
  rows[0]!.map((_, j) => rows.map((row) => row[j]!));

/** Temperatures of a few days. */
const temperatures = [3.2, 4.1, 8.8, 12.5, 9.7, 5.0, -1.3];

describe("sentinelsIn", () => {
  for (const value of [
    ...[-99, -999, -9999, -99.9, -999.9, -9999.99, 999, 9999.9, 99999],
    ...[1e20, -1e20, 1e30, -1e30, 9.96921e36, 9.969209968386869e36, -32768, 32767, -2147483648],
    ...[-3.4028234663852886e38, Number.MAX_VALUE, Math.fround(-999.9), Math.fround(1e20)],
  ]) {
    it(`finds ${value} among temperatures, where it is there twice`, () => {
      expect(found([...temperatures, value, value])).to.deep.equal([["c0", value, 2, 9]]);
      // nothing is said of a number that might be an outlier
      expect(found([...temperatures, value])).to.deep.equal([]);
    });
  }

  it("counts over the table: what fails in one row fails in several columns", () => {
    const pressures = [1013, 1009, 1018, 998];
    expect(found([...temperatures, -999], [...pressures, -999])).to.deep.equal([
      ["c0", -999, 1, 8],
      ["c1", -999, 1, 5],
    ]);
  });

  it("finds the only negative numbers of a column, however wide it is", () => {
    expect(found([0, 120, 5400, 18_000, 2, -999, -999])).to.deep.equal([["c0", -999, 2, 7]]);
  });

  it("leaves out what was not observed, and what lies among the rest", () => {
    expect(found([...temperatures, Number.NaN, -999, -999])).to.deep.equal([["c0", -999, 2, 9]]);
    expect(found([-2000, -999, -999, 0, 500, 1500])).to.deep.equal([]);
    expect(found([90, 95, 99, 99, 101])).to.deep.equal([]);
    expect(found([0, 0, 99, 99, 0])).to.deep.equal([]);
    expect(found([-999, -999, -999])).to.deep.equal([]);
  });

  it("tells the two sentinels of a column apart from the rest of it", () => {
    expect(found([...temperatures, -999, -999, -9999, -9999])).to.deep.equal([
      ["c0", -999, 2, 11],
      ["c0", -9999, 2, 11],
    ]);
  });

  it("names column, count and value in its message, with what --missing takes", () => {
    const [warning] = sentinelsIn(["air"], () => [...temperatures, Math.fround(-999.9), Math.fround(-999.9)]);
    expect(warning!.code).to.equal("sentinel");
    expect(warning!.message).to.match(
      /^"?air"? is -999\.9 in 2 of 9 cells.*leave these cells empty, or say --missing -999\.9\.$/,
    );
    expect(isOneOf(warning!.value, [-999.9])).to.equal(true);
  });

  it("says nothing of ordinary data: walks, waves, growth, counts and percentages, in whole numbers and others", () => {
    const random = Random.seeded(11);
    for (let trial = 0; trial < 300; trial++) {
      const scale = 10 ** Math.floor(6 * random.uniform());
      const kinds = [
        (i: number) => scale * Math.sin(i / 5),
        (i: number) => scale * Math.exp(i / 40),
        () => scale * random.normal(),
        () => Math.exp(3 * random.normal()),
        (i: number) => 100 / (1 + Math.exp(-(i - 50) / 8)),
      ];
      const kind = kinds[trial % kinds.length]!;
      let walk = 0;
      const values = Array.from({ length: 200 }, (_, i) => {
        walk += random.normal();
        return trial % 2 === 0 ? kind(i) : kind(i) + walk;
      });
      expect(found(values), `trial ${trial}`).to.deep.equal([]);
      expect(found(values.map(Math.round)), `whole numbers, trial ${trial}`).to.deep.equal([]);
      // cut off as a display of four digits is
      expect(found(values.map((x) => Math.min(9999, Math.max(-999, Math.round(scale * x)))))).to.satisfy(
        (all: unknown[][]) => all.every(([, value]) => value === 9999 || value === -999),
      );
    }
  });

  it("says nothing of the tables of the documentation, nor of digits as pixels", () => {
    const pages = readdirSync("docs", { recursive: true, encoding: "utf8" }).filter((name) =>
      name.endsWith(".md"),
    );
    const tables = pages.flatMap((name) =>
      [...readFileSync(join("docs", name), "utf8").matchAll(/^```csv \[.+\]\n([^`]*)^```/gm)].map(
        ([, text]) =>
          text!
            .trim()
            .split("\n")
            .slice(1)
            .map((line) => line.split(",").map((cell) => (cell === "" ? Number.NaN : Number(cell)))),
      ),
    );
    expect(tables.length).to.be.greaterThan(2);
    for (const rows of tables) expect(found(...columnsOf(rows))).to.deep.equal([]);
    const pixels = readFileSync("examples/data/digits.csv", "utf8")
      .trim()
      .split("\n")
      .slice(1)
      .map((line) => line.split(",").map(Number));
    expect(pixels[0]!.length).to.be.greaterThan(50);
    expect(found(...columnsOf(pixels))).to.deep.equal([]);
  });
});

describe("numbers that are said to stand for missing values", () => {
  const text = "t,x,y\n0,1,-999\n-999,2,3\n1,-999,1e20\n2,5,6\n";

  it("are not observed, in any column but that of the times", () => {
    const series = parseTimeSeries(text.replace("\n-999,2,3", "\n0.5,2,3"), {
      source: "a",
      missing: [-999, 1e20],
    });
    expect([...series.values]).to.deep.equal([1, Number.NaN, 2, 3, Number.NaN, Number.NaN, 5, 6]);
    expect([...series.observed]).to.deep.equal([1, 0, 1, 1, 0, 0, 1, 1]);
    expect(() => parseTimeSeries(text, { source: "a", missing: [-999] })).to.throw(
      "-999 does not come after 0",
    );
  });

  it("are found in float32 as well, and nothing near them is", () => {
    expect(isOneOf(Math.fround(9.96921e36), [9.96921e36])).to.equal(true);
    expect(isOneOf(-999.0001, [-999])).to.equal(false);
    expect(isOneOf(Number.NaN, [-999])).to.equal(false);
  });
});
