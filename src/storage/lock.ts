import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { lstat, readdir, realpath, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { RevortError } from "../core/errors.js";
import { makeFolder, writeAtomic } from "./atomic.js";
import { type ProcessIdentity, stateOf, thisProcess } from "./machine.js";
import { plainPath } from "./plain-path.js";
import { readPlainBytes, textOf } from "./read.js";

/** Who has a folder, and since when. */
export interface LockOwner extends ProcessIdentity {
  /** ISO 8601 */
  readonly since: string;
  /** the folder itself: what was copied along with its lock is another one, which nobody has */
  readonly path: string;
  readonly inode: number;
}

/** A folder that another process has, or may have. */
export class LockedError extends RevortError {
  constructor(
    readonly folder: string,
    /** the file that says so */
    readonly file: string,
    /** `null` where the file cannot be read */
    readonly owner: LockOwner | null,
    /** whether the owner was seen to run; of another machine's process that cannot be known */
    readonly running: boolean,
  ) {
    const who =
      owner === null
        ? "something"
        : `the process ${owner.pid} on ${JSON.stringify(owner.host)}, since ${owner.since}`;
    const remedy = running
      ? "Wait until it has ended, or stop it."
      : `Whether it still runs cannot be seen from here; if it does not, remove ${JSON.stringify(file)}.`;
    super(`${JSON.stringify(folder)} is in use by ${who}. ${remedy}`);
  }
}

/** A folder that is ours until it is released, or this process ends. */
export interface FolderLock {
  /** processes that had the folder and ended without releasing it: killed, or with the machine */
  readonly left: readonly LockOwner[];
  release(): void;
}

const lockName = /^lock-[0-9a-f]{8}\.json$/;
/** What is left of one whose writer was killed; one that is being written is younger than a minute. */
const temporaryName = /^lock-[0-9a-f]{8}\.json\.[0-9a-f]{8}\.tmp$/;

/** How often two who come at the same moment try again. */
const attempts = 6;

/**
 * Takes a folder for this process alone, making it where it is missing.
 *
 * Each process announces itself by a file of a name of its own, and then looks for others: of two that come at once the
 * later sees the earlier, or each the other, and then both withdraw and try again. So a lock that a dead process left
 * can be removed by anybody at any time: its name never belongs to another, as that of a single lock file would.
 *
 * @throws {LockedError} if another process has it; of one on another machine (or container) that is taken for granted
 * @throws {StorageError} if the folder cannot be written
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const own = `lock-${randomBytes(4).toString("hex")}.json`;
  const place = join(folder, own);
  const left: LockOwner[] = [];
  const release = () => {
    process.off("exit", release);
    try {
      rmSync(place, { force: true });
    } catch {
      // the folder has gone, or never was; a lock that stays is that of a process that has ended
    }
  };
  process.on("exit", release);
  try {
    for (let attempt = 1; ; attempt++) {
      await announce(folder, own);
      const other = await otherOwner(folder, own, left);
      if (other === null) return { left, release };
      if (attempt === attempts || !other.running) throw other;
      await rm(place, { force: true });
      await new Promise((resolve) => setTimeout(resolve, 10 + 40 * Math.random()));
    }
  } catch (error) {
    release();
    throw error;
  }
}

async function announce(folder: string, name: string): Promise<void> {
  await makeFolder(folder);
  const since = new Date().toISOString();
  const content: LockOwner = { ...thisProcess(), since, ...(await identityOf(folder)) };
  await writeAtomic(join(folder, name), `${JSON.stringify(content)}\n`);
}

async function identityOf(folder: string): Promise<Pick<LockOwner, "path" | "inode">> {
  return { path: await realpath(folder), inode: (await stat(folder)).ino };
}

/** Another process that has the folder, or `null`. What dead ones left is removed, and they are put to `left`. */
async function otherOwner(folder: string, own: string, left: LockOwner[]): Promise<LockedError | null> {
  const here = await identityOf(folder);
  for (const name of await readdir(folder)) {
    const file = join(folder, name);
    if (temporaryName.test(name) && (await ageOf(file)) > 60_000) await rm(file, { force: true });
    if (!lockName.test(name) || name === own) continue;
    const owner = await ownerIn(folder, name);
    if (owner === "gone") continue;
    const state = owner === null ? "unknown" : stateOf(owner);
    // a folder that was moved is at another path, and one that is mounted twice as well
    const copied = state === "running" && owner!.path !== here.path && owner!.inode !== here.inode;
    if (state !== "ended" && !copied) return new LockedError(folder, file, owner, state === "running");
    await rm(file, { force: true });
    if (!copied) left.push(owner!);
  }
  return null;
}

/** In ms. */
async function ageOf(file: string): Promise<number> {
  return lstat(file).then(
    ({ mtimeMs }) => Date.now() - mtimeMs,
    () => 0,
  );
}

/** `null` for a file that does not say who; "gone" for one that was removed meanwhile. */
async function ownerIn(folder: string, name: string): Promise<LockOwner | null | "gone"> {
  try {
    const path = await plainPath("read", folder, name);
    const said = JSON.parse(textOf(await readPlainBytes(path), path)) as LockOwner | null;
    const texts = [
      said?.host,
      said?.since,
      said?.path,
      said?.machine ?? "",
      said?.boot ?? "",
      said?.pids ?? "",
      said?.started ?? "",
    ];
    return Number.isSafeInteger(said?.pid) && said!.pid > 0 && texts.every((text) => typeof text === "string")
      ? said
      : null;
  } catch (error) {
    const { cause } = error as { cause?: NodeJS.ErrnoException };
    return cause?.code === "ENOENT" ? "gone" : null;
  }
}
