import { exitCodes } from "./exit-codes.js";
import { allowFusedMultiplyAdd } from "./relaxed-simd.js";

/** Runs a command line in this process: its streams, its Ctrl-C, its exit code. */
export async function runProcess(words: readonly string[]): Promise<void> {
  allowFusedMultiplyAdd();
  process.stdout.on("error", ignoreClosedPipe);
  process.stderr.on("error", ignoreClosedPipe);
  const interrupt = new AbortController();
  const stop = () => {
    // the second Ctrl-C does not wait
    if (interrupt.signal.aborted) process.exit(exitCodes.interrupted);
    interrupt.abort();
    process.stderr.write("\nStopping; press Ctrl-C again to stop at once.\n");
  };
  const { main } = await import("./main.js");
  process.exitCode = await main(words, {
    stdout: process.stdout,
    stderr: process.stderr,
    stopSignal() {
      for (const signal of ["SIGINT", "SIGTERM"] as const) {
        if (!process.listeners(signal).includes(stop)) process.on(signal, stop);
      }
      return interrupt.signal;
    },
  });
  process.off("SIGINT", stop);
  process.off("SIGTERM", stop);
}

/** `revort … | head` closes the pipe early; that is no failure. */
function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error;
}
