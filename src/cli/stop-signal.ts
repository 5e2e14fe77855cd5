import { exitCodes, type StopSignal, stopSignals } from "./exit-codes.js";

/** Signals that come within this time, in ms, are one: a terminal sends Ctrl-C to all its processes, and `tsx` again. */
const sameSignal = 1000;

/** The first signal asks the command to stop when it can; one that comes a second later, or after that, does not wait. */
export function stopOnSignal() {
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
