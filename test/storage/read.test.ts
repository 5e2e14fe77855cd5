import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { plainPath } from "../../src/storage/plain-path.js";
import { readBytes, readPlainBytes, readText, textOf } from "../../src/storage/read.js";
import { StorageError } from "../../src/storage/storage-error.js";
import { failure } from "../support/failure.js";

const refusal = (work: Promise<unknown>) => failure(work, StorageError);

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
    const error = await refusal(readText(join(folder, "spyral.cvs")));
    expect(error.message).to.match(/no such file; check the path\.$/);
    const near = await refusal(readText(join(folder, "Spirl.csv")));
    expect(near.message).to.match(/no such file; did you mean "spiral\.csv", in the same folder\?$/);
  });

  it("say that the folder is missing too", async () => {
    const error = await refusal(readBytes(join(folder, "nowhere", "spiral.csv")));
    expect(error.message).to.match(/folder ".*nowhere" does not exist either/);
  });

  it("say that it is a folder", async () => {
    expect((await refusal(readBytes(folder))).message).to.match(/Cannot read .* is a folder/);
  });

  it("say that text is not UTF-8", async () => {
    expect((await refusal(readText(join(folder, "latin.csv")))).message).to.match(/save it as UTF-8/);
  });

  it("say that text, or a file, is longer than can be held", async () => {
    // half a gibibyte of nothing, which is longer than any text of JavaScript
    const long = () => textOf(new Uint8Array(2 ** 29), "long.csv");
    expect(long).to.throw(StorageError, 'Cannot read "long.csv" as text: it is longer than 512 MiB');
    const path = join(folder, "huge");
    writeFileSync(path, "");
    // a hole, which takes no room on the disk
    truncateSync(path, 2 ** 31 + 1);
    expect((await refusal(readBytes(path))).message).to.include("it is larger than 2 GiB");
  });

  it("turn any other failure into a typed error too", async () => {
    expect((await refusal(readBytes("a\0b"))).message).to.match(/Cannot read "a\\u0000b"/);
  });
});

describe("what is no plain file", () => {
  let folder = "";
  before(function () {
    if (process.platform === "win32") this.skip();
    folder = mkdtempSync(join(tmpdir(), "revort-kinds-"));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));
  const pipe = (name: string): string => {
    const path = join(folder, name);
    expect(spawnSync("mkfifo", [path]).status).to.equal(0);
    return path;
  };

  it("is refused by its kind, and never waited for", async () => {
    const socket = join(folder, "socket");
    const server = createServer().listen(socket);
    await new Promise((resolve) => server.once("listening", resolve));
    for (const [path, what] of [
      ["/dev/zero", "a device"],
      ["/dev/null", "a device"],
      [socket, "a socket"],
      [folder, "a folder"],
    ] as const) {
      expect((await refusal(readBytes(path))).message).to.include(`Cannot read "${path}": it is ${what}`);
      expect((await refusal(readPlainBytes(path))).message).to.match(/Cannot read .*: it is a /);
    }
    server.close();
  });

  it("is read through where it is a pipe that somebody writes to, however slowly", async () => {
    const path = pipe("slow");
    const big = "0123456789".repeat(50_000);
    spawn("bash", [
      "-c",
      'exec > "$0"; sleep 0.3; printf "t,x\\n"; sleep 0.3; printf "%s\\n" "$(cat)"',
      path,
    ]).stdin.end(big);
    expect(await readText(path)).to.equal(`t,x\n${big}\n`);
  });

  it("is read through a substituted process, as shells write it", () => {
    const script = `
      import { readText } from ${JSON.stringify(join(process.cwd(), "src/storage/read.ts"))};
      for (const path of process.argv.slice(1)) console.log(await readText(path));
    `;
    const command = `echo from stdin | node --import tsx --input-type=module -e "$0" <(echo substituted) /dev/stdin`;
    const { stdout, stderr } = spawnSync("bash", ["-c", command, script], { encoding: "utf8" });
    expect(stdout, stderr).to.equal("substituted\n\nfrom stdin\n\n");
  });

  it("is refused where it is a pipe that nobody writes to", async () => {
    expect((await refusal(readBytes(pipe("idle")))).message).to.match(/is a pipe that nothing is written to/);
  });

  it("is not followed where only the folder's own files are meant", async () => {
    const place = join(folder, "run");
    mkdirSync(join(place, "inner"), { recursive: true });
    const secret = join(folder, "secret");
    writeFileSync(secret, "secret");
    writeFileSync(join(place, "inner", "own"), "own");
    symlinkSync(secret, join(place, "out"));
    symlinkSync(join(place, "inner"), join(place, "around"));
    symlinkSync(join(folder, "nowhere"), join(place, "loose"));
    expect(String(Buffer.from(await readPlainBytes(await plainPath("read", place, "inner/own"))))).to.equal(
      "own",
    );
    expect(await plainPath("write", place, "new/file")).to.equal(join(place, "new/file"));
    for (const name of ["out", "around/own", "loose"]) {
      for (const action of ["read", "write"] as const) {
        const { message } = await refusal(plainPath(action, place, name));
        expect(message).to.match(
          new RegExp(`Cannot ${action} ".*": it is a symbolic link, which is not followed`),
        );
      }
    }
    expect((await refusal(plainPath("write", place, "inner"))).message).to.include("it is a folder");
    await refusal(readPlainBytes(join(place, "out")));
    // the folder itself may be anywhere
    symlinkSync(place, join(folder, "linked"));
    expect(await plainPath("read", join(folder, "linked"), "inner/own")).to.match(/linked\/inner\/own$/);
  });
});
