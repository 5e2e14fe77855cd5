import { mkdirSync, readFileSync } from "node:fs";
import { expect } from "chai";
import { json, readJson, refusal, run, scratch, written } from "./command.js";

describe("revort train FILE.csv", () => {
  const folder = scratch();
  let made = 0;
  const out = () => ["--out", folder(`run-${++made}`)];
  const csv = (text: string | Uint8Array, name = "data.csv") => written(folder(name), text);
  const short = ["--field", "mlp:6", "--steps", "20"];

  for (const [what, text] of Object.entries({
    "regular times": "t,x,y\n0,1,0\n1,0.5,0.4\n2,0.1,0.6\n3,0,0.7\n",
    "irregular times": "t,x\n0,1\n0.1,0.9\n2,0.2\n2.5,0.15\n10,0\n",
    "missing cells": "t,x,y\n0,1,0\n1,,0.4\n2,NaN,\n3,0,NA\n4,null,0.9\n",
    semicolons: "t;x;y\n0;1;0\n1;0.5;0.4\n2;0.1;0.6\n",
    tabs: "t\tx\n0\t1\n1\t0.5\n2\t0.1\n",
    "Windows line ends and a byte-order mark": "\ufefft,x\r\n0,1\r\n1,0.5\r\n2,0.1\r\n",
    "comments, empty lines and quotes": '# made by hand\n\n"t","x, in m"\n0,1\n\n1,0.5\n2,0.1\n',
    "a constant column": "t,x,c\n0,1,0.1\n1,0.5,0.1\n2,0.1,0.1\n",
    "a column of zeros": "t,x,c\n0,1,0\n1,0.5,0\n2,0.1,0\n",
    "two rows": "t,x\n0,1\n1,2\n",
    "times that start far from 0": "unix,x\n1700000000,1\n1700003600,0.5\n1700007200,0.1\n",
    "negative times": "t,x\n-30,1\n-20,0.5\n-10,0.1\n0,0\n",
    "huge values": "t,x\n0,1e300\n1,5e299\n2,1e299\n",
    "tiny values": "t,x\n0,1e-300\n1,5e-301\n2,1e-301\n",
    "columns of very different size": "t,x,y\n0,1e9,1e-9\n1,5e8,2e-9\n2,1e8,4e-9\n",
    "names in other scripts": "время,кролики,rysie ×10³\n0,1,2\n1,2,1\n2,1,2\n",
  })) {
    it(`lowers the loss on ${what}`, async () => {
      const { losses, experiment } = await json("train", csv(text), ...short, ...out());
      expect(experiment).to.equal("data.csv");
      expect(losses).to.have.length(20);
      // in standard deviations of each column, whatever its size
      expect(losses[0]).to.be.lessThan(100);
      expect(losses.at(-1)).to.be.lessThan(losses[0]);
    });
  }

  it("trains the initial state as well where the first row has gaps", async () => {
    const [flag, place] = out();
    const file = csv("t,x,y\n0,,1\n1,2,\n2,1,0.5\n");
    const { code, stderr } = await run(["train", file, ...short, flag!, place!]);
    expect(code, stderr).to.equal(0);
    expect(stderr).to.include("The first row has gaps, so the initial state is trained as well.");
  });

  it("trains initial states alike whatever the unit of a column, of equations and of networks", async () => {
    const rows = (unit: number, isFirst: boolean) =>
      Array.from(
        { length: 12 },
        (_, i) => `${i / 2},${i === 0 && isFirst ? "" : unit * (1 + Math.exp(-i / 3))},${i}\n`,
      ).join("");
    for (const [field, isFirst] of [
      ["dx = a - k*x; dy = b", false],
      ["mlp:4", true],
    ] as const) {
      const by = (unit: number) =>
        json(
          ...["train", csv(`t,x,y\n${rows(unit, isFirst)}`), "--field", field, "--loss", "huber"],
          ...["--weight-decay", "0.01", "--train-y0", "--steps", "40", ...out()],
        );
      const [usual, ...others] = [await by(1), await by(2 ** -40), await by(2 ** 40)];
      // powers of two change no digit but where a guess or an epsilon has a size of its own
      for (const { losses } of others) {
        for (const step of [0, 20, 39])
          expect(losses[step]).to.be.closeTo(usual.losses[step], 1e-3 * usual.losses[0]);
      }
    }
  });

  it("says what is perhaps not meant: a time that is no first column, and columns that never change", async () => {
    const said = async (text: string, ...more: string[]) =>
      (await run(["train", csv(text), ...short, "--steps", "1", ...more, ...out()])).stderr;
    const indexed = "0,0,1\n1,0.5,0.7\n2,1,0.5\n";
    const named = `row,t [s],x\n${indexed}`;
    const note = 'Times are those of the first column, "row", so that "t [s]" is a state';
    expect(await said(named)).to.include(note);
    expect(await said(named, "--restarts", "1")).to.include(note);
    expect(await said(named, "--time", "t [s]", "--observe", "x")).not.to.include("Times are those");
    // what pandas writes
    const unnamed = ["train", csv(`,t,x\n${indexed}`), ...short];
    expect(await refusal(2, ...unnamed)).to.include("to_csv(…, index=False)");
    expect(await refusal(2, ...unnamed, "--restarts", "1")).to.include("say --time t");
    const { findings } = await json(...unnamed, "--time", "t", ...out());
    expect(Object.keys(findings.scales)).to.deep.equal(["x"]);
    const steady = "t,x,c\n0,1,5\n1,0.5,5\n2,0.1,\n";
    const fact = '"c" has the same value at all times';
    expect(await said(steady)).to.include(fact);
    expect(await said(steady, "--restarts", "1")).to.include(fact);
    expect(await said(steady, "--observe", "x")).not.to.include(fact);
  });

  it("counts columns of any size alike, with every loss", async () => {
    const small = csv("t,x\n0,1\n1,0.5\n2,0.1\n", "small.csv");
    const large = csv("t,x\n0,1e6\n1,5e5\n2,1e5\n", "large.csv");
    for (const loss of ["mse", "l1", "huber"]) {
      const first = async (file: string) =>
        (await json("train", file, "--loss", loss, "--steps", "1", ...out())).loss.first;
      const expected = await first(small);
      expect(await first(large), loss).to.be.closeTo(expected, 1e-9 * expected);
    }
  });

  it("says that the loss is in standard deviations, and what the errors are in the units of the file", async () => {
    // deviations by hand: of 1, 0.5, 0.1 (mean 0.5333…) and of a thousand times 0, 2, 1
    const scale = [Math.sqrt((0.4667 ** 2 + 0.0333 ** 2 + 0.4333 ** 2) / 3), 1000 * Math.sqrt(2 / 3)];
    const file = csv("t,x,y\n0,1,0\n1,0.5,2000\n2,0.1,1000\n");
    const { errors, check } = await json("train", file, ...short, ...out());
    expect(errors.map(({ component }: { component: string }) => component)).to.deep.equal(["x", "y"]);
    for (const [i, { rootMeanSquare, inDeviations }] of errors.entries()) {
      // the deviations above are rounded to four digits
      expect(rootMeanSquare / inDeviations).to.be.closeTo(scale[i]!, 1e-3 * scale[i]!);
    }
    // without gaps, the loss is the mean of the squares of all columns
    const mean = (errors[0].inDeviations ** 2 + errors[1].inDeviations ** 2) / 2;
    expect(check.trainedLoss).to.be.closeTo(mean, 1e-9 * mean);
    const { stdout } = await run(["train", file, ...short, ...out()]);
    expect(stdout).to.match(/loss, first \(in standard deviations of each column\)/);
    expect(stdout).to.match(/root mean square error of y +[\d.]+ \([\d.]+ standard deviations\)/);
  });

  it("draws and exports in the units and under the names of the file", async () => {
    const [flag, place] = out();
    const file = csv(
      'year,"hares, thousands",lynx\n1900,30,4\n1901,47.2,6.1\n1902,70.2,9.8\n1903,77.4,35.2\n',
    );
    await json("train", file, ...short, flag!, place!);
    const svg = readFileSync(`${place}/fit.svg`, "utf8");
    for (const text of ["hares, thousands", "lynx", "year"]) expect(svg).to.include(text);
    const words = "--y0 30,4 --t0 1900 --t1 1901".split(" ");
    const { stdout } = await run(["solve", `${place}/field.onnx`, ...words]);
    expect(stdout).to.match(/^t,"hares, thousands",lynx\n1901,/);
  });

  it("does not let a few crowded times make every update slow", async () => {
    const rows = [0, 1e-6, 2e-6, 3e-6, 4e-6, 100].map((t, i) => `${t},${i}\n`);
    const { evaluations } = await json(
      "train",
      csv(`t,x\n${rows.join("")}`),
      "--field",
      "mlp:2",
      "--steps",
      "1",
      ...out(),
    );
    expect(evaluations).to.be.lessThan(8 * 10_010);
  });

  it("reads a file without an extension, by its absolute or relative path", async () => {
    const file = csv("t,x\n0,1\n1,2\n", "plain");
    expect((await json("train", file, "--field", "mlp:2", "--steps", "1", ...out())).experiment).to.equal(
      "plain",
    );
  });

  it("begins with windows, and goes on to the same bits where it was interrupted meanwhile", async () => {
    const rows = Array.from({ length: 20 }, (_, i) => `${i / 4},${Math.cos(i / 4)},${Math.sin(i / 4)}`);
    const file = csv(`t,x,y\n${rows.join("\n")}\n`, "waves.csv");
    const words = ["train", file, "--field", "mlp:4", "--steps", "4", "--runtime", "jit", "--out"];
    const [whole, stopped] = [folder("whole"), folder("stopped")];
    expect((await run([...words, whole])).code).to.equal(0);
    const { settings } = readJson(`${whole}/run.json`);
    // no more updates than the fit itself; 19 gaps are too few for windows of 24
    expect(settings.warmStart).to.deep.equal([{ size: 8, updates: 4 }]);
    expect(settings.init).to.equal("initial-params.safetensors");
    expect((await run([...words, stopped], /warm start/)).code).to.equal(130);
    expect(readJson(`${stopped}/run.json`).settings.init).to.equal(null);
    const resumed = await run(["train", "--resume", stopped]);
    expect(resumed.code, resumed.stderr).to.equal(0);
    for (const name of ["params.safetensors", "losses.csv", "initial-params.safetensors"]) {
      expect(readFileSync(`${stopped}/${name}`).equals(readFileSync(`${whole}/${name}`)), name).to.equal(
        true,
      );
    }
    const plain = folder("without-windows");
    expect((await run([...words, plain, "--warm-start", "none"])).code).to.equal(0);
    expect(readJson(`${plain}/run.json`).settings.init).to.equal(null);
    expect(await refusal(2, "train", "--resume", plain, "--warm-start", "8:4")).to.include(
      "--warm-start 8:4",
    );
  });

  describe("refuses with line, column and reason", () => {
    for (const [what, text, reason] of [
      ["nothing", "", /data\.csv: it has no rows/],
      ["a header alone", "t,x\n", /there is a header but no data/],
      ["one row", "t,x\n0,1\n", /there is 1 row, but training needs two times or more/],
      ["one column", "t\n0\n1\n", /only one column/],
      ["no header", "0,1\n1,2\n", /the header is missing/],
      ["an infinite value", "t,x\n0,1\n1,Infinity\n", /line 3, column "x": "Infinity" is not finite/],
      ["a value beyond float64", "t,x\n0,1\n1,1e999\n", /line 3, column "x": 1e999 is beyond/],
      [
        "times that do not increase",
        "t,x\n0,1\n2,1\n2,1\n",
        /line 4, column "t": the time 2 does not come after 2/,
      ],
      ["times that fall", "t,x\n3,1\n2,1\n", /does not come after/],
      ["a missing time", "t,x\n0,1\n,1\n", /line 3, column "t": the time is missing/],
      ["words", "t,x\n0,one\n1,2\n", /line 2, column "x": "one" is not a number/],
      [
        "a column of words",
        "t,x,label\n0,1,ok\n1,2,\n",
        /data\.csv, column "label": it holds words, such as "ok", and no number; remove it, leave it out with --observe x, or, .* --trajectory "label"/,
      ],
      [
        "a column of words, with decimal commas",
        "t;x;y;label\n0;1,5;1;a\n1;2;3;b\n",
        /column "label": it holds words, such as "a", and no number; remove it, leave it out with --observe x,y, or/,
      ],
      [
        "names of trajectories where times are wanted",
        "id,t,x\na,0,1\na,1,2\nb,0,1\n",
        /data\.csv, column "id": it holds words, such as "a", where times are wanted; .* --trajectory "id", and the times with --time "t"/,
      ],
      [
        "dates in another form than ISO 8601",
        "day,x\n01/02/2024,1\n02/02/2024,2\n",
        /line 2, column "day": "01\/02\/2024" looks like a date; dates are written as in ISO 8601, .*2024-02-01/,
      ],
      ["dates with names of months", "day,x\nFeb 1 2024,1\nFeb 2 2024,2\n", /"Feb 1 2024" looks like a date/],
      ["words alone", "t,x\n0,one\n1,two\n", /column "x": it holds words, .*; give a column of numbers/],
      ["commas of decimals or of thousands", "t;x\n0;1,500\n1;2,250\n", /line 2: .*--decimal-comma/],
      ["a column without a value", "t,x,y\n0,1,\n1,2,\n", /column "y": it has no value in any row/],
      ["two columns of one name", "t,x,x\n0,1,2\n1,2,3\n", /two columns have this name/],
      ["rows of another length", "t,x\n0,1\n1,2,3\n", /line 3: it has 3 cells, but the header has 2/],
      ["an open quote", 't,x\n0,"1\n1,2\n', /not valid CSV/],
    ] as const) {
      it(what, async () => {
        expect(await refusal(2, "train", csv(text), ...out())).to.match(reason);
      });
    }

    it("a file that is not there, a folder, or no text", async () => {
      csv("t,x\n0,1\n1,2\n", "rabbits.csv");
      expect(await refusal(2, "train", folder("rabits.csv"), ...out())).to.include(
        'did you mean "rabbits.csv"',
      );
      mkdirSync(folder("empty"));
      expect(await refusal(2, "train", folder("empty"), ...out())).to.include("has no files of data");
      expect(await refusal(2, "train", csv(new Uint8Array([0xff, 0xfe, 0x00])), ...out())).to.include(
        "UTF-8",
      );
    });

    it("times that float32 cannot tell from each other", async () => {
      const file = csv("unix,x\n1700000000,1\n1700000001,0.5\n1700000002,0.1\n");
      expect(await refusal(2, "train", file, "--dtype", "float32", ...out())).to.match(
        /In float32.*Use float64/,
      );
    });

    it("a data file and --data at once, or --data where it is not needed", async () => {
      const file = csv("t,x\n0,1\n1,2\n");
      expect(await refusal(2, "train", file, "--data", file, ...out())).to.include("not both");
      expect(await refusal(2, "train", "influenza", "--data", file, ...out())).to.include("leave out --data");
      expect(await refusal(2, "train", "coupled-oscillator", ...out())).to.include("needs --data FILE");
    });
  });

  it("takes --autonomous and --activation for the usual field, too, and refuses them beside one of an experiment's own", async () => {
    const data = written(folder("usual.csv"), "t,x\n0,1\n1,0.6\n2,0.4\n3,0.2\n");
    const of = async (...words: string[]) =>
      (await json("train", data, ...words, "--steps", "2", "--out", folder(words.join("")))).losses;
    const words = ["--activation", "sin", "--autonomous"];
    const own = await of(...words);
    expect(own).to.deep.equal(await of("--field", "mlp:32,32", ...words));
    expect(own).to.not.deep.equal(await of("--field", "mlp:32,32"));
    expect(await refusal(2, "train", "white-dwarf", "--autonomous")).to.include(
      "--autonomous is for a perceptron",
    );
  });
});
