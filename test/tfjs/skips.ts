import { checks } from "../runtime/checks.js";
import type { Skips } from "../runtime/conformance.js";

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
