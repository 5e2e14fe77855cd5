import { cpus } from "node:os";
import type { Runtime } from "../src/runtime/runtime.js";

/** Something to time: its name, and one run of it. */
export interface Contender {
  readonly name: string;
  readonly run: () => Promise<unknown>;
}

/**
 * Seconds of one run: the median, the quartiles as a measure of the noise, and the least, which on a busy machine says
 * more, since other work only ever adds.
 */
export interface Timing {
  readonly median: number;
  readonly least: number;
  readonly quartiles: readonly [number, number];
}

export interface MeasureOptions {
  /** rounds, each of which gives every contender a turn */
  readonly rounds: number;
  /** seconds of warm running before the first round, for each contender */
  readonly warmUp?: number;
  /** shortest time of a turn in seconds: what takes less is run several times over */
  readonly turn?: number;
  /** longest time of all turns of a contender in seconds, beyond which it gets no more of them */
  readonly limit?: number;
}

/** Times contenders in turns, so that a machine that slows down slows all of them alike. */
export async function measure(
  contenders: readonly Contender[],
  { rounds, warmUp = 0.5, turn = 0.01, limit = Infinity }: MeasureOptions,
): Promise<Timing[]> {
  const repeats: number[] = [];
  for (const { run } of contenders) {
    const start = performance.now();
    let last = 0;
    do last = await seconds(run, 1);
    while (performance.now() - start < warmUp * 1000);
    repeats.push(Math.max(1, Math.ceil(turn / last)));
  }
  const samples = contenders.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, { run }] of contenders.entries()) {
      const own = samples[i]!;
      if (own.reduce((sum, x) => sum + x * repeats[i]!, 0) > limit) continue;
      own.push(await seconds(run, repeats[i]!));
    }
  }
  return samples.map(timingOf);
}

async function seconds(run: () => Promise<unknown>, repeats: number): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < repeats; i++) await run();
  return (performance.now() - start) / 1000 / repeats;
}

export function timingOf(samples: readonly number[]): Timing {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
  return { median: at(0.5), least: sorted[0]!, quartiles: [at(0.25), at(0.75)] };
}

/** Where the numbers come from. */
export function provenance(runtimes: readonly Runtime[] = []) {
  return {
    machine: {
      cpu: cpus()[0]?.model ?? "unknown",
      cores: cpus().length,
      platform: `${process.platform}-${process.arch}`,
    },
    versions: {
      node: process.version,
      ...Object.fromEntries(runtimes.map(({ name, version }) => [name, version])),
    },
    command: `npx tsx ${process.argv
      .slice(1)
      .map((part) => (part.includes("/benchmarks/") ? `benchmarks/${part.split("/benchmarks/")[1]}` : part))
      .join(" ")}`,
  };
}

/** Rows of text under headings, numbers to the right. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = headings.map((heading, k) => Math.max(heading.length, ...rows.map((row) => row[k]!.length)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, k) =>
        /^[\d.+-]/.test(rows[0]?.[k] ?? "") ? cell.padStart(widths[k]!) : cell.padEnd(widths[k]!),
      )
      .join("  ")
      .trimEnd();
  return [headings, widths.map((width) => "-".repeat(width)), ...rows].map(line).join("\n");
}
