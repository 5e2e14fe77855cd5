import { main } from "./main.js";

/** Runs a command line in this process: its streams, its Ctrl-C, its exit code. */
export async function runProcess(words: readonly string[]): Promise<void> {
  const stop = new AbortController();
  const onInterrupt = () => {
    // the second Ctrl-C does not wait
    if (stop.signal.aborted) process.exit(130);
    stop.abort();
    process.stderr.write("\nStopping after this update; press Ctrl-C again to stop at once.\n");
  };
  process.on("SIGINT", onInterrupt);
  process.on("SIGTERM", onInterrupt);
  process.stdout.on("error", ignoreClosedPipe);
  process.exitCode = await main(words, { stdout: process.stdout, stderr: process.stderr, signal: stop.signal });
  process.off("SIGINT", onInterrupt);
  process.off("SIGTERM", onInterrupt);
}

/** `revort … | head` closes the pipe early; that is no failure. */
function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error;
}
