import { spawnSync } from "node:child_process";
import {
  chmodSync,
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
import { readBytes, readText, StorageError, writeAtomic } from "../../src/storage/atomic.js";

async function failure(promise: Promise<unknown>): Promise<StorageError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).to.be.instanceOf(StorageError);
  return error as StorageError;
}

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
    const onFolder = await failure(writeAtomic(join(folder, "taken"), "x"));
    expect(onFolder.message).to.match(/Cannot write ".*taken".*is a folder/);
    expect(onFolder.path).to.equal(join(folder, "taken"));
    writeFileSync(join(folder, "file"), "");
    expect((await failure(writeAtomic(join(folder, "file", "x"), ""))).message).to.match(/not a folder/);
    expect((await failure(writeAtomic(join(folder, "file", "x", "y"), ""))).message).to.match(/not a folder/);
    expect(readdirSync(folder).sort()).to.deep.equal(["file", "taken"]);
  });

  it("says that a name is too long", async () => {
    expect((await failure(writeAtomic(join(folder, "x".repeat(300)), ""))).message).to.match(/too long/);
  });

  it("says that permission is denied", async function () {
    if (process.platform === "win32") this.skip();
    if (process.getuid?.() === 0) {
      const error = await failure(writeAtomic("/proc/revort/x", "x"));
      expect(error.message).to.match(/Cannot write "\/proc\/revort\/x"/);
      return;
    }
    chmodSync(folder, 0o500);
    expect((await failure(writeAtomic(join(folder, "x"), "x"))).message).to.match(/permission is denied/);
    chmodSync(folder, 0o700);
  });
});

describe("readBytes and readText", () => {
  let folder = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "revort-read-"));
    writeFileSync(join(folder, "spiral.csv"), "\ufefft,x\n");
    writeFileSync(join(folder, "latin.csv"), Uint8Array.from([0x74, 0xe9]));
  });
  after(() => rmSync(folder, { recursive: true }));

  it("give the content, and the text without its byte-order mark", async () => {
    const bytes = await readBytes(join(folder, "latin.csv"));
    expect(bytes).to.deep.equal(Uint8Array.from([0x74, 0xe9]));
    expect(await readText(join(folder, "spiral.csv"))).to.equal("t,x\n");
  });

  it("suggest the name that was perhaps meant", async () => {
    const error = await failure(readText(join(folder, "spyral.cvs")));
    expect(error.message).to.match(/no such file; check the path\.$/);
    const near = await failure(readText(join(folder, "Spirl.csv")));
    expect(near.message).to.match(/no such file; did you mean "spiral\.csv", in the same folder\?$/);
  });

  it("say that the folder is missing too", async () => {
    const error = await failure(readBytes(join(folder, "nowhere", "spiral.csv")));
    expect(error.message).to.match(/folder ".*nowhere" does not exist either/);
  });

  it("say that it is a folder", async () => {
    expect((await failure(readBytes(folder))).message).to.match(/Cannot read .* is a folder/);
  });

  it("say that text is not UTF-8", async () => {
    expect((await failure(readText(join(folder, "latin.csv")))).message).to.match(/save it as UTF-8/);
  });

  it("turn any other failure into a typed error too", async () => {
    expect((await failure(readBytes("a\0b"))).message).to.match(/Cannot read "a\\u0000b"/);
  });
});
