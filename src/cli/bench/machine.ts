import { readFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";

/** Processes that wanted to run in the minute before this one began: more than none means a busy machine. */
const loadBefore = loadavg()[0]!;

/** When and where something is measured. */
export function measuredHere() {
  return {
    date: new Date().toISOString(),
    machine: {
      cpu: [cpus()[0]?.model.trim() ?? "unknown", widestVectors(flagsHere())].filter(Boolean).join(" with "),
      cores: cpus().length,
      platform: `${process.platform}-${process.arch}`,
      load: Number(loadBefore.toFixed(2)),
    },
  };
}

/**
 * The widest vectors of an x86 processor, of which the times of products of matrices depend more than on its model, which
 * virtual machines often do not tell; `null` where it is not known.
 *
 * @param flags  as Linux lists them in /proc/cpuinfo
 */
export function widestVectors(flags: readonly string[]): "AVX-512" | "AVX2" | null {
  if (flags.includes("avx512f")) return "AVX-512";
  return flags.includes("avx2") ? "AVX2" : null;
}

function flagsHere(): readonly string[] {
  try {
    const [, flags = ""] = /^flags\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8")) ?? [];
    return flags.trim().split(" ");
  } catch {
    // not Linux
    return [];
  }
}
