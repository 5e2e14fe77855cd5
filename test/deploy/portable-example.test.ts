import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect } from "chai";
import { decode } from "../../src/graph/decode.js";
import { json, scratch } from "../cli/command.js";
import { missingModules, pythonScript } from "../support/python.js";

const folder = "models/portable";

/** The losses that a script of the example prints, by update. */
function lossesIn(text: string): Record<string, number> {
  const lines = [...text.matchAll(/^update +(\d+) +loss (\S+)$/gm)];
  return Object.fromEntries(lines.map(([, update, loss]) => [update, Number(loss)]));
}

describe("the example of files that need no revort", () => {
  const place = scratch();
  let losses: number[];
  before(async () => {
    ({ losses } = await json("train", "hare-lynx", "--steps", "300", "--out", place("run")));
  });

  function check(text: string): void {
    // six decimals are printed
    expect(lossesIn(text)["50"]).to.be.closeTo(losses[49]!, 1e-6);
    // the first row of the solution is where the data start, and later ones are no longer there
    expect(text).to.match(/^1900 +30\.00\D+4\.00/m);
    expect(text).to.match(/^1925 +(?!30\.00)\d+\.\d\d/m);
  }

  it("trains and solves in JavaScript", () => {
    check(execFileSync(process.execPath, [`${folder}/train-without-revort.mjs`, "50"], { encoding: "utf8" }));
  });

  it("trains and solves in Python", function () {
    const why = missingModules("numpy", "onnxruntime");
    if (why !== null) {
      console.log(`      skipped: ${why}`);
      this.skip();
    }
    const { ok, stdout, stderr } = pythonScript(`${folder}/train_without_revort.py`, "50");
    expect(ok, stderr).to.equal(true);
    check(stdout);
  });

  it("is of files that say what they are", () => {
    const kinds = ["train-step", "train-step.start", "solve"].map((name) => {
      const bytes = readFileSync(`${folder}/${name}.onnx`);
      expect(bytes.length).to.be.below(100_000);
      return decode(bytes).metadata["revort.kind"];
    });
    expect(kinds).to.deep.equal(["train-steps", "train-start", "solve"]);
  });
});
