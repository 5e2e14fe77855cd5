import { isatty } from "node:tty";
import { allowFusedMultiplyAdd } from "../runtimes/relaxed-simd.js";
import { exitCodes, stopSignals } from "./exit-codes.js";
import type { OfAClone } from "./main.js";
import { stopOnSignal } from "./stop-signal.js";

/** Runs a command line in this process: its streams, the signals that stop it, its exit code. */
export async function runProcess(words: readonly string[], more: OfAClone = {}): Promise<void> {
  allowFusedMultiplyAdd();
  const terminal = [0, 1, 2].some(isatty);
  const output = watchOutput();
  const stopping = stopOnSignal();
  const { main } = await import("./main.js");
  const streams = { stdout: process.stdout, stderr: process.stderr, stopSignal: stopping.signal };
  const code = await main(words, streams, more);
  stopping.end();
  process.exitCode = output.failed() ? exitCodes.failed : stopping.exitCode(code);
  // Node aborts on its way out where the terminal, whose modes it then sets, has gone
  if (terminal && process.exitCode === stopSignals.SIGHUP) process.kill(process.pid, "SIGHUP");
}

/**
 * A reader that has gone (`revort … | head`, a terminal that was closed) is no failure. Any other stream that takes no
 * more (a full disk) is: it is said once, on stderr where that is not the one, and the exit code is that of failed work.
 */
function watchOutput(): { failed(): boolean } {
  let failed = false;
  const watch = (stream: NodeJS.WriteStream, name: string, say: (sentence: string) => void) => {
    stream.on("error", async (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE" || (error.code === "EIO" && stream.isTTY)) return;
      const first = !failed;
      failed = true;
      // what is written may be found lost only after the command has ended
      process.exitCode = exitCodes.failed;
      if (!first) return;
      const { reasonOf } = await import("../storage/storage-error.js");
      say(`revort: Cannot write to ${name}: ${reasonOf(error)}.\n`);
    });
  };
  watch(process.stdout, "standard output", (sentence) => process.stderr.write(sentence));
  watch(process.stderr, "standard error", () => {});
  return { failed: () => failed };
}
