import { expect } from "chai";
import { json, readJson, run, scratch, written } from "./command.js";

/** A circle, once around in twelve steps of 1/2: so long that Euler's rule fits it with a field of its own. */
const circle = Array.from({ length: 13 }, (_, i) => i / 2).map(
  (t) => `${t},${Math.cos(t)},${-Math.sin(t)}\n`,
);

describe("revort train, held against the field itself", () => {
  const folder = scratch();
  const data = () => written(folder("circle.csv"), `t,x,y\n${circle.join("")}`);
  const words = (...more: string[]) => ["train", data(), "--field", "mlp:8", "--gradient", "direct", ...more];
  const coarse = ["--autonomous", "--solver", "euler", "--step-size", "0.5", "--steps", "300"];

  it("reports the loss of the field beside that of the solver, in text, in JSON and in result.json", async () => {
    const out = folder("direct");
    const fine = ["--solver", "rk4", "--step-size", "0.1", "--steps", "50"];
    const { check } = await json(...words(...fine, "--out", out));
    expect(check).to.deep.equal(readJson(`${out}/result.json`).check);
    expect(check.method).to.equal("dopri8");
    expect(check.loss).to.be.closeTo(check.trainedLoss, 1e-3 * check.trainedLoss);
    expect(check.furthest.component).to.be.oneOf(["x", "y"]);
    expect(check.warning).to.equal(null);
    const { code, stdout, stderr } = await run(words(...fine, "--out", folder("text")));
    expect(code).to.equal(0);
    expect(stdout).to.match(/loss of the trained field, solved by dopri8 to 1e-9 +\d\.\d+/);
    expect(stdout).to.match(/largest distance between the two solutions, in standard deviations +\d/);
    expect(stderr).not.to.match(/Warning/);
  });

  it("warns of a fit that the field does not bear out, and keeps the run", async () => {
    const { code, stdout, stderr } = await run(words(...coarse, "--out", folder("warned")));
    expect(code).to.equal(0);
    expect(stderr).to.match(/Warning: The fit depends on the errors of the solver/);
    const { check } = readJson(folder("warned", "result.json"));
    expect(check.warning).to.match(/smaller steps/);
    // both losses are of the same parameters: "loss, last" is of those before the last update
    const shown = (row: RegExp) => Number(stdout.match(row)![1]);
    const trained = shown(/loss of the trained field, by the training solver +(\S+)/);
    expect(trained).to.be.closeTo(check.trainedLoss, 1e-5 * check.trainedLoss);
    const own = shown(/loss of the trained field, solved by dopri8 to 1e-9 +(\S+)/);
    expect(own).to.be.closeTo(check.loss, 1e-5 * check.loss);
  });

  it("makes that a failure with --strict, the run kept all the same", async () => {
    const { code } = await run(words(...coarse, "--strict", "--out", folder("strict")));
    expect(code).to.equal(1);
    expect(readJson(folder("strict", "result.json")).steps).to.equal(300);
    expect((await run(["export", folder("strict"), "--out", folder("kept.onnx")])).code).to.equal(0);
  });
});
