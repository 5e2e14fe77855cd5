import { expect } from "chai";
import { readJson, refusal, run, scratch, written } from "./command.js";

const values = [1, 0.8, null, 0.55, 0.4, null, 0.3, 0.2];
const table = (missing: string) =>
  `t,x\n${values.map((value, i) => `${i},${value ?? missing}`).join("\n")}\n`;
const small = ["--steps", "2", "--runtime", "jit", "--field", "mlp:3", "--warm-start", "none"];

describe("numbers of a table that stand for missing values", () => {
  const folder = scratch();
  const file = (name: string, missing: string) => written(folder(name), table(missing));

  const trained = async (name: string, data: string, ...words: string[]) => {
    const place = folder(name);
    const { code, stderr } = await run(["train", data, ...small, ...words, "--out", place]);
    expect(code, stderr).to.equal(0);
    const { losses, warnings } = readJson(`${place}/result.json`);
    return { place, stderr, losses: losses as number[], warnings: warnings as Record<string, unknown>[] };
  };

  for (const [kind, words] of [
    ["a single series", []],
    ["several trajectories", ["--time", "t"]],
  ] as const) {
    it(`are warned of in ${kind}, in a file that trains on them, and fitted as empty cells with --missing`, async () => {
      const data = file(`${kind}.csv`, "-999");
      const doubtful = await trained(`${kind} doubtful`, data, ...words);
      expect(doubtful.warnings[0]).to.deep.include({
        ...{ code: "sentinel", column: "x", value: -999, count: 2, of: 8 },
      });
      expect(doubtful.stderr).to.match(/Warning: "?x"? is -999 in 2 of 8 cells.*--missing -999\./);
      const said = await trained(`${kind} said`, data, ...words, "--missing", "-999");
      expect(said.warnings).to.deep.equal([]);
      expect(said.stderr).not.to.include("cells");
      const empty = await trained(`${kind} empty`, file(`${kind} empty.csv`, ""), ...words);
      expect(said.losses).to.deep.equal(empty.losses);
      expect(said.losses).not.to.deep.equal(doubtful.losses);
      // a run keeps what it was told, of its own data …
      const evaluated = async (...given: string[]) => {
        const { code, stdout, stderr } = await run(["evaluate", said.place, ...given, "--json"]);
        expect(code, stderr).to.equal(0);
        return {
          stderr,
          loss: Object.values(JSON.parse(stdout).measures as Record<string, { loss: number }>)[0]!.loss,
        };
      };
      const { loss } = await evaluated();
      expect((await evaluated("--data", data)).loss).to.be.closeTo(loss, 1e-12 * loss);
      // … and takes other numbers for new data
      const other = file(`${kind} other.csv`, "-9999");
      expect((await evaluated("--data", other, "--missing", "-9999")).loss).to.be.closeTo(loss, 1e-12 * loss);
      const unsaid = await evaluated("--data", other);
      expect(unsaid.stderr).to.match(/Warning: .*-9999 in 2 of 8 cells/);
      expect(unsaid.loss).to.be.greaterThan(100 * loss);
      const drawn = await run(["predict", said.place, "--data", other, "--missing", "-9999", "--json"]);
      expect(drawn.code, drawn.stderr).to.equal(0);
      expect(JSON.parse(drawn.stdout).observed.values[0][2]).to.equal(null);
    });
  }

  it("are warned of in labelled series, where they are a question mark", async () => {
    const series = (label: string) => (_: unknown, i: number) =>
      `${i % 4},${i === 1 ? "-999" : 0.5},${i / 8},0.7:${label}`;
    const problem = ["a", "b"].flatMap((label) => Array.from({ length: 8 }, series(label)));
    const text = ["@problemName gaps", "@classLabel true a b", "@data", ...problem].join("\n");
    const files = ["TRAIN", "TEST"].map((part) => written(folder(`gaps_${part}.ts`), text)).join(",");
    const words = ["--steps", "1", "--runtime", "jit", "--batch-size", "4", "--out", folder("uea")];
    const { code, stderr } = await run(["train", "uea", "--data", files, ...words]);
    expect(code, stderr).to.equal(0);
    expect(stderr).to.match(/Warning: "?channel 1"? is -999 in 2 of 64 cells, .*, write \? in its place\./);
    const { warnings } = readJson(`${folder("uea")}/result.json`);
    expect(warnings[0]).to.deep.include({ code: "sentinel", column: "channel 1", value: -999 });
  });

  it("are said to be in no cell where they are in none", async () => {
    const data = file("none.csv", "");
    for (const words of [[], ["--time", "t"]]) {
      const { stderr } = await trained(`none ${words.length}`, data, ...words, "--missing", "-99");
      expect(stderr).to.include("No cell has -99");
    }
  });

  it("make a failure of the run with --strict", async () => {
    const { code } = await run([
      "train",
      file("strict.csv", "-999"),
      ...small,
      "--strict",
      "--out",
      folder("strict"),
    ]);
    expect(code).to.equal(1);
  });

  it("are kept: a resumed run takes no others", async () => {
    const { place } = await trained("kept", file("kept.csv", "-999"), "--missing", "-999");
    const again = ["train", "--resume", place, "--steps", "3"];
    expect(await refusal(2, ...again, "--missing", "-99")).to.include("was started with --missing -999");
    expect((await run([...again, "--missing", "-999"])).code).to.equal(0);
  });

  for (const [words, why] of [
    [["train", "influenza", "--missing", "-999"], /--missing is for files of data/],
    [["train", "two-moons", "--missing", "-999"], /has no use for --missing/],
    [["train", "a.csv", "--missing", "none"], /--missing takes a number, but "none" was given/],
    [["evaluate", ".", "--missing", "-999"], /--missing|no run/],
  ] as const) {
    it(`are refused where they say nothing: ${words.join(" ")}`, async () => {
      expect(await refusal(2, ...words)).to.match(why);
    });
  }
});
