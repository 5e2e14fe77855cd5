import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { RevortError } from "../../src/core/errors.js";

/** What the C program says of one gradient. */
export interface Limit {
  readonly usPerStep: number;
  readonly loss: number;
  /** Σ g² over the parameters */
  readonly squares: number;
}

/** A compiled C program, to be run in turn with the others. */
export interface Contest {
  /** @throws {LimitError} if it fails */
  readonly run: (repeats: number) => Limit;
  readonly end: () => void;
}

/** A C program that was compiled and does not run. */
export class LimitError extends RevortError {}

/** How the C program is compiled. */
export const flags = ["-O3", "-march=native", "-ffast-math"] as const;

/** Compiles white-dwarf.c; `null` where there is no gcc. */
export function contestInC(steps: number, numbers: readonly number[]): Contest | null {
  const folder = mkdtempSync(join(tmpdir(), "revort-limit-"));
  const program = join(folder, "white-dwarf");
  const source = fileURLToPath(new URL("white-dwarf.c", import.meta.url));
  const built = spawnSync("gcc", [...flags, source, "-o", program, "-lm"]);
  if (built.status !== 0) {
    rmSync(folder, { recursive: true });
    return null;
  }
  return {
    run(repeats) {
      const { stdout, stderr, status } = spawnSync(program, {
        input: [steps, repeats, ...numbers].join(" "),
        encoding: "utf8",
      });
      if (status !== 0) throw new LimitError(`white-dwarf.c ended with ${status}: ${stderr}`);
      const [usPerStep, loss, squares] = stdout.trim().split(" ").map(Number) as [number, number, number];
      return { usPerStep, loss, squares };
    },
    end: () => rmSync(folder, { recursive: true }),
  };
}
