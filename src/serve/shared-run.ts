import type { Source, Tensors } from "./messages.js";
import { joined, mapped, padded, rowsFor, rowsOf } from "./rows.js";
import type { SessionWorker } from "./session-worker.js";

/** A session that any of the workers opens when it first needs it. */
export interface Served {
  readonly key: string;
  readonly source: Source;
  /** inputs with a row for each sample */
  readonly rowInputs: readonly string[];
  /** rows go through a run in multiples of so many; `null` where samples do not share runs */
  readonly tile: number | null;
}

/** What a request asks of a session. */
export interface Task {
  readonly served: Served;
  readonly kind: "run" | "solve";
  readonly feeds: Tensors;
  /** rows of its samples; `null` where the model has none */
  readonly rows: number | null;
  /** aborted when nobody waits for the answer any more */
  readonly signal: AbortSignal;
}

/** Bytes of what tasks have beside their rows that are compared. */
const mostCompared = 4096;

/**
 * Tasks of one group can share a run: of one session, with rows of the same shapes, and what is not in rows the same to the
 * bit. `null` for one that goes by itself.
 */
export function groupOf({ served, kind, feeds, rows }: Task): string | null {
  if (rows === null || served.tile === null) return null;
  let compared = 0;
  const parts = Object.entries(feeds).map(([name, { shape, data }]) => {
    if (served.rowInputs.includes(name)) return [name, shape.slice(1)];
    compared += data.byteLength;
    if (compared > mostCompared) return [];
    return [name, shape, Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64")];
  });
  return compared > mostCompared ? null : JSON.stringify([kind, served.key, parts]);
}

/** Opens a session where it is not open yet. */
export async function openIn(worker: SessionWorker, { key, source }: Served): Promise<void> {
  if (worker.opened.has(key)) return;
  await worker.ask({ kind: "open", key, source, rowInputs: null });
  worker.opened.add(key);
}

/** Runs tasks of one group in one run. @returns the outputs of each */
export async function runTogether(worker: SessionWorker, tasks: readonly Task[]): Promise<Tensors[]> {
  const [{ served, kind, feeds: first }] = tasks as [Task];
  const { key, rowInputs, tile } = served;
  const feeds =
    tasks.length === 1
      ? first
      : {
          ...first,
          ...Object.fromEntries(
            rowInputs.map((name) => [name, joined(tasks.map((task) => task.feeds[name]!))]),
          ),
        };
  const counts = tasks.map(({ rows }) => rows);
  if (kind === "solve") return split((await worker.ask({ kind, key, feeds, tile })) as Tensors, counts);
  if (tile === null || counts[0] === null) return [(await worker.ask({ kind, key, feeds })) as Tensors];
  const rows = rowsFor(sum(counts), tile);
  const whole = mapped(feeds, rowInputs, (all) => padded(all, rows));
  return split((await worker.ask({ kind, key, feeds: whole })) as Tensors, counts);
}

function split(results: Tensors, counts: readonly (number | null)[]): Tensors[] {
  const names = Object.keys(results);
  let from = 0;
  return counts.map((count) => {
    const start = from;
    from += count ?? 1;
    return mapped(results, names, (all) => rowsOf(all, start, from));
  });
}

/** The rows of several tasks. */
export function sum(counts: readonly (number | null)[]): number {
  return counts.reduce<number>((total, count) => total + (count ?? 1), 0);
}
