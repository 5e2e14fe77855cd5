import { existsSync, readFileSync } from "node:fs";

/**
 * Largest resident memory that this process has had, in bytes. Linux's own count for a process begins with what the one
 * that started it had, so it is taken from where that is not counted.
 */
export function largestMemory(): number {
  const status = "/proc/self/status";
  const own = existsSync(status) ? /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync(status, "utf8")) : null;
  // in kilobytes, here and there, on every platform
  return 1024 * (own === null ? process.resourceUsage().maxRSS : Number(own[1]));
}
