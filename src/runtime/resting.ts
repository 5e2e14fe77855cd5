/** Lets timers and signals in now and then: a runtime that does not wait for anything would keep them out. */
export function resting(): (signal: AbortSignal | undefined) => Promise<void> {
  let last = performance.now();
  return async (signal) => {
    if (signal === undefined || performance.now() - last < 50) return;
    await new Promise((resolve) => setTimeout(resolve, 0));
    last = performance.now();
  };
}
