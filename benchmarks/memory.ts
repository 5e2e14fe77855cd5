import { readdirSync, readFileSync } from "node:fs";

/**
 * Mebibytes of memory of a process and all that it has started, by itself or by others; `null` where there is no /proc.
 *
 * @param root  or several
 */
export function memoryOf(root: number | readonly number[]): number | null {
  if (process.platform !== "linux") return null;
  const roots = new Set([root].flat());
  const parents = processes();
  let pages = 0;
  for (const pid of parents.keys()) {
    let at: number | undefined = pid;
    while (at !== undefined && !roots.has(at)) at = parents.get(at);
    if (at !== undefined) pages += Number(fileOf(String(pid), "statm").split(" ")[1] ?? 0);
  }
  return (pages * 4096) / 2 ** 20;
}

/** What a process has started itself, and still runs. */
export function childrenOf(pid: number): number[] {
  return [...processes()].flatMap(([child, parent]) => (parent === pid ? [child] : []));
}

/** The parents of all processes. */
function processes(): ReadonlyMap<number, number> {
  const parents = new Map<number, number>();
  if (process.platform !== "linux") return parents;
  for (const entry of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const [, parent] = /\) \S (\d+)/.exec(fileOf(entry, "stat")) ?? [];
    if (parent !== undefined) parents.set(Number(entry), Number(parent));
  }
  return parents;
}

/** What the system says of a process; "" of one that has ended meanwhile. */
function fileOf(pid: string, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "latin1");
  } catch {
    return "";
  }
}
