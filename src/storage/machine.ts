import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/** A process among all that ever were, on whatever machine; `null` for what the system does not say. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly host: string;
  /** the installation of the operating system, which keeps its name over restarts */
  readonly machine: string | null;
  /** the run of the operating system, from one start to the next */
  readonly boot: string | null;
  /** the table that the pid belongs to: containers of one machine have their own */
  readonly pids: string | null;
  /** when the process began, in ticks since the system did: pids are used again */
  readonly started: string | null;
}

export function thisProcess(): ProcessIdentity {
  return {
    pid: process.pid,
    host: hostname(),
    machine: contentOf("/etc/machine-id"),
    boot: contentOf("/proc/sys/kernel/random/boot_id"),
    pids: or(() => readlinkSync("/proc/self/ns/pid")),
    started: startOf(process.pid),
  };
}

/** Whether a process runs: `unknown` for one of another machine, or of another container of this one. */
export function stateOf(other: ProcessIdentity): "running" | "ended" | "unknown" {
  const here = thisProcess();
  if (other.host !== here.host || other.machine !== here.machine) return "unknown";
  // a host's name alone does not tell a machine that was started anew from another of the same name
  if (other.boot !== here.boot) return here.machine === null ? "unknown" : "ended";
  if (other.pids !== here.pids) return "unknown";
  if (!exists(other.pid)) return "ended";
  const started = startOf(other.pid);
  return started === other.started ? "running" : "ended";
}

function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // of another user
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/**
 * When a process began, from /proc/PID/stat: the 22nd field, counted behind the name, which may hold anything; "ended"
 * for one that only waits for its parent to take notice.
 */
function startOf(pid: number): string | null {
  const fields = contentOf(`/proc/${pid}/stat`)
    ?.replace(/^.*\) /s, "")
    .split(" ");
  if (fields === undefined) return null;
  return fields[0] === "Z" || fields[0] === "X" ? "ended" : fields[19]!;
}

function contentOf(path: string): string | null {
  return or(() => readFileSync(path, "utf8").trim() || null);
}

function or(read: () => string | null): string | null {
  try {
    return read();
  } catch {
    return null;
  }
}
