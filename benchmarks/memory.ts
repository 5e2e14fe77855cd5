import { readdirSync, readFileSync } from "node:fs";

/**
 * Mebibytes of memory of all processes that a process has started, by itself or by others; `null` where there is no /proc.
 *
 * @param named  of those whose program is named like that alone
 */
export function memoryBelow(root: number, named = /./): number | null {
  if (process.platform !== "linux") return null;
  const parents = new Map<number, { readonly parent: number; readonly name: string }>();
  for (const entry of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const [, name = "", parent] = /\((.*)\) \S (\d+)/s.exec(fileOf(entry, "stat")) ?? [];
    if (parent !== undefined) parents.set(Number(entry), { parent: Number(parent), name });
  }
  let pages = 0;
  for (const [pid, { name }] of parents) {
    let at: number | undefined = pid;
    while (at !== undefined && at !== root) at = parents.get(at)?.parent;
    if (at === root && pid !== root && named.test(name))
      pages += Number(fileOf(String(pid), "statm").split(" ")[1] ?? 0);
  }
  return (pages * 4096) / 2 ** 20;
}

/** What the system says of a process; "" of one that has ended meanwhile. */
function fileOf(pid: string, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "latin1");
  } catch {
    return "";
  }
}
