import { cpus, loadavg } from "node:os";

/** Processes that wanted to run in the minute before this one began: more than none means a busy machine. */
const loadBefore = loadavg()[0]!;

/** When and where something is measured. */
export function measuredHere() {
  return {
    date: new Date().toISOString(),
    machine: {
      cpu: cpus()[0]?.model ?? "unknown",
      cores: cpus().length,
      platform: `${process.platform}-${process.arch}`,
      load: Number(loadBefore.toFixed(2)),
    },
  };
}
