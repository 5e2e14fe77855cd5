import { RevortError } from "../../src/core/errors.js";
import type { Result } from "../result.js";

/** A document without the place that is to be written. */
export class MarkerError extends RevortError {}

const [start, end] = ["<!-- benchmarks:start -->", "<!-- benchmarks:end -->"];

/** A document with what stands between its two markers replaced. @throws {MarkerError} */
export function withBenchmarks(document: string, body: string): string {
  const [from, to] = [document.indexOf(start), document.indexOf(end)];
  if (from < 0 || to < from) {
    throw new MarkerError(`The document has no place for benchmarks: write ${start} and ${end} into it.`);
  }
  return `${document.slice(0, from + start.length)}\n\n${body.trim()}\n\n${document.slice(to)}`;
}

/** A table in Markdown; the first column is text, the others numbers. */
export function markdownTable(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [
    line(headings),
    `|${headings.map((_, i) => (i === 0 ? "---" : "---:")).join("|")}|`,
    ...rows.map(line),
  ].join("\n");
}

/** One line on where numbers come from: what made them, on what, with what, when. */
export function sourceOf({ command, machine, versions, date }: Result): string {
  const { cpu, cores, platform, load } = machine;
  const known = Object.entries(versions).map(([name, version]) => `${name} ${version.replace(/^v/, "")}`);
  return (
    `\`${command}\`, ${date.slice(0, 10)}; ${cpu}, ${cores} cores, ${platform}, load ${load} before; ` +
    `${known.join(", ")}.`
  );
}
