/**
 * Seconds of processors that this process has taken so far. Unlike those of a clock, they are hardly more where a machine does
 * other work besides.
 */
export function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
