import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { oscillator } from "../serve/served.js";
import { refusal, run } from "./command.js";

describe("revort serve", () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "revort-serve-"));
    writeFileSync(join(folder, "oscillator.onnx"), oscillator());
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it("says where it listens, answers, and ends with 0 when it is told to stop", async () => {
    // the first line of the log says that it listens
    const words = ["serve", folder, "--port", "0", "--workers", "1", "--json"];
    const { code, stdout, stderr } = await run(words, /Server listening/);
    expect(code, stderr).to.equal(0);
    const said = JSON.parse(stdout);
    expect(said.url).to.match(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(said.models).to.deep.equal([{ name: "oscillator", state: "READY", reason: "" }]);
    expect(said.token).to.equal(false);
    for (const line of stderr.trim().split("\n").slice(0, -1))
      expect(() => JSON.parse(line), line).not.to.throw();
    expect(stderr).to.match(/All that had come was answered\.\n$/);
  });

  it("refuses what it cannot do, and says what to do", async () => {
    expect(await refusal(2, "serve", join(folder, "none"))).to.match(/no folder .*Give one that holds runs/);
    expect(await refusal(2, "serve", join(folder, "oscillator.onnx"))).to.contain("is no folder");
    expect(await refusal(2, "serve", folder, "--port", "99999")).to.contain("0 to 65535");
    expect(await refusal(2, "serve", folder, "--token", "two words")).to.contain("visible ASCII");
    expect(await refusal(2, "serve", folder, "--token", "a", "--token-file", "b")).to.contain("not both");
    expect(await refusal(2, "serve", folder, "--max-body", "x")).to.contain("amount of memory");
    const taken = await run([
      "serve",
      folder,
      "--host",
      "203.0.113.7",
      "--port",
      "0",
      "--log-level",
      "silent",
    ]);
    expect(taken.code).to.equal(2);
    expect(taken.stderr).to.match(/Cannot listen on 203\.0\.113\.7:0: this machine has no such address/);
  });
});
