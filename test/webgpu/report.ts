import type { Runtime } from "../../src/runtime/runtime.js";
import { checks } from "../runtime/checks.js";

/** What each check came to: `null` where it passed, else what went wrong. */
export type Report = Readonly<Record<string, string | null>>;

/** Checks of every runtime that this one cannot pass: those in float64, and the reason. */
export const skips: Readonly<Record<string, string>> = Object.fromEntries(
  Object.keys(checks)
    .filter((title) => title.includes("float64") && !title.startsWith("brings"))
    .map((title) => [title, "WebGPU has no float64"]),
);

/** How a place opens the runtime under test, and another one there. */
interface Place {
  open(): Promise<Runtime>;
  reference(): Promise<Runtime>;
}

/** Checks of one runtime, by what they check. */
export type OwnChecks<P extends Place = Place> = Readonly<Record<string, (place: P) => Promise<void>>>;

/** The titles of all checks, in order. */
export function titlesOf(own: object): readonly string[] {
  return [...Object.keys(checks), ...Object.keys(own)];
}

/** Does all checks one after the other, with no help of a test runner: in a page, or in a process with another GPU. */
export async function report<P extends Place>(
  place: P,
  own: OwnChecks<P>,
  skipped: Readonly<Record<string, string>> = skips,
): Promise<Report> {
  const runtime = await place.open();
  const results: Record<string, string | null> = {};
  const check = async (title: string, doing: () => Promise<void>) => {
    results[title] = await doing().then(
      () => null,
      (cause: Error) => cause.stack ?? String(cause),
    );
  };
  for (const [title, doing] of Object.entries(checks)) {
    if (!(title in skipped)) await check(title, () => doing(runtime, place.reference));
  }
  for (const [title, doing] of Object.entries(own)) await check(title, () => doing(place));
  return results;
}
