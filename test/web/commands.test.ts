import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { expect } from "chai";

const script = (name: string, ...words: string[]) =>
  spawnSync(process.execPath, ["--import", "tsx", `scripts/${name}.ts`, ...words], { encoding: "utf8" });

describe("npm run web and web:build", () => {
  it("have --help, and refuse in one sentence what they do not know, before anything is written", () => {
    for (const name of ["web", "web-build"]) {
      const help = script(name, "--help");
      expect(help.status, name).to.equal(0);
      expect(help.stdout).to.match(/^Usage: npm run web/);
      const wrong = script(name, "--prot", "1");
      expect(wrong.status, name).to.equal(2);
      expect(wrong.stderr).to.match(/^error: unknown option '--prot'/);
    }
    expect(existsSync("--help")).to.equal(false);
  });
});
