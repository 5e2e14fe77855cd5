import { readFileSync } from "node:fs";
import { expect } from "chai";
import { readSet, type SeriesColumns } from "../../../src/experiments/series/read-set.js";
import { parseSplit, partsOf } from "../../../src/experiments/series/split.js";

const plain: SeriesColumns = {
  ...{ trajectory: null, time: null, observe: null, inputs: [], errors: {} },
  ...{ timeUnit: null, decimalComma: null, missing: [] },
};
const file = (name: string, text: string) => ({ name, bytes: new TextEncoder().encode(text) });
const set = async (text: string, columns: Partial<SeriesColumns> = {}) =>
  readSet([file("a.csv", text)], { ...plain, ...columns });
const failure = (text: string, columns: Partial<SeriesColumns> = {}) =>
  set(text, columns).then(
    () => "nothing",
    ({ message }: Error) => message,
  );

describe("trajectories from files", () => {
  it("go by a column, whatever the order of its values, or by their files", async () => {
    const { set: one } = await set("who,t,x\nb,0,1\na,0,5\nb,2,3\na,1,\na,4,7\n", { trajectory: "who" });
    expect(one.series.map(({ id, times, values }) => [id, times, values.flat()])).to.deep.equal([
      ["b", [0, 2], [1, 3]],
      ["a", [0, 1, 4], [5, Number.NaN, 7]],
    ]);
    const two = await readSet([file("p.csv", "t,x\n0,1\n1,2\n"), file("q.csv", "t,x\n0,3\n1,4\n")], plain);
    expect(two.set.series.map(({ id }) => id)).to.deep.equal(["p.csv", "q.csv"]);
    const { set: parquet } = await readSet(
      [{ name: "small.parquet", bytes: new Uint8Array(readFileSync("test/storage/tables/small.parquet")) }],
      { ...plain, trajectory: "who", time: "time", observe: ["x"], timeUnit: "s" },
    );
    expect(parquet.series.map(({ times }) => times)).to.deep.equal([
      [0, 1.5, 4],
      [0, 2],
    ]);
  });

  it("take columns for what they are said to be, and fill in inputs alone", async () => {
    const { set: found } = await set("t,x,u,sx,note\n0,1,0,0.1,9\n1,2,,0.2,9\n4,,3,,9\n", {
      observe: ["x"],
      inputs: ["u"],
      errors: { x: "sx" },
    });
    const [series] = found.series;
    expect(found.observed).to.deep.equal(["x"]);
    expect(series!.inputs.flat()).to.deep.equal([0, 0.75, 3]);
    expect(series!.errors!.flat()).to.deep.equal([0.1, 0.2, Number.NaN]);
  });

  it("read dates in a unit that suits them, and say so", async () => {
    const days = await set("t,x\n2024-03-01,1\n2024-03-04T12:00+00:00,2\n2024-03-08,2\n");
    expect(days.set.series[0]!.times).to.deep.equal([0, 3.5, 7]);
    expect(days.notes.join()).to.include("d since 2024-03-01T00:00:00Z");
    const hours = await set("t,x\n2024-03-01,1\n2024-03-04,2\n", { timeUnit: "h" });
    expect(hours.set.series[0]!.times).to.deep.equal([0, 72]);
    expect(hours.set.time.unit).to.equal("h");
    expect(await failure("t,x\n2024-03-01,1\n2024-02-30,2\n")).to.include("no date and time that there is");
    expect(await failure("t,x\n2024-03-01,1\n5,2\n")).to.include("others are dates");
    expect(await failure("t,x\n0,1\n1,2\n", { timeUnit: "h" })).to.include("leave out --time-unit");
  });

  it("read decimal commas where there is no doubt, and ask where there is", async () => {
    const { set: found, notes } = await set("t;x\n0;1,5\n1;2,25\n");
    expect(found.series[0]!.values.flat()).to.deep.equal([1.5, 2.25]);
    expect(notes.join()).to.include("decimal commas");
    expect(await failure("t;x\n0;1,500\n1;2,250\n")).to.include("--decimal-comma");
    const said = await set("t;x\n0;1,500\n1;2,250\n", { decimalComma: true });
    expect(said.set.series[0]!.values.flat()).to.deep.equal([1.5, 2.25]);
    expect(await failure("t;x\n0;1,5\n1;2.5\n")).to.include("all of them in one way");
  });

  it("are refused with the line, the column and the remedy", async () => {
    expect(await failure("t,x\n0,1\n0,2\n")).to.match(/line 3, column "t": .* --trajectory/);
    expect(await failure("t,x\n0,1\n1,2\n", { trajectory: "id" })).to.include("its columns are t, x");
    expect(await failure("t,x,heat\n0,1,2\n1,2,3\n", { inputs: ["heta"] })).to.include('did you mean "heat"');
    expect(await failure("t,x,s\n0,1,0\n1,2,1\n", { errors: { x: "s" } })).to.match(
      /line 2, column "s": .*positive/,
    );
    expect(await failure("t,x,u\n0,1,\n1,2,\n", { inputs: ["u"] })).to.include("no value in the trajectory");
    expect(await failure("id,t,x\na,0,1\nb,0,1\nb,1,1\n", { trajectory: "id" })).to.include("has one row");
    expect(await failure("id,t,x\na,0,1\n,1,1\n", { trajectory: "id" })).to.include("which trajectory");
    expect(await failure("id,t,x,y\na,0,1,2\na,1,1,2\nb,0,1,\nb,1,1,\n", { trajectory: "id" })).to.match(
      /line 4, column "y": the trajectory "b" has no value in it/,
    );
    expect(await failure("t,x\n0,inf\n1,1\n")).to.include("not finite");
    const twice = readSet(
      [file("p.csv", "id,t,x\na,0,1\na,1,2\n"), file("q.csv", "id,t,x\na,0,1\na,1,2\n")],
      {
        ...plain,
        trajectory: "id",
      },
    );
    expect(await twice.catch((error: Error) => error.message)).to.include("in another file already");
  });
});

