import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** How a command in a process of its own ended. */
export interface Ended {
  /** `null` where a signal ended it */
  readonly code: number | null;
  /** the last of what it wrote to stderr */
  readonly stderr: string;
}

/** Runs a command line of revort; the signal asks it to stop when it can. */
export type RunCommand = (words: readonly string[], signal: AbortSignal) => Promise<Ended>;

/** What is kept of a stderr. */
const mostText = 20_000;

/** The program that this one is: its sources in a clone, else the compiled package. */
function entry(): string {
  const isSource = import.meta.url.endsWith(".ts");
  return fileURLToPath(new URL(isSource ? "../../../scripts/revort.mjs" : "../bin.js", import.meta.url));
}

/**
 * Runs a command line in a process of its own, so that runs go side by side and one that ends badly takes no other with it.
 * Ctrl-C in a terminal reaches it too; where only this process is told to stop, it passes that on.
 */
export const inOwnProcess: RunCommand = (words, signal) =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [entry(), ...words], { stdio: ["ignore", "ignore", "pipe"] });
    const stop = () => child.kill("SIGTERM");
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      stderr = (stderr + chunk).slice(-mostText);
    });
    child.on("error", reject);
    child.on("close", (code, by) => {
      signal.removeEventListener("abort", stop);
      resolve({
        code,
        stderr: by === null ? stderr : `${stderr}\nrevort: It was ended by the signal ${by}.\n`,
      });
    });
  });
