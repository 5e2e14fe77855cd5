import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { expect } from "chai";
import { ArchiveError, tar } from "../../src/storage/tar.js";
import { failure } from "../support/failure.js";

const text = (name: string, content: string, executable = false) => ({
  ...{ name, executable },
  content: () => new TextEncoder().encode(content),
});

describe("an archive", () => {
  const folder = mkdtempSync(join(tmpdir(), "revort-tar-"));
  after(() => rmSync(folder, { recursive: true }));
  const unpacked = async (...entries: ReturnType<typeof text>[]) => {
    const bytes = await buffer(tar(entries));
    writeFileSync(join(folder, "a.tar"), bytes);
    const { status, stderr } = spawnSync("tar", ["xf", "a.tar"], { cwd: folder, encoding: "utf8" });
    expect(status, stderr).to.equal(0);
    // not even a warning, of times long past say
    expect(stderr).to.equal("");
    return bytes;
  };

  it("is unpacked by the system's tar: contents of all lengths around a block, and who may run them", async function () {
    if (spawnSync("tar", ["--version"]).status !== 0) this.skip();
    const lengths = [0, 1, 511, 512, 513];
    const contents = lengths.map((length) => "é".repeat(length).slice(0, length));
    await unpacked(...contents.map((content, i) => text(`a/${i}`, content, i % 2 === 1)));
    contents.forEach((content, i) => {
      expect(readFileSync(join(folder, `a/${i}`), "utf8")).to.equal(content);
      expect((statSync(join(folder, `a/${i}`)).mode & 0o100) !== 0).to.equal(i % 2 === 1);
    });
  });

  it("has room for paths of more than 100 bytes, and says of which it has none", async function () {
    if (spawnSync("tar", ["--version"]).status !== 0) this.skip();
    const long = `${"ö".repeat(40)}/${"b".repeat(60)}/${"c".repeat(90)}`;
    await unpacked(text(long, "here"));
    expect(readFileSync(join(folder, long), "utf8")).to.equal("here");
    const { message } = await failure(buffer(tar([text("d".repeat(101), "")])), ArchiveError);
    expect(message).to.contain("too long");
  });

  it("is the same bytes whenever it is made", async () => {
    const make = () => buffer(tar([text("a", "1"), text("b", "2", true)]));
    expect(await make()).to.deep.equal(await make());
  });
});