describe("parts of trajectories", () => {
  const series = (id: string, n: number) => ({
    ...{ id, errors: null, inputs: [] },
    times: Array.from({ length: n }, (_, k) => k),
    values: Array.from({ length: n }, (_, k) => [k]),
  });
  const parts = (list: ReturnType<typeof series>[], validation: string | null, test: string | null = null) =>
    partsOf(list, {
      ...{ seed: 3, countsFirst: false },
      validation: validation === null ? null : parseSplit("--validation", validation),
      test: test === null ? null : parseSplit("--test", test),
    });
  const names = (list: readonly { series: { id: string } }[]) => list.map((one) => one.series.id);

  it("are trajectories by share or name, no one in two parts, the same for the same seed", () => {
    const list = ["a", "b", "c", "d", "e"].map((id) => series(id, 4));
    const { training, validation, test } = parts(list, "0.4", "id=c");
    expect(names(test)).to.deep.equal(["c"]);
    expect(validation).to.have.length(2);
    expect([...names(training), ...names(validation), "c"].sort()).to.deep.equal(["a", "b", "c", "d", "e"]);
    expect(names(parts(list, "0.4", "id=c").validation)).to.deep.equal(names(validation));
    expect(() => parts(list, "id=a", "id=a")).to.throw(/twice/);
    expect(() => parts(list, "id=z")).to.throw(/there are a, b, c, d, e/);
    expect(() => parts(list.slice(0, 2), "id=a", "id=b")).to.throw(/training data: no observation/);
  });

  it("are the ends of trajectories by time, or of a single one by share, solved from the start", () => {
    const late = parts([series("a", 6), series("b", 3)], "time=2", "time=4");
    expect(late.training.map(({ measured }) => measured)).to.deep.equal([[1], [1]]);
    expect(late.validation.map(({ measured }) => measured)).to.deep.equal([[2, 3], [2]]);
    expect(late.test.map(({ from, measured }) => [from, measured])).to.deep.equal([[0, [4, 5]]]);
    const one = parts([series("a", 10)], "0.2");
    expect(one.training[0]!.measured).to.deep.equal([1, 2, 3, 4, 5, 6, 7]);
    expect(one.validation[0]!.measured).to.deep.equal([8, 9]);
    for (const text of ["0", "1", "x", "time=", "id=", "-0.1"]) {
      expect(() => parseSplit("--test", text), text).to.throw(/--test takes/);
    }
  });
});
