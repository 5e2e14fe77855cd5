import type { FloatDType } from "../../core/tensor.js";
import { type Host, openHost, type PageHosts } from "./hosts.js";
import { measure } from "./measure.js";
import type { Subject } from "./subject.js";
import { type Job, type Readiness, type Work, works } from "./workload.js";

/** How a subject does on a runtime. Times are the least of rounds in turns with all
 * others, which other work on the machine disturbs least; `null` where there are none. */
export interface Row {
  readonly subject: string;
  readonly batch: number;
  readonly runtime: string;
  readonly version: string | null;
  readonly dtype: FloatDType;
  /** why there are no numbers, or not all */
  readonly reason: string | null;
  /** milliseconds to open the runtime */
  readonly openMs: number | null;
  /** milliseconds from the graph to the first gradient, or run: building, compiling and running it cold */
  readonly firstMs: number | null;
  readonly evaluationUs: number | null;
  readonly stepUs: number | null;
  /** of a step, forwards and backwards */
  readonly gradientUs: number | null;
  /** of the processor, by all threads; a page does not tell */
  readonly processorUs: number | null;
  /** of a file that is run as it is: a whole solve, an update */
  readonly runUs: number | null;
  readonly timesJit: number | null;
  /** ‖x − y‖ / ‖y‖ for an evaluation and a gradient, y in float64 on `ort-cpu`; for that itself, on `jit` */
  readonly evaluationError: number | null;
  readonly gradientError: number | null;
  readonly runError: number | null;
  /** mebibytes that its process, or Chromium, takes more than before */
  readonly memoryMiB: number | null;
}

export interface ComparisonOptions {
  readonly runtimes: readonly string[];
  readonly batch: number;
  readonly steps: number;
  readonly dtype: FloatDType;
  readonly rounds: number;
  readonly say: (text: string) => void;
  /** runtimes in pages, where there are any */
  readonly pages: PageHosts | null;
}

interface Opened {
  readonly name: string;
  readonly host: Host | null;
  readonly reason: string | null;
}

/** Compares runtimes on a subject: each in a process or page of its own, timed in turns. */
export async function compare(subject: Subject, options: ComparisonOptions): Promise<Row[]> {
  const { runtimes, batch, steps, dtype, rounds, say, pages } = options;
  const job = subject.job({ batch, steps, dtype });
  const inFloat64 = subject.job({ batch, steps, dtype: "float64" });
  const open = (name: string, given: Job) => openHost(name, given, pages);
  const references = await referencesFor(open, inFloat64);
  const opened: Opened[] = [];
  try {
    for (const name of runtimes) {
      say(`${subject.name}, batch ${batch}: opening ${name}`);
      opened.push(
        await open(name, job).then(
          (host) => ({ name, host, reason: null }),
          (cause: Error) => ({ name, host: null, reason: cause.message }),
        ),
      );
    }
    const timings = new Map<Work, Map<string, Timed>>();
    for (const work of subject.works) timings.set(work, await timed(opened, work, rounds, say));
    const main = subject.works.at(-1)!;
    const jit = timings.get(main)!.get("jit")?.least;
    return opened.map((one) => {
      const time = (work: Work) => timings.get(work)?.get(one.name);
      const [gradient, whole] = [time("gradient"), time(main)];
      const micro = (seconds: number | undefined, over = 1) =>
        seconds === undefined || Number.isNaN(seconds) ? null : (seconds * 1e6) / over;
      const { readiness } = one.host ?? {};
      const reference = one.name.startsWith("ort-cpu") ? references.jit : references.ort;
      return {
        ...{ subject: subject.name, batch, runtime: one.name, dtype },
        version: readiness?.version ?? null,
        reason: one.reason ?? reasonIn(readiness!),
        openMs: readiness?.openMs ?? null,
        firstMs: readiness?.works[main]?.firstMs ?? null,
        evaluationUs: micro(time("evaluation")?.least),
        stepUs: micro(time("solve")?.least, steps),
        gradientUs: micro(gradient?.least, steps),
        processorUs: main === "run" ? micro(whole?.processor) : micro(gradient?.processor, steps),
        runUs: micro(time("run")?.least),
        timesJit: whole && jit ? whole.least / jit : null,
        evaluationError: errorOf(readiness, reference, "evaluation"),
        gradientError: errorOf(readiness, reference, "gradient"),
        runError: errorOf(readiness, reference, "run"),
        memoryMiB: one.host?.memory() ?? null,
      };
    });
  } finally {
    for (const { host } of opened) await host?.close();
  }
}

type Timed = Awaited<ReturnType<typeof measure>>[number];

async function timed(
  opened: readonly Opened[],
  work: Work,
  rounds: number,
  say: (text: string) => void,
): Promise<Map<string, Timed>> {
  const able = opened.filter(({ host }) => host !== null && host.readiness.works[work]?.reason === null);
  say(`timing: ${work}`);
  const found = await measure(
    able.map(({ name, host }) => ({ name, time: (repeats: number) => host!.time(work, repeats) })),
    { rounds, warmUp: 0.1, turn: 0.005, limit: 4 },
  );
  return new Map(able.map(({ name }, i) => [name, found[i]!]));
}

/** What two runtimes compute in float64, which have no kernel in common; one for both where ONNX Runtime is not installed. */
async function referencesFor(
  open: (name: string, job: Job) => Promise<Host>,
  job: Job,
): Promise<{ readonly jit: Readiness; readonly ort: Readiness }> {
  const readinessOf = async (name: string) => {
    const host = await open(name, job);
    await host.close();
    return host.readiness;
  };
  const jit = await readinessOf("jit");
  return { jit, ort: await readinessOf("ort-cpu").catch(() => jit) };
}

/** The versions of what was compared, by the names of runtimes in Node and in pages. */
export function versionsIn(rows: readonly Row[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    rows.flatMap(({ runtime, version }) => (version === null ? [] : [[runtime, version]])),
  );
}

function reasonIn({ works: all }: Readiness): string | null {
  const [first] = works.flatMap((work) => {
    const reason = all[work]?.reason ?? null;
    return reason === null ? [] : [`${work}: ${reason}`];
  });
  return first ?? null;
}

function errorOf(readiness: Readiness | undefined, reference: Readiness, work: Work): number | null {
  const [x, y] = [readiness?.works[work]?.values ?? null, reference.works[work]?.values ?? null];
  if (x === null || y === null) return null;
  return Math.hypot(...x.map((value, i) => value - y[i]!)) / Math.hypot(...y);
}
