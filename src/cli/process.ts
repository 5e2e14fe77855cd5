import { exitCodes, type StopSignal, stopSignals } from "./exit-codes.js";
import { allowFusedMultiplyAdd } from "./relaxed-simd.js";

/** Runs a command line in this process: its streams, the signals that stop it, its exit code. */
export async function runProcess(words: readonly string[]): Promise<void> {
  allowFusedMultiplyAdd();
  const output = watchOutput();
  const stopping = stopOnSignal();
  const { main } = await import("./main.js");
  const code = await main(words, {
    stdout: process.stdout,
    stderr: process.stderr,
    stopSignal: stopping.signal,
  });
  stopping.end();
  process.exitCode = output.failed() ? exitCodes.failed : stopping.exitCode(code);
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

/** Signals that come within this time, in ms, are one: a terminal sends Ctrl-C to all its processes, and `tsx` again. */
const sameSignal = 1000;

/** The first signal asks the command to stop when it can; one that comes a second later, or after that, does not wait. */
function stopOnSignal() {
  const interrupt = new AbortController();
  let first: { readonly signal: StopSignal; readonly time: number } | null = null;
  const names = Object.keys(stopSignals) as StopSignal[];
  const stop = (signal: StopSignal) => {
    if (first !== null) {
      if (performance.now() - first.time >= sameSignal) process.exit(stopSignals[signal]);
      return;
    }
    first = { signal, time: performance.now() };
    interrupt.abort();
    const again = signal === "SIGINT" ? "; press Ctrl-C again to stop at once" : ` (${signal})`;
    process.stderr.write(`\nStopping${again}.\n`);
  };
  let listening = false;
  return {
    /** From the first call on the signals end nothing by themselves. */
    signal(): AbortSignal {
      if (!listening) for (const name of names) process.on(name, stop);
      listening = true;
      return interrupt.signal;
    },
    end(): void {
      for (const name of names) process.off(name, stop);
    },
    /** An interrupted command ends with the code of the signal that interrupted it. */
    exitCode(code: number): number {
      return code === exitCodes.interrupted && first !== null ? stopSignals[first.signal] : code;
    },
  };
}
