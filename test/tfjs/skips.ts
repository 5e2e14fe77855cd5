import type { Backend } from "../../src/graph-model/backends.js";
import { checks } from "../runtime/checks.js";
import type { Skips } from "../runtime/conformance.js";
import { operatorChecks } from "../webgpu/operators.js";
import { isGpu } from "./known.js";

/** Checks of every runtime that this one cannot pass, and why. */
export const skips: Skips = {
  ...Object.fromEntries(
    Object.keys(checks)
      .filter((title) => title.includes("float64") && !title.startsWith("brings"))
      .map((title) => [title, "TensorFlow.js has no float64"]),
  ),
  "counts in int64, in a loop as outside":
    "it has no int64, and what does not provably fit in int32 is refused",
  "ends a loop when its condition says so":
    "it has no loops, and nobody knows beforehand how often this one runs",
};

/** Operators that are refused, and why. */
export const refused: Readonly<Record<string, string>> = {
  "computes TopK as another runtime does":
    "of NaN and of equal elements its TopK takes others, and it is refused",
};

/** Checks that a backend in a page cannot pass, and those that it is spared where it should be done soon, and why. */
export function skipsInPage(backend: Backend, isSoon: boolean): Readonly<Record<string, string>> {
  const all = Object.keys({ ...checks, ...operatorChecks });
  const slow = all.filter((title) =>
    /^(differentiates|finds whole|computes .* as another runtime does$)/.test(title),
  );
  const where = isGpu(backend)
    ? "GPUs in software take minutes: it is among the slow tests"
    : "it is checked in Node";
  return {
    ...(skips as Readonly<Record<string, string>>),
    ...refused,
    ...(isGpu(backend)
      ? {
          "computes Mod as another runtime does": "its remainders of floats have few digits, and are refused",
        }
      : {}),
    ...(isSoon ? Object.fromEntries([...slow, special].map((title) => [title, where])) : {}),
  };
}

/** The longest of its own checks. */
const special = "computes integers, casts and special values as they are folded, but for what is known";
