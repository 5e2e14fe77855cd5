import { spawnSync } from "node:child_process";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { checkWritable, clearTemporaries, writeAtomic } from "../../src/storage/atomic.js";
import { readText } from "../../src/storage/read.js";
import { StorageError } from "../../src/storage/storage-error.js";
import { failure } from "../support/failure.js";

const refusal = (work: Promise<unknown>) => failure(work, StorageError);

describe("writeAtomic", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "revort-atomic-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("writes text and bytes, making the folders on the way, and leaves nothing else behind", async () => {
    const path = join(folder, "a", "b", "c.txt");
    await writeAtomic(path, "é\n");
    expect(readFileSync(path, "utf8")).to.equal("é\n");
    await writeAtomic(path, new Uint8Array([9, 1, 2, 9]).subarray(1, 3));
    expect([...readFileSync(path)]).to.deep.equal([1, 2]);
    expect(readdirSync(join(folder, "a", "b"))).to.deep.equal(["c.txt"]);
  });

  it("replaces a file in one go, so that a reader sees the old or the new and never a part", async () => {
    const path = join(folder, "state");
    const versions = ["a", "b"].map((letter) => letter.repeat(100_000));
    await writeAtomic(path, versions[0]!);
    const writing = Promise.all(Array.from({ length: 20 }, (_, i) => writeAtomic(path, versions[i % 2]!)));
    let done = false;
    void writing.finally(() => {
      done = true;
    });
    while (!done) expect(versions.includes(await readText(path))).to.equal(true);
    await writing;
    expect(readdirSync(folder)).to.deep.equal(["state"]);
  });

  it("keeps the mode of the file it replaces, and follows a symbolic link", async function () {
    if (process.platform === "win32") this.skip();
    const path = join(folder, "real");
    writeFileSync(path, "old");
    chmodSync(path, 0o640);
    symlinkSync(path, join(folder, "link"));
    await writeAtomic(join(folder, "link"), "new");
    expect(readFileSync(path, "utf8")).to.equal("new");
    expect(statSync(path).mode & 0o777).to.equal(0o640);
  });

  it("keeps the old file when the new one does not fit on the disk", function () {
    if (process.platform === "win32") this.skip();
    const path = join(folder, "state");
    writeFileSync(path, "old");
    // A limit on the size of files gives a short write followed by an error, as a full disk does.
    const script = `
      import { writeAtomic } from ${JSON.stringify(join(process.cwd(), "src/storage/atomic.ts"))};
      process.on("SIGXFSZ", () => {});
      await writeAtomic(${JSON.stringify(path)}, new Uint8Array(2 ** 20)).catch((error) => console.log(error.message));
    `;
    const command = `ulimit -f 512; exec node --import tsx --input-type=module -e "$0"`;
    const { stdout, stderr } = spawnSync("bash", ["-c", command, script], { encoding: "utf8" });
    expect(stdout, stderr).to.match(/larger than is allowed/);
    expect(readFileSync(path, "utf8")).to.equal("old");
    expect(readdirSync(folder)).to.deep.equal(["state"]);
  });

  it("says that a folder is in the place of the file, or a file in the place of a folder", async () => {
    mkdirSync(join(folder, "taken"));
    const onFolder = await refusal(writeAtomic(join(folder, "taken"), "x"));
    expect(onFolder.message).to.match(/Cannot write ".*taken".*is a folder/);
    expect(onFolder.path).to.equal(join(folder, "taken"));
    writeFileSync(join(folder, "file"), "");
    expect((await refusal(writeAtomic(join(folder, "file", "x"), ""))).message).to.match(/not a folder/);
    expect((await refusal(writeAtomic(join(folder, "file", "x", "y"), ""))).message).to.match(/not a folder/);
    expect(readdirSync(folder).sort()).to.deep.equal(["file", "taken"]);
  });

  it("refuses to take the place of what is no file: a pipe, a device, a link that leads nowhere", async function () {
    if (process.platform === "win32") this.skip();
    const pipe = join(folder, "pipe");
    expect(spawnSync("mkfifo", [pipe]).status).to.equal(0);
    const link = join(folder, "link");
    symlinkSync(join(folder, "nowhere"), link);
    // as the system's administrator, one could replace it
    for (const [path, what] of [
      [pipe, "is a pipe"],
      [link, "is a symbolic link that leads nowhere"],
      ["/dev/null", "is a device"],
      ["/dev/stdout", "is a "],
    ] as const) {
      const before = lstatSync(path);
      for (const write of [() => writeAtomic(path, "x"), () => checkWritable(path)]) {
        expect((await refusal(write())).message).to.include(`Cannot write "${path}": it ${what}`);
      }
      expect(lstatSync(path)).to.include({ ino: before.ino, mode: before.mode });
    }
    expect(readdirSync(folder).sort()).to.deep.equal(["link", "pipe"]);
  });

  it("says that a name is too long", async () => {
    expect((await refusal(writeAtomic(join(folder, "x".repeat(300)), ""))).message).to.match(/too long/);
  });

  it("says that permission is denied", async function () {
    if (process.platform === "win32") this.skip();
    if (process.getuid?.() === 0) {
      const error = await refusal(writeAtomic("/proc/revort/x", "x"));
      expect(error.message).to.match(/Cannot write "\/proc\/revort\/x"/);
      return;
    }
    chmodSync(folder, 0o500);
    expect((await refusal(writeAtomic(join(folder, "x"), "x"))).message).to.match(/permission is denied/);
    chmodSync(folder, 0o700);
  });
});

describe("checkWritable", () => {
  it("leaves nothing behind, and a file that is there as it was", async () => {
    const folder = mkdtempSync(join(tmpdir(), "revort-writable-"));
    writeFileSync(join(folder, "there"), "old");
    await checkWritable(join(folder, "there"));
    await checkWritable(join(folder, "new"));
    expect(readdirSync(folder)).to.deep.equal(["there"]);
    expect(readFileSync(join(folder, "there"), "utf8")).to.equal("old");
    rmSync(folder, { recursive: true });
  });
});

describe("clearTemporaries", () => {
  it("removes what a killed writer leaves of the files that are ours, and nothing else", async () => {
    const folder = mkdtempSync(join(tmpdir(), "revort-temporaries-"));
    // of a writer that is killed before the new content has its name
    const script = `
      import { writeAtomic } from ${JSON.stringify(join(process.cwd(), "src/storage/atomic.ts"))};
      void writeAtomic(${JSON.stringify(join(folder, "state"))}, new Uint8Array(2 ** 26));
      const { readdirSync } = await import("node:fs");
      while (readdirSync(${JSON.stringify(folder)}).length === 0) await new Promise(setImmediate);
      process.kill(process.pid, "SIGKILL");
    `;
    spawnSync("node", ["--import", "tsx", "--input-type=module", "-e", script], { timeout: 20_000 });
    const [orphan, ...others] = readdirSync(folder);
    expect(orphan).to.match(/^state\..*\.tmp$/);
    expect(others).to.deep.equal([]);
    // an earlier version's
    writeFileSync(join(folder, "state.123e4567-e89b-42d3-a456-426614174000.tmp"), "");
    const kept = ["state", "mine.tmp", "state.tmp", "state.0.tmp", "theirs.0123abcd.tmp"].sort();
    for (const name of kept) writeFileSync(join(folder, name), "");
    await clearTemporaries(folder, (name) => name === "state");
    expect(readdirSync(folder).sort()).to.deep.equal(kept);
    await clearTemporaries(join(folder, "nowhere"), () => true);
    rmSync(folder, { recursive: true });
  });
});
