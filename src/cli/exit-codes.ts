/** Exit codes of every command. */
export const exitCodes = { done: 0, failed: 1, wrongRequest: 2, interrupted: 130 } as const;

/** Signals that ask a command to stop, and the exit codes that a shell knows them by: 128 + the signal's number. */
export const stopSignals = { SIGINT: exitCodes.interrupted, SIGTERM: 143, SIGHUP: 129 } as const;

export type StopSignal = keyof typeof stopSignals;
