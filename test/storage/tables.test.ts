import { readFileSync } from "node:fs";
import { expect } from "chai";
import { readTables } from "../../src/storage/cells.js";
import { parseInstant, secondsBetween } from "../../src/storage/iso-time.js";
import { parseNpy } from "../../src/storage/npy.js";

// made by tables.py beside them: pyarrow's and NumPy's own writers
const fixture = (name: string) => new Uint8Array(readFileSync(`test/storage/tables/${name}`));

describe("tables of whatever file", () => {
  it("reads Parquet as pyarrow wrote it: numbers, texts, moments and gaps", async () => {
    const [{ names, rows }] = (await readTables(fixture("small.parquet"), "small.parquet")) as [
      never,
    ] as never as [{ names: string[]; rows: { cells: unknown[] }[] }];
    expect(names).to.deep.equal(["who", "time", "x", "n"]);
    expect(rows.map(({ cells }) => [cells[0], cells[2], cells[3]])).to.deep.equal([
      ["a", 1, 1],
      ["a", 0.25, 2],
      ["a", null, 3],
      ["b", 2, 4],
      ["b", 3.5, 5],
    ]);
    expect((rows[1]!.cells[1] as Date).toISOString()).to.equal("2024-03-01T12:00:01.500Z");
  });

  it("reads NumPy's arrays: big-endian float32, columns first, a table for each trajectory", async () => {
    const { shape, data } = parseNpy(fixture("three.npy"), { source: "three.npy" });
    expect(shape).to.deep.equal([2, 2, 3]);
    expect([...data]).to.deep.equal([0, 1, 2, 1, 3, Number.NaN, 0.5, 5, 6, 2, 7, 8]);
    const tables = await readTables(fixture("three.npy"), "three.npy");
    expect(tables.map(({ source, names }) => [source, names.join()])).to.deep.equal([
      ["three.npy[0]", "t,y0,y1"],
      ["three.npy[1]", "t,y0,y1"],
    ]);
    expect([...parseNpy(fixture("columns.npy"), { source: "" }).data]).to.deep.equal([
      0,
      1,
      2,
      1,
      3,
      Number.NaN,
    ]);
  });

  it("refuses what is cut off, or is something else", async () => {
    const whole = fixture("three.npy");
    const failing = (bytes: Uint8Array, name: string) =>
      readTables(bytes, name).then(
        () => "nothing",
        ({ message }: Error) => message,
      );
    expect(await failing(whole.subarray(0, whole.length - 8), "a.npy")).to.include("was cut off");
    expect(await failing(new Uint8Array(40), "a.npy")).to.include("numpy.save");
    expect(await failing(new Uint8Array(40), "a.parquet")).to.include("no Parquet file");
    expect(await failing(new TextEncoder().encode("t,x\n0,1\n1\n"), "a.csv")).to.match(
      /line 3: it has 1 cells/,
    );
    expect(await failing(new TextEncoder().encode("t,x,x\n0,1,1\n"), "a.csv")).to.include("two columns");
  });
});

describe("dates and times", () => {
  it("are moments, whatever their offset, to a millionth of a second and beyond", () => {
    const at = (text: string) => parseInstant(text)!;
    // as JavaScript's own clock has it
    expect(at("2024-03-01T12:30:05Z").seconds).to.equal(Date.UTC(2024, 2, 1, 12, 30, 5) / 1000);
    expect(secondsBetween(at("2024-03-01 13:00+01:00"), at("2024-03-01T12:00:00.25"))).to.equal(0.25);
    expect(secondsBetween(at("2024-02-29"), at("2024-03-01"))).to.equal(86_400);
    // thousands of rows in a second stay apart: a float64 of seconds since 1970 resolves 2.4e-7
    expect(
      secondsBetween(at("2024-03-01T12:00:00.0000001Z"), at("2024-03-01T12:00:00.0000004Z")),
    ).to.be.closeTo(3e-7, 1e-18);
    for (const text of ["2024-02-30", "2024-13-01", "2024-03-01T25:00", "24-03-01", "12", "2024-03-01T12"]) {
      expect(parseInstant(text), text).to.equal(null);
    }
  });
});
