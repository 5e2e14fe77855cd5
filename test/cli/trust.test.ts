import { readFileSync } from "node:fs";
import { expect } from "chai";
import { decode } from "../../src/graph/decode.js";
import { json, run, scratch, sentence, written } from "./command.js";

/** A → B → C with rates 0.5 and 0.3, from their closed form, to six digits as a file has them. */
function reactions(): string {
  const [k1, k2] = [0.5, 0.3];
  const rows = Array.from({ length: 61 }, (_, i) => {
    const t = 0.2 * i;
    const a = Math.exp(-k1 * t);
    const b = (k1 / (k2 - k1)) * (Math.exp(-k1 * t) - Math.exp(-k2 * t));
    return [t, a, b, 1 - a - b].map((x) => x.toFixed(6)).join(",");
  });
  return `time,A,B,C\n${rows.join("\n")}\n`;
}

describe("revort train on data that decay", () => {
  const folder = scratch();
  let made = 0;
  const out = () => folder(`run-${++made}`);
  const data = () => written(folder("reactions.csv"), reactions());
  const fitting = "--field mlp:16 --autonomous --steps 1000 --learning-rate 1e-2".split(" ");

  it("fits the field itself, by stored steps of the base method, and says what it chose and why", async () => {
    const place = out();
    const { code, stdout, stderr } = await run(["train", data(), ...fitting, "--out", place, "--json"]);
    expect(code, stderr).to.equal(0);
    const said = "The gradient is direct: exact backprop through stored steps; 121 states";
    expect(stderr).to.include(said);
    expect(stderr.indexOf(said)).to.be.below(stderr.indexOf("training "));
    const report = JSON.parse(stdout);
    expect(report).to.include({ gradient: "direct", coupling: null });
    expect(report.warnings).to.deep.equal([]);
    expect(report.check.warning).to.equal(null);
    expect(report.check.loss).to.be.closeTo(report.loss.last, 0.1 * report.loss.last);
    const { settings } = JSON.parse(readFileSync(`${place}/run.json`, "utf8"));
    expect(settings).to.deep.include({ gradient: "direct", chosen: ["gradient"], reversible: false });
  });

  it("stores fewer states within a smaller budget, for the same fit", async () => {
    const words = ["train", data(), ...fitting.with(4, "20"), "--out"];
    const [all, few] = [await json(...words, out()), await json(...words, out(), "--memory-budget", "1KiB")];
    expect(few.gradient).to.match(/^checkpoint:\d+$/);
    expect(few.storedStates).to.be.below(25);
    for (const [i, loss] of all.losses.entries()) expect(few.losses[i]).to.be.closeTo(loss, 1e-10 * loss);
  });

  it("warns of a coupled pair that drifts apart, with the damping that explains it; an error with --strict", async () => {
    const damped = [...fitting, ..."--reversible --solver midpoint --step-size 0.1".split(" ")];
    const coupled = await json("train", data(), ...damped, "--out", out());
    expect(coupled.gradient).to.equal("reversible");
    expect(coupled.warnings.map(({ code }: { code: string }) => code)).to.deep.equal(["drift", "stability"]);
    expect(coupled.warnings[1].message).to.include("−ln λ = 0.001");
    const place = out();
    // a warm start would have learnt to damp before the first update, so that there was none to keep
    const words = [...damped, "--warm-start", "none", "--strict"];
    const strict = await run(["train", data(), ...words, "--out", place]);
    expect(strict.code).to.equal(1);
    expect(sentence(strict.stderr)).to.match(
      /At update \d+: reversible\(midpoint\): y and its companion differ by/,
    );
    expect(strict.stderr).to.match(/The \d+ before it are kept in/);
    expect((await run(["export", place, "--out", folder("kept.onnx")])).code).to.equal(0);
  });

  it("follows the field with λ where that is left to it, and keeps the last one with the run", async () => {
    const place = out();
    const words = ["train", data(), ...fitting.with(4, "300"), "--coupling", "auto", "--out", place];
    const { code, stdout, stderr } = await run([...words, "--json"]);
    expect(code, stderr).to.equal(0);
    expect(stderr).to.match(/After \d+ updates: λ = [\d.]+ for damping at a rate of up to/);
    const report = JSON.parse(stdout);
    expect(report.warnings).to.deep.equal([]);
    expect(report.check.warning).to.equal(null);
    const { settings } = JSON.parse(readFileSync(`${place}/run.json`, "utf8"));
    expect(report.coupling).to.be.below(settings.coupling);
    const file = folder("coupled.onnx");
    expect((await run(["export", place, "--out", file])).code).to.equal(0);
    const { metadata } = decode(readFileSync(file), { source: file });
    expect(Number(metadata["revort.coupling"])).to.equal(report.coupling);
    // to the bit as without a stop, with the λ in force
    const half = out();
    const stopped = await run([...words.slice(0, -1), half], /After \d+ updates: λ/);
    expect(stopped.code).to.equal(130);
    const again = await json("train", "--resume", half, "--coupling", "auto");
    expect(again.losses).to.deep.equal(report.losses);
    expect(again.coupling).to.equal(report.coupling);
  });

  it("stores states where a λ must lose the reconstruction, and says so before the first update", async () => {
    const words = ["train", data(), ..."--step-size 0.1 --coupling 0.8 --steps 5 --out".split(" "), out()];
    const { code, stderr } = await run(words);
    expect(code).to.equal(0);
    expect(stderr).to.match(/Undoing 120 steps of "rk4" magnifies rounding by 1\/λ = 1\.25 a step/);
    expect(stderr.indexOf("Undoing")).to.be.below(stderr.indexOf("training "));
  });

  it("keeps what was chosen when it goes on, and refuses what was not", async () => {
    const place = out();
    await json("train", data(), ...fitting.with(4, "5"), "--out", place);
    await json("train", "--resume", place, "--steps", "7", "--gradient", "auto");
    const { code, stderr } = await run(["train", "--resume", place, "--gradient", "checkpoint"]);
    expect(code).to.equal(2);
    expect(stderr).to.include("was started with --gradient direct");
    const coupled = await run(["train", "--resume", place, "--coupling", "auto"]);
    expect(coupled.code).to.equal(2);
  });

  it("refuses an amount of memory that is none", async () => {
    for (const amount of ["much", "-1MB", "3XB", ""]) {
      const { code, stderr } = await run(["train", data(), "--memory-budget", amount]);
      expect(code).to.equal(2);
      expect(sentence(stderr)).to.include("--memory-budget takes an amount of memory, as 500MB or 2GiB");
    }
  });
});
