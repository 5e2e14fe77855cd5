import { spawn, spawnSync } from "node:child_process";
import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { LockedError, type LockOwner, lockFolder } from "../../src/storage/lock.js";
import { stateOf, thisProcess } from "../../src/storage/machine.js";

const source = JSON.stringify(join(process.cwd(), "src/storage/lock.ts"));

/** A process that runs a program, and what it prints. */
function runs(program: string, ...args: string[]) {
  const child = spawn("node", ["--import", "tsx", "--input-type=module", "-e", program, ...args]);
  let text = "";
  const printed = (pattern: RegExp) =>
    new Promise<string>((resolve) => {
      const look = () => pattern.test(text) && resolve(text);
      child.stdout.on("data", look);
      look();
    });
  child.stdout.on("data", (chunk) => {
    text += chunk;
  });
  const ended = new Promise<string>((resolve) => child.on("close", () => resolve(text)));
  return { child, printed, ended };
}

async function refusal(folder: string): Promise<LockedError> {
  const error = await lockFolder(folder).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).to.be.instanceOf(LockedError);
  return error as LockedError;
}

describe("lockFolder", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "revort-lock-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const locks = () => readdirSync(folder);
  /** Puts the lock of another process there. */
  const left = (owner: Partial<LockOwner>) => {
    const here = { path: realpathSync(folder), inode: statSync(folder).ino };
    const content = { ...thisProcess(), since: "2026-01-02T03:04:05.000Z", ...here, ...owner };
    writeFileSync(join(folder, "lock-00000000.json"), JSON.stringify(content));
  };

  it("gives a folder to one at a time, who is named, and leaves nothing behind", async () => {
    const lock = await lockFolder(folder);
    const { message, owner, running } = await refusal(folder);
    expect(owner!.pid).to.equal(process.pid);
    expect(running).to.equal(true);
    expect(message).to.include(`is in use by the process ${process.pid} on "${owner!.host}", since 20`);
    lock.release();
    expect(locks()).to.deep.equal([]);
    (await lockFolder(folder)).release();
    expect(locks()).to.deep.equal([]);
  });

  it("is released when the process ends, however it ends but by kill -9", async () => {
    const program = (end: string) => `
      import { lockFolder } from ${source};
      await lockFolder(process.argv[1]);
      console.log("locked");
      ${end}
    `;
    for (const end of ["", "process.exit(3)", "throw new Error('x')"]) {
      spawnSync("node", ["--import", "tsx", "--input-type=module", "-e", program(end), folder]);
      expect(locks(), end).to.deep.equal([]);
    }
    const { child, printed, ended } = runs(program("setInterval(() => {}, 1000)"), folder);
    await printed(/locked/);
    expect((await refusal(folder)).owner!.pid).to.equal(child.pid);
    child.kill("SIGKILL");
    await ended;
    expect(locks()).to.have.length(1);
    const lock = await lockFolder(folder);
    expect(lock.left.map(({ pid }) => pid)).to.deep.equal([child.pid]);
    lock.release();
    expect(locks()).to.deep.equal([]);
  });

  it("goes to one of many who come at once, after a dead owner too", async () => {
    const program = `
      import { lockFolder } from ${source};
      process.stdout.write("ready ");
      await new Promise((resolve) => process.stdin.once("data", resolve));
      await lockFolder(process.argv[1]).then(
        async () => {
          process.stdout.write("got");
          await new Promise((resolve) => setTimeout(resolve, 1500));
        },
        (error) => process.stdout.write(error.name),
      );
      process.exit();
    `;
    for (let round = 0; round < 2; round++) {
      left({ pid: 2 ** 22 + 1 });
      const all = Array.from({ length: 4 }, () => runs(program, folder));
      await Promise.all(all.map(({ printed }) => printed(/ready/)));
      for (const { child } of all) child.stdin.write("go\n");
      const said = await Promise.all(all.map(({ ended }) => ended));
      expect(said.sort()).to.deep.equal(["ready got", ...new Array(3).fill("ready LockedError")].sort());
      expect(locks()).to.deep.equal([]);
    }
  });

  it("is taken over from an owner that has ended: gone, started again, or with the machine's last run", async function () {
    if (process.platform !== "linux") this.skip();
    for (const owner of [{ pid: 2 ** 22 + 1 }, { started: "1" }]) {
      left(owner);
      const lock = await lockFolder(folder);
      expect(lock.left, JSON.stringify(owner)).to.have.length(1);
      lock.release();
    }
    const here = thisProcess();
    const machine = here.machine ?? "0123";
    // only an installation's own name tells a machine that was started anew from another
    const state = stateOf({ ...here, boot: "another", machine });
    expect(state).to.equal(here.machine === null ? "unknown" : "ended");
    expect(locks()).to.deep.equal([]);
  });

  it("takes a process that only waits for its parent to look at it for ended", function () {
    if (process.platform !== "linux") this.skip();
    // the shell becomes a sleep, which never asks for its child
    const parent = spawn("bash", ["-c", "sleep 0.2 & echo $!; exec sleep 5"]);
    return new Promise<void>((resolve, reject) => {
      parent.stdout.once("data", (text) => {
        const pid = Number(text);
        setTimeout(() => {
          try {
            expect(readFileSync(`/proc/${pid}/stat`, "utf8")).to.match(/ Z /);
            expect(stateOf({ ...thisProcess(), pid })).to.equal("ended");
            resolve();
          } catch (error) {
            reject(error as Error);
          }
          parent.kill();
        }, 800);
      });
    });
  });

  it("stays with a folder that is moved or reached by another way, and does not come with a copy", async () => {
    const inner = join(folder, "run");
    const lock = await lockFolder(inner);
    cpSync(inner, join(folder, "copy"), { recursive: true });
    symlinkSync(inner, join(folder, "link"));
    await refusal(join(folder, "link"));
    const copy = await lockFolder(join(folder, "copy"));
    expect(copy.left).to.deep.equal([]);
    copy.release();
    expect(readdirSync(join(folder, "copy"))).to.deep.equal([]);
    renameSync(inner, join(folder, "moved"));
    await refusal(join(folder, "moved"));
    lock.release();
  });

  it("is refused where the owner cannot be seen, with what to do", async () => {
    for (const owner of [{ host: "elsewhere" }, { pids: "pid:[1]" }, { machine: "other" }]) {
      left(owner);
      const { message, running } = await refusal(folder);
      expect(running).to.equal(false);
      expect(message).to.include("since 2026-01-02T03:04:05.000Z");
      expect(message).to.match(/cannot be seen from here; if it does not, remove ".*lock-00000000\.json"\.$/);
      expect(locks()).to.deep.equal(["lock-00000000.json"]);
    }
  });

  it("is refused where a lock does not say whose it is", async function () {
    if (process.platform === "win32") this.skip();
    for (const content of ["", "null", "{}", '{"pid": -1, "host": "x", "since": ""}', "\u0000", "[1]"]) {
      writeFileSync(join(folder, "lock-00000000.json"), content);
      expect((await refusal(folder)).message, content).to.match(/in use by something\. .*remove/);
    }
    rmSync(join(folder, "lock-00000000.json"));
    symlinkSync("/dev/zero", join(folder, "lock-00000000.json"));
    expect((await refusal(folder)).message).to.include("in use by something");
  });
});
