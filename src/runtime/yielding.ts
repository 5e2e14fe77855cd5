/**
 * Yields to the event loop now and then, so that timers and signals get in: a runtime that does not wait for anything would
 * keep them out.
 */
export function yieldToEventLoop(): (signal: AbortSignal | undefined) => Promise<void> {
  let last = performance.now();
  return async (signal) => {
    if (signal === undefined || performance.now() - last < 50) return;
    await new Promise((resolve) => setTimeout(resolve, 0));
    last = performance.now();
  };
}
