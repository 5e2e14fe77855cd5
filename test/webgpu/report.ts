import { checks } from "../runtime/checks.js";
import type { OwnChecks, Place } from "./checks.js";

/** What each check came to: `null` where it passed, else what went wrong. */
export type Report = Readonly<Record<string, string | null>>;

/** Checks of every runtime that this one cannot pass: those in float64, and the reason. */
export const skips: Readonly<Record<string, string>> = Object.fromEntries(
  Object.keys(checks)
    .filter((title) => title.includes("float64") && !title.startsWith("brings"))
    .map((title) => [title, "WebGPU has no float64"]),
);

/** The titles of all checks, in order. */
export function titlesOf(own: OwnChecks): readonly string[] {
  return [...Object.keys(checks), ...Object.keys(own)];
}

/** Does all checks one after the other, with no help of a test runner: in a page, or in a process with another GPU. */
export async function report(place: Place, own: OwnChecks): Promise<Report> {
  const runtime = await place.open();
  const results: Record<string, string | null> = {};
  const check = async (title: string, doing: () => Promise<void>) => {
    results[title] = await doing().then(
      () => null,
      (cause: Error) => cause.stack ?? String(cause),
    );
  };
  for (const [title, doing] of Object.entries(checks)) {
    if (!(title in skips)) await check(title, () => doing(runtime, place.reference));
  }
  for (const [title, doing] of Object.entries(own)) await check(title, () => doing(place));
  return results;
}
