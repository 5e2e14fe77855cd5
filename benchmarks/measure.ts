import { measuredHere } from "../src/cli/bench/machine.js";
import type { Runtime } from "../src/runtime/runtime.js";
import { allowFusedMultiplyAdd } from "../src/runtimes/relaxed-simd.js";

export * from "../src/cli/bench/measure.js";

// as the command lines do
allowFusedMultiplyAdd();

/** Where the numbers come from. */
export function provenance(runtimes: readonly Runtime[] = []) {
  return {
    ...measuredHere(),
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
