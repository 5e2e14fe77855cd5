import { RevortError } from "../core/errors.js";
import { oneLine, printable } from "../core/printable.js";
import { EquationError } from "../fields/symbolic/syntax-error.js";
import { ReconstructionError } from "../gradients/reconstruction-limit.js";
import { SolveAbortedError, SolveError } from "../integrate/failures.js";
import { CompileError, RunError, RuntimeUnavailableError } from "../runtime/runtime.js";
import { StorageError } from "../storage/storage-error.js";
import { TrainingError } from "../train/train.js";
import { exitCodes } from "./exit-codes.js";
import { UnsavedFieldError } from "./run-results.js";

/** Whether an error means that the work failed or was stopped, rather than that the request was wrong. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof RevortError)) return exitCodes.failed;
  if (error instanceof SolveAbortedError) return exitCodes.interrupted;
  const failed =
    [
      SolveError,
      TrainingError,
      ReconstructionError,
      UnsavedFieldError,
      RunError,
      CompileError,
      RuntimeUnavailableError,
    ].some((kind) => error instanceof kind) ||
    (error instanceof StorageError && error.action === "write");
  return failed ? exitCodes.failed : exitCodes.wrongRequest;
}

/** One readable line; with `debug`, the stack trace and the causes as well. */
export function describeError(error: unknown, debug: boolean): string {
  if (debug && error instanceof Error) return describeCauses(error);
  const message = oneLine(error instanceof Error ? error.message : String(error)).trim();
  if (error instanceof RevortError) return message;
  return `Unexpected failure: ${message} (run again with --debug for the details, and please report it).`;
}

/** The place in equations that an error is about, with a caret under it; `null` for other errors. */
export function excerptOf(error: unknown): string | null {
  if (!(error instanceof EquationError)) return null;
  return error.excerpt
    .split("\n")
    .map((line) => `  ${printable(line)}`)
    .join("\n");
}

function describeCauses(error: Error): string {
  const own = error.stack ?? String(error);
  return error.cause instanceof Error ? `${own}\ncaused by: ${describeCauses(error.cause)}` : own;
}
