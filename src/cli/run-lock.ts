import { rmdir } from "node:fs/promises";
import { type FolderLock, lockFolder } from "../storage/lock.js";
import type { Console } from "./console.js";

/** The lock on the folder of a run, while a command writes there. */
export interface RunLock {
  /**
   * From here on the folder is this command's alone, and Ctrl-C stops it in good order.
   *
   * @throws {LockedError | StorageError}
   */
  take(folder: string): Promise<void>;
  /** Also removes the folder, where it has stayed empty. */
  release(): Promise<void>;
}

export function runLock({ note, stopSignal }: Pick<Console, "note" | "stopSignal">): RunLock {
  let held: { readonly folder: string; readonly lock: FolderLock } | null = null;
  return {
    async take(folder) {
      stopSignal();
      const lock = await lockFolder(folder);
      held = { folder, lock };
      for (const { pid, since } of lock.left) {
        note(`The process ${pid}, which was training ${folder} since ${since}, has died; taking over.`);
      }
    },
    async release() {
      if (held === null) return;
      held.lock.release();
      await rmdir(held.folder).catch(() => undefined);
      held = null;
    },
  };
}
